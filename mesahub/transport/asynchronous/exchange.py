"""`AsyncExchange`: what a transport over another library's asynchronous client does with every request.

The library opens the response; its turn, its time, its size, its errors and its cancellation are the same for all.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Protocol

from mesahub._util.tracebacks import forget_frames
from mesahub.errors import ConfigurationError, MesahubError, Outcome, RequestTimeoutError
from mesahub.transport.asynchronous.cancellation import note_cancelled
from mesahub.transport.asynchronous.loops import running_loop
from mesahub.transport.asynchronous.slots import AsyncSlots
from mesahub.transport.messages import AsyncResponse, Headers, Request
from mesahub.transport.network import too_large
from mesahub.transport.options import TransportOptions
from mesahub.transport.outgoing import url_of

__all__ = ["AsyncExchange", "Call", "Source"]

_PIECE = 256 * 1024


class Source(Protocol):
    """A response of the library's, whose body has not been read.

    Attributes:
        status: its status.
        headers: its headers, repeated ones apart.
    """

    status: int
    headers: list[tuple[str, str]]

    async def next(self) -> bytes:
        """Some bytes of the body, ``b""`` at its end."""
        ...

    async def close(self) -> None:
        """Drop the connection, unless the body was read to its end. May be called twice."""
        ...


class Call:
    """A request on its way.

    Attributes:
        request: what is sent.
        timeout: seconds for the whole of it; for one that ``streams``, the longest silence.
        sent: a byte of it may have left this machine.
        body_error: what reading its body raised.
    """

    def __init__(self, request: Request, timeout: float | None) -> None:
        self.request = request
        self.timeout = timeout
        self.sent = False
        self.body_error: BaseException | None = None
        self._deadline: asyncio.Timeout | None = None
        self._pieces: Iterator[bytes] = iter(())
        self._first = b""

    def within(self, end: float | None) -> asyncio.Timeout:
        """The time limit, as a context manager."""
        self._deadline = asyncio.timeout_at(end)
        return self._deadline

    @property
    def late(self) -> bool:
        """Did it run out of time?"""
        return self._deadline is not None and self._deadline.expired()

    def progress(self) -> None:
        """A piece of a file went up: the silence begins again."""
        if self.request.streams and self.timeout is not None and self._deadline is not None and not self.late:
            self._deadline.reschedule(asyncio.get_running_loop().time() + self.timeout)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The request's body, piece by piece; a file is read on a thread.

        Raises:
            ValueError: the body is not as long as it says, or cannot be read (whatever it raises itself).
        """
        content = self.request.content
        if content is None or isinstance(content, bytes):
            if content:
                yield content
            return
        try:
            piece, left = self._first, len(content)
            while piece and left >= len(piece):
                left -= len(piece)
                yield piece
                self.progress()
                piece = await self._next()
            if left:
                raise ValueError(f"the body is not as long as the {len(content)} bytes that it said")
        except Exception as error:
            self.body_error = error
            raise

    async def begin_body(self) -> None:
        """Read the first piece of a file, before the headers go: a file that cannot be read must cost nothing."""
        content = self.request.content
        if content is not None and not isinstance(content, bytes):
            self._pieces = iter(content)
            self._first = await self._next()

    async def _next(self) -> bytes:
        return await asyncio.get_running_loop().run_in_executor(None, next, self._pieces, b"")


