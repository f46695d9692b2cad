"""The transport ``embedded`` for asyncio: SQLite on a few threads, with statements that can be stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, ClassVar, TypeVar

from mesahub.errors import ConfigurationError, RequestTimeoutError
from mesahub.transport import AsyncResponse, Request, Response, TransportOptions
from mesahub.transport.cancellation import note_cancelled
from mesahub.transport.network import whole_number
from mesahub.transport.threads import NotStartedError, Threads, as_async_response
from mesahub_embedded.engine.connections import BUSY
from mesahub_embedded.transport import EmbeddedTransport
from mesahub_embedded.turns import Turns, not_begun

if TYPE_CHECKING:
    from mesahub_embedded.async_sessions import AsyncSession

__all__ = ["AsyncEmbeddedTransport"]

T = TypeVar("T")

THREADS = 8
"""Threads for statements that read, unless the caller says otherwise: as many as connections are kept for them."""
_MOST_THREADS = 64


class AsyncEmbeddedTransport:
    """SQLite in this process, without blocking the event loop.

    Statements that read run on a few threads; those that write wait for their turn, one per database, in the loop. A
    statement of a cancelled call is stopped, and its end awaited: a write has then been carried out (a note on the
    ``CancelledError`` says so) or changed nothing.

    Args:
        options: its own are those of `EmbeddedTransport`, and ``threads``: how many statements may read at the same
            time (8).
    """

    needs_url: ClassVar[bool] = False
    needs_key: ClassVar[bool] = False

    def __init__(self, options: TransportOptions) -> None:
        own = dict(options.options)
        threads = whole_number("threads", own.pop("threads", THREADS), most=_MOST_THREADS)
        self._timeout = options.timeout
        self._blocking = EmbeddedTransport(options.replace(options=own))
        self.capabilities = self._blocking.capabilities
        self._readers = Threads(threads, "mesahub-read")
        self._writers = Threads(threads, "mesahub-write")
        self.turns = Turns()
        self._closed = False

    async def send(self, request: Request, /) -> AsyncResponse:
        """Answer a request. See `mesahub.transport` for what it raises."""
        if self._closed:
            raise ConfigurationError("This client is closed: make a new one.")
        timeout = self._timeout if request.timeout is None else request.timeout
        end = None if timeout is None else monotonic() + timeout
        if request.operation == "query" and not self._blocking.is_shared:
            return await self._answer(self._readers, request, end)
        if request.operation not in ("query", "exec", "batch"):
            return await self._answer(self._readers, request, None if request.streams else end)
        turn = await self.turns.take(request.database or "", end)
        try:
            return await self._answer(self._writers, request, end)
        finally:
            turn.give()

    async def _answer(self, threads: Threads, request: Request, end: float | None) -> AsyncResponse:
        def run(alive: Stoppable) -> Response:
            return patiently(self._blocking.send, request, alive, end)

        return as_async_response(await run_stoppable(threads, run, request, end), self._readers)

    async def open_session(self, ref: str) -> AsyncSession:
        """A transport on a connection of its own, for transactions."""
        from mesahub_embedded.async_sessions import AsyncSession

        session = AsyncSession(self._blocking, self.turns, ref, exclusive=self._blocking.is_shared)
        await session.open()
        return session

    async def close(self) -> None:
        """Close all databases, when the statements that run are over. May be called twice."""
        if self._closed:
            return
        self._closed = True
        try:
            await self._readers.start(self._blocking.close).finish()
        finally:
            self._readers.close()
            self._writers.close()


def timed(request: Request, end: float | None) -> Request:
    """The request with the time that is left of it.

    Raises:
        RequestTimeoutError: none is.
    """
    if end is None:
        return request
    left = end - monotonic()
    if left <= 0:
        raise not_begun()
    return request.replace(timeout=left)


class Stoppable:
    """Asked by a statement whether to go on, from another thread.

    Attributes:
        gone: the caller is gone: stop.
        lock_timeout: seconds to wait for a lock of another process before asking.
    """

    __slots__ = ("gone",)

    lock_timeout: ClassVar[float] = 0.02

    def __init__(self) -> None:
        self.gone = False

    def __call__(self) -> bool:
        return not self.gone


class Patience:
    """How long to wait for locks of other processes: as long as SQLite would."""

    def __init__(self, end: float | None) -> None:
        most = monotonic() + BUSY
        self._end = most if end is None else min(end, most)

    def is_left(self) -> bool:
        """Try again?"""
        return monotonic() < self._end


def patiently(
    send: Callable[[Request, Stoppable], Response], request: Request, alive: Stoppable, end: float | None
) -> Response:
    """Send a request, and again while another process has locked the database: then nothing was done."""
    patience = Patience(end)
    attempt = timed(request, end)
    while True:
        response = send(attempt, alive)
        payload = response.payload if response.status == 503 else None
        locked = isinstance(payload, dict) and payload.get("error") == "database is locked"
        if not (locked and alive() and patience.is_left()):
            return response
        try:
            attempt = timed(request, end)
        except RequestTimeoutError:
            return response


async def run_stoppable(
    threads: Threads, run: Callable[[Stoppable], T], request: Request | None, end: float | None
) -> T:
    """Run a function on a thread; a cancelled task has it stopped, and waits until it is.

    Args:
        threads: where.
        run: the function. Its argument is asked now and then whether to go on.
        request: what it carries out, for the note on a ``CancelledError``.
        end: when it must have begun (monotonic seconds).

    Raises:
        RequestTimeoutError: it has not.
    """
    alive = Stoppable()
    job = threads.start(lambda: run(alive))
    try:
        return await job.wait(None if end is None else max(end - monotonic(), 0))
    except NotStartedError:
        raise not_begun() from None
    except asyncio.CancelledError as error:
        alive.gone = True
        if await job.settle() and request is not None:
            note_cancelled(error, request, ran=True)
        raise
