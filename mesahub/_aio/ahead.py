"""One call ahead of the caller: it runs in a task, while the caller works on what the one before gave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

__all__ = ["Ahead"]

T = TypeVar("T")


class Ahead(Generic[T]):
    """A call that has begun. Await its `result`, or `discard` it, which cancels it.

    Args:
        call: what to run. It takes no argument.
    """

    def __init__(self, call: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._task = asyncio.create_task(call(), name="mesahub-ahead")

    async def result(self) -> T:
        """Wait for the call: what it returned, or raise what it raised. A cancellation cancels the call."""
        return await self._task

    async def discard(self) -> None:
        """Cancel the call, wait until it has ended, and forget what came of it."""
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.exception()  # it counts as seen
