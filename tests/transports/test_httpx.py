"""What is particular to `httpx`: the application's own client, of httpx or of httpx2."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from mesahub.errors import ConfigurationError, ConnectionLostError, NotSentError, TLSError
from mesahub.testing import ConformanceServer
from mesahub.testing.certificates import make_certificates
from mesahub.transport import Request, TLSOptions, TransportOptions
from mesahub_httpx import HttpxTransport

KEY = {"Authorization": "Bearer shk_1"}


@pytest.fixture(params=["httpx", "httpx2"])
def httpx(request: pytest.FixtureRequest) -> Any:
    """The package."""
    return pytest.importorskip(request.param)


def client_of(httpx: Any, **options: Any) -> Any:
    """A client of the application's. (Without TLS: to read the certificates takes most of the time.)"""
    return httpx.AsyncClient(**{"verify": False, **options})


def call(path: str = "/seen", method: str = "POST", **more: Any) -> Request:
    return Request("test", method, path, **{"timeout": 20.0, "headers": KEY, "payload": {}, **more})


def run(
    client: Any,
    use: Callable[[HttpxTransport], Awaitable[Any]],
    url: str = "http://127.0.0.1:9",
    **options: Any,
) -> Any:
    """Use a transport over a client of the application's; without one, over its own."""

    async def main() -> Any:
        own = {} if client is None else {"client": client}
        transport = HttpxTransport(TransportOptions(base_url=url, options=own, **{"proxies": {}, **options}))
        try:
            return await asyncio.wait_for(use(transport), 30)
        finally:
            await transport.close()
            if client is not None:
                assert not client.is_closed
                await client.aclose()

    return asyncio.run(main())


def test_headers_cookies_and_event_hooks_of_the_client_are_used(httpx: Any) -> None:
    hooked: list[Any] = []

    async def before(request: Any) -> None:
        hooked.append(request.url.path)

    async def after(response: Any) -> None:
        await response.aread()
        hooked.append(response.status_code)

    client = client_of(
        httpx,
        headers={"X-Tenant": "shop"},
        cookies={"visitor": "7"},
        event_hooks={"request": [before], "response": [after]},
    )

    async def use(transport: HttpxTransport) -> Any:
        download = await transport.send(call("/bytes/100000", "GET", payload=None, streams=True))
        assert len(await download.aread()) == 100_000
        return (await transport.send(call())).payload["headers"]

    with ConformanceServer() as server:
        headers = run(client, use, server.url)
    assert headers["x-tenant"] == "shop"
    assert headers["cookie"] == "visitor=7"
    assert headers["authorization"] == "Bearer shk_1"
    assert hooked == ["/bytes/100000", 200, "/seen", 200]


def test_auth_of_the_client_adds_to_the_key_and_serves_where_there_is_none(httpx: Any) -> None:
    class Signing(httpx.Auth):  # type: ignore[misc]
        def auth_flow(self, request: Any) -> Any:
            request.headers["X-Signature"] = "signed"
            request.headers["Authorization"] = "its own"
            yield request

    async def use(transport: HttpxTransport) -> list[Any]:
        first = (await transport.send(call())).payload["headers"]
        second = (await transport.send(call(headers={}))).payload["headers"]
        return [first["x-signature"], first["authorization"], second["authorization"]]

    with ConformanceServer() as server:
        seen = run(client_of(httpx, auth=Signing()), use, server.url)
    assert seen == ["signed", "Bearer shk_1", "its own"]


def test_client_that_follows_redirects_does_not(httpx: Any) -> None:
    async def use(transport: HttpxTransport) -> Any:
        with ConformanceServer() as other:
            response = await transport.send(call(f"/redirect?to={other.url}/seen"))
            assert other.seen == []
            return response.status, response.headers["Location"] == f"{other.url}/seen"

    with ConformanceServer() as server:
        assert run(client_of(httpx, follow_redirects=True), use, server.url) == (307, True)


def test_transport_of_the_client_cannot_send_twice(httpx: Any) -> None:
    class Repeating(httpx.AsyncBaseTransport):  # type: ignore[misc]
        def __init__(self) -> None:
            self.inner = httpx.AsyncHTTPTransport()

        async def handle_async_request(self, request: Any) -> Any:
            response = await self.inner.handle_async_request(request)
            if response.status_code == 503:
                await response.aclose()
                response = await self.inner.handle_async_request(request)
            return response

        async def aclose(self) -> None:
            await self.inner.aclose()

    async def use(transport: HttpxTransport) -> None:
        with pytest.raises(ConnectionLostError, match="second time"):
            await transport.send(call("/status/503"))

    with ConformanceServer() as server:
        run(client_of(httpx, transport=Repeating()), use, server.url)
        assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("attributes", "refused"),
    [
        ({"_controller": SimpleNamespace(_cacheable_methods=["GET"])}, False),
        ({"_controller": SimpleNamespace(_cacheable_methods=["GET", "POST"])}, True),  # hishel 0
        ({"_cache_proxy": SimpleNamespace(policy=SimpleNamespace(supported_methods=["post"]))}, True),  # hishel 1
        ({"config": {"rfc": SimpleNamespace(supported_methods=["GET", "POST"])}}, True),  # hishel 2
        ({"config": {"rfc": True}}, False),
        ({"retry": SimpleNamespace(allowed_methods=frozenset({"GET", "PUT"}))}, True),  # httpx-retries
        ({"retry": SimpleNamespace(allowed_methods=frozenset({"GET", "HEAD"}))}, False),
    ],
)
def test_client_that_caches_or_repeats_writes_is_refused(httpx: Any, attributes: Any, refused: bool) -> None:
    transport = httpx.AsyncBaseTransport()
    transport.__dict__.update(attributes)
    client = client_of(httpx, mounts={"https://": transport})
    options = TransportOptions(base_url="http://127.0.0.1:9", options={"client": client})
    if refused:
        with pytest.raises(ConfigurationError, match="caches or repeats"):
            HttpxTransport(options)
    else:
        HttpxTransport(options)


