"""A pool of connections to one server, shared by threads."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from mesahub.transport.slots import Slot, Slots
from mesahub_urllib.connection import Connection

Held = list[Slot[Connection]]
"""A caller's list for the slot with its connection: see `mesahub.transport.slots`."""


class Pool(Slots[Connection]):
    """Lends connections, the one used last first, and opens at most ``size`` at once.

    Args:
        connect: makes a connection within the seconds given, ``None`` for no limit.
        size: most connections that are open.
        keep_alive: seconds after which an idle connection is not used again.
        peer: the server, for messages.
    """

    def __init__(
        self, connect: Callable[[float | None], Connection], *, size: int, keep_alive: float, peer: str
    ) -> None:
        super().__init__(size, peer)
        self._connect = connect
        self._keep_alive = keep_alive

    def acquire(self, held: Held, end: float | None) -> Connection:
        """An idle connection that is still good, or a new one. Its slot is in ``held`` then, also after an error.

        Args:
            held: the caller's list, to be handed to `release` whatever happens.
            end: when to give up (monotonic seconds), ``None`` for never.

        Raises:
            NotSentError: none became free in time, or what connecting raises.
            ConfigurationError: the pool is closed.
        """
        self.take(held, end)
        slot = held[0]
        connection = slot.value
        if connection is not None:
            if monotonic() - connection.idle_since < self._keep_alive and not connection.is_readable():
                return connection
            slot.value = None
            connection.close()
        connection = slot.value = self._connect(None if end is None else end - monotonic())
        return connection

    def release(self, held: Held, *, reusable: bool) -> None:
        """Take back what is in ``held``; a connection that is not reusable is closed. May be called twice."""
        for slot in held:
            connection = slot.value
            if connection is not None:
                known = self._known[slot.number]() is slot  # and not from before a fork
                if reusable and known and not self.closed and not connection.has_leftovers():
                    connection.idle_since = monotonic()
                else:
                    slot.value = None
                    connection.close()
        self.give(held)
        if self.closed:
            self.close()

    def close(self) -> None:
        """Close the idle connections now, the lent ones when they come back."""
        super().close()
        for connection in self.idle_values():
            connection.close()

    def after_fork(self) -> None:
        """Begin again in a child process: the connections belong to the parent."""
        idle = self.idle_values()
        super().after_fork()
        for connection in idle:
            # Closes this process's descriptor only; the parent's connection lives on.
            connection.close()
