"""Asynchronous transports by name, by factory and by instance; blocking ones on threads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from mesahub.errors import ConfigurationError, ConnectionLostError, NotSentError
from mesahub.testing import ConformanceServer
from mesahub.testing.asynchronous.cancellation import notes
from mesahub.testing.asynchronous.contract import OnLoop
from mesahub.testing.asynchronous.event_loops import EventLoops
from mesahub.testing.base import AMPLE, Basics, call
from mesahub.testing.concurrency import Sharing
from mesahub.transport import AsyncResponse, AsyncTransportFactory, Request, Response, TransportOptions
from mesahub.transport.asynchronous.registry import find_async_factory, open_async_transport
from mesahub.transport.asynchronous.threads import ThreadedTransport
from mesahub.transport.endpoints import Endpoints
from mesahub_asyncio import AsyncioTransport
from mesahub_embedded import AsyncEmbeddedTransport
from mesahub_urllib import UrllibTransport


class TestUrllibOnThreads(OnLoop, EventLoops, Basics, Sharing):
    """What has no transport for asyncio runs on threads. Its calls cannot be stopped."""

    @pytest.fixture
    def async_transport(self) -> AsyncTransportFactory:
        return find_async_factory("urllib")

    def test_a_stream_can_be_closed_while_a_call_waits_for_its_connection(
        self, async_transport: AsyncTransportFactory, server: ConformanceServer
    ) -> None:
        async def run() -> bytes:
            transport = async_transport(TransportOptions(base_url=server.url, proxies={}, pool_size=1))
            download = await transport.send(call("/bytes/1000000", method="GET", streams=True))
            waiting = asyncio.ensure_future(transport.send(call("/echo", b"mine")))
            await asyncio.sleep(0.05)
            await download.aclose()
            try:
                return (await waiting).content
            finally:
                await transport.close()

        assert asyncio.run(run()) == b"mine"


@pytest.fixture
def server() -> Iterator[ConformanceServer]:
    with ConformanceServer() as server:
        yield server


def test_names_of_asynchronous_transports_come_first() -> None:
    assert find_async_factory("asyncio") is AsyncioTransport
    assert find_async_factory("embedded") is AsyncEmbeddedTransport


def test_blocking_transports_say_what_they_need() -> None:
    factory: Any = find_async_factory("recorder")
    assert factory.wraps is True
    assert factory.needs_url(TransportOptions(options={"mode": "replay"})) is False


def test_unknown_name_suggests_the_nearest_one() -> None:
    with pytest.raises(ConfigurationError, match=r"'asyncoi'.*asyncio"):
        find_async_factory("asyncoi")


def test_instances_factories_and_classes(server: ConformanceServer) -> None:
    options = TransportOptions(base_url=server.url, proxies={})
    made = AsyncioTransport(options)
    assert open_async_transport(made, options) is made
    assert isinstance(open_async_transport(AsyncioTransport, options), AsyncioTransport)
    assert isinstance(open_async_transport(UrllibTransport(options), options), ThreadedTransport)
    assert isinstance(open_async_transport(UrllibTransport, options), ThreadedTransport)
    assert isinstance(open_async_transport(lambda options: AsyncioTransport(options), options), AsyncioTransport)


@pytest.mark.parametrize("wrong", [1, None, object()])
def test_open_rejects_what_is_not_a_transport(wrong: object) -> None:
    with pytest.raises(ConfigurationError, match="transport must be"):
        open_async_transport(wrong, TransportOptions())


def test_open_rejects_options_for_an_instance() -> None:
    with pytest.raises(ConfigurationError, match="already made"):
        open_async_transport(Blocking(TransportOptions()), TransportOptions(options={"a": 1}))


@pytest.mark.parametrize("transport", [AsyncioTransport, UrllibTransport])
def test_what_one_address_does_not_take_goes_to_the_next(server: ConformanceServer, transport: Any) -> None:
    urls = ["http://127.0.0.1:9", server.url]
    options = TransportOptions(base_url=urls[0], proxies={}, endpoints=Endpoints(urls))

    async def run() -> list[bytes]:
        opened = open_async_transport(transport, options)
        try:
            return [(await opened.send(call("/echo", body))).content for body in (b"1", b"2")]
        finally:
            await opened.close()

    assert asyncio.run(run()) == [b"1", b"2"]


def test_what_may_have_run_at_one_address_does_not_go_to_the_next(server: ConformanceServer) -> None:
    with ConformanceServer() as other:
        options = TransportOptions(base_url=server.url, proxies={}, endpoints=Endpoints([server.url, other.url]))

        async def run() -> None:
            opened = open_async_transport("asyncio", options)
            try:
                with pytest.raises(ConnectionLostError):
                    await opened.send(call("/reset/before", b"{}"))
                assert (await opened.send(call("/echo", b"next"))).content == b"next"
            finally:
                await opened.close()

        asyncio.run(run())
        assert len(other.seen) == 1


class Blocking:
    """A blocking transport that takes its time."""

    capabilities = "its own"

    def __init__(self, options: TransportOptions) -> None:
        self.go = threading.Event()
        self.began = threading.Semaphore(0)
        self.seen: list[Request] = []

    def send(self, request: Request, /) -> Response:
        self.seen.append(request)
        self.began.release()
        assert self.go.wait(AMPLE)
        return Response(200, content=request.path.encode())

    def close(self) -> None:
        self.go.set()


def on_threads(pool_size: int) -> tuple[Blocking, ThreadedTransport]:
    options = TransportOptions(pool_size=pool_size)
    blocking = Blocking(options)
    return blocking, ThreadedTransport(blocking, options)


def test_threads_show_the_capabilities_of_the_transport() -> None:
    assert on_threads(1)[1].capabilities == "its own"


def test_cancelled_call_on_a_thread_returns_at_once_with_a_note() -> None:
    blocking, transport = on_threads(1)

    async def run() -> list[str]:
        task = asyncio.ensure_future(transport.send(call("/1", b"{}")))
        await asyncio.to_thread(blocking.began.acquire)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        blocking.go.set()
        assert (await transport.send(call("/2"))).content == b"/2"
        await transport.close()
        return notes(caught.value)

    assert len(asyncio.run(run())) == 1


def test_call_that_waits_for_a_thread_is_not_sent() -> None:
    blocking, transport = on_threads(1)

    async def run() -> None:
        first = asyncio.ensure_future(transport.send(call("/1", b"{}")))
        await asyncio.to_thread(blocking.began.acquire)
        waiting = asyncio.ensure_future(transport.send(call("/2", b"{}")))
        late = asyncio.ensure_future(transport.send(call("/3", b"{}", timeout=0.05)))
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await waiting
        assert notes(caught.value) == []
        with pytest.raises(NotSentError, match="pool_size"):
            await late
        blocking.go.set()
        assert (await first).content == b"/1"
        await transport.close()

    asyncio.run(run())
    assert [request.path for request in blocking.seen] == ["/1"]


def test_wait_for_a_thread_is_part_of_the_time() -> None:
    blocking, transport = on_threads(1)

    async def run() -> None:
        first = asyncio.ensure_future(transport.send(call("/1", b"{}")))
        await asyncio.to_thread(blocking.began.acquire)
        second = asyncio.ensure_future(transport.send(call("/2", b"{}", timeout=10.0)))
        await asyncio.sleep(0.05)
        blocking.go.set()
        await asyncio.gather(first, second)
        await transport.close()

    asyncio.run(run())
    assert blocking.seen[1].timeout is not None
    assert blocking.seen[1].timeout < 9.96


class Streaming:
    """A blocking transport whose answers are streams."""

    def __init__(self) -> None:
        self.closed = 0

    def send(self, request: Request, /) -> Response:
        return Response(200, stream=self)

    def read(self, size: int = -1, /) -> bytes:
        time.sleep(0.05)
        return b"x"

    def close(self) -> None:
        self.closed += 1


def test_stream_of_a_cancelled_read_is_closed() -> None:
    source = Streaming()
    transport = ThreadedTransport(source, TransportOptions())

    async def run() -> AsyncResponse:
        response = await transport.send(call("/x", streams=True))
        assert response.async_stream is not None
        assert await response.async_stream.read(1) == b"x"
        reading = asyncio.ensure_future(response.async_stream.read(1))
        await asyncio.sleep(0.01)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert await response.async_stream.read(1) == b""
        await response.aclose()
        await asyncio.sleep(0.1)
        return response

    asyncio.run(run())
    assert source.closed == 1