def test_client_must_be_an_asynchronous_one(httpx: Any) -> None:
    with httpx.Client() as blocking:
        for wrong, says in ((blocking, "blocking code"), ("mine", "not str"), (object(), "not object")):
            with pytest.raises(ConfigurationError, match=says):
                HttpxTransport(TransportOptions(base_url="http://127.0.0.1:9", options={"client": wrong}))


def test_certificates_and_proxies_belong_to_the_client_that_is_given(httpx: Any) -> None:
    settings: list[dict[str, Any]] = [{"tls": TLSOptions(verify=False)}, {"proxies": {"http": "http://127.0.0.1:1"}}]
    for more in settings:
        own = {"client": client_of(httpx)}
        options = TransportOptions(base_url="http://127.0.0.1:9", options=own, **more)
        with pytest.raises(ConfigurationError, match="AsyncClient"):
            HttpxTransport(options)


def test_client_that_authenticates_needs_no_key(httpx: Any) -> None:
    def needs_key(client: Any) -> bool:
        return HttpxTransport.needs_key(TransportOptions(options={"client": client}))

    assert HttpxTransport.needs_key(TransportOptions())
    assert needs_key(client_of(httpx))
    assert not needs_key(client_of(httpx, headers=KEY))
    assert not needs_key(client_of(httpx, auth=("user", "password")))


def test_client_without_a_network_answers(httpx: Any) -> None:
    def handle(request: Any) -> Any:
        return httpx.Response(200, json={"path": request.url.path})

    async def use(transport: HttpxTransport) -> Any:
        download = await transport.send(call("/b", "GET", payload=None, streams=True))
        return (await transport.send(call("/a"))).payload, await download.aread()

    client = client_of(httpx, transport=httpx.MockTransport(handle))
    payload, downloaded = run(client, use)
    assert (payload, json.loads(downloaded)) == ({"path": "/a"}, {"path": "/b"})


def test_certificate_of_the_client_is_checked(httpx: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    certificates = make_certificates(tmp_path_factory.getbasetemp())

    async def use(transport: HttpxTransport) -> None:
        with pytest.raises(TLSError):
            await transport.send(call())

    with ConformanceServer(certificates.good) as server:
        run(client_of(httpx, verify=True), use, server.url)
        assert server.seen == []


def test_limits_of_the_client_hold(httpx: Any) -> None:
    async def use(transport: HttpxTransport) -> list[bytes]:
        calls = [transport.send(call("/echo", payload=None, body=b"%d" % n)) for n in range(9)]
        return [answer.content for answer in await asyncio.gather(*calls)]

    with ConformanceServer() as server:
        client = client_of(httpx, limits=httpx.Limits(max_connections=2))
        assert run(client, use, server.url) == [b"%d" % n for n in range(9)]
        assert server.busiest <= 2


def test_own_client_keeps_no_cookies_and_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(transport: HttpxTransport) -> Any:
        await transport.send(call("/cookie"))
        return (await transport.send(call())).payload["headers"]

    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with ConformanceServer() as server:
        assert "cookie" not in run(None, use, server.url)


def test_connection_refused_is_not_sent() -> None:
    async def use(transport: HttpxTransport) -> None:
        with pytest.raises(NotSentError):
            await transport.send(call())

    run(None, use)


def test_httpx2_serves_where_httpx_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    httpx2 = pytest.importorskip("httpx2")
    found = importlib.import_module

    def without_httpx(name: str, package: str | None = None) -> Any:
        if name == "httpx":
            raise ImportError(name="httpx")
        return found(name, package)

    monkeypatch.setattr(importlib, "import_module", without_httpx)

    async def use(transport: HttpxTransport) -> Any:
        assert isinstance(transport._clients.client(), httpx2.AsyncClient)
        return (await transport.send(call())).payload["method"]

    with ConformanceServer() as server:
        assert run(None, use, server.url) == "POST"


def test_without_either_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    def without(name: str, package: str | None = None) -> Any:
        raise ImportError(name=name)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(ConfigurationError, match=r"mesahub\[httpx\]"):
        HttpxTransport(TransportOptions(base_url="http://127.0.0.1:9"))


def test_streamed_upload_of_an_asynchronous_source_is_not_needed(httpx: Any) -> None:
    """What httpx gets is an iterator over the file's pieces, never the whole."""
    pieces: list[int] = []

    class Counting(httpx.AsyncBaseTransport):  # type: ignore[misc]
        async def handle_async_request(self, request: Any) -> Any:
            stream: AsyncIterator[bytes] = request.stream
            async for piece in stream:
                pieces.append(len(piece))
            return httpx.Response(201, json={})

    from io import BytesIO

    from mesahub.transport import FileBody

    body = FileBody(1_000_000, lambda: BytesIO(bytes(1_000_000)))

    async def use(transport: HttpxTransport) -> int:
        return (await transport.send(call("/f", payload=None, body=body, streams=True))).status

    assert run(client_of(httpx, transport=Counting()), use) == 201
    assert sum(pieces) == 1_000_000
    assert max(pieces) <= 256 * 1024
