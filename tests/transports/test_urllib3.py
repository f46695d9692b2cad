"""What is particular to `urllib3`: the application's own pool manager, and SOCKS."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from mesahub.errors import ConfigurationError, ConnectionLostError, NotSentError
from mesahub.testing import ConformanceServer
from mesahub.transport import Request, TLSOptions, TransportOptions
from mesahub_urllib3 import Urllib3Transport


def call(path: str = "/seen", **more: Any) -> Request:
    return Request("test", "POST", path, **{"timeout": 20.0, "payload": {}, **more})


def test_the_manager_s_headers_and_connections_are_used() -> None:
    with ConformanceServer() as server, urllib3.PoolManager(headers={"X-Tenant": "shop"}) as manager:
        manager.request("POST", server.url + "/seen")
        transport = Urllib3Transport(TransportOptions(base_url=server.url, options={"pool_manager": manager}))
        seen = transport.send(call(headers={"Authorization": "Bearer shk_1"})).payload
        assert seen["headers"]["x-tenant"] == "shop"
        assert seen["headers"]["authorization"] == "Bearer shk_1"
        assert seen["connection"] == 0
        transport.close()
        assert b'"connection": 0' in manager.request("POST", server.url + "/seen").data
        assert dict(manager.headers) == {"X-Tenant": "shop"}


def test_the_manager_s_retries_and_redirects_are_off() -> None:
    manager = urllib3.PoolManager(retries=urllib3.Retry(5, allowed_methods=None, redirect=5))
    with ConformanceServer() as server, manager:
        transport = Urllib3Transport(TransportOptions(base_url=server.url, options={"pool_manager": manager}))
        with pytest.raises(ConnectionLostError):
            transport.send(call("/reset/before"))
        assert transport.send(call(f"/redirect?to={server.url}/seen")).status == 307
        assert len(server.seen) == 2


@pytest.mark.parametrize("more", [{"tls": TLSOptions()}, {"proxies": {}}])
def test_a_manager_has_its_own_certificates_and_proxies(more: dict[str, Any]) -> None:
    with urllib3.PoolManager() as manager, pytest.raises(ConfigurationError, match="to the manager"):
        Urllib3Transport(TransportOptions(base_url="https://127.0.0.1:9", options={"pool_manager": manager}, **more))


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"options": {"pool_manager": "mine"}}, "PoolManager or ProxyManager, not str"),
        ({"base_url": "ftp://host"}, "api_url"),
        ({"proxies": {"http": "gopher://user:secret@host"}}, "cannot use the proxy gopher://host"),
        ({"proxies": {"http": "socks9://user:secret@host"}}, "socks5h://"),
    ],
)
def test_a_wrong_set_up_is_refused(more: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        Urllib3Transport(TransportOptions(**{"base_url": "http://127.0.0.1:9", **more}))
    assert "secret" not in str(caught.value)


@contextlib.contextmanager
def socks_proxy() -> Iterator[tuple[str, list[str]]]:
    """A SOCKS5 proxy (RFC 1928, no authentication) that connects to 127.0.0.1 whatever the name."""
    names: list[str] = []

    def pump(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def serve(client: socket.socket) -> None:
        with client:
            client.recv(2 + client.recv(2)[1])
            client.sendall(b"\5\0")
            kind = client.recv(4)[3]
            assert kind == 3, "socks5h:// has the proxy resolve the name"
            names.append(client.recv(client.recv(1)[0]).decode())
            port = int.from_bytes(client.recv(2), "big")
            with socket.create_connection(("127.0.0.1", port)) as server:
                client.sendall(b"\5\0\0\1\0\0\0\0\0\0")
                back = threading.Thread(target=pump, args=(server, client), daemon=True)
                back.start()
                pump(client, server)
                back.join()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"socks5h://127.0.0.1:{listener.getsockname()[1]}", names
        listener.shutdown(socket.SHUT_RDWR)


def test_a_socks_proxy() -> None:
    with ConformanceServer() as server, socks_proxy() as (proxy, names):
        url = server.url.replace("127.0.0.1", "db.example.com")
        transport = Urllib3Transport(TransportOptions(base_url=url, proxies={"http": proxy}))
        assert transport.send(call()).payload["headers"]["host"] == url.removeprefix("http://")
        transport.close()
    assert names == ["db.example.com"]


def test_a_socks_proxy_that_is_not_there_is_not_sent() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        proxy = f"socks5h://127.0.0.1:{unused.getsockname()[1]}"
        transport = Urllib3Transport(TransportOptions(base_url="http://db.example.com", proxies={"http": proxy}))
        with pytest.raises(NotSentError):
            transport.send(call())
