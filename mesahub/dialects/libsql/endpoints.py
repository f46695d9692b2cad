"""Which address of a libSQL server a request goes to: the primary, or a replica of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from zlib import crc32

from mesahub.dialects.libsql.errors import failures_in
from mesahub.dialects.libsql.responses import inner_of, payload_of, results_of
from mesahub.errors import ConfigurationError, TransportError
from mesahub.transport import Request, Response
from mesahub.transport.endpoints import Endpoints
from mesahub.transport.network import origin
from mesahub.url import checked_base_url

__all__ = ["LibsqlEndpoints", "same_site"]

PATIENCE = 1.0
"""Seconds for a replica to answer; it waits until it has what the read is to see."""
DISTRUST = 30.0
"""Seconds in which replicas notice that the primary was started again."""
_FIRST_REST = 1.0
_LONGEST_REST = 30.0
"""Seconds for which a replica that did not answer is not asked: doubled with each failure."""


class LibsqlEndpoints(Endpoints):
    """The first address is the primary's, the others are replicas of it. It does no I/O.

    Reads with ``consistency="replica"`` go to one replica, for as long as that answers, and then to the next one; at
    last, and within `PATIENCE` seconds, to the primary. All else goes to the primary alone: a replica would hand a
    write on to it, and could not say what became of it.

    Args:
        urls: base URLs.
        patience: seconds for a replica to answer.
        clock: seconds that only increase.
        start: chooses the replica to begin with; default: by the process, so that clients are spread.
    """

    def __init__(
        self,
        urls: Sequence[str],
        patience: float = PATIENCE,
        clock: Callable[[], float] = monotonic,
        start: int | None = None,
    ) -> None:
        super().__init__(urls)
        self._patience = patience
        self._clock = clock
        replicas = len(self.urls) - 1
        if start is None:
            import os

            start = crc32(f"{os.getpid()} {id(self)}".encode())
        self._replica = 1 + start % replicas if replicas else 0
        self._rests: dict[int, tuple[float, float]] = {}
        """Replicas that did not answer: until when they are not asked, and for how long that was."""
        self._distrusted = 0.0
        """Until when no replica is asked."""

    def order(self, request: Request) -> Sequence[int]:
        """See `Endpoints.order`."""
        if not self._replica or request.hints.get("consistency") != "replica":
            return (0,)
        replica = self._replica
        if not self._rests and not self._distrusted:
            return (replica, 0)
        now, rests = self._clock(), dict(self._rests)
        if self._distrusted:
            if now < self._distrusted:
                return (0,)
            self._distrusted = 0.0
        count = len(self.urls) - 1
        for step in range(count):
            candidate = 1 + (replica - 1 + step) % count
            if candidate not in rests or rests[candidate][0] <= now:
                return (candidate, 0)
        return (0,)

    def request(self, index: int, request: Request) -> Request:
        """See `Endpoints.request`."""
        if index == 0 or (request.timeout is not None and request.timeout <= self._patience):
            return request
        return request.replace(timeout=self._patience)

    def goes_on(self, index: int, request: Request, result: Response | TransportError) -> bool:  # noqa: ARG002
        """See `Endpoints.goes_on`. Only reads have another address; of an error, the primary has the last word."""
        return isinstance(result, TransportError) or failures_in(result) != [] or _knows_old_columns(result)

    def answered(self, index: int, request: Request, response: Response) -> None:  # noqa: ARG002
        """See `Endpoints.answered`."""
        if index and response.status != 200:
            self._rest(index)
        elif index:
            self._replica = index
            if self._rests:
                self._rests.pop(index, None)

    def failed(self, index: int, request: Request, error: TransportError) -> None:  # noqa: ARG002
        """See `Endpoints.failed`."""
        if index:
            self._rest(index)

    def distrust(self) -> None:
        """The primary counts its states from the start again, as it does after a restart. A replica's number means
        nothing until it has noticed.
        """
        self._distrusted = self._clock() + DISTRUST

    def _rest(self, index: int) -> None:
        seconds = min(self._rests.get(index, (0.0, _FIRST_REST / 2))[1] * 2, _LONGEST_REST)
        self._rests[index] = (self._clock() + seconds, seconds)


def same_site(base_url: str, urls: Sequence[str]) -> str:
    """The base URL to which a server sends a session, where the client may follow with its token.

    That is a host of the client's own list, or one below it (``eu.db.example`` for ``db.example``), at any port; and by
    HTTPS, where the list has HTTPS.

    Raises:
        ConfigurationError: it is another one.
    """
    url = checked_base_url(base_url, "base_url")
    to = origin(url)
    for own in map(origin, urls):
        below = to.host.endswith(f".{own.host}") and not own.host.replace(".", "").isdigit()
        if (to.host == own.host or below) and (to.scheme == "https" or own.scheme == "http"):
            return url
    raise ConfigurationError(
        f"The libSQL server sends the session on to {to.scheme}://{to.host}, which is not of the same site, so the "
        "token does not go there. Put that host into the URL, if it is right."
    )


def _knows_old_columns(response: Response) -> bool:
    """May the columns be those that a table had before?

    A read is preceded by a statement that makes its connection look at the schema. A replica that is a little late
    hands that one on to the primary (which shows in a duration of 0), and may then answer the read itself.
    """
    results = results_of(payload_of(response)) or []
    if len(results) != 3:
        return False
    looked, read = [inner_of(result).get("query_duration_ms") for result in results[:2]]
    return bool(looked == 0.0 and read != 0.0)
