"""`AsyncTransportContract`: the contract of a transport, asked of an asynchronous one, and what holds for it alone."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import warnings
import weakref
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from mesahub.errors import MesahubError
from mesahub.testing.base import AMPLE, call, select_one
from mesahub.testing.contract import TransportContract
from mesahub.testing.server import ConformanceServer
from mesahub.transport import (
    AsyncDownloadStream,
    AsyncTransport,
    AsyncTransportFactory,
    Request,
    Response,
    TransportFactory,
    TransportOptions,
)

T = TypeVar("T")


class AsyncTransportContract(TransportContract):
    """Subclass it, define the fixture ``async_transport``, and have pytest collect the subclass.

    Class attributes are those of `TransportContract`. Every test of that contract runs too, over a loop in a thread.
    """

    @pytest.fixture
    def async_transport(self) -> AsyncTransportFactory:
        """The transport's factory: yours."""
        raise NotImplementedError(
            f"{type(self).__name__} must define a fixture named async_transport that returns the transport's class, or "
            "a function that takes TransportOptions and returns the transport."
        )

    @pytest.fixture
    def transport(self, async_transport: AsyncTransportFactory) -> Iterator[TransportFactory]:
        """The transport, as blocking code sees it."""
        made: list[OnALoop] = []

        def make(options: TransportOptions) -> OnALoop:
            made.append(OnALoop(async_transport, options))
            return made[-1]

        yield make
        for each in made:
            each.stop()

    def test_a_cancelled_call_drops_its_connection(
        self, async_transport: AsyncTransportFactory, server: ConformanceServer
    ) -> None:
        async def run() -> list[bytes]:
            transport = async_transport(TransportOptions(base_url=server.url, proxies={}, pool_size=1))
            try:
                held = asyncio.ensure_future(transport.send(call("/gate")))
                await asyncio.to_thread(server.arrived.acquire, timeout=AMPLE)
                held.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await held
                server.gate.set()  # now the response to the cancelled call arrives
                return [(await transport.send(call("/echo", b"mine"))).content for _ in range(3)]
            finally:
                await transport.close()

        assert asyncio.run(run()) == [b"mine"] * 3

    def test_a_cancelled_waiter_hands_its_turn_on(
        self, async_transport: AsyncTransportFactory, server: ConformanceServer
    ) -> None:
        if not self.limits_connections:
            pytest.skip("this transport does not limit its connections")

        async def run() -> list[bytes]:
            transport = async_transport(TransportOptions(base_url=server.url, proxies={}, pool_size=1))
            try:
                held = asyncio.ensure_future(transport.send(call("/gate")))
                await asyncio.to_thread(server.arrived.acquire, timeout=AMPLE)
                waiting = [asyncio.ensure_future(transport.send(call("/echo", b"%d" % n))) for n in range(6)]
                await asyncio.sleep(0)
                server.gate.set()
                await held
                for task in waiting[::2]:
                    task.cancel()
                done = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), AMPLE)
                return [each.content for each in done if isinstance(each, Response)][-3:]
            finally:
                await transport.close()

        assert asyncio.run(run()) == [b"1", b"3", b"5"]

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


class OnALoop:
    """A blocking transport over an asynchronous one: its loop runs in a thread."""

    def __init__(self, factory: AsyncTransportFactory, options: TransportOptions) -> None:
        self._pid = 0
        self._loop: asyncio.AbstractEventLoop
        self._start()
        self._transport: AsyncTransport = factory(options)

    def send(self, request: Request, /) -> Response:
        """Send a request and wait for its answer."""
        if self._pid != os.getpid():
            self._start()
        response = self._run(lambda: self._transport.send(request))
        stream, response.async_stream = response.async_stream, None
        if stream is not None:
            response.stream = _Stream(self, stream)
        return response

    def close(self) -> None:
        """Close the transport."""
        self._run(self._transport.close)

    def stop(self) -> None:
        """Close the transport, and end the loop."""
        if self._loop.is_running():
            self.close()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(AMPLE)
            self._loop.close()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="contract-loop")
        self._thread.start()

    def _run(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        async def run() -> T:
            return await make()

        try:
            return asyncio.run_coroutine_threadsafe(run(), self._loop).result(AMPLE * 2)
        except MesahubError as error:
            raise error.with_traceback(None) from error.__cause__


class _Stream:
    """The body of an answer, read in blocking code."""

    def __init__(self, owner: OnALoop, stream: AsyncDownloadStream) -> None:
        self._owner = owner
        self._stream = stream
        self._finalizer = weakref.finalize(self, _drop, owner, stream)

    def read(self, size: int = -1, /) -> bytes:
        return self._owner._run(lambda: self._stream.read(size))

    def close(self) -> None:
        self._finalizer()


def _drop(owner: OnALoop, stream: AsyncDownloadStream) -> None:
    if owner._loop.is_running():
        owner._run(stream.close)
