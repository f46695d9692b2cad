"""What is particular to `aiohttp`: the application's own session."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mesahub.errors import ConfigurationError, ConnectionLostError, NotSentError, TLSError
from mesahub.testing import ConformanceServer
from mesahub.testing.certificates import make_certificates
from mesahub.transport import AsyncResponse, Request, TLSOptions, TransportOptions
from mesahub_aiohttp import AiohttpTransport

KEY = {"Authorization": "Bearer shk_1"}


def call(path: str = "/seen", method: str = "POST", **more: Any) -> Request:
    return Request("test", method, path, **{"timeout": 20.0, "headers": KEY, "payload": {}, **more})


def run(
    use: Callable[[AiohttpTransport, aiohttp.ClientSession], Awaitable[Any]],
    url: str = "http://127.0.0.1:9",
    *,
    options: dict[str, Any] | None = None,
    **session_options: Any,
) -> Any:
    """Use a transport over a session of the application's."""

    async def main() -> Any:
        async with aiohttp.ClientSession(**session_options) as session:
            given = {"proxies": {}, **(options or {})}
            transport = AiohttpTransport(TransportOptions(base_url=url, options={"session": session}, **given))
            try:
                return await asyncio.wait_for(use(transport, session), 30)
            finally:
                await transport.close()
                assert not session.closed

    return asyncio.run(main())


def test_headers_and_traces_of_the_session_are_used() -> None:
    traced: list[str] = []

    async def started(session: Any, context: Any, params: aiohttp.TraceRequestStartParams) -> None:
        traced.append(params.url.path)

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(started)

    async def use(transport: AiohttpTransport, _: Any) -> AsyncResponse:
        return await transport.send(call())

    with ConformanceServer() as server:
        response = run(use, server.url, headers={"X-Tenant": "shop"}, trace_configs=[trace])
        headers = response.payload["headers"]
    assert headers["x-tenant"] == "shop"
    assert headers["authorization"] == "Bearer shk_1"
    assert traced == ["/seen"]


