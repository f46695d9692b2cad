"""`Slots`: how many callers may use a transport's connections at once.

There is no lock in it, so that nothing can be left locked. Whose a slot is, is an entry of one dict, made and removed
by one operation each, which the interpreter carries out whole; and it names the caller's `Lease`, which exists before
the slot is taken and after it was given back. So whatever interrupts a caller at whatever instruction (Ctrl-C, a
worker's timeout), its ``finally`` can give back what is its own, and nothing else, once or twice.

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

    __slots__ = ("number", "value")

    def __init__(self, number: int) -> None:
        self.number = number
        self.value: T | None = None


class Lease:
    """What a caller holds a slot by: make one for each call, before `Slots.take`."""

    slot: Any = None
    """The slot, unless an interrupt came before it was noted here. Afterwards it may be another caller's."""


class Slots(Generic[T]):
    """A fixed number of slots that threads (or greenlets) share, the one used last first. Callers get
    them in the order in which they came.

    After a fork the child begins with slots of its own.

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
        self._slots = [Slot[T](number) for number in range(self._size)]
        self._owners: dict[int, Lease] = {}
        self._free = deque(self._slots)
        """In which order to try them. Whether a slot is free is said by `_owners` alone."""
        self._waiters: deque[Any] = deque()

    def take(self, lease: Lease, end: float | None) -> Slot[T]:
        """Take a free slot, waiting for one if need be.

        Args:
            lease: the caller's. Hand it to `give` whatever happens, also after an error.
            end: when to give up (monotonic seconds), ``None`` for never.

        Raises:
            NotSentError: none became free in time.
            ConfigurationError: closed.
        """
        waited = False
        while not self.closed:
            # Those who wait come first: whoever gives a slot back and asks again at once would always be quicker.
            if self._waiters and not waited:
                self._wait(end, waited=False)
                waited = True
            try:
                slot = self._free.pop()
            except IndexError:
                if not self._find_free():
                    self._wait(end, waited=waited)
                    waited = True
            else:
                if self._owners.setdefault(slot.number, lease) is lease:
                    lease.slot = slot
                    if self._waiters and self._free:  # they were given back while the next in the queue was on its way
                        self._wake()
                    return slot
        raise ConfigurationError("The transport is closed; make a new client.")

    def _find_free(self) -> bool:
        for slot in self._slots:
            if slot.number not in self._owners:
                self._free.appendleft(slot)
        return bool(self._free)

    def _wait(self, end: float | None, *, waited: bool) -> None:
        """Wait for a turn: at the end of the queue, or at its front for one who has waited already."""
        left = None if end is None else end - monotonic()
        if left is not None and left <= 0:
            raise NotSentError(
                f"All {self._size} connections to {self._peer} were in use for as long as the request could "
                "wait. Pass the client a larger pool_size, or close downloads that are not read to the end."
            )
        waiter = threading.Lock()
        waiter.acquire()
        (self._waiters.appendleft if waited else self._waiters.append)(waiter)
        try:
            if not (self._is_first(waiter) and self._free) and not self.closed:
                waiter.acquire(timeout=_LOOK_AGAIN if left is None else min(left, _LOOK_AGAIN))
        finally:
            with suppress(ValueError):  # it was woken
                self._waiters.remove(waiter)

    def _is_first(self, waiter: Any) -> bool:
        try:
            return self._waiters[0] is waiter
        except IndexError:  # it was woken
            return True

    def held(self, lease: Lease) -> Slot[T] | None:
        """The slot of a lease, ``None`` when it has none, or no longer."""
        for slot in self._slots:
            if self._owners.get(slot.number) is lease:
                return slot
        return None

    def give(self, lease: Lease) -> None:
        """Take back the slot of a lease. Does nothing when it has none, so it may be called twice."""
        slot = lease.slot or self.held(lease)
        if slot is not None and self._owners.get(slot.number) is lease:
            del self._owners[slot.number]
            if slot.value is None:
                self._free.appendleft(slot)
            else:
                self._free.append(slot)
            if self._waiters:
                self._wake()

    def _wake(self) -> None:
        with suppress(IndexError):  # another thread was quicker
            self._waiters.popleft().release()

    def close(self) -> list[T]:
        """Give no more slots, wake those who wait for one, and give what is in those that are free."""
        self.closed = True
        while self._waiters:
            self._wake()
        values = []
        for slot in self._slots:
            own = Lease()
            if self._owners.setdefault(slot.number, own) is own and slot.value is not None:
                values.append(slot.value)
                slot.value = None
        return values

    def after_fork(self) -> list[T]:
        """Begin again in a child process, which has none of the users; gives what was in the free slots."""
        values = [slot.value for slot in self._slots if slot.value is not None and slot.number not in self._owners]
        self._reset()
        return values


_all: weakref.WeakSet[Slots[Any]] = weakref.WeakSet()


def _after_fork() -> None:
    for slots in list(_all):
        slots.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
