"""`Turns`: one writer per database at a time, waiting in the event loop instead of on threads."""

from __future__ import annotations

import asyncio
from time import monotonic

from mesahub.errors import ConfigurationError, Outcome, RequestTimeoutError
from mesahub.transport.asynchronous.loops import running_loop

__all__ = ["Turn", "Turns", "not_begun"]


class Turn:
    """The right to write to a database."""

    def __init__(self, lock: asyncio.Lock, owners: dict[str, asyncio.Task[object]], ref: str) -> None:
        self._lock: asyncio.Lock | None = lock
        self._owners = owners
        self._ref = ref

    def keep(self) -> None:
        """Note that the present task keeps it over several calls."""
        task = asyncio.current_task()
        if task is not None:
            self._owners[self._ref] = task

    def give(self) -> None:
        """Hand it on. May be called twice."""
        lock, self._lock = self._lock, None
        if lock is not None:
            self._owners.pop(self._ref, None)
            lock.release()


class Turns:
    """A lock for each database, in order of arrival. They belong to the running loop; another loop gets new ones."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._locks: dict[str, asyncio.Lock] = {}
        self._owners: dict[str, asyncio.Task[object]] = {}

    async def take(self, ref: str, end: float | None) -> Turn:
        """Wait for the turn to write.

        Args:
            ref: the database.
            end: when to give up (monotonic seconds), ``None`` for never.

        Raises:
            ConfigurationError: the task waits for itself.
            RequestTimeoutError: others wrote all the time.
        """
        loop = running_loop()
        if loop is not self._loop:
            self._loop, self._locks, self._owners = loop, {}, {}
        if ref in self._owners and self._owners[ref] is asyncio.current_task():
            raise ConfigurationError(
                "This task has a transaction open on this database, and would wait for itself: use the handle that "
                "the transaction gave (async with db.transaction() as tx: tx.table(...))."
            )
        lock = self._locks.get(ref)
        if lock is None:
            lock = self._locks[ref] = asyncio.Lock()
        if not lock.locked() or end is None:
            await lock.acquire()
        else:
            try:
                async with asyncio.timeout(max(end - monotonic(), 0)):
                    await lock.acquire()
            except TimeoutError:
                raise not_begun() from None
        return Turn(lock, self._owners, ref)


def not_begun() -> RequestTimeoutError:
    """The error for a statement that had no turn in its time."""
    return RequestTimeoutError(
        "The statement was not begun in the time given: other statements used this database all the time.",
        outcome=Outcome.NOT_SENT,
    )