def test_middleware_of_the_session_is_used_and_cannot_send_twice() -> None:
    async def twice(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        request.headers["X-Seen"] = "yes"
        response: aiohttp.ClientResponse = await handler(request)
        if response.status == 503:
            response = await handler(request)
        return response

    async def use(transport: AiohttpTransport, _: Any) -> str:
        seen: str = (await transport.send(call())).payload["headers"]["x-seen"]
        with pytest.raises(ConnectionLostError, match="second time"):
            await transport.send(call("/status/503"))
        return seen

    with ConformanceServer() as server:
        assert run(use, server.url, middlewares=(twice,)) == "yes"
        assert len(server.seen) == 2


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
def test_request_is_sent_once_whatever_its_method(method: str) -> None:
    """aiohttp sends idempotent methods again when a connection that was used before breaks."""

    async def use(transport: AiohttpTransport, _: Any) -> None:
        await transport.send(call())
        with pytest.raises(ConnectionLostError):
            await transport.send(call("/reset/before", method))

    async def own() -> None:
        transport = AiohttpTransport(TransportOptions(base_url=server.url, proxies={}))
        await use(transport, None)
        await transport.close()

    with ConformanceServer() as server:
        run(use, server.url)
        asyncio.run(own())
        assert len(server.seen) == 4


def test_session_settings_that_would_change_a_response_have_no_effect() -> None:
    async def use(transport: AiohttpTransport, _: Any) -> list[int]:
        with ConformanceServer() as other:
            redirect = await transport.send(call(f"/redirect?to={other.url}/seen"))
            assert other.seen == []
        return [redirect.status, (await transport.send(call("/status/409"))).status]

    with ConformanceServer() as server:
        assert run(use, server.url, raise_for_status=True) == [307, 409]


def test_session_auth_cannot_replace_the_key_and_serves_where_there_is_none() -> None:
    async def use(transport: AiohttpTransport, _: Any) -> str:
        with pytest.raises(ConfigurationError, match="AUTH"):
            await transport.send(call())
        seen: str = (await transport.send(call(headers={}))).payload["headers"]["authorization"]
        return seen

    with warnings.catch_warnings(), ConformanceServer() as server:
        warnings.simplefilter("ignore", DeprecationWarning)  # of auth=, from aiohttp 3.14 on
        assert run(use, server.url, auth=aiohttp.BasicAuth("user", "password")).startswith("Basic ")


def test_netrc_does_not_replace_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login root password hunter2\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    async def own() -> str:
        transport = AiohttpTransport(TransportOptions(base_url=server.url, proxies={}))
        try:
            seen: str = (await transport.send(call())).payload["headers"]["authorization"]
            return seen
        finally:
            await transport.close()

    with ConformanceServer() as server:
        assert asyncio.run(own()) == "Bearer shk_1"


def test_own_session_keeps_no_cookies() -> None:
    async def own() -> dict[str, str]:
        transport = AiohttpTransport(TransportOptions(base_url=server.url, proxies={}))
        try:
            await transport.send(call("/cookie"))
            seen: dict[str, str] = (await transport.send(call())).payload["headers"]
            return seen
        finally:
            await transport.close()

    with ConformanceServer() as server:
        assert "cookie" not in asyncio.run(own())


def test_session_that_authenticates_needs_no_key() -> None:
    async def use(_: Any, session: aiohttp.ClientSession) -> bool:
        return AiohttpTransport.needs_key(TransportOptions(options={"session": session}))

    assert AiohttpTransport.needs_key(TransportOptions())
    assert run(use) is True
    assert run(use, headers=KEY) is False


@pytest.mark.parametrize(("methods", "refused"), [(("GET", "HEAD"), False), (("GET", "POST"), True), (["post"], True)])
def test_session_that_caches_writes_is_refused(methods: Any, refused: bool) -> None:
    class Cache:  # as in aiohttp-client-cache
        allowed_methods = methods

    async def main() -> None:
        async with aiohttp.ClientSession() as session:
            object.__setattr__(session, "cache", Cache())
            options = TransportOptions(base_url="http://127.0.0.1:9", options={"session": session})
            if not refused:
                AiohttpTransport(options)
                return
            with pytest.raises(ConfigurationError, match="from the cache and not carried out"):
                AiohttpTransport(options)

    asyncio.run(main())


def test_session_must_be_one() -> None:
    with pytest.raises(ConfigurationError, match=r"aiohttp\.ClientSession, not str"):
        AiohttpTransport(TransportOptions(base_url="http://127.0.0.1:9", options={"session": "mine"}))


def test_session_of_another_loop_or_closed_is_not_used() -> None:
    async def use(transport: AiohttpTransport, session: aiohttp.ClientSession) -> AiohttpTransport:
        return transport

    transport = run(use)

    async def later() -> None:
        with pytest.raises(ConfigurationError):
            await transport.send(call())

    asyncio.run(later())


def test_clients_certificates_hold_for_the_session(tmp_path_factory: pytest.TempPathFactory) -> None:
    certificates = make_certificates(tmp_path_factory.getbasetemp())

    async def use(transport: AiohttpTransport, _: Any) -> int:
        return (await transport.send(call())).status

    with ConformanceServer(certificates.good) as server:
        with pytest.raises(TLSError):
            run(use, server.url)
        assert run(use, server.url, options={"tls": TLSOptions(ca_file=certificates.ca_file)}) == 200


def test_limits_of_the_session_hold() -> None:
    async def use(transport: AiohttpTransport, session: aiohttp.ClientSession) -> list[bytes]:
        answers = await asyncio.gather(*[transport.send(call("/echo", payload=None, body=b"%d" % n)) for n in range(9)])
        return [answer.content for answer in answers]

    with ConformanceServer() as server:

        async def main() -> list[bytes]:
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=2)) as session:
                options = TransportOptions(base_url=server.url, proxies={}, options={"session": session})
                return await use(AiohttpTransport(options), session)

        assert asyncio.run(main()) == [b"%d" % n for n in range(9)]
        assert server.busiest <= 2


def test_body_read_by_the_session_is_there() -> None:
    async def reading(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        response: aiohttp.ClientResponse = await handler(request)
        await response.read()
        return response

    async def use(transport: AiohttpTransport, _: Any) -> list[Any]:
        response = await transport.send(call("/bytes/100000", "GET", payload=None, streams=True))
        return [len(await response.aread()), (await transport.send(call())).payload["method"]]

    with ConformanceServer() as server:
        assert run(use, server.url, middlewares=(reading,)) == [100_000, "POST"]


def test_socks_proxy_is_refused_with_a_hint() -> None:
    with pytest.raises(ConfigurationError, match="SOCKS"):
        AiohttpTransport(TransportOptions(base_url="http://127.0.0.1:9", proxies={"http": "socks5://127.0.0.1:1"}))


def test_connection_refused_is_not_sent() -> None:
    async def use(transport: AiohttpTransport, _: Any) -> None:
        with pytest.raises(NotSentError):
            await transport.send(call())

    run(use)


def test_json_is_sent_as_it_is_encoded() -> None:
    async def use(transport: AiohttpTransport, _: Any) -> Any:
        return json.loads((await transport.send(call("/echo", payload={"ä": [1, None]}))).content)

    with ConformanceServer() as server:
        assert run(use, server.url) == {"ä": [1, None]}
