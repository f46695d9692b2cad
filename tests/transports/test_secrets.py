"""Tracebacks that show local variables, as rich, pytest and error trackers print them: no request, no credential."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from mesahub._util.secret import Secret
from mesahub.errors import ConfigurationError, MesahubError
from mesahub.testing import ConformanceServer
from mesahub.transport import Request, TransportOptions
from mesahub.transport.asynchronous.registry import find_async_factory
from mesahub.transport.registry import find_factory
from tests.tracebacks import with_locals
from tests.transports.blocking import ASYNC, transport_of

KEY, VALUE, PASSWORD = "shk_unseen", "a-binding-unseen", "password-unseen"


def request(path: str = "/echo", **more: Any) -> Request:
    headers = {"Authorization": Secret(f"Bearer {KEY}")}
    body = f'{{"bindings":["{VALUE}"]}}'.encode()
    return Request("test", "POST", path, headers=headers, body=body, **{"timeout": 5.0, **more})


@pytest.mark.parametrize("name", ["urllib", "urllib3", "requests", *ASYNC])
@pytest.mark.parametrize("path", ["refused", "/reset/before", "/truncated", "/hang", "/garbage"])
def test_traceback_shows_no_request(name: str, path: str) -> None:
    with ConformanceServer() as server, socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = server.url if path.startswith("/") else f"http://127.0.0.1:{unused.getsockname()[1]}"
        transport = transport_of(name, TransportOptions(base_url=url, proxies={}))
        with pytest.raises(MesahubError) as caught:
            transport.send(request(path if path.startswith("/") else "/echo", timeout=0.3))
        transport.close()
    shown = with_locals(caught.value)
    assert KEY not in shown
    assert VALUE not in shown


@pytest.mark.parametrize("name", ASYNC)
@pytest.mark.parametrize("path", ["refused", "/reset/before", "/truncated", "/hang", "/garbage", "cancelled"])
def test_traceback_of_an_awaited_call_shows_no_request(name: str, path: str) -> None:
    async def run(url: str) -> BaseException:
        transport = find_async_factory(name)(TransportOptions(base_url=url, proxies={}))
        cancelled = path == "cancelled"
        target = "/hang" if cancelled else path if path.startswith("/") else "/echo"
        task = asyncio.ensure_future(transport.send(request(target, timeout=5.0 if cancelled else 0.3)))
        if cancelled:
            await asyncio.sleep(0.1)
            task.cancel()
        with pytest.raises((MesahubError, asyncio.CancelledError)) as caught:
            await task
        await transport.close()
        return caught.value

    with ConformanceServer() as server, socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        error = asyncio.run(run(f"http://127.0.0.1:{port}" if path == "refused" else server.url))
    shown = with_locals(error)
    assert KEY not in shown
    assert VALUE not in shown


@pytest.mark.parametrize("name", ["urllib", "urllib3", "requests", *ASYNC])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_traceback_shows_no_proxy_password(name: str, scheme: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        proxy = f"http://user:{PASSWORD}@127.0.0.1:{unused.getsockname()[1]}"
        options = TransportOptions(base_url=f"{scheme}://127.0.0.1:9", proxies={scheme: proxy})
        assert PASSWORD not in repr(options)
        transport = transport_of(name, options)
        with pytest.raises(MesahubError) as caught:
            transport.send(request())
        transport.close()
    assert PASSWORD not in with_locals(caught.value)


@pytest.mark.parametrize("name", ["urllib", "urllib3", "requests", *ASYNC])
@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"proxies": {"http": f"http://u:{PASSWORD}@"}}, "proxy"),
        ({"proxies": {"http": f"http://u:{PASSWORD}@host:port"}}, "proxy"),
        ({"proxies": {"http": f"http://u:{PASSWORD}@{'x' * 64}.example"}}, "proxy"),
        ({"proxies": f"http://u:{PASSWORD}@host"}, "proxies must be a dict"),
        ({"proxies": {"http": 5}}, "proxies must be a dict"),
        ({"base_url": f"http://{'x' * 64}.example"}, "host"),
        ({"base_url": "http://" + "x." * 130 + "example"}, "host"),
        ({"pool_size": "x"}, "pool_size"),
        ({"pool_size": 0}, "pool_size"),
        ({"pool_size": 2.5}, "pool_size"),
        ({"pool_size": True}, "pool_size"),
        ({"max_response_bytes": -1}, "max_response_bytes"),
        ({"connect_timeout": "soon"}, "connect_timeout"),
        ({"timeout": float("inf")}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
    ],
)
def test_wrong_option_is_refused_and_its_secret_unseen(name: str, more: dict[str, object], says: str) -> None:
    factory = find_async_factory(name) if name in ASYNC else find_factory(name)
    values: dict[str, Any] = {"base_url": "http://127.0.0.1:9", "proxies": {}, **more}
    with pytest.raises(ConfigurationError, match=says) as caught:
        factory(TransportOptions(**values))
    assert PASSWORD not in with_locals(caught.value)
