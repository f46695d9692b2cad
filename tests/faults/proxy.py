"""A TCP proxy that breaks HTTP on purpose, request by request, as a seeded schedule says."""

from __future__ import annotations

import random
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress

FAULTS = {
    "none": 60,
    "reset_before": 4,  # the request is read and goes no further
    "reset_amid_request": 4,
    "reset_after": 4,  # it was executed, the answer is lost
    "reset_amid_answer": 4,
    "stall": 1,  # it was executed, the answer comes too late
    "drip": 4,
    "truncated_json": 3,
    "empty_200": 2,
    "html_502": 4,  # after it was executed
    "throttle": 2,
    "throttle_with_time": 2,
    "unavailable": 4,
    "interim": 6,  # 102 and 103 before the answer, in pieces
    "interim_endless": 1,  # it was executed, and the answer never comes
    "interim_and_end": 2,
    "trailing": 4,  # a response of no one follows at once (later, a client cannot know it from its own)
    "nginx_502": 2,
    "nginx_504": 2,
    "envoy_503": 3,
    "haproxy_503": 3,
    "cloudflare_520": 2,
    "cloudflare_524": 2,
    "error_200": 3,  # JSON that is not a result
    "empty_object_200": 2,
    "close_behind": 6,  # the connection is closed after the answer, as a server does with idle ones
}
"""Each fault and its weight."""


