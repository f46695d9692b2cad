"""One transport and its event loops: several loops one after another, tasks, and what is left at the end."""

from __future__ import annotations

import asyncio
import gc
import warnings
from typing import Any

import pytest

from mesahub.errors import ConfigurationError
from mesahub.testing.base import AMPLE, Fixtures, call, select_one
from mesahub.testing.server import ConformanceServer
from mesahub.transport import AsyncTransportFactory, TransportOptions


class EventLoops(Fixtures):
    """A transport belongs to the loop that runs, and leaves nothing in it."""

    def test_another_loop_starts_with_new_connections(
        self, async_transport: AsyncTransportFactory, options: TransportOptions
    ) -> None:
        transport = async_transport(options)

        async def ask(*, last: bool) -> Any:
            try:
                return (await transport.send(select_one())).payload["rows"]
            finally:
                if last:
                    await transport.close()

        with warnings.catch_warnings():
            # asyncio itself warns of connections that outlive their loop.
            warnings.simplefilter("ignore", ResourceWarning)
            assert asyncio.run(ask(last=False)) == [{"one": 1}]
            assert asyncio.run(ask(last=True)) == [{"one": 1}]
            gc.collect()

    def test_the_loop_goes_on_while_a_call_waits(
        self, async_transport: AsyncTransportFactory, server: ConformanceServer
    ) -> None:
        async def run() -> int:
            transport = async_transport(TransportOptions(base_url=server.url, proxies={}))
            try:
                held = asyncio.ensure_future(transport.send(call("/gate")))
                turns = 0
                while not server.arrived.acquire(blocking=False):
                    turns += 1
                    await asyncio.sleep(0)
                server.gate.set()
                assert (await held).status == 200
                return turns
            finally:
                await transport.close()

        assert asyncio.run(run()) > 0

    def test_call_without_an_event_loop_names_what_is_supported(
        self, async_transport: AsyncTransportFactory, options: TransportOptions
    ) -> None:
        coroutine = async_transport(options).send(select_one())
        with pytest.raises(ConfigurationError, match=r"asyncio.*Trio"):
            coroutine.send(None)  # as another framework would

    def test_tasks_share_it(self, async_transport: AsyncTransportFactory, options: TransportOptions) -> None:
        async def run() -> list[Any]:
            transport = async_transport(options)
            try:
                answers = await asyncio.gather(*[transport.send(select_one()) for _ in range(200)])
                return [answer.payload["rows"] for answer in answers]
            finally:
                await transport.close()

        assert asyncio.run(run()) == [[{"one": 1}]] * 200

    def test_close_leaves_no_task_and_no_socket(
        self, async_transport: AsyncTransportFactory, server: ConformanceServer
    ) -> None:
        async def run() -> set[asyncio.Task[Any]]:
            transport = async_transport(TransportOptions(base_url=server.url, proxies={}, pool_size=4))
            await asyncio.gather(*[transport.send(call("/echo", b"mine")) for _ in range(20)])
            dropped = await transport.send(call("/bytes/1000000", method="GET", streams=True))
            await dropped.aclose()
            await transport.close()
            async with asyncio.timeout(AMPLE):
                while server.open_connections:
                    await asyncio.sleep(0.01)
            return asyncio.all_tasks() - {asyncio.current_task()}

        assert asyncio.run(run()) == set()

    def test_close_ends_the_wait_for_a_connection(
        self, async_transport: AsyncTransportFactory, server: ConformanceServer
    ) -> None:
        if not self.limits_connections:
            pytest.skip("this transport does not limit its connections")

        async def run() -> Any:
            transport = async_transport(TransportOptions(base_url=server.url, proxies={}, pool_size=1))
            held = asyncio.ensure_future(transport.send(call("/gate")))
            await asyncio.to_thread(server.arrived.acquire, timeout=AMPLE)
            waiting = asyncio.ensure_future(transport.send(call("/echo", b"late")))
            await asyncio.sleep(0)
            await transport.close()
            server.gate.set()
            return await asyncio.wait_for(asyncio.gather(held, waiting, return_exceptions=True), AMPLE)

        _, waiting = asyncio.run(run())
        assert isinstance(waiting, Exception)
        assert [seen.target for seen in server.seen] == ["/gate"]
