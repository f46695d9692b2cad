"""Cancelled calls: their connections, their places in the pool, and what their callers learn."""

from __future__ import annotations

import asyncio
import io
import random
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from mesahub.errors import NotSentError, RequestTimeoutError
from mesahub.testing.base import AMPLE, Fixtures, call
from mesahub.testing.server import ConformanceServer
from mesahub.transport import AsyncTransport, AsyncTransportFactory, FileBody, Response, TransportOptions

T = TypeVar("T")

STORM_PATHS = ("/echo/{}", "/late/{}", "/split/{}", "/interim-echo/{}", "/chunked-echo/{}")
"""What a storm asks for: each answers with the body that was sent, at once, late, in pieces."""


class Cancellation(Fixtures):
    """A cancelled call leaves nothing to the next one."""

    def with_transport(
        self,
        factory: AsyncTransportFactory,
        server: ConformanceServer,
        use: Callable[[AsyncTransport], Awaitable[T]],
        **options: Any,
    ) -> T:
        """Run ``use`` with a transport for a server, in a loop of its own."""

        async def run() -> T:
            transport = factory(TransportOptions(base_url=server.url, **{"proxies": {}, "pool_size": 1, **options}))
            try:
                return await asyncio.wait_for(use(transport), AMPLE * 2)
            finally:
                await transport.close()

        return asyncio.run(run())

    def test_a_cancelled_call_drops_its_connection(
        self, async_transport: AsyncTransportFactory, server: ConformanceServer
    ) -> None:
        async def use(transport: AsyncTransport) -> list[bytes]:
            held = await in_flight(transport, server)
            held.cancel()
            with pytest.raises(asyncio.CancelledError):
                await held
            server.gate.set()  # now the response to the cancelled call arrives
            return [(await transport.send(call("/echo", b"mine"))).content for _ in range(3)]

        assert self.with_transport(async_transport, server, use) == [b"mine"] * 3

    def test_a_cancelled_waiter_hands_its_turn_on(
        self, async_transport: AsyncTransportFactory, server: ConformanceServer
    ) -> None:
        if not self.limits_connections:
            pytest.skip("this transport does not limit its connections")

        async def use(transport: AsyncTransport) -> list[bytes]:
            held = await in_flight(transport, server)
            waiting = [asyncio.ensure_future(transport.send(call("/echo", b"%d" % n))) for n in range(6)]
            await asyncio.sleep(0)
            server.gate.set()
            await held
            for task in waiting[::2]:
                task.cancel()
            done = await asyncio.gather(*waiting, return_exceptions=True)
            return [each.content for each in done if isinstance(each, Response)][-3:]

        assert self.with_transport(async_transport, server, use) == [b"1", b"3", b"5"]

    @pytest.mark.parametrize("safe", [False, True])
    def test_the_note_says_that_a_write_may_have_run(
        self, async_transport: AsyncTransportFactory, server: ConformanceServer, safe: bool
    ) -> None:
        async def use(transport: AsyncTransport) -> list[str]:
            held = await in_flight(transport, server, safe=safe)
            held.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await held
            return notes(caught.value)

        assert len(self.with_transport(async_transport, server, use)) == (0 if safe else 1)

    def test_the_note_passes_through_a_timeout_of_the_application(
        self, async_transport: AsyncTransportFactory, server: ConformanceServer
    ) -> None:
        async def use(transport: AsyncTransport) -> list[str]:
            with pytest.raises(TimeoutError) as caught:
                async with asyncio.timeout(0.3):
                    await transport.send(call("/hang", b"{}"))
            return notes(caught.value.__cause__)

        assert len(self.with_transport(async_transport, server, use)) == 1

    def test_a_call_that_was_not_sent_gets_no_note(
        self, async_transport: AsyncTransportFactory, server: ConformanceServer
    ) -> None:
        if not self.limits_connections:
            pytest.skip("this transport does not limit its connections")

        async def use(transport: AsyncTransport) -> list[str]:
            held = await in_flight(transport, server)
            waiting = asyncio.ensure_future(transport.send(call("/echo", b"{}")))
            await asyncio.sleep(0.05)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await waiting
            server.gate.set()
            await held
            return notes(caught.value)

        assert self.with_transport(async_transport, server, use) == []
        assert len(server.seen) == 1

    def test_a_cancelled_download_frees_its_place(
        self, async_transport: AsyncTransportFactory, server: ConformanceServer
    ) -> None:
        async def use(transport: AsyncTransport) -> bytes:
            response = await transport.send(call("/stall", method="GET", streams=True))
            assert response.async_stream is not None
            reading = asyncio.ensure_future(response.aread())
            await asyncio.sleep(0.1)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            return (await transport.send(call("/echo", b"mine"))).content

        assert self.with_transport(async_transport, server, use) == b"mine"

    def test_a_cancelled_upload_frees_its_place(
        self, async_transport: AsyncTransportFactory, server: ConformanceServer
    ) -> None:
        async def use(transport: AsyncTransport) -> bytes:
            body = FileBody(200_000, lambda: io.BytesIO(bytes(200_000)))
            uploading = asyncio.ensure_future(transport.send(call("/hang", body, streams=True)))
            await asyncio.to_thread(server.arrived.acquire, timeout=AMPLE)
            uploading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await uploading
            return (await transport.send(call("/echo", b"mine"))).content

        assert self.with_transport(async_transport, server, use) == b"mine"

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_a_call_cancelled_while_it_connects_frees_its_place(
        self, async_transport: AsyncTransportFactory, scheme: str
    ) -> None:
        if not self.speaks_http or (scheme == "https" and not self.has_tls):
            pytest.skip("this transport does not speak it")
        silent = socket.create_server(("127.0.0.1", 0))  # takes connections, and never says anything

        async def run() -> list[Any]:
            url = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}"
            transport = async_transport(TransportOptions(base_url=url, proxies={}, pool_size=1))
            try:
                first = asyncio.ensure_future(transport.send(call("/x", b"{}", safe=True)))
                accepted, _ = await asyncio.to_thread(silent.accept)
                accepted.settimeout(AMPLE)
                first.cancel()
                with pytest.raises(asyncio.CancelledError) as caught:
                    await first
                with accepted:
                    while await asyncio.to_thread(accepted.recv, 65536):
                        pass  # until the connection is closed, as it must be
                with pytest.raises(RequestTimeoutError):  # not for lack of a place
                    await transport.send(call("/x", b"{}", timeout=0.3))
                return notes(caught.value)
            finally:
                await transport.close()

        with silent:
            silent.settimeout(AMPLE)
            assert asyncio.run(run()) == []

    def test_storm_of_cancelled_and_late_calls(
        self, async_transport: AsyncTransportFactory, server: ConformanceServer
    ) -> None:
        async def use(transport: AsyncTransport) -> Counter[str]:
            return await storm(transport, 300, workers=24)

        seen = self.with_transport(async_transport, server, use, pool_size=6)
        assert seen["wrong"] == 0
        assert seen["cancelled"] > 5  # of 45 that are tried: the others were answered before
        assert seen["late"] > 3
        assert seen["right"] > 200
        assert seen["after"] == 24


