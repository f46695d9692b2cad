"""A TCP proxy that breaks HTTP on purpose, request by request, as a seeded schedule says."""

from __future__ import annotations

import random
import socket
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
    "close_behind": 6,  # the connection is closed after the answer, as a server does with idle ones
}
"""Each fault and its weight."""


class FaultProxy:
    """Stands before a server.

    Args:
        host, port: the server.
        stall: seconds that a stalled answer takes.
    """

    def __init__(self, host: str, port: int, *, stall: float = 1.0) -> None:
        self._server = (host, port)
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
            with socket.create_connection(self._server) as server:
                while self._exchange(client, server):
                    pass
        except OSError:
            pass
        finally:
            with self._lock:
                self._open.discard(client)
            client.close()

    def _exchange(self, client: socket.socket, server: socket.socket) -> bool:
        if not client.recv(1, socket.MSG_PEEK):  # the schedule decides when a request comes, not before
            return False
        fault, share = self._next()
        if fault == "reset_amid_request":
            if client.recv(20):
                reset(client)
            return False
        request = read_message(client)
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
        if fault == "stall":
            time.sleep(self._stall)
        if fault == "drip":
            for at in range(0, len(answer), max(len(answer) // 4, 1)):
                client.sendall(answer[at : at + max(len(answer) // 4, 1)])
                time.sleep(0.002)
        else:
            client.sendall(answer)
        return fault != "close_behind"

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
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def read_message(connection: socket.socket) -> bytes:
    """One HTTP message with a Content-Length or in chunks; ``b""`` at the connection's end."""
    data = b""
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


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "truncated_json": _truncated,
    "empty_200": lambda answer: message("200 OK", "application/json", b""),
    "html_502": lambda answer: message("502 Bad Gateway", "text/html", b"<html>Bad Gateway</html>"),
}
