"""Bodies of answers, read from a urllib3 response within the time given."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

from urllib3.exceptions import IncompleteRead

from mesahub.errors import Outcome, RequestTimeoutError
from mesahub_urllib3.faults import CAUGHT, translated

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

_PIECE = 256 * 1024


def read_whole(raw: BaseHTTPResponse, end: float | None, peer: str) -> bytes:
    """The whole body. ``end`` (monotonic seconds) holds also for one that comes in drips."""
    download = Download(raw, peer, end)
    pieces = []
    while piece := download.read(_PIECE):
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class Download:
    """A body on its way. It holds a connection until it is read to the end, or closed."""

    def __init__(self, raw: BaseHTTPResponse, peer: str, end: float | None = None) -> None:
        self._raw = raw
        self._peer = peer
        self._end = end
        self._over = False
        # read() waits until it has all that was asked for, read1() hands on what has come.
        self._read1: Callable[[int], bytes] = getattr(raw, "read1", None) or _older_read1(raw)

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes, ``b""`` at the end; all that is left when ``size`` is negative.

        Raises:
            ConnectionLostError, RequestTimeoutError: see the contract.
        """
        if self._over or size == 0:
            return b""
        if size < 0:
            return b"".join(iter(lambda: self.read(_PIECE), b""))
        try:
            piece = self._read1(size)
        except CAUGHT as error:
            self.close()
            raise translated(error, self._peer) from error
        if not piece:
            self._over = True
            self._raw.release_conn()
        elif self._end is not None and monotonic() > self._end:
            self.close()
            raise RequestTimeoutError(
                f"The time for the request to {self._peer} ran out amid the answer.",
                outcome=Outcome.MAYBE_RAN,
            )
        return piece

    def close(self) -> None:
        """Drop the connection, unless the body was read to the end. May be called twice."""
        if not self._over:
            self._over = True
            self._raw.close()
            self._raw.release_conn()


def _older_read1(raw: Any) -> Callable[[int], bytes]:
    # urllib3 has read1() since 2.1; this does the same to the http.client response inside.
    taken = 0

    def read1(size: int) -> bytes:
        nonlocal taken
        with raw._error_catcher():
            piece: bytes = raw._fp.read1(size)
            taken += len(piece)
            if not piece:
                raw._fp.close()
                announced = raw.length_remaining
                if announced not in (None, taken):
                    raise IncompleteRead(taken, announced - taken)
        return piece

    return read1
