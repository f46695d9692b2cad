"""`Slots`: how many callers may use a transport's connections at once.

There is no lock in it, so that nothing can be left locked: every step is one operation of a list or a deque, which the
interpreter carries out whole. A slot is always in exactly one place, free or held by a caller. One that a signal
handler's exception made vanish between two places (``KeyboardInterrupt`` between taking and noting it) is replaced.
The lock that a caller waits on is made when it waits: gevent may have patched `threading` after this was created.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from contextlib import suppress
from time import monotonic
from typing import Any, Generic, TypeVar

from mesahub.errors import ConfigurationError, NotSentError

T = TypeVar("T")

_LOOK_AGAIN = 0.1
"""Seconds after which a waiting caller looks again, whoever may have forgotten to wake it."""


class Slot(Generic[T]):
    """The right to use one connection.

    Attributes:
        value: what its last user left in it for the next, such as an open connection.
    """

    __slots__ = ("__weakref__", "number", "value")

    def __init__(self, number: int) -> None:
        self.number = number
        self.value: T | None = None


class Slots(Generic[T]):
    """A fixed number of slots that threads (or greenlets) share, the one used last first.

    A caller has a list in which its slot is put, and from which it is taken back: so that a ``finally`` knows at
    every moment whether there is one. After a fork the child begins with slots of its own.

    Args:
        size: how many there are.
        peer: the server, for messages.

    Attributes:
        closed: no slot is given any more.
    """

    def __init__(self, size: int, peer: str) -> None:
        self._size = size
        self._peer = peer
        self.closed = False
        self._reset()
        _all.add(self)

    def _reset(self) -> None:
        slots = [Slot[T](number) for number in range(self._size)]
        self._known = [weakref.ref(slot) for slot in slots]
        self._free = deque(slots)
        self._waiters: deque[Any] = deque()

    def take(self, held: list[Slot[T]], end: float | None) -> None:
        """Append a free slot to ``held``, waiting for one if need be.

        Args:
            held: the caller's list.
            end: when to give up (monotonic seconds), ``None`` for never.

        Raises:
            NotSentError: none became free in time.
            ConfigurationError: closed.
        """
        while not self.closed:
            try:
                held.append(self._free.pop())
            except IndexError:
                self._wait(end)
            else:
                return
        raise ConfigurationError("The transport is closed; make a new client.")

    def _wait(self, end: float | None) -> None:
        if self._replace_lost():
            return
        left = None if end is None else end - monotonic()
        if left is not None and left <= 0:
            raise NotSentError(
                f"All {self._size} connections to {self._peer} were in use for as long as the request could "
                "wait. Pass the client a larger pool_size, or close downloads that are not read to the end."
            )
        waiter = threading.Lock()
        waiter.acquire()
        self._waiters.append(waiter)
        try:
            if not self._free and not self.closed:
                waiter.acquire(timeout=_LOOK_AGAIN if left is None else min(left, _LOOK_AGAIN))
        finally:
            with suppress(ValueError):  # it was woken
                self._waiters.remove(waiter)

    def _replace_lost(self) -> bool:
        lost = [number for number, slot in enumerate(self._known) if slot() is None]
        for number in lost:
            slot = Slot[T](number)
            self._known[number] = weakref.ref(slot)
            self._free.appendleft(slot)
        return bool(lost)

    def give(self, held: list[Slot[T]]) -> None:
        """Take back the slot in ``held``. Does nothing when that is empty, so it may be called twice."""
        for slot in held:
            if self._known[slot.number]() is not slot:
                held.clear()  # from before a fork, or it was taken for lost
            elif slot.value is None:
                self._free.appendleft(held.pop())
            else:
                self._free.append(held.pop())
        if self._waiters:
            self._wake()

    def _wake(self) -> None:
        with suppress(IndexError):  # another thread was quicker
            self._waiters.popleft().release()

    def idle_values(self) -> list[T]:
        """Take away the slots that are free now, and give what is in them: for the end, which may come twice."""
        values = []
        while self._free:
            with suppress(IndexError):  # another thread was quicker
                slot = self._free.pop()
                if slot.value is not None:
                    values.append(slot.value)
                    slot.value = None
        return values

    def close(self) -> None:
        """Give no more slots, and wake those who wait for one."""
        self.closed = True
        while self._waiters:
            self._wake()

    def after_fork(self) -> None:
        """Begin again in a child process, where the users of the slots are not. Overridden to close what is in them."""
        self._reset()


_all: weakref.WeakSet[Slots[Any]] = weakref.WeakSet()


def _after_fork() -> None:
    for slots in list(_all):
        slots.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
