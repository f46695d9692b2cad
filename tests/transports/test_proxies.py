"""Through a real forward proxy (tinyproxy), and behind a real front (nginx)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mesahub.errors import ConfigurationError, ConnectionLostError, NotSentError, TLSError
from mesahub.testing import ConformanceServer
from mesahub.testing.certificates import Certificates
from mesahub.transport import Request, Response, TLSOptions, Transport, TransportOptions
from tests.transports.blocking import transport_of

from .conftest import ForwardProxy, Front

Make = Callable[..., Transport]
StartProxy = Callable[..., ForwardProxy]
StartFront = Callable[[str], Front]


OVER_LIBRARIES = [pytest.param(name, marks=pytest.mark.peers) for name in ("aiohttp", "httpx")]


@pytest.fixture(params=["urllib", "requests", "urllib3", "asyncio", *OVER_LIBRARIES])
def make(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    made: list[Transport] = []

    def make(base_url: str, **options: Any) -> Transport:
        made.append(transport_of(request.param, TransportOptions(base_url=base_url, **options)))
        return made[-1]

    yield make
    for each in made:
        each.close()


def call(path: str = "/seen", body: bytes | None = b"{}", **more: Any) -> Request:
    headers = {"Authorization": "Bearer shk_1"}
    return Request("test", "POST", path, body=body, headers=headers, **{"timeout": 20.0, **more})


def send(transport: Transport, request: Request) -> Response:
    """Send a request, and again if it is lost: tinyproxy announces no end of a connection before it closes it."""
    try:
        return transport.send(request)
    except ConnectionLostError:
        return transport.send(request)


def test_http_through_a_proxy(make: Make, forward_proxy: StartProxy) -> None:
    proxy = forward_proxy()
    with ConformanceServer() as server:
        transport = make(server.url, proxies={"http": proxy.url})
        seen = transport.send(call("/seen?a=%20b")).payload
        assert seen["target"] == "/seen?a=%20b"
        assert seen["headers"]["host"] == server.url.removeprefix("http://")
        assert seen["headers"]["authorization"] == "Bearer shk_1"
        big = b"0123456789" * 500_000
        assert send(transport, call("/echo", big)).content == big
        response = send(transport, call("/bytes/3000000", streams=True))
        assert len(response.read()) == 3_000_000
    assert f"POST {server.url}/seen?a=%20b" in proxy.log.read_text()


def test_https_through_a_proxy(make: Make, forward_proxy: StartProxy, certificates: Certificates) -> None:
    proxy = forward_proxy()
    with ConformanceServer(certificates.good) as server:
        tls = TLSOptions(ca_file=certificates.ca_file)
        transport = make(server.url, proxies={"https": proxy.url}, tls=tls)
        assert transport.send(call()).payload["headers"]["authorization"] == "Bearer shk_1"
        big = b"0123456789" * 500_000
        assert transport.send(call("/echo", big)).content == big
        assert server.connections == 1
    log = proxy.log.read_text()
    assert f"CONNECT {server.url.removeprefix('https://')}" in log
    assert "seen" not in log


def test_the_server_s_certificate_is_checked_through_a_proxy_too(
    make: Make, forward_proxy: StartProxy, certificates: Certificates
) -> None:
    with ConformanceServer(certificates.wrong_host) as server:
        tls = TLSOptions(ca_file=certificates.ca_file)
        transport = make(server.url, proxies={"https": forward_proxy().url}, tls=tls)
        with pytest.raises(TLSError):
            transport.send(call())
        assert server.seen == []


def test_the_environment_s_proxy_and_no_proxy(
    make: Make, forward_proxy: StartProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = forward_proxy()
    monkeypatch.setenv("http_proxy", proxy.url)
    with ConformanceServer() as server:
        assert make(server.url).send(call()).status == 200
        assert proxy.log.read_text().count("POST http") == 1
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert make(server.url).send(call()).status == 200
        assert proxy.log.read_text().count("POST http") == 1


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_with_credentials(
    make: Make, forward_proxy: StartProxy, certificates: Certificates, scheme: str
) -> None:
    proxy = forward_proxy("user:pass-word")
    with ConformanceServer(certificates.good if scheme == "https" else None) as server:
        tls = TLSOptions(ca_file=certificates.ca_file)
        headers = make(server.url, proxies={scheme: proxy.url}, tls=tls).send(call()).payload["headers"]
        assert headers["authorization"] == "Bearer shk_1"
        assert "proxy-authorization" not in headers
        wrong = make(server.url, proxies={scheme: proxy.url.replace("pass-word", "guess")}, tls=tls)
        if scheme == "https":
            with pytest.raises(ConfigurationError, match=r"refuses to connect to .* \(40[17]\)") as caught:
                wrong.send(call())
            assert "guess" not in str(caught.value)
        else:
            # A plain request and the proxy's refusal look like any request and its answer.
            assert wrong.send(call(body=None)).status in (401, 407)
        assert len(server.seen) == 1


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_not_there(make: Make, scheme: str) -> None:
    transport = make(f"{scheme}://127.0.0.1:9", proxies={scheme: "http://127.0.0.1:9"})
    with pytest.raises(NotSentError):
        transport.send(call())


def test_a_server_that_the_proxy_cannot_reach_is_not_sent(make: Make, forward_proxy: StartProxy) -> None:
    transport = make("https://127.0.0.1:9", proxies={"https": forward_proxy().url})
    with pytest.raises(NotSentError):
        transport.send(call())


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_behind_nginx(make: Make, front: StartFront, scheme: str) -> None:
    with ConformanceServer() as server:
        nginx = front(server.url)
        transport = make(getattr(nginx, scheme), tls=TLSOptions(ca_file=nginx.ca_file), proxies={})
        assert transport.send(call("/v1/query/my%20shop")).payload["error"] == "status 404"
        assert server.seen[-1].target == "/api/db/my%20shop/query"
        assert server.seen[-1].headers["authorization"] == "Bearer shk_1"
        big = b"0123456789" * 2_000_000
        assert transport.send(call("/echo", big)).content == big
        assert len(transport.send(call("/chunked/3000000")).content) == 3_000_000
        assert len(transport.send(call("/bytes/3000000", streams=True)).read()) == 3_000_000
        # nginx compresses for those who ask for it; a transport must not.
        assert "content-encoding" not in transport.send(call("/seen", b"x" * 5000)).headers
        assert transport.send(call("/nothing")).status == 502
        assert transport.send(call("/seen")).status == 200
