"""Reads HTTP/1.1 answers off a connection: small, strict, and as little work as the protocol allows.

Grammar: RFC 9112. What it does not know for certain it refuses with `ConnectionLostError`: a wrong guess
about where an answer ends would hand its rest to the next caller.
"""

from __future__ import annotations

import re
from io import BytesIO

from mesahub.transport import Headers
from mesahub_urllib.connection import Connection

_MAX_HEAD = 64 * 1024
"""Bytes of status line and headers, interim answers (1xx) included."""
_MAX_LINE = 4 * 1024
"""Bytes of one line of the chunked coding, and of its trailer."""
_RECV = 64 * 1024
_RECV_LONG = 256 * 1024
_TRUSTED = 128 * 1024 * 1024
"""Bytes for which memory is taken on the word of a Content-Length; more must come first."""

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: [^\r\n\0]*)?\r\n")
_FIELD = re.compile(r"^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n\0]*)\r\n", re.MULTILINE)
_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n\0]*)?")


class Answer:
    """An answer whose head has been read.

    Attributes:
        status: the HTTP status.
        headers: its headers.
        reusable: may the connection carry another request? Certain only once the body is read.
    """

    __slots__ = (
        "_at",
        "_buffer",
        "_chunked",
        "_connection",
        "_in_chunk",
        "_left",
        "headers",
        "reusable",
        "status",
    )

    def __init__(self, connection: Connection, method: str) -> None:
        self._connection = connection
        self._chunked = False
        self._in_chunk = False
        self._left: int | None = None
        """Bytes to come of the body, or of the present chunk; ``None``: up to the connection's end."""
        minor = self._read_head()
        get = self.headers.get
        said = get("connection")
        self.reusable = minor == b"1" and connection.broken is None and (said is None or "close" not in said.lower())
        length = get("content-length")
        coding = get("transfer-encoding")
        if method == "HEAD" or self.status in (204, 304):
            self._left = 0
        elif coding is not None:
            if coding.lower() != "chunked":
                raise connection.lost(f"the answer has the unknown Transfer-Encoding {coding!r}")
            if length is not None:
                # RFC 9112, 6.3: may be smuggling; the coding wins, and the connection must not be used again.
                self.reusable = False
            self._chunked = True
            self._left = 0
        elif length is not None:
            self._left = self._length(length)
        else:
            self.reusable = False

    def _read_head(self) -> bytes:
        """Set status, headers and buffer; the minor version is returned."""
        data = b""
        received = 0
        while True:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                more = self._more_of_head(received)
                received += len(more)
                data += more
                if not data.startswith(b"HTTP/"[: len(data)]):
                    raise self._connection.lost("what came is not HTTP")
                continue
            first = _STATUS.match(data)
            if first is None:
                raise self._connection.lost("what came is not HTTP/1.1")
            status = int(first[2])
            if status < 200:  # an interim answer, the real one follows
                if status == 101:
                    raise self._connection.lost("it switched protocols, which was not asked for")
                data = data[end + 4 :]
                continue
            text = data[first.end() : end + 2].decode("latin-1")
            fields = _FIELD.findall(text)
            if len(fields) != text.count("\n"):
                raise self._connection.lost("its headers are malformed")
            self.status = status
            self.headers = Headers(fields)
            self._buffer = data
            self._at = end + 4
            return first[1]

    def _more_of_head(self, received: int) -> bytes:
        if received > _MAX_HEAD:
            raise self._connection.lost(f"its headers are longer than {_MAX_HEAD} bytes")
        more = self._connection.recv(_RECV)
        if not more:
            when = "in the midst of the headers" if received else "before any answer"
            raise self._connection.lost(f"the connection was closed {when}")
        return more

    def _length(self, text: str) -> int:
        # Repeated headers come joined by commas; the same number twice is allowed.
        numbers = {part.strip(" \t") for part in text.split(",")}
        number = numbers.pop()
        if numbers or not _LENGTH.fullmatch(number):
            raise self._connection.lost(f"its Content-Length is {text!r}")
        return int(number)

    def read(self) -> bytes:
        """The whole body."""
        if self._left is not None and len(self._buffer) - self._at == self._left and not self._chunked:
            self._left = 0
            return self._buffer[self._at :]
        if not self._chunked and self._left is not None and self._left <= _TRUSTED:
            return self._read_at_once(self._left)
        pieces = []
        while piece := self.read_some(_RECV_LONG):
            pieces.append(piece)
        return b"".join(pieces)

    def _read_at_once(self, length: int) -> bytes:
        # Into one buffer, which getvalue() hands over as it is: a bytearray that is copied in the end takes twice the
        # memory and, for 9 MB, twice the time.
        body = BytesIO(bytes(length))
        start = self._buffer[self._at : self._at + length]
        self._at += len(start)
        with body.getbuffer() as view:
            view[: len(start)] = start
            done = len(start)
            while done < length:
                with view[done:] as rest:  # given back also when it fails: the error's traceback would hold it
                    count = self._connection.recv_into(rest)
                if not count:
                    raise self._connection.lost(f"it was cut short, {length - done} bytes before the end")
                done += count
        self._left = 0
        if self._at < len(self._buffer):
            self.reusable = False
        return body.getvalue()

    def read_some(self, size: int) -> bytes:
        """At most ``size`` bytes of the body, ``b""`` at its end."""
        if self._left == 0 and self._chunked:
            self._next_chunk()
        left = self._left
        if left == 0:
            if self._at < len(self._buffer):
                # More than was announced: nothing that comes over this connection can be trusted any more.
                self.reusable = False
            return b""
        if left is not None and left < size:
            size = left
        if self._at < len(self._buffer):
            piece = self._buffer[self._at : self._at + size]
            self._at += len(piece)
        else:
            piece = self._connection.recv(size if not self._chunked else _RECV)
            if len(piece) > size:
                self._buffer = piece
                self._at = size
                piece = piece[:size]
        if left is not None:
            if not piece:
                raise self._connection.lost(f"it was cut short, {left} bytes before the end")
            self._left = left - len(piece)
        return piece

    def _next_chunk(self) -> None:
        if self._in_chunk and self._line():
            raise self._connection.lost("a chunk of it is longer than it says")
        size = _CHUNK.fullmatch(self._line())
        if size is None:
            raise self._connection.lost("a chunk of it has no length")
        self._left = int(size[1], 16)
        self._in_chunk = True
        if self._left == 0:
            self._chunked = False
            trailer = 0
            while line := self._line():
                trailer += len(line)
                if trailer > _MAX_HEAD:
                    raise self._connection.lost("it has no end")

    def _line(self) -> bytes:
        while True:
            end = self._buffer.find(b"\r\n", self._at)
            if end >= 0:
                line = self._buffer[self._at : end]
                self._at = end + 2
                return line
            if len(self._buffer) - self._at > _MAX_LINE:
                raise self._connection.lost("a chunk of it has no length")
            more = self._connection.recv(_RECV)
            if not more:
                raise self._connection.lost("it was cut short, between two chunks")
            self._buffer = self._buffer[self._at :] + more
            self._at = 0
