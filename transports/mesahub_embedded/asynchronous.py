"""The transport ``embedded`` for asyncio: SQLite on a few threads, with statements that can be stopped."""

from __future__ import annotations

from time import monotonic
from typing import ClassVar

from mesahub.errors import ConfigurationError
from mesahub.transport import AsyncResponse, Request, Response, TransportOptions
from mesahub.transport.asynchronous.threads import Threads, as_async_response
from mesahub.transport.network import whole_number
from mesahub_embedded.async_sessions import AsyncSession
from mesahub_embedded.stopping import Stoppable, patiently, run_stoppable
from mesahub_embedded.transport import EmbeddedTransport
from mesahub_embedded.turns import Turns

__all__ = ["AsyncEmbeddedTransport"]

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
