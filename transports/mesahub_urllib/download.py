"""The body of an answer, read as its user asks for it."""

from __future__ import annotations

from mesahub_urllib.answer import Answer
from mesahub_urllib.connection import Connection
from mesahub_urllib.pool import Pool

_PIECE = 256 * 1024


class Download:
    """A body on its way. It holds a connection until it is read to the end, or closed."""

    def __init__(self, answer: Answer, connection: Connection, pool: Pool) -> None:
        self._answer = answer
        self._connection: Connection | None = connection
        self._pool = pool

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes, ``b""`` at the end; all that is left when ``size`` is negative.

        Raises:
            ConnectionLostError, RequestTimeoutError: see the contract.
        """
        if self._connection is None or size == 0:
            return b""
        if size < 0:
            pieces = []
            while piece := self.read(_PIECE):
                pieces.append(piece)
            return b"".join(pieces)
        try:
            piece = self._answer.read_some(size)
        except BaseException:
            self._give_back(reusable=False)
            raise
        if not piece:
            self._give_back(reusable=self._answer.reusable)
        return piece

    def close(self) -> None:
        """Drop the connection, unless the body was read to the end. May be called twice."""
        self._give_back(reusable=False)

    def _give_back(self, *, reusable: bool) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.release(connection, reusable=reusable)

    def __del__(self) -> None:
        self.close()
