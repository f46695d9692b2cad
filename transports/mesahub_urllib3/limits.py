"""The time that a call has, brought to the sockets of urllib3."""

from __future__ import annotations

import functools
import http.client
import io
import socket
from contextvars import ContextVar
from time import monotonic
from typing import Any

from urllib3 import HTTPConnectionPool, PoolManager
from urllib3.util.wait import wait_for_read

_PIECE = 64 * 1024
"""Bytes sent at a time: under TLS each piece has the socket's whole timeout."""
_SLACK = 0.01
"""Seconds by which a socket's timeout may be off before it is set again: each setting is a system call."""
_MAX_INTERIM = 1000
"""Interim responses before the final one."""


class Limits:
    """When a call must be over.

    Args:
        end: when all of it must be over (monotonic seconds); ``None`` for a file, and for no limit.
        silence: the longest wait for a single byte, in seconds; ``None`` for no limit.
        connect: seconds to make a connection.

    Attributes:
        end: when the present stage must be over: connecting, sending, the response.
        connecting: the connection is being made.
        sent: did a byte of the request leave? ``None`` where no connection of `keep_limits` has said so.
    """

    __slots__ = ("_connect", "_end", "connecting", "end", "sent", "silence")

    def __init__(self, end: float | None, silence: float | None, connect: float) -> None:
        self.end = self._end = end
        self.silence = silence
        self._connect = connect
        self.connecting = False
        self.sent: bool | None = None

    def seconds(self) -> tuple[float, float | None]:
        """The seconds to connect, and those for everything else, as urllib3 takes them: for each wait."""
        left = self.silence if self.end is None else max(self.end - monotonic(), 0.001)
        return (self._connect if left is None else min(self._connect, left)), left

    def start_connecting(self) -> None:
        """The time to connect begins."""
        self.connecting = True
        self.sent = False
        end = monotonic() + self._connect
        self.end = end if self._end is None else min(end, self._end)

    def connected(self) -> None:
        """The time to connect is over."""
        self.connecting = False
        self.end = self._end

    def start_response(self) -> None:
        """The request was sent. Also what streams must now answer in time; only the body of a file may take longer."""
        if self.end is None and self.silence is not None:
            self.end = monotonic() + self.silence

    def start_stream(self) -> None:
        """The body of a file begins: from now on only silence counts."""
        self.end = None

    def arm(self, sock: Any) -> None:
        """Give a socket the time that is left.

        Raises:
            TimeoutError: none is left.
        """
        left = self.silence
        if self.end is not None:
            left = self.end - monotonic()
            if left <= 0:
                raise TimeoutError("the time is over")
        armed = sock.gettimeout()
        if left is None or armed is None or not -_SLACK < armed - left < _SLACK:
            sock.settimeout(left)


current: ContextVar[Limits | None] = ContextVar("limits", default=None)
"""Those of the call that is being sent: urllib3 has no place for them between `urlopen` and a connection."""


class Receiver(io.RawIOBase):
    """The receiving side of a socket, each read in the time that the limits leave.

    Args:
        sock: the socket.
        limits: those of the call.
        held: bytes that were received before.
    """

    def __init__(self, sock: Any, limits: Limits, held: bytes = b"") -> None:
        self._sock = sock
        self._limits = limits
        self._held = held
        self.stopped = False

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Receive what has come, at most the buffer's length; 0 at the end, and once it is `stopped`."""
        if self._held:
            count = min(len(buffer), len(self._held))
            buffer[:count], self._held = self._held[:count], self._held[count:]
            return count
        if self.stopped:
            return 0
        self._limits.arm(self._sock)
        received: int = self._sock.recv_into(buffer)
        return received


class Reader(io.BufferedReader):
    """What an `http.client.HTTPResponse` reads from, in place of its own file, which it closes with itself."""

    def __init__(self, receiver: Receiver, instead_of: Any) -> None:
        super().__init__(receiver)
        self.receiver = receiver
        self._old = instead_of

    def has_leftovers(self) -> bool:
        """Were bytes received that no one has read? To be asked at the end: nothing is received afterwards."""
        self.receiver.stopped = True
        return bool(self.peek(1))

    def close(self) -> None:
        """Close it, and the file that it replaces."""
        super().close()
        self._old.close()


class _Response(http.client.HTTPResponse):
    """Reads its head within the limits, and passes over every interim response."""

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        limits = current.get()
        if limits is not None:
            self.fp = Reader(Receiver(sock, limits), self.fp)

    def _read_status(self) -> tuple[str, int, str]:
        # http.client passes over 100 alone, and takes any other for the final response (RFC 9110, 15.2).
        for _ in range(_MAX_INTERIM):
            status: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
            if not 100 <= status[1] < 200 or status[1] == 101:
                return status
            http.client.parse_headers(self.fp)
        raise http.client.BadStatusLine(f"{_MAX_INTERIM} interim responses")


class _Limited:
    """A connection that keeps to the limits of the present call; mixed into urllib3's classes."""

    response_class = _Response
    sock: Any
    half_sent = False
    """The request did not leave whole: the server would take the next one for the rest of it."""
    _begun = False

    def connect(self) -> None:
        limits = current.get()
        if limits is not None:
            limits.start_connecting()
        super().connect()  # type: ignore[misc]
        if hasattr(self.sock, "suppress_ragged_eofs"):
            # A missing close_notify must not pass for the end of a body that has no length.
            self.sock.suppress_ragged_eofs = False
        if limits is not None:
            limits.connected()

    def putrequest(self, *args: Any, **kwargs: Any) -> None:
        self.half_sent = self._begun = False
        super().putrequest(*args, **kwargs)  # type: ignore[misc]

    def send(self, data: Any) -> None:
        limits = current.get()
        if limits is None:
            super().send(data)  # type: ignore[misc]
            return
        if self.sock is None:
            self.connect()
        view = memoryview(data)
        try:
            for at in range(0, len(view), _PIECE):
                limits.arm(self.sock)
                if not limits.connecting:
                    self._check_unanswered()
                    limits.sent = True
                super().send(view[at : at + _PIECE])  # type: ignore[misc]
        except OSError:
            self.half_sent = True
            raise

    def _check_unanswered(self) -> None:
        # Under TLS what is readable may be a session ticket.
        if self._begun and type(self.sock) is socket.socket and wait_for_read(self.sock, timeout=0):
            # urllib3 takes this for the end of sending, and reads the response that says why.
            raise BrokenPipeError("the server answered before the request was sent")
        self._begun = True

    def getresponse(self, *args: Any, **kwargs: Any) -> Any:
        limits = current.get()
        if limits is not None:
            limits.start_response()
        return super().getresponse(*args, **kwargs)  # type: ignore[misc]


@functools.cache
def _limited(pool: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
    if issubclass(pool.ConnectionCls, _Limited):  # the manager was seen before: requests keeps one per proxy
        return pool
    connection = type(pool.ConnectionCls.__name__, (_Limited, pool.ConnectionCls), {})
    return type(pool.__name__, (pool,), {"ConnectionCls": connection})


def keep_limits(manager: PoolManager) -> None:
    """Have a manager that was made here (never the application's) keep the limits of the present call."""
    manager.pool_classes_by_scheme = {scheme: _limited(pool) for scheme, pool in manager.pool_classes_by_scheme.items()}
