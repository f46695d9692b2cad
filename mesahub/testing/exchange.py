"""One request at the conformance server, and its answer."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it arrived.

    Attributes:
        method: its method.
        target: path and query string, as sent.
        headers: by lower-case name; repeated ones joined with ``, ``.
        connection: the number of the connection it came on, from 0.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    connection: int


class Exchange:
    """One request, and the means to answer it in any way."""

    def __init__(
        self, sock: socket.socket, seen: Seen, rest: bytes, *, gate: threading.Event, ending: threading.Event
    ) -> None:
        self.gate = gate
        self._ending = ending
        self.seen = seen
        self._sock = sock
        self._rest = rest
        self.open = True

    @property
    def length(self) -> int:
        """Bytes of the request's body, as it announced them."""
        return int(self.seen.headers.get("content-length", 0))

    def pieces(self) -> Iterator[bytes]:
        """Read the request's body, piece by piece."""
        left = self.length - len(self._rest)
        yield self._rest
        while left > 0:
            piece = self._sock.recv(min(1 << 18, left))
            if not piece:
                raise ConnectionError("the client went away")
            left -= len(piece)
            yield piece

    def body(self) -> bytes:
        """Read the request's body."""
        return b"".join(self.pieces())

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._sock.sendall(data)

    def answer(self, status: int, body: bytes = b"", *headers: str) -> None:
        """Send a proper answer, with its length."""
        lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers]
        self.send("\r\n".join([*lines, "\r\n"]).encode("latin-1") + body)

    def finish(self) -> None:
        """Close the connection in an orderly way, after what was sent."""
        self.open = False
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
        self._sock.close()

    def reset(self) -> None:
        """Reset the connection (RST)."""
        self.open = False
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if isinstance(self._sock, ssl.SSLSocket):
            self._sock = socket.socket(fileno=self._sock.detach())
        self._sock.close()

    def wait(self, seconds: float) -> None:
        """Wait; the server's end wakes it up."""
        if self._ending.wait(seconds):
            raise ConnectionError("the server ends")
