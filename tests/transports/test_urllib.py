"""What is particular to `urllib`: its reader of answers, its pool, its set-up."""

from __future__ import annotations

import contextlib
import gc
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from mesahub.errors import ConfigurationError, ConnectionLostError, NotSentError, RequestTimeoutError
from mesahub.testing import ConformanceServer
from mesahub.transport import Request, TransportOptions
from mesahub_urllib import UrllibTransport


def call(path: str = "/", body: bytes | None = b"{}", **more: object) -> Request:
    return Request("test", "POST", path, body=body, **{"timeout": 20.0, **more})  # type: ignore[arg-type]


@contextlib.contextmanager
def answering(answer: bytes, *, then_close: bool = False) -> Iterator[tuple[UrllibTransport, list[int]]]:
    """A transport, and a server that answers each request with these bytes; the list grows by connection."""
    connections: list[int] = []

    def serve(sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            data = b""
            while piece := sock.recv(65536):
                data += piece
                if b"\r\n\r\n{}" in data:
                    data = b""
                    sock.sendall(answer)
                    if then_close:
                        return

    def accept() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            connections.append(len(connections))
            threading.Thread(target=serve, args=(sock,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        transport = UrllibTransport(TransportOptions(base_url=url, proxies={}))
        try:
            yield transport, connections
        finally:
            transport.close()
            listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 2000 High\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\nX: y\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1_0\r\n\r\n0123456789",
        b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\na\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 100_000,
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 4000,
        b"<html>",
    ],
)
def test_an_answer_that_is_not_certain_is_refused(answer: bytes) -> None:
    with answering(answer, then_close=True) as (transport, _), pytest.raises(ConnectionLostError):
        transport.send(call())


@pytest.mark.parametrize(
    ("answer", "body", "reused"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok", True),
        (b"HTTP/1.1 200 \r\ncontent-length:2\r\n\r\nok", b"ok", True),
        (b"HTTP/1.1 200\r\nContent-Length: \t 2 \t\r\n\r\nok", b"ok", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", b"ok", True),
        (
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            b"ok",
            True,
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2;a=b\r\nok\r\n00\r\nT: x\r\n\r\n",
            b"ok",
            True,
        ),
        (b"HTTP/1.1 200 OK\r\nX: \xe4\r\nContent-Length: 2\r\n\r\nok", b"ok", True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b"", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: Close\r\n\r\nok", b"ok", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok", False),
        # A length beside the coding may be somebody's smuggling, and so may bytes beyond the end.
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more", b"ok", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nmore", b"ok", False),
    ],
)
def test_where_an_answer_ends(answer: bytes, body: bytes, reused: bool) -> None:
    with answering(answer) as (transport, connections):
        for _ in range(2):
            assert transport.send(call()).content == body
        assert len(connections) == (1 if reused else 2)


def test_an_answer_in_single_bytes() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = head + b"3;x\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: y\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.recv(65536)
                for byte in answer:
                    sock.sendall(bytes([byte]))

        threading.Thread(target=serve, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        transport = UrllibTransport(TransportOptions(base_url=url, proxies={}))
        assert transport.send(call()).content == b"abc0123456789"
        transport.close()


def test_an_idle_connection_is_not_used_for_longer_than_keep_alive() -> None:
    with ConformanceServer() as server:
        options = TransportOptions(base_url=server.url, proxies={}, options={"keep_alive": "0.1"})
        transport = UrllibTransport(options)
        transport.send(call("/echo"))
        transport.send(call("/echo"))
        assert server.connections == 1
        time.sleep(0.15)
        transport.send(call("/echo"))
        assert server.connections == 2
        transport.close()


def test_a_forgotten_download_gives_its_connection_back() -> None:
    with ConformanceServer() as server:
        transport = UrllibTransport(TransportOptions(base_url=server.url, proxies={}, pool_size=1))
        response = transport.send(call("/bytes/50000000", streams=True))
        assert response.stream is not None
        assert len(response.stream.read(10)) == 10
        del response
        gc.collect()
        assert transport.send(call("/echo")).content == b"{}"
        transport.close()


def test_a_request_that_waits_for_a_connection_gets_the_next_free_one() -> None:
    with ConformanceServer() as server:
        transport = UrllibTransport(TransportOptions(base_url=server.url, proxies={}, pool_size=1))
        first = threading.Thread(target=transport.send, args=(call("/gate"),))
        first.start()
        assert server.arrived.acquire(timeout=20)
        threading.Timer(0.1, server.gate.set).start()
        assert transport.send(call("/seen")).payload["connection"] == 0
        first.join()
        transport.close()


def test_close_ends_the_wait_for_a_connection() -> None:
    with ConformanceServer() as server:
        transport = UrllibTransport(TransportOptions(base_url=server.url, proxies={}, pool_size=1))
        first = threading.Thread(target=transport.send, args=(call("/gate"),))
        first.start()
        assert server.arrived.acquire(timeout=20)
        threading.Timer(0.1, transport.close).start()
        with pytest.raises(ConfigurationError, match="closed"):
            transport.send(call("/echo"))
        server.gate.set()
        first.join()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"base_url": "ftp://host"}, "api_url"),
        ({"base_url": "http://"}, "api_url"),
        ({"base_url": "http://host:port"}, "api_url"),
        ({"base_url": "http://a..b"}, "api_url"),
        ({"pool_size": 0}, "pool_size"),
        ({"options": {"keep_alive": "long"}}, "keep_alive"),
        ({"options": {"keep_alive": -1}}, "keep_alive"),
        ({"options": {"keepalive": 1}}, "Did you mean 'keep_alive'"),
        ({"proxies": {"http": "socks5h://127.0.0.1:1080"}}, "transport='urllib3'"),
        ({"proxies": {"http": "https://127.0.0.1:1080"}}, "transport='urllib3'"),
        ({"proxies": {"http": "http://:1"}}, "http://"),
        ({"proxies": {"http": "http://user:secret@host:port"}}, "cannot be read"),
    ],
)
def test_a_wrong_set_up_is_refused(options: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        UrllibTransport(TransportOptions(**{"base_url": "http://127.0.0.1:9", "proxies": {}, **options}))  # type: ignore[arg-type]
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "request_",
    [
        call("/a b"),
        call("/a\r\nX-Evil: yes"),
        call("/ä"),
        call("no-slash"),
        call("/", headers={"X\r\nY": "z"}),
        call("/", headers={"X": "y\nz"}),
        call("/", headers={"X": "ẞ"}),
        call("/", headers={"Content-Length": "3"}),
        call("/", headers={"host": "elsewhere"}),
    ],
)
def test_a_request_that_would_be_misread_is_not_sent(request_: Request) -> None:
    with ConformanceServer() as server:
        transport = UrllibTransport(TransportOptions(base_url=server.url, proxies={}))
        with pytest.raises(ConfigurationError):
            transport.send(request_)
        assert server.connections == 0
        transport.close()


