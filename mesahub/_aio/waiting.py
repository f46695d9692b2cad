"""What waits in an event loop where blocking code waits with threads. Nothing here belongs to a loop for good."""

from __future__ import annotations

import asyncio
from types import TracebackType

__all__ = ["Closing", "LoopLock"]


class Closing:
    """An event that ends waits: set when a client is closed."""

    def __init__(self) -> None:
        self._is_set = False
        self._waiting: set[asyncio.Future[None]] = set()

    def is_set(self) -> bool:
        """Was it set?"""
        return self._is_set

    def set(self) -> None:
        """End all waits, those of other loops included. May be called twice."""
        self._is_set = True
        for future in list(self._waiting):
            loop = future.get_loop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(_finish, future)

    async def wait(self, seconds: float) -> None:
        """Wait until it is set, or for these seconds."""
        if self._is_set:
            return
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(seconds, _finish, future)
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)
            timer.cancel()


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class LoopLock:
    """A lock for the tasks of a loop; every loop has one of its own."""

    def __init__(self) -> None:
        self._locks: dict[asyncio.AbstractEventLoop, asyncio.Lock] = {}

    async def __aenter__(self) -> None:
        loop = asyncio.get_running_loop()
        if loop not in self._locks:
            self._locks = {each: lock for each, lock in self._locks.items() if not each.is_closed()}
            self._locks[loop] = asyncio.Lock()
        await self._locks[loop].acquire()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._locks[asyncio.get_running_loop()].release()
