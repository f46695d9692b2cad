"""`AsyncSlots`: how many tasks may use a transport's connections at once."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from contextlib import suppress

from mesahub.errors import ConfigurationError, NotSentError

__all__ = ["AsyncSlots"]


class AsyncSlots:
    """A fixed number of slots that tasks share, in order of arrival.

    They belong to the loop that runs when one is taken: another loop, or a forked process, starts with all of them.

    Args:
        size: how many there are.
        peer: the server, for messages.
    """

    def __init__(self, size: int, peer: str) -> None:
        self._size = size
        self._peer = peer
        self._closed = False
        self._owner: tuple[int, asyncio.AbstractEventLoop] | None = None
        self._free = size
        self._waiters: deque[asyncio.Future[None]] = deque()

    async def take(self, end: float | None) -> None:
        """Take a slot, waiting for one if need be.

        Args:
            end: when to give up (the loop's time), ``None`` for never.

        Raises:
            NotSentError: none became free in time.
            ConfigurationError: closed.
        """
        if self._closed:
            raise _closed()
        loop = asyncio.get_running_loop()
        owner = (os.getpid(), loop)
        if self._owner != owner:
            self._owner, self._free, self._waiters = owner, self._size, deque()
        if self._free and not self._waiters:
            self._free -= 1
            return
        waiter: asyncio.Future[None] = loop.create_future()
        timer = None if end is None else loop.call_at(end, _expire, waiter)
        self._waiters.append(waiter)
        try:
            await waiter
        except TimeoutError:
            with suppress(ValueError):  # `give` has passed it over
                self._waiters.remove(waiter)
            raise NotSentError(
                f"All {self._size} connections to {self._peer} were in use for as long as the request could "
                "wait. Pass the client a larger pool_size, or close downloads that are not read to the end."
            ) from None
        except asyncio.CancelledError:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            elif waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.give()  # the turn was handed over already: the next in line gets it
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def give(self) -> None:
        """Give a slot back, to the next in line."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        if self._free < self._size:  # not one of a loop that is gone
            self._free += 1

    def close(self) -> None:
        """Give no more slots; those who wait for one get an error."""
        self._closed = True
        waiters, self._waiters = self._waiters, deque()
        loop = None if self._owner is None else self._owner[1]
        for waiter in waiters:
            if not waiter.done() and loop is not None and not loop.is_closed():
                waiter.set_exception(_closed())


def _expire(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())


def _closed() -> ConfigurationError:
    return ConfigurationError("The transport is closed; make a new client.")
