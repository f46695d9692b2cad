"""A server that behaves, and misbehaves, as the path of a request asks: for the transports' contract.

It works on bare sockets, so that it can do what no HTTP server would: reset a connection during a response, let
one drip, lie about a length. What each path does is in `mesahub.testing.scenarios`.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import ssl
import threading
from types import TracebackType
from typing import Self

from mesahub.testing.exchange import Exchange, Seen
from mesahub.testing.scenarios import behaviour_of


class ConformanceServer:
    """Listens on a free port of 127.0.0.1; a context manager.

    Args:
        tls: the certificate to show, for an ``https://`` server.

    Attributes:
        url: its base URL.
        seen: the requests that arrived, in order.
        connections: how many connections were made.
        busiest: how many were open at the same time, at most.
        arrived: counts up with each request that arrives, before it is answered.
        gate: the path ``/gate`` answers once this is set.
        ending: set when the server ends.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._number = itertools.count()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"
        self.seen: list[Seen] = []
        self.connections = 0
        self.busiest = 0
        self.gate = threading.Event()
        self.arrived = threading.Semaphore(0)
        self.ending = threading.Event()
        threading.Thread(target=self._accept, name="conformance-server", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop, and drop all connections."""
        self.ending.set()
        self.gate.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_connections()

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        with self._lock:
            return len(self._open)

    def drop_connections(self) -> None:
        """Close every connection, as a server does that is restarted or tired of idle ones."""
        with self._lock:
            sockets = list(self._open)
        for sock in sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self.ending.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), name="conformance", daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        number = next(self._number)
        with self._lock:
            self.connections += 1
            self._open.add(sock)
            self.busiest = max(self.busiest, len(self._open))
        original = sock
        # A client that breaks off, by itself or because of the certificate, is a part of the game.
        with contextlib.suppress(OSError):
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._tls is not None:
                    sock = self._tls.wrap_socket(sock, server_side=True)
                self._exchanges(sock, number)
            finally:
                with self._lock:
                    self._open.discard(original)
                sock.close()

    def _exchanges(self, sock: socket.socket, number: int) -> None:
        rest = b""
        while True:
            while b"\r\n\r\n" not in rest:
                piece = sock.recv(65536)
                if not piece:
                    return
                rest += piece
                if not rest[:1].isalpha():
                    sock.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
                    return
            head, _, rest = rest.partition(b"\r\n\r\n")
            seen = _parse(head.decode("latin-1"), number)
            exchange = Exchange(sock, seen, rest, gate=self.gate, ending=self.ending)
            self.seen.append(exchange.seen)
            self.arrived.release()
            behaviour_of(exchange.seen.target)(exchange)
            if not exchange.open:
                return
            rest = b""


def _parse(head: str, number: int) -> Seen:
    first, *lines = head.split("\r\n")
    method, target, version = first.split(" ")
    if version != "HTTP/1.1":
        raise ConnectionError(f"a request line of another kind: {first!r}")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Seen(method, target, headers, number)
