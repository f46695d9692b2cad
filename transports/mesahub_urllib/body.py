"""Reads responses off a connection: `mesahub_http1` parses, what is here waits."""

from __future__ import annotations

from io import BytesIO

from mesahub.transport.network import too_large
from mesahub.transport.slots import Lease
from mesahub_http1 import ProtocolError, ResponseParser
from mesahub_urllib.connection import Connection
from mesahub_urllib.pool import Pool

_RECV = 64 * 1024
_RECV_LONG = 256 * 1024
_TRUSTED = 128 * 1024 * 1024
"""Bytes for which memory is taken on the word of a Content-Length; more must come first."""


def read_head(connection: Connection, parser: ResponseParser) -> None:
    """Read status and headers.

    Raises:
        ConnectionLostError, RequestTimeoutError, TLSError: see the contract.
    """
    try:
        while not parser.feed_head(connection.recv(_RECV)):
            pass
    except ProtocolError as error:
        raise connection.lost(error) from None


def read_body(connection: Connection, parser: ResponseParser, most: int) -> bytes:
    """Read the whole body, of at most ``most`` bytes.

    Raises:
        ConnectionLostError, RequestTimeoutError, ResultError: see the contract.
    """
    try:
        body = parser.start()
        if parser.complete and len(body) <= most:
            return body
        if parser.left is not None and len(body) + parser.left <= min(_TRUSTED, most):
            return _read_at_once(connection, parser, body)
        pieces = [body]
        size = len(body)
        while size <= most and not parser.complete:
            pieces.append(parser.feed(connection.recv(_RECV_LONG)))
            size += len(pieces[-1])
        if size > most:  # counted, since an announcement alone proves nothing
            raise too_large(parser.status, most, connection.peer)
        return b"".join(pieces)
    except ProtocolError as error:
        raise connection.lost(error) from None


def _read_at_once(connection: Connection, parser: ResponseParser, start: bytes) -> bytes:
    # Into one buffer, which getvalue() hands over as it is: a bytearray that is copied in the end takes twice the
    # memory and, for 9 MB, twice the time.
    assert parser.left is not None
    body = BytesIO(bytes(len(start) + parser.left))
    with body.getbuffer() as view:
        done = len(start)
        view[:done] = start
        while not parser.complete:
            with view[done:] as rest:  # given back also when it fails: the error's traceback would hold it
                count = connection.recv_into(rest)
            if not count:
                parser.feed(b"")
            parser.took(count)
            done += count
    return body.getvalue()


class Download:
    """A body that is read as its user asks for it. It holds a connection until it is read to the end, or closed."""

    def __init__(self, connection: Connection, parser: ResponseParser, pool: Pool, lease: Lease) -> None:
        self._connection = connection
        self._parser = parser
        self._pool = pool
        self._lease: Lease | None = None
        try:
            # Bytes of the body that were received and not asked for yet.
            self._rest = memoryview(parser.start())
        except ProtocolError as error:
            raise connection.lost(error) from None
        self._lease = lease

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes, ``b""`` at the end; all that is left when ``size`` is negative.

        Raises:
            ConnectionLostError, RequestTimeoutError: see the contract.
        """
        if self._lease is None or size == 0:
            return b""
        if size < 0:
            return b"".join(iter(lambda: self.read(_RECV_LONG), b""))
        parser = self._parser
        try:
            piece = bytes(self._rest[:size])
            self._rest = self._rest[size:]
            while not piece and not parser.complete:
                piece = parser.feed(self._connection.recv(_RECV if parser.left is None else min(size, parser.left)))
                if len(piece) > size:
                    self._rest = memoryview(piece)[size:]
                    piece = piece[:size]
            if not piece:
                self._give_back(reusable=parser.keep_alive)
        except ProtocolError as error:
            lost = self._connection.lost(error)
            self.close()
            raise lost from None
        except BaseException:
            self.close()
            raise
        return piece

    def close(self) -> None:
        """Drop the connection, unless the body was read to the end. May be called twice."""
        self._give_back(reusable=False)

    def _give_back(self, *, reusable: bool) -> None:
        lease = self._lease
        if lease is not None:
            self._pool.release(lease, reusable=reusable)
            self._lease = None

    def __del__(self) -> None:
        self.close()
