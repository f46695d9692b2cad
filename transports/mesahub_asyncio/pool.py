"""A pool of connections to one server, shared by the tasks of one event loop."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

from mesahub.errors import ConfigurationError, NotSentError
from mesahub_asyncio.connection import Connection


class Pool:
    """Lends connections, the one used last first, and opens at most ``size`` at once.

    It belongs to the loop that runs when it is made. Whoever waits is served in order.

    Args:
        connect: makes a connection within the seconds given.
        size: most connections that are open.
        keep_alive: seconds after which an idle connection is not used again.
        peer: the server, for messages.
    """

    def __init__(
        self,
        connect: Callable[[float | None], Awaitable[Connection]],
        *,
        size: int,
        keep_alive: float,
        peer: str,
    ) -> None:
        self._connect = connect
        self._size = size
        self._keep_alive = keep_alive
        self._peer = peer
        self._loop = asyncio.get_running_loop()
        self._pid = os.getpid()
        self._closed = False
        self._open = 0
        self._idle: list[Connection] = []
        self._waiters: deque[asyncio.Future[Connection | None]] = deque()

    def serves(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Is this the pool's loop, in the process that made it?"""
        return loop is self._loop and self._pid == os.getpid()

    @property
    def open_connections(self) -> int:
        """Connections that are open now, lent ones included."""
        return self._open

    async def acquire(self, end: float | None) -> Connection:
        """An idle connection that is still good, or a new one.

        Args:
            end: when to give up (the loop's time), ``None`` for never.

        Raises:
            NotSentError: none became free in time, or what connecting raises.
            ConfigurationError: the pool is closed.
        """
        if self._closed:
            raise _closed()
        connection = self.take()
        if connection is not None:
            return connection
        if self._open < self._size and not self._waiters:
            self._open += 1
        else:
            connection = await self._wait(end)
            if connection is not None:
                if not connection.is_stale():
                    return connection
                connection.abort()
        # A place in the pool is ours from here on.
        try:
            if self._closed:
                raise _closed()
            return await self._connect(None if end is None else end - self._loop.time())
        except BaseException:
            self._free()
            raise

    def take(self) -> Connection | None:
        """An idle connection that is still good; ``None`` where there is none, or others wait for one."""
        while self._idle and not self._waiters:
            connection = self._idle.pop()
            if self._loop.time() - connection.idle_since < self._keep_alive and not connection.is_stale():
                return connection
            self._open -= 1
            connection.abort()
        return None

    async def _wait(self, end: float | None) -> Connection | None:
        """Wait for a turn: a connection, or ``None`` for the right to open one."""
        waiter: asyncio.Future[Connection | None] = self._loop.create_future()
        timer = None if end is None else self._loop.call_at(end, _expire, waiter)
        self._waiters.append(waiter)
        try:
            return await waiter
        except TimeoutError:
            with suppress(ValueError):  # it was passed over
                self._waiters.remove(waiter)
            raise NotSentError(
                f"All {self._size} connections to {self._peer} were in use for as long as the request could "
                "wait. Give the client a larger pool_size, or close downloads that are not read to the end."
            ) from None
        except BaseException:
            # Cancelled: a turn that was handed over already goes to the next in line.
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            elif waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                connection = waiter.result()
                if connection is None:
                    self._free()
                else:
                    self.release(connection, reusable=True)
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def release(self, connection: Connection, *, reusable: bool) -> None:
        """Take a connection back. One that is not reusable is dropped."""
        # Whether more has come meanwhile is looked at when it is used again.
        if not reusable or self._closed or connection.is_over():
            connection.abort()
            self._free()
            return
        connection.limit(None, None)
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        connection.idle_since = self._loop.time()
        self._idle.append(connection)

    def _free(self) -> None:
        """A place became free: hand it to the next in line."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._open -= 1

    async def close(self) -> None:
        """Close the idle connections now, the lent ones when they come back."""
        self._closed = True
        idle, self._idle = self._idle, []
        self._open -= len(idle)
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(_closed())
        self._waiters.clear()
        for connection in idle:
            connection.abort()
        if idle:
            await asyncio.wait([connection.closed for connection in idle], timeout=1)

    def abandon(self) -> None:
        """Let go of everything without waiting: the loop is another one, or this is a forked child."""
        self._closed = True
        idle, self._idle = self._idle, []
        if self._pid == os.getpid() and not self._loop.is_closed():
            for connection in idle:
                self._loop.call_soon_threadsafe(connection.abort)


def _expire(waiter: asyncio.Future[Connection | None]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())


def _closed() -> ConfigurationError:
    return ConfigurationError("The transport is closed; make a new client.")
