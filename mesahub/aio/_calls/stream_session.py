# Made by scripts/asyncify.py of mesahub/_calls/stream_session.py: change that, and run `make aio`.
"""A session over a transport that moves requests: each statement is one, and the dialect links them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

from mesahub._aio.waiting import LoopLock
from mesahub._calls.stream_session import _CLOSING_SECONDS
from mesahub.dialects.base import Capabilities, SessionDialect
from mesahub.errors import ConfigurationError, MesahubError, TransportError
from mesahub.transport import AsyncResponse, Request
from mesahub.transport.base import AsyncTransport

__all__ = ["AsyncStreamSession"]


class AsyncStreamSession:
    """What `mesahub.aio.session.AsyncSession` needs of a transport. Tasks take turns.

    Args:
        dialect: what is said.
        send: sends a request once.
        persist: sends a request, again where that is safe.
        elsewhere: opens a transport to another base URL, where the engine wants the session to go on there.
        timeout: seconds for COMMIT and ROLLBACK; ``None`` for no limit.

    Attributes:
        capabilities: those of the dialect.
        urls: the base URLs of the engine, for middleware.
    """

    def __init__(
        self,
        dialect: SessionDialect,
        send: Callable[[Request], Coroutine[Any, Any, AsyncResponse]],
        persist: Callable[[Request], Coroutine[Any, Any, AsyncResponse]],
        elsewhere: Callable[[str], tuple[AsyncTransport, Callable[[Request], Coroutine[Any, Any, AsyncResponse]]]],
        timeout: float | None = None,
    ) -> None:
        self.capabilities: Capabilities = dialect.capabilities
        self.urls: Sequence[str] = ()
        self._dialect = dialect
        self._send = send
        self._persist = persist
        self._elsewhere = elsewhere
        self._timeout = timeout
        self._place: str | None = None
        self._opened: list[AsyncTransport] = []
        self._turn = LoopLock()
        self._closed = False

    @property
    def in_transaction(self) -> bool:
        """Is a transaction open?"""
        return self._dialect.in_transaction

    async def begin(self, mode: str, timeout: float | None) -> None:
        """Begin a transaction. See `mesahub.aio.session.AsyncSessionTransport.begin`."""
        async with self._turn:
            await self._run(self._dialect.begin(mode, timeout), self._persist if self._place is None else self._send)

    async def end(self, *, commit: bool, timeout: float | None = None) -> None:
        """Commit, or roll back. See `mesahub.aio.session.AsyncSessionTransport.end`."""
        async with self._turn:
            await self._end(commit, timeout)

    async def _end(self, commit: bool, timeout: float | None) -> None:
        request = self._dialect.end(commit=commit, timeout=self._timeout if timeout is None else timeout)
        if request is None:
            return
        if commit:
            await self._run(request, self._send)
            return
        # Whatever comes of it: a session that is not heard of again is rolled back by the engine.
        with suppress(MesahubError):
            await self._run(request, self._send)

    async def _run(self, request: Request, send: Callable[[Request], Coroutine[Any, Any, AsyncResponse]]) -> None:
        response = await self._exchange(request, send)
        if not self._dialect.succeeded(request, response):
            raise self._dialect.error(response, request.operation)

    async def send(self, request: Request, /) -> AsyncResponse:
        """Send a statement."""
        async with self._turn:
            return await self._exchange(request, self._send)

    async def _exchange(
        self, request: Request, send: Callable[[Request], Coroutine[Any, Any, AsyncResponse]]
    ) -> AsyncResponse:
        if self._closed:
            raise ConfigurationError("The session is closed.")
        place = self._dialect.base_url
        if place is not None and place != self._place:
            transport, self._send = self._elsewhere(place)
            self._opened.append(transport)
            self._place, send = place, self._send
        try:
            response = await send(request)
        except TransportError as error:
            raised = self._dialect.failed(request, error)
            if raised is error:
                raise
            raise raised from error
        self._dialect.received(request, response)
        return response

    async def close(self) -> None:
        """Roll back what is open, and close the session. May be called twice."""
        async with self._turn:
            if self._closed:
                return
            try:
                with suppress(MesahubError):
                    await self._end(False, _CLOSING_SECONDS)
                    request = self._dialect.closing()
                    if request is not None:
                        await self._exchange(request.replace(timeout=_CLOSING_SECONDS), self._send)
            finally:
                self._closed = True
                for transport in self._opened:
                    await transport.close()
