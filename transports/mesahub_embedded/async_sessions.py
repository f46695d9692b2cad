"""A connection of one caller's own, for tasks: its statements run on a thread of its own, one after another."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

from mesahub.errors import ConfigurationError
from mesahub.transport import AsyncResponse, Request, Response
from mesahub.transport.asynchronous.threads import Threads, as_async_response
from mesahub_embedded.engine.sessions import SessionTransport
from mesahub_embedded.stopping import Patience, Stoppable, patiently, run_stoppable, timed
from mesahub_embedded.transport import EmbeddedTransport
from mesahub_embedded.turns import Turn, Turns

__all__ = ["AsyncSession"]


class AsyncSession:
    """An asynchronous transport whose requests all run on one connection.

    Args:
        transport: the databases.
        turns: who may write when.
        ref: the database.
        exclusive: it has one connection, which the session holds until it is closed.
    """

    def __init__(self, transport: EmbeddedTransport, turns: Turns, ref: str, *, exclusive: bool) -> None:
        self._transport = transport
        self._turns = turns
        self._ref = ref
        self._exclusive = exclusive
        self._turn: Turn | None = None
        self._session: SessionTransport | None = None
        self._threads = Threads(1, "mesahub-session")
        self._one_by_one = asyncio.Lock()
        self.capabilities = transport.capabilities

    @property
    def in_transaction(self) -> bool:
        """Is a transaction open?"""
        return self._session is not None and self._session.in_transaction

    async def open(self) -> None:
        """Connect."""
        if self._exclusive:
            await self._take_turn(None)
        try:
            await self._run(self._connect)
        except BaseException:
            await self.close()
            raise

    def _connect(self) -> None:
        self._session = self._transport.open_session(self._ref)

    async def begin(self, mode: str, timeout: float | None) -> None:
        """Begin a transaction: see `SessionTransport.begin`."""
        session = self._open
        end = None if timeout is None else monotonic() + timeout
        async with self._one_by_one:
            if mode == "immediate" and not self._exclusive:
                await self._take_turn(end)

            def run(alive: Stoppable) -> None:
                patience = Patience(end)
                while True:
                    try:
                        return session.begin(mode, None if end is None else max(end - monotonic(), 0.001), alive)
                    except sqlite3.OperationalError as error:
                        if "locked" not in str(error) or not alive() or not patience.is_left():
                            raise

            try:
                await run_stoppable(self._threads, run, None, end)
            except BaseException:
                with suppress(asyncio.CancelledError):  # the first one is raised
                    await self._run(lambda: session.end(commit=False))
                self._end_turn()
                raise

    async def end(self, *, commit: bool) -> None:
        """Commit, or roll back. What has begun is awaited, also where the task is cancelled: its end is then known."""
        session = self._open
        async with self._one_by_one:
            try:
                await self._run(lambda: session.end(commit=commit))
            finally:
                if not session.in_transaction:
                    self._end_turn()

    async def send(self, request: Request, /) -> AsyncResponse:
        """Answer a statement. One of a cancelled call is stopped; SQLite may take the transaction back with it."""
        session = self._open
        end = None if request.timeout is None else monotonic() + request.timeout
        async with self._one_by_one:

            def run(alive: Stoppable) -> Response:
                if session.in_transaction:  # it may hold locks itself: SQLite knows whether it is any use to wait
                    return session.send(timed(request, end), lambda: alive())
                return patiently(session.send, request, alive, end)

            try:
                response = await run_stoppable(self._threads, run, request, end)
            finally:
                if not session.in_transaction:  # SQLite may have rolled it back itself
                    self._end_turn()
        return as_async_response(response, self._threads)

    async def close(self) -> None:
        """Roll back what is open, and close the connection. May be called twice."""
        session, self._session = self._session, None
        try:
            if session is not None:
                await self._run(session.close)
        finally:
            self._give_turn()
            self._threads.close()

    async def _run(self, function: Callable[[], Any]) -> None:
        await self._threads.start(function).finish()

    async def _take_turn(self, end: float | None) -> None:
        self._turn = await self._turns.take(self._ref, end)
        self._turn.keep()

    def _end_turn(self) -> None:
        if not self._exclusive:
            self._give_turn()

    def _give_turn(self) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.give()

    @property
    def _open(self) -> SessionTransport:
        if self._session is None:
            raise ConfigurationError("The session is closed.")
        return self._session
