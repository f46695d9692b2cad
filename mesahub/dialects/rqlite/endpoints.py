"""Which node of an rqlite cluster a request goes to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic

from mesahub.errors import TransportError
from mesahub.transport import Request, Response
from mesahub.transport.endpoints import Endpoints

__all__ = ["RqliteEndpoints"]

_FIRST_REST = 1.0
_LONGEST_REST = 30.0
"""Seconds for which a node that does not answer comes last: doubled with each failure."""
_ERROR = b'{"results":[],"error":'


class RqliteEndpoints(Endpoints):
    """Follows the leader among the nodes that the user listed, and leaves those that are down for last. It does no I/O.

    A node that is not the leader hands a request on, and says so: ``X-Rqlite-Served-By`` names the leader, by an
    address that only the nodes use. So the leader is found by its answers: the node that names no other one is it.
    Until it is found, each request goes to a node that was not tried yet; no request is sent for the search alone.
    Where the leader is not in the list, the search ends after a round, and begins again with another leader.

    Args:
        urls: base URLs.
        clock: seconds that only increase.
    """

    def __init__(self, urls: Sequence[str], clock: Callable[[], float] = monotonic) -> None:
        super().__init__(urls)
        self._clock = clock
        self._leader = ""
        """What a node that handed a request on called the leader."""
        self._tried: frozenset[int] = frozenset()
        """Nodes that handed a request on to it."""
        self._rests: dict[int, tuple[float, float]] = {}
        """Nodes that did not answer: until when they come last, and for how long that was."""

    def order(self, request: Request) -> Sequence[int]:
        """See `Endpoints.order`."""
        order = super().order(request)
        if not self._rests:
            return order
        now = self._clock()
        rests = dict(self._rests)
        return sorted(order, key=lambda index: index in rests and rests[index][0] > now)

    def answered(self, index: int, request: Request, response: Response) -> None:
        """See `Endpoints.answered`."""
        if self._rests:
            self._rests.pop(index, None)
        if response.status >= 500 or (response.status == 200 and response.content.startswith(_ERROR)):
            # It has no leader, or cannot reach it. Another node may know more.
            self._first = (index + 1) % len(self.urls)
            return
        served_by = response.headers.get("x-rqlite-served-by")
        if not served_by:
            if request.hints.get("consistency") == "none":
                return  # each node answers by itself
            self._first = index
            self._leader = ""
            self._tried = frozenset()
            return
        self._tried = self._tried | {index} if served_by == self._leader else frozenset((index,))
        self._leader = served_by
        self._first = self._next_after(index)

    def failed(self, index: int, request: Request, error: TransportError) -> None:
        """See `Endpoints.failed`."""
        seconds = min(self._rests.get(index, (0.0, _FIRST_REST / 2))[1] * 2, _LONGEST_REST)
        self._rests[index] = (self._clock() + seconds, seconds)
        super().failed(index, request, error)

    def _next_after(self, index: int) -> int:
        """A node that may be the leader; this one where there is none left."""
        count = len(self.urls)
        now = self._clock()
        for step in range(1, count):
            candidate = (index + step) % count
            if candidate not in self._tried and self._rests.get(candidate, (0.0, 0.0))[0] <= now:
                return candidate
        return index
