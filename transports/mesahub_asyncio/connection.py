"""One connection to a server on an event loop: bytes in and out, every wait bounded."""

from __future__ import annotations

import asyncio
import select
import sys
import threading
from collections import deque
from typing import Any, cast

from mesahub.errors import ConnectionLostError, NotSentError, Outcome, RequestTimeoutError, TLSError

RECEIVE_SIZE = 256 * 1024
"""Bytes received at once."""
JOINED = 64 * 1024
"""Bytes up to which a body is written together with its headers: copying them costs less than another write."""
_HELD = 1024 * 1024
"""Bytes received and not yet read from which on the connection reads no more."""

# One buffer for all connections of a thread's loop: a selector loop fills it and reports it in one step. (A protocol
# without a buffer of its own makes asyncio allocate 256 KiB for each receive, which costs a quarter of a small call.)
_shared: dict[int, memoryview] = {}


class Connection(asyncio.BufferedProtocol):
    """A connected socket, plain or TLS.

    Attributes:
        peer: the server's or proxy's URL, for messages.
        idle_since: when it was last given back, in the loop's time.
        sent: a byte of the present request was handed to the kernel, or may have been.
        broken: what stopped the sending halfway, if something did.
        end: when the present request, or what is left of it, must be over (the loop's time); ``None`` for never.
        closed: done when the socket is closed.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, peer: str, *, secure: bool) -> None:
        self._loop = loop
        self._secure = secure
        self._transport: asyncio.Transport | None = None
        self._buffer = _buffer_for(loop)
        self._received: deque[bytes] = deque()
        self._held = 0
        self._waiter: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._paused = False
        self._ended = False
        self._error: Exception | None = None
        self.end: float | None = None
        self._silence: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._expires = 0.0
        self._expiring: asyncio.Future[None] | None = None
        self._poll: Any = None
        self.peer = peer
        self.idle_since = 0.0
        self.sent = False
        self.broken: Exception | None = None
        self.closed: asyncio.Future[None] = loop.create_future()

    # --- what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # (that of uvloop is not a subclass)
        sock = transport.get_extra_info("socket")
        if sock is not None and hasattr(select, "poll"):
            self._poll = select.poll()
            self._poll.register(sock.fileno(), select.POLLIN)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  (the name is asyncio's)
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._received.append(bytes(self._buffer[:nbytes]))
        self._held += nbytes
        if self._held > _HELD and self._transport is not None:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self._ended = True
        self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is None and not self._ended and self._secure:
            # Without TLS's own end (close_notify), the end of the stream may be an attacker's.
            exc = ConnectionError("the TLS connection was cut off")
        self._error = self._error or exc
        self._ended = True
        self._poll = None
        self._stop_timer()
        if not self.closed.done():
            self.closed.set_result(None)
        self._wake()
        self.resume_writing()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # --- time

    def limit(self, end: float | None, silence: float | None) -> None:
        """Begin a request that must be over at ``end`` (the loop's time), or pause no longer than ``silence``."""
        self.end = end
        self._silence = silence
        self.sent = False
        self.broken = None

    def _limit_wait(self, waiter: asyncio.Future[None]) -> None:
        """Have the limits hold for one of the two futures: it gets ``TimeoutError``."""
        end = self.end
        if end is None:
            if self._silence is None:
                return
            end = self._loop.time() + self._silence
        self._expires, self._expiring = end, waiter
        timer = self._timer
        # One timer per connection, reset only when it fires or would fire too late: most calls set none.
        if timer is None or timer.when() > end:
            self._stop_timer()
            self._timer = self._loop.call_at(end, self._ring)

    def _ring(self) -> None:
        self._timer = None
        waiter = self._expiring
        if waiter is None or waiter.done():
            return
        if self._loop.time() < self._expires:
            self._timer = self._loop.call_at(self._expires, self._ring)
        else:
            waiter.set_exception(TimeoutError())

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # --- what the transport calls

    def is_stale(self) -> bool:
        """Is there something to read? On an idle connection that is its end, or nothing that was asked for."""
        return self.is_over() or (self._poll is not None and bool(self._poll.poll(0)))

    def is_over(self) -> bool:
        """Has something come that was not asked for, or its end?"""
        return bool(self._received) or self._ended or self._transport is None or self._transport.is_closing()

    def release_transport(self) -> asyncio.Transport:
        """The transport, for another protocol to take over (TLS in a proxy's tunnel)."""
        assert self._transport is not None
        self._stop_timer()
        return self._transport

    def abort(self) -> None:
        """Drop the connection at once."""
        self._stop_timer()
        if self._transport is not None:
            self._transport.abort()

    async def write(self, data: bytes | memoryview) -> None:
        """Send bytes; waits while the peer takes none. When the peer breaks off, `broken` is set.

        Raises:
            NotSentError: the connection was closed before.
            RequestTimeoutError: the time ran out.
        """
        if not self.write_now(data):
            await self.drain()

    def write_now(self, data: bytes | memoryview) -> bool:
        """`write` without the wait; ``False``: the peer takes no more, wait by `drain`."""
        if self._ended or self._transport is None:
            error = self._error or ConnectionError("the peer closed the connection")
            if not self.sent:
                raise NotSentError(f"The connection to {self.peer} was closed: {error}.")
            self.broken = error
            return True
        self.sent = True
        self._transport.write(data)
        return not self._paused

    async def drain(self) -> None:
        """Wait until the peer takes more, or has broken off. Raises `RequestTimeoutError`."""
        while self._paused:
            self._writable = self._loop.create_future()
            self._limit_wait(self._writable)
            try:
                await self._writable
            except TimeoutError:
                raise self._timed_out("while the request was being sent") from None
            finally:
                self._writable = self._expiring = None

    def answers_early(self) -> bool:
        """Has the peer answered, or closed, before the request was sent to its end?"""
        return bool(self._received) or self._ended

    async def receive(self) -> bytes:
        """Some bytes, ``b""`` at the end.

        Raises:
            ConnectionLostError, RequestTimeoutError, TLSError: see the contract.
        """
        while not self._received:
            if self._ended:
                if self._error is not None:
                    raise self._failed(self._error)
                return b""
            self._waiter = self._loop.create_future()
            self._limit_wait(self._waiter)
            try:
                await self._waiter
            except TimeoutError:
                raise self._timed_out("while waiting for the answer") from None
            finally:
                self._waiter = self._expiring = None
        data = self._received.popleft()
        before, self._held = self._held, self._held - len(data)
        if before > _HELD >= self._held and self._transport is not None and not self._ended:
            self._transport.resume_reading()
        return data

    def _failed(self, error: Exception) -> ConnectionLostError | TLSError:
        if "ALERT" in (getattr(error, "reason", None) or ""):
            # TLS 1.3 servers refuse a client's certificate only now, when the handshake seems to be over.
            return TLSError(f"{self.peer} refused the TLS connection: {error}.")
        return self.lost(f"the connection broke ({error})")

    def lost(self, why: object) -> ConnectionLostError:
        """The error for a response that did not come, or not whole."""
        if self.broken is not None:
            why = f"the connection broke while the request was being sent ({self.broken})"
        return ConnectionLostError(f"No trustworthy answer from {self.peer}: {why}.")

    def _timed_out(self, when: str) -> RequestTimeoutError:
        outcome = Outcome.MAYBE_RAN if self.sent else Outcome.NOT_SENT
        return RequestTimeoutError(f"The time for the request to {self.peer} ran out {when}.", outcome=outcome)


def _buffer_for(loop: asyncio.AbstractEventLoop) -> memoryview:
    if sys.platform == "win32" and isinstance(loop, asyncio.ProactorEventLoop):
        return memoryview(bytearray(64 * 1024))  # the kernel fills it while other connections receive
    key = threading.get_ident()
    buffer = _shared.get(key)
    if buffer is None:
        if len(_shared) >= 64:
            _shared.clear()
        buffer = _shared[key] = memoryview(bytearray(RECEIVE_SIZE))
    return buffer
