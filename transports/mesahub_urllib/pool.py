"""A pool of connections to one server, shared by threads."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from mesahub.transport.slots import Lease, Slots
from mesahub_urllib.connection import Connection


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

    def acquire(self, lease: Lease, end: float | None) -> Connection:
        """An idle connection that is still good, or a new one.

        Args:
            lease: the caller's, to be handed to `release` whatever happens, also after an error.
            end: when to give up (monotonic seconds), ``None`` for never.

        Raises:
            NotSentError: none became free in time, or what connecting raises.
            ConfigurationError: the pool is closed.
        """
        slot = self.take(lease, end)
        connection = slot.value
        if connection is not None:
            if monotonic() - connection.idle_since < self._keep_alive and not connection.is_readable():
                return connection
            slot.value = None
            connection.close()
        connection = slot.value = self._connect(None if end is None else end - monotonic())
        return connection

    def release(self, lease: Lease, *, reusable: bool) -> None:
        """Take back what a caller has; a connection that is not reusable is closed. May be called twice."""
        slot = lease.slot or self.held(lease)
        if slot is None or self._owners.get(slot.number) is not lease:
            return
        connection = slot.value
        if connection is not None:
            pending = connection.pending
            if reusable and not self.closed and (pending is None or not pending()):
                connection.idle_since = monotonic()
            else:
                slot.value = None
                connection.close()
        self.give(lease)
        if self.closed:
            self.close()

    def close(self) -> list[Connection]:
        """Close the idle connections now, the lent ones when they come back."""
        for connection in super().close():
            connection.close()
        return []

    def after_fork(self) -> list[Connection]:
        """Begin again in a child process: the connections belong to the parent."""
        for connection in super().after_fork():
            # Closes this process's descriptor only; the parent's connection lives on.
            connection.close()
        return []
