"""Bodies of responses, read from a urllib3 response within the time given.

urllib3 and http.client read the head; where the body ends is decided by `mesahub_http1`, which is stricter.
"""

from __future__ import annotations

import contextlib
import http.client
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from urllib3.exceptions import HTTPError

from mesahub.errors import ConnectionLostError
from mesahub.transport import Headers
from mesahub.transport.network import too_large
from mesahub_http1 import ChunkedDecoder, ProtocolError, framing_of
from mesahub_urllib3.errors import CAUGHT, translated
from mesahub_urllib3.limits import Limits, Reader, Receiver

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

_PIECE = 256 * 1024

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_UNSAFE = re.compile(r"[\r\n\0]").search


class Body:
    """The body of a response. It holds a connection until it is read to the end, or closed.

    Args:
        raw: the response, whose head was read.
        method: that of the request.
        peer: the server, for messages.
        limits: the time that it may take.

    Attributes:
        status: the response's status.
        headers: its headers.
        at_end: called once, when the connection is no longer needed.

    Raises:
        ConnectionLostError: it is not certain where the body ends. The connection is closed.
    """

    def __init__(self, raw: BaseHTTPResponse, method: str, peer: str, limits: Limits) -> None:
        self._raw: Any = raw
        self.peer = peer
        self._limits = limits
        self._over = False
        self._rest = memoryview(b"")
        self._chunks: ChunkedDecoder | None = None
        self._left: int | None = None
        self._keep_alive = False
        self.status: int = raw.status
        self.at_end: Callable[[], None] | None = None
        self.headers = Headers(list(raw.headers.items()))
        inner = getattr(raw, "_fp", None)
        # What a test, or a cache, made up has no connection, and no http.client below it.
        self._source: Any = raw
        self._framed = isinstance(inner, http.client.HTTPResponse)
        try:
            if self.status < 200 or self._framed:
                self._check_head(inner, method)
        except ProtocolError as error:
            self.close()
            raise self._lost(error) from None
        if self._framed:
            self._source = _reader(raw, inner, limits)

    def _check_head(self, inner: Any, method: str) -> None:
        message = getattr(inner, "msg", None)
        if getattr(message, "defects", None):
            raise ProtocolError("its headers are malformed")
        for name, value in self.headers.items():
            if not _NAME(name) or _UNSAFE(value):
                raise ProtocolError("its headers are malformed")
        self._left, chunked, self._keep_alive = framing_of(method, self.status, self.headers)
        if chunked:
            self._chunks = ChunkedDecoder()

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes, ``b""`` at the end; all that is left when ``size`` is negative.

        Raises:
            ConnectionLostError, RequestTimeoutError: see the contract.
        """
        if size < 0:
            return b"".join(iter(lambda: self.read(_PIECE), b""))
        if self._over or size == 0:
            return b""
        try:
            piece = self._next(size)
            if not piece:
                self._give_back(self._keep_alive)
        except ProtocolError as error:
            self.close()
            raise self._lost(error) from None
        except CAUGHT as error:
            self.close()
            raise translated(error, self.peer, self._limits) from error
        except BaseException:
            self.close()
            raise
        return piece

    def _next(self, size: int) -> bytes:
        if not self._framed:
            piece: bytes = self._source.read(size)
            return piece
        while not self._rest:
            if self._left == 0 or (self._chunks is not None and self._chunks.complete):
                return b""
            data = self._source.read1(_PIECE if self._left is None else min(size, self._left))
            if self._chunks is not None:
                if not data:
                    raise ProtocolError("it was cut short, before its last chunk")
                self._rest = memoryview(self._chunks.feed(data))
                continue
            if self._left is not None:
                if not data:
                    raise ProtocolError(f"it was cut short, {self._left} bytes before the end")
                self._left -= len(data)
            elif not data:
                return b""
            if len(data) <= size:
                return bytes(data)
            self._rest = memoryview(data)
        piece, self._rest = bytes(self._rest[:size]), self._rest[size:]
        return piece

    def close(self) -> None:
        """Drop the connection, unless the body was read to the end. May be called twice."""
        self._give_back(False)

    def _give_back(self, keep: bool) -> None:
        # May be interrupted anywhere, and is called again then. The connection leaves the response before it is put
        # back: twice in the pool, it would have two users.
        raw = self._raw
        if not self._over:
            connection = getattr(raw, "_connection", None)
            keep = keep and connection is not None and not self._has_leftovers(connection)
            if self._framed:
                raw._fp.close()
            if not keep:
                raw.close()
            pool = getattr(raw, "_pool", None)
            if connection is not None and pool is not None:
                raw._connection = None
                with contextlib.suppress(HTTPError):  # a full pool, which has closed it
                    pool._put_conn(connection)
            self._over = True
        if self.at_end is not None:
            self.at_end()

    def __del__(self) -> None:
        self.close()

    def _has_leftovers(self, connection: Any) -> bool:
        if self._chunks is not None and self._chunks.rest:
            return True
        if not isinstance(self._source, Reader) or self._source.has_leftovers():
            return True
        sock = connection.sock
        # What TLS has decrypted already makes no socket readable. (Of TLS in TLS, and of pyOpenSSL, it is one below.)
        pending = getattr(sock, "pending", None) or getattr(
            getattr(sock, "sslobj", None) or getattr(sock, "connection", None), "pending", None
        )
        return sock is None or getattr(connection, "half_sent", False) or (pending is not None and pending() > 0)

    def _lost(self, why: object) -> ConnectionLostError:
        return ConnectionLostError(f"No trustworthy response from {self.peer}: {why}.")


def _reader(raw: Any, inner: Any, limits: Limits) -> Any:
    """What to read the body from: a file that keeps to the limits, in place of http.client's."""
    file = inner.fp
    if isinstance(file, Reader) or file is None:
        return file
    connection = getattr(raw, "_connection", None)
    sock = getattr(connection, "sock", None) or getattr(getattr(file, "raw", None), "_sock", None)
    if sock is None:
        return file
    held = b""
    try:
        sock.settimeout(0)  # so that peek() gives what was received, and waits for nothing
        held = file.peek(1)
    except OSError:
        pass  # nothing was
    inner.fp = Reader(Receiver(sock, limits, held), file)
    return inner.fp


def read_whole(body: Body, most: int) -> bytes:
    """The whole body, of at most ``most`` bytes. Its connection is given back.

    Raises:
        ConnectionLostError, RequestTimeoutError, ResultError: see the contract.
    """
    pieces = []
    size = 0
    while piece := body.read(_PIECE):
        size += len(piece)
        if size > most:  # counted, since an announcement alone proves nothing
            body.close()
            raise too_large(body.status, most, body.peer)
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