def notes(error: BaseException | None) -> list[str]:
    """The notes on an exception."""
    return list(getattr(error, "__notes__", []))


async def in_flight(transport: AsyncTransport, server: ConformanceServer, **options: Any) -> asyncio.Task[Response]:
    """A call that has arrived at the server and has no answer before ``server.gate`` is set."""
    held: asyncio.Task[Response] = asyncio.ensure_future(transport.send(call("/gate", b"{}", **options)))
    await asyncio.to_thread(server.arrived.acquire, timeout=AMPLE)
    return held


async def storm(transport: AsyncTransport, calls: int, *, workers: int, seed: int = 1) -> Counter[str]:
    """Make calls from several tasks, of which 15 % are cancelled and 3 % have too little time.

    Args:
        transport: one for a conformance server.
        calls: how many.
        workers: tasks that make them.
        seed: which calls are cancelled, and when.

    Returns:
        How many were ``"right"``, ``"wrong"`` (another call's answer), ``"cancelled"``, ``"late"``, and how many calls
        were answered rightly ``"after"`` the storm: one per worker, unless the pool has lost a place.
    """
    choose = random.Random(seed)
    seen: Counter[str] = Counter()
    plan = iter([(number, choose.random(), choose.random()) for number in range(calls)])

    async def work() -> None:
        for number, fate, moment in plan:
            body = f"{number}-".encode() * (number % 50 + 1)
            path = STORM_PATHS[number % len(STORM_PATHS)].format(number)
            late = fate < 0.03
            task = asyncio.ensure_future(
                transport.send(call("/slow/3" if late else path, body, timeout=0.02 if late else AMPLE))
            )
            if 0.03 <= fate < 0.18:
                await asyncio.sleep(moment * 0.008)
                task.cancel()
            try:
                answer = (await task).content
            except asyncio.CancelledError:
                seen["cancelled"] += 1
            except (RequestTimeoutError, NotSentError):
                seen["late"] += 1
            else:
                seen["right" if answer == body else "wrong"] += 1

    await asyncio.gather(*[work() for _ in range(workers)])
    bodies = [b"after %d" % number for number in range(workers)]
    answers = await asyncio.gather(*[transport.send(call("/echo", body)) for body in bodies])
    seen["after"] = sum(answer.content == body for answer, body in zip(answers, bodies, strict=True))
    return seen
