"""A pool of connections to one server, shared by threads."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from time import monotonic

from mesahub.errors import ConfigurationError, NotSentError
from mesahub_urllib.connection import Connection


class Pool:
    """Lends connections, the one used last first, and opens at most ``size`` at once.

    Args:
        connect: makes a connection, given the generation and the seconds it may take.
        size: most connections that are open.
        keep_alive: seconds after which an idle connection is not used again.
        peer: the server, for messages.
    """

    def __init__(
        self, connect: Callable[[int, float | None], Connection], *, size: int, keep_alive: float, peer: str
    ) -> None:
        self._connect = connect
        self._size = size
        self._keep_alive = keep_alive
        self._peer = peer
        self._closed = False
        self._generation = 0
        self._reset()
        _pools.add(self)

    def _reset(self) -> None:
        # Reentrant: the garbage collector may close a forgotten download while this thread holds the lock.
        self._lock = threading.RLock()
        self._freed = threading.Condition(self._lock)
        self._waiting = 0
        self._open = 0
        self._idle: list[Connection] = []

    def acquire(self, end: float | None) -> Connection:
        """An idle connection that is still good, or a new one.

        Args:
            end: when to give up (monotonic seconds), ``None`` for never.

        Raises:
            NotSentError: none became free in time, or what connecting raises.
            ConfigurationError: the pool is closed.
        """
        with self._lock:
            while True:
                if self._closed:
                    raise ConfigurationError("The transport is closed; make a new client.")
                if self._idle:
                    connection = self._idle.pop()
                    if monotonic() - connection.idle_since < self._keep_alive and not connection.is_readable():
                        return connection
                    self._open -= 1
                    connection.close()
                    continue
                if self._open < self._size:
                    self._open += 1
                    generation = self._generation
                    break
                self._wait(end)
        try:
            return self._connect(generation, None if end is None else end - monotonic())
        except BaseException:
            self._forget(generation)
            raise

    def _wait(self, end: float | None) -> None:
        left = None if end is None else end - monotonic()
        if left is not None and left <= 0:
            raise NotSentError(
                f"All {self._size} connections to {self._peer} were in use for as long as the request could "
                "wait. Give the client a larger pool_size, or close downloads that are not read to the end."
            )
        self._waiting += 1
        try:
            self._freed.wait(left)
        finally:
            self._waiting -= 1

    def release(self, connection: Connection, *, reusable: bool) -> None:
        """Take a connection back. One that is not reusable is closed."""
        if reusable and not self._closed and connection.generation == self._generation:
            connection.idle_since = monotonic()
            with self._lock:
                if not self._closed:
                    self._idle.append(connection)
                    if self._waiting:
                        self._freed.notify()
                    return
        connection.close()
        self._forget(connection.generation)

    def _forget(self, generation: int) -> None:
        with self._lock:
            if generation == self._generation:
                self._open -= 1
                if self._waiting:
                    self._freed.notify()

    def close(self) -> None:
        """Close the idle connections now, the lent ones when they come back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            self._open -= len(idle)
            self._freed.notify_all()
        for connection in idle:
            connection.close()

    def after_fork(self) -> None:
        """Begin anew in a child process: the connections belong to the parent."""
        idle = self._idle
        self._generation += 1
        self._reset()
        for connection in idle:
            # Closes this process's descriptor only; the parent's connection lives on.
            connection.close()


_pools: weakref.WeakSet[Pool] = weakref.WeakSet()


def _after_fork() -> None:
    for pool in list(_pools):
        pool.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