@pytest.mark.parametrize("given", [b"too short", b"much too long"])
def test_a_body_of_another_length_than_it_says(given: bytes) -> None:
    class Body:
        def __len__(self) -> int:
            return 10

        def __iter__(self) -> Iterator[bytes]:
            yield given

    with ConformanceServer() as server:
        transport = UrllibTransport(TransportOptions(base_url=server.url, proxies={}))
        request = call("/echo", None, payload={}, encoder=lambda _: (Body(), "text/plain"))
        with pytest.raises(ValueError, match="the body"):
            transport.send(request)
        assert transport.send(call("/echo")).content == b"{}"
        transport.close()


def test_a_host_that_does_not_exist_is_not_sent() -> None:
    transport = UrllibTransport(TransportOptions(base_url="http://127.0.0.1.invalid", proxies={}))
    with pytest.raises((NotSentError, RequestTimeoutError), match=r"127\.0\.0\.1\.invalid"):
        transport.send(call())


def test_plain_http_needs_neither_http_client_nor_ssl() -> None:
    """What a call does not use is not imported: each of these costs more than the call."""
    program = (
        "import sys; from mesahub_urllib import UrllibTransport; from mesahub.transport import *; "
        "UrllibTransport(TransportOptions(base_url='http://127.0.0.1:9')); "
        "print([m for m in ('http.client', 'ssl', 'email', 'urllib.request', 'importlib.metadata') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
