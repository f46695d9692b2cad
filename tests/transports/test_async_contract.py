"""The contract, held by the asynchronous transports; as a plugin's author would write it."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import aiohttp
import pytest

from mesahub.testing.asynchronous.contract import AsyncTransportContract
from mesahub.transport import AsyncResponse, AsyncTransportFactory, Request, TransportOptions
from mesahub.transport.asynchronous.registry import find_async_factory
from mesahub_aiohttp import AiohttpTransport
from mesahub_asyncio import AsyncioTransport
from mesahub_httpx import HttpxTransport


class TestAsyncio(AsyncTransportContract):
    @pytest.fixture
    def async_transport(self) -> AsyncTransportFactory:
        return AsyncioTransport


@pytest.mark.peers
class TestAsyncioOnUvloop(AsyncTransportContract):
    forks = False  # uvloop itself is not made for it

    @pytest.fixture(autouse=True)
    def uvloop(self) -> Iterator[None]:
        uvloop = pytest.importorskip("uvloop")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # policies are, from Python 3.14 on
            before = asyncio.get_event_loop_policy()
            asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
            yield
            asyncio.set_event_loop_policy(before)

    @pytest.fixture
    def async_transport(self) -> AsyncTransportFactory:
        return AsyncioTransport


@pytest.mark.peers  # most of their time is waiting
class TestAiohttp(AsyncTransportContract):
    @pytest.fixture
    def async_transport(self) -> AsyncTransportFactory:
        return AiohttpTransport


class OwnClients:
    """A transport over clients or sessions that the application makes, and closes when the transport is closed."""

    def __init__(self, name: str, option: str, make: Callable[[], Any], options: TransportOptions) -> None:
        self._made: list[tuple[asyncio.AbstractEventLoop, Any]] = []
        self._make = make
        own: dict[str, Any] = {option: self._new, **options.options}
        self._transport = find_async_factory(name)(options.replace(options=own))

    def _new(self) -> Any:
        made = self._make()
        self._made.append((asyncio.get_running_loop(), made))
        return made

    async def send(self, request: Request, /) -> AsyncResponse:
        return await self._transport.send(request)

    async def close(self) -> None:
        await self._transport.close()
        for loop, client in self._made:
            if loop is asyncio.get_running_loop():
                await (client.aclose() if hasattr(client, "aclose") else client.close())
            elif hasattr(client, "detach"):
                client.detach()


@pytest.mark.peers
class TestAiohttpWithAnOwnSession(AsyncTransportContract):
    limits_connections = False  # the session's connector says how many there may be

    @pytest.fixture(autouse=True)
    def leave_out_what_its_parser_cannot(self, request: pytest.FixtureRequest) -> None:
        callspec = getattr(request.node, "callspec", None)
        if callspec is not None and callspec.id in ("http-status/199", "https-status/199", "space-before-colon"):
            pytest.skip("aiohttp's own parser reads it otherwise")

    @pytest.fixture
    def async_transport(self) -> AsyncTransportFactory:
        return lambda options: OwnClients("aiohttp", "session", aiohttp.ClientSession, options)


@pytest.mark.peers  # most of their time is waiting
class TestHttpx(AsyncTransportContract):
    @pytest.fixture
    def async_transport(self) -> AsyncTransportFactory:
        return HttpxTransport


@pytest.mark.peers
@pytest.mark.parametrize("package", ["httpx", "httpx2"])
class TestHttpxWithAnOwnClient(AsyncTransportContract):
    limits_connections = False  # the client says how many there may be

    @pytest.fixture
    def async_transport(self, package: str) -> AsyncTransportFactory:
        module = pytest.importorskip(package)
        return lambda options: OwnClients(
            "httpx", "client", partial(client_for, module, options), options.replace(tls=None)
        )

    @pytest.fixture(autouse=True)
    def leave_out_what_the_client_decides(self, request: pytest.FixtureRequest) -> None:
        if request.node.name.startswith("test_a_file_that_cannot_be_used"):
            pytest.skip("the application makes the client, with its certificates")


def client_for(module: Any, options: TransportOptions) -> Any:
    return module.AsyncClient(verify=options.ssl_context())
