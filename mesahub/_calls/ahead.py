"""One call ahead of the caller: it runs in a thread, while the caller works on what the one before gave."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from threading import Thread
from typing import Generic, TypeVar

__all__ = ["Ahead"]

T = TypeVar("T")


class Ahead(Generic[T]):
    """A call that has begun. Take its `result`, or `discard` it: its thread ends with the call.

    The call sees the context variables of whoever begins it.

    Args:
        call: what to run. It takes no argument, and ends by itself: its requests have deadlines.
    """

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._values: list[T] = []
        self._error: BaseException | None = None
        self._thread = Thread(target=copy_context().run, args=(self._run,), name="mesahub-ahead", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._values.append(self._call())
        except BaseException as error:  # noqa: BLE001  (it is raised where the result is asked for)
            self._error = error

    def result(self) -> T:
        """Wait for the call: what it returned, or raise what it raised."""
        self._thread.join()
        error, self._error = self._error, None
        if error is not None:
            raise error
        if not self._values:  # the thread was left in a process that forked
            return self._call()
        return self._values.pop()

    def discard(self) -> None:
        """Wait for the call, and forget what came of it."""
        self._thread.join()
        self._error = None
        self._values.clear()
