"""`ResponseParser`: one response, from the bytes that a connection received."""

from __future__ import annotations

import re

from mesahub.transport import Headers
from mesahub_http1.chunked import ChunkedDecoder
from mesahub_http1.framing import ProtocolError, framing_of

MAX_HEAD = 64 * 1024
"""Bytes of status line and headers, those of interim responses (1xx) included."""

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: [^\r\n\0]*)?\r\n").match
_FIELD = re.compile(r"^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n\0]*)\r\n", re.MULTILINE).findall


class ResponseParser:
    r"""Reads one response. Feed its head until that is complete, then its body.

        parser = ResponseParser("GET")
        while not parser.feed_head(sock.recv(65536)): pass
        body = parser.start()
        while not parser.complete:
            body += parser.feed(sock.recv(65536))

    Attributes:
        status: the HTTP status, 200 or above. With `headers`, once the head is complete.
        headers: the headers.
        length: bytes of the body; ``None`` when it is chunked or ends with the connection.
        left: bytes of such a body that have not come.
        complete: the body is complete.
        keep_alive: the connection may carry another request. Certain only once the body is complete.
        surplus: bytes that came after the end of the body, together with it.
    """

    __slots__ = (
        "_buffer", "_chunks", "_method", "_received", "complete", "headers", "keep_alive", "left", "status", "surplus",
    )  # fmt: skip

    headers: Headers

    def __init__(self, method: str) -> None:
        self._method = method
        self._buffer = b""
        self._received = 0
        self._chunks: ChunkedDecoder | None = None
        self.status = 0
        self.left: int | None = None
        self.complete = False
        self.keep_alive = False
        self.surplus = 0

    def feed_head(self, data: bytes) -> bool:
        """Take bytes as they were received, ``b""`` for the connection's end. Is the head complete?

        Interim responses (1xx) are passed over.

        Raises:
            ProtocolError: this is not HTTP/1.1, or not certain, or the end.
        """
        if not data:
            when = "in the middle of the headers" if self._received else "before any response"
            raise ProtocolError(f"the connection was closed {when}")
        self._received += len(data)
        data = self._buffer + data
        while (end := data.find(b"\r\n\r\n")) >= 0:
            first = _STATUS(data)
            if first is None:
                raise ProtocolError("what came is not HTTP/1.1")
            text = data[first.end() : end + 2].decode("latin-1")
            fields = _FIELD(text)
            if len(fields) != text.count("\n"):
                raise ProtocolError("its headers are malformed")
            status = int(first[2])
            if status >= 200:
                self._buffer = data[end + 4 :]
                self.status = status
                self.headers = headers = Headers(fields)
                self.left, chunked, self.keep_alive = framing_of(
                    self._method, status, headers, keep_alive=first[1] == b"1"
                )
                if chunked:
                    self._chunks = ChunkedDecoder()
                return True
            if status == 101:
                raise ProtocolError("it switched protocols, which was not requested")
            data = data[end + 4 :]
        self._buffer = data
        self._check_part(data)
        return False

    def _check_part(self, data: bytes) -> None:
        # What cannot become a response is refused now, not when the time is up.
        if self._received > MAX_HEAD:
            raise ProtocolError(f"its headers are longer than {MAX_HEAD} bytes")
        if not data.startswith(b"HTTP/1."[: len(data)]) or (b"\n" in data and not _STATUS(data)):
            raise ProtocolError("what came is not HTTP/1.1")

    def start(self) -> bytes:
        """The part of the body that came with the head. Call it once."""
        data, self._buffer = self._buffer, b""
        if self.left is not None and len(data) == self.left:  # nearly always
            self.left = 0
            self.complete = True
            return data
        return self.feed(data) if data else b""

    def feed(self, data: bytes) -> bytes:
        """Take bytes as they were received, ``b""`` for the connection's end; the bytes of the body in them.

        Raises:
            ProtocolError: the chunked coding is malformed, or the end came too early.
        """
        if not data:
            return self._end()
        if self._chunks is not None:
            body = self._chunks.feed(data)
            if self._chunks.complete:
                self.complete = True
                if self._chunks.rest:
                    self.surplus = len(self._chunks.rest)
                    self.keep_alive = False
            return body
        if self.left is None:
            return data
        if len(data) > self.left:
            # More than was announced: nothing that comes over this connection can be trusted any more.
            self.keep_alive = False
            self.surplus = len(data) - self.left
            data = data[: self.left]
        self.left -= len(data)
        self.complete = not self.left
        return data

    def _end(self) -> bytes:
        if self._chunks is not None:
            raise ProtocolError("it was cut short, before its last chunk")
        if self.left:
            raise ProtocolError(f"it was cut short, {self.left} bytes before the end")
        self.complete = True
        self.keep_alive = False
        return b""

    def took(self, count: int) -> None:
        """Note that ``count`` bytes of a body with a length were received elsewhere, such as by ``recv_into``."""
        assert self.left is not None
        assert count <= self.left
        self.left -= count
        self.complete = not self.left