class AsyncExchange:
    """The way of a request around the library's client.

    Args:
        options: those of the transport.
        own: the client was made here, so that ``pool_size`` bounds its connections. What the application's own does is
            up to it.
        translate: makes the contract's error of what the library raised, ``None`` for what it cannot have raised.
        check: raises for a response whose end is not certain: (method, status, headers).

    Attributes:
        peer: the server's URL without a path, for messages.
        closed: `close` was called.
    """

    def __init__(
        self,
        options: TransportOptions,
        *,
        own: bool,
        translate: Callable[[BaseException, str, Call], MesahubError | None],
        check: Callable[[str, int, Headers], object] | None = None,
    ) -> None:
        self.peer = options.origin().peer
        self._base_url = options.base_url.rstrip("/")
        self._timeout = options.timeout
        self._most = options.max_response_bytes
        self._check = check
        self._translate = translate
        self._slots = AsyncSlots(options.pool_size, self.peer) if own else None
        self.closed = False

    def url(self, request: Request) -> str:
        """Where a request goes."""
        return url_of(self._base_url, request)

    async def send(self, request: Request, open: Callable[[Call], Awaitable[Source]]) -> AsyncResponse:
        """Send one request and return the response. See `mesahub.transport` for what it raises.

        Args:
            request: what to send.
            open: sends it, and gives the response when its head is there.
        """
        if self.closed:
            raise ConfigurationError("The transport is closed; make a new client.")
        timeout = self._timeout if request.timeout is None else request.timeout
        loop = running_loop()
        end = None if timeout is None else loop.time() + timeout
        if self._slots is not None:
            await self._slots.take(end)
        call = Call(request, timeout)
        download: Download | None = None
        source: Source | None = None
        try:
            async with call.within(end):
                await call.begin_body()
                source = await open(call)
                headers = Headers(source.headers)
                if self._check is not None:
                    self._check(request.method, source.status, headers)
                if request.streams and 200 <= source.status < 300 and not request.uploads:
                    download = Download(self, source, call)
                    return AsyncResponse(source.status, headers, async_stream=download)
                return AsyncResponse(source.status, headers, await self._read(source))
        except BaseException as error:
            raised = self.error(error, call)
            if raised is None:
                raise
            raise raised from _shown_cause(error)
        finally:
            if download is None:
                try:
                    if source is not None:
                        await source.close()
                finally:
                    self.give()

    async def _read(self, source: Source) -> bytes:
        pieces = []
        size = 0
        while piece := await source.next():
            size += len(piece)
            if size > self._most:  # counted, since an announcement alone proves nothing
                raise too_large(source.status, self._most, self.peer)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def error(self, error: BaseException, call: Call) -> MesahubError | None:
        """What to raise for what was raised; ``None`` for the same."""
        if call.body_error is not None and not isinstance(error, asyncio.CancelledError):
            raise call.body_error.with_traceback(None) from None
        if isinstance(error, MesahubError):
            return None
        if isinstance(error, asyncio.CancelledError):
            if call.sent:
                note_cancelled(error, call.request)
            forget_frames(error)
            return None
        if isinstance(error, TimeoutError) and call.late:
            if not call.sent:
                return RequestTimeoutError(f"{self.peer} could not be reached in time.", outcome=Outcome.NOT_SENT)
            return RequestTimeoutError(f"The time for the request to {self.peer} ran out.", outcome=Outcome.MAYBE_RAN)
        return self._translate(error, self.peer, call)

    def give(self) -> None:
        """Free the call's place."""
        if self._slots is not None:
            self._slots.give()

    def close(self) -> None:
        """Send nothing more."""
        self.closed = True
        if self._slots is not None:
            self._slots.close()


class Download:
    """A body that is read as its user asks for it. It holds a connection until it is read to the end, or closed."""

    def __init__(self, exchange: AsyncExchange, source: Source, call: Call) -> None:
        self._exchange = exchange
        self._source: Source | None = source
        self._call = call
        self._rest = memoryview(b"")

    async def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes, ``b""`` at the end; all that is left when ``size`` is negative.

        Raises:
            ConnectionLostError, RequestTimeoutError: see the contract.
        """
        if size < 0:
            pieces = []
            while more := await self.read(_PIECE):
                pieces.append(more)
            return b"".join(pieces)
        source = self._source
        if source is None or size == 0:
            return b""
        if not self._rest:
            call = self._call
            loop = asyncio.get_running_loop()
            try:
                async with call.within(None if call.timeout is None else loop.time() + call.timeout):
                    self._rest = memoryview(await source.next())
            except BaseException as error:
                await self.close()
                raised = self._exchange.error(error, call)
                if raised is None:
                    raise
                raise raised from _shown_cause(error)
            if not self._rest:
                await self.close()
        piece, self._rest = self._rest[:size], self._rest[size:]
        return bytes(piece)

    async def close(self) -> None:
        """Drop the connection, unless the body was read to the end. May be called twice."""
        source, self._source = self._source, None
        if source is not None:
            try:
                await source.close()
            finally:
                self._exchange.give()


def _shown_cause(error: BaseException) -> BaseException | None:
    """The library's exception as a cause; of a timeout there is nothing to see."""
    if isinstance(error, TimeoutError):
        return None
    forget_frames(error)
    return error