class FaultProxy:
    """Stands before a server.

    Args:
        host, port: the server.
        stall: seconds that a stalled answer takes.
        tls: the certificate to show to clients; by default they are served by plain HTTP.
    """

    def __init__(self, host: str, port: int, *, stall: float = 1.0, tls: ssl.SSLContext | None = None) -> None:
        self._server = (host, port)
        self._tls = tls
        self.ca_file = ""
        self._stall = stall
        self._lock = threading.Lock()
        self._random = random.Random(0)
        self._weights: Mapping[str, int] = {"none": 1}
        self._closed = False
        self._open: set[socket.socket] = set()
        self.played: Counter[str] = Counter()
        self._listener = listen()
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def play(self, seed: int, weights: Mapping[str, int] = FAULTS) -> None:
        """Begin a schedule."""
        with self._lock:
            self._random = random.Random(seed)
            self._weights = weights

    def pause(self, seconds: float) -> None:
        """Refuse connections for a while."""
        with self._lock:
            stop_listening(self._listener)
        self._thread.join()
        time.sleep(seconds)
        with self._lock:
            self._listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _next(self) -> tuple[str, float]:
        with self._lock:
            fault = self._random.choices(list(self._weights), list(self._weights.values()))[0]
            self.played[fault] += 1
            return fault, self._random.random()

    def _accept(self) -> None:
        listener = self._listener
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                if self._closed:
                    client.close()
                    return
                self._open.add(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream = self._tls.wrap_socket(client, server_side=True) if self._tls else client
            with stream, socket.create_connection(self._server) as server:
                while self._exchange(stream, server):
                    pass
        except OSError:
            pass
        finally:
            with self._lock:
                self._open.discard(client)
            client.close()

    def _exchange(self, client: socket.socket, server: socket.socket) -> bool:
        first = client.recv(1)  # the schedule decides when a request comes, not before
        if not first:
            return False
        fault, share = self._next()
        if fault == "reset_amid_request":
            if client.recv(20):
                reset(client)
            return False
        request = read_message(client, first)
        if not request:
            return False
        if fault == "reset_before":
            reset(client)
            return False
        if fault in REFUSALS:
            client.sendall(REFUSALS[fault])
            return True
        server.sendall(request)
        answer = read_message(server)
        if not answer:
            return False
        if fault in DAMAGES:
            client.sendall(DAMAGES[fault](answer))
            return True
        if fault in ("reset_after", "reset_amid_answer"):
            client.sendall(answer[: int(len(answer) * share) if fault == "reset_amid_answer" else 0])
            reset(client)
            return False
        if fault.startswith("interim"):
            return self._interim(client, fault, answer)
        if fault == "trailing":
            client.sendall(answer + FOREIGN)
            return True
        if fault == "stall":
            time.sleep(self._stall)
        if fault == "drip":
            for at in range(0, len(answer), max(len(answer) // 4, 1)):
                client.sendall(answer[at : at + max(len(answer) // 4, 1)])
                time.sleep(0.002)
        else:
            client.sendall(answer)
        return fault != "close_behind"

    def _interim(self, client: socket.socket, fault: str, answer: bytes) -> bool:
        if fault == "interim":
            whole = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answer
            for at in range(0, len(whole), 60):
                client.sendall(whole[at : at + 60])
                time.sleep(0.001)
            return True
        for _ in range(1 if fault == "interim_and_end" else 200):
            client.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            if fault == "interim_endless":
                time.sleep(0.02)
        return False

    def close(self) -> None:
        """Close everything."""
        with self._lock:
            self._closed = True
            stop_listening(self._listener)
            connections = list(self._open)
        for connection in connections:
            connection.close()


def listen() -> socket.socket:
    """Listen on a free port that no outgoing connection will get while `FaultProxy.pause` leaves it."""
    for port in random.sample(range(15_000, 30_000), 100):
        try:
            return socket.create_server(("127.0.0.1", port), backlog=256)
        except OSError:
            continue
    raise OSError("no free port")


def stop_listening(listener: socket.socket) -> None:
    """Close a listener also for the kernel, which keeps it as long as a thread waits in accept()."""
    with suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def reset(connection: socket.socket) -> None:
    """Close with RST instead of FIN."""
    if isinstance(connection, ssl.SSLSocket):
        connection = socket.socket(fileno=connection.detach())
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def read_message(connection: socket.socket, data: bytes = b"") -> bytes:
    """One HTTP message with a Content-Length or in chunks; ``b""`` at the connection's end. ``data``: read before."""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return b""
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    lowered = head.lower()
    if b"transfer-encoding: chunked" in lowered:
        while not rest.endswith(b"0\r\n\r\n"):
            more = connection.recv(65536)
            if not more:
                return b""
            rest += more
        return head + b"\r\n\r\n" + rest
    at = lowered.find(b"content-length:")
    length = int(lowered[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
    while len(rest) < length:
        more = connection.recv(65536)
        if not more:
            return b""
        rest += more
    return head + b"\r\n\r\n" + rest


def message(status: str, kind: str, body: bytes, extra: str = "") -> bytes:
    """An HTTP answer."""
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{extra}Content-Length: {len(body)}\r\n\r\n".encode() + body


REFUSALS = {
    "throttle": message("429 Too Many Requests", "application/json", b'{"error":"rate limit exceeded"}'),
    "throttle_with_time": message(
        "429 Too Many Requests", "application/json", b'{"error":"rate limit exceeded"}', "Retry-After: 0\r\n"
    ),
    "unavailable": message("503 Service Unavailable", "text/plain", b"busy"),
}


def _truncated(answer: bytes) -> bytes:
    body = answer.partition(b"\r\n\r\n")[2]
    return message("200 OK", "application/json", body[: len(body) // 2])


FOREIGN = message("200 OK", "application/json", b'{"headers":[],"rows":[{"foreign":1}],"stat":{}}')
"""A response that belongs to no request."""


def _page(status: str, kind: str, body: bytes, extra: str = "") -> Callable[[bytes], bytes]:
    return lambda answer: message(status, kind, body, extra)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "truncated_json": _truncated,
    "empty_200": lambda answer: message("200 OK", "application/json", b""),
    "html_502": lambda answer: message("502 Bad Gateway", "text/html", b"<html>Bad Gateway</html>"),
    "nginx_502": _page("502 Bad Gateway", "text/html", b"<html>nginx/1.24.0</html>", "Server: nginx\r\n"),
    "nginx_504": _page("504 Gateway Time-out", "text/html", b"<html>504 Gateway Time-out</html>", "Server: nginx\r\n"),
    "envoy_503": _page(
        "503 Service Unavailable",
        "text/plain",
        b"upstream connect error or disconnect/reset before headers. reset reason: connection termination",
        "server: envoy\r\n",
    ),
    "haproxy_503": _page(
        "503 Service Unavailable",
        "text/html",
        b"<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>",
    ),
    "cloudflare_520": _page("520 ", "text/plain", b"error code: 520", "Server: cloudflare\r\n"),
    "cloudflare_524": _page("524 ", "text/html", b"<html>A timeout occurred</html>", "Server: cloudflare\r\n"),
    "error_200": _page("200 OK", "application/json", b'{"error":"backend unavailable"}'),
    "empty_object_200": _page("200 OK", "application/json", b"{}"),
}
