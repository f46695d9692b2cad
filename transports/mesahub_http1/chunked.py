"""The chunked coding (RFC 9112, 7.1), undone piece by piece as bytes come."""

from __future__ import annotations

import re

from mesahub_http1.framing import ProtocolError

MAX_LINE = 4 * 1024
"""Bytes of a chunk's length with its extensions, and of one line of the trailer."""
MAX_TRAILER = 64 * 1024
"""Bytes of the trailer."""

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n\0]*)?").fullmatch

_LENGTH, _DATA, _DATA_END, _TRAILER, _DONE = range(5)


class ChunkedDecoder:
    """Takes bytes as they were received, gives the bytes of the body.

    Attributes:
        complete: the last chunk and the trailer were read.
        rest: bytes that came after the end.
    """

    __slots__ = ("_left", "_pending", "_state", "_trailer", "rest")

    def __init__(self) -> None:
        self._state = _LENGTH
        self._left = 0
        self._pending = b""
        self._trailer = 0
        self.rest = b""

    @property
    def complete(self) -> bool:
        return self._state == _DONE

    def feed(self, data: bytes) -> bytes:
        """The bytes of the body that ``data`` completes, in order; maybe none.

        Raises:
            ProtocolError: this is not the chunked coding.
        """
        if self._pending:
            data = self._pending + data
            self._pending = b""
        view = memoryview(data)  # its slices copy nothing
        pieces: list[memoryview] = []
        at, end = 0, len(data)
        while at < end:
            if self._state == _DATA:
                piece = view[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                pieces.append(piece)
                if not self._left:
                    self._state = _DATA_END
                continue
            if self._state == _DONE:
                self.rest += data[at:]
                break
            stop = data.find(b"\r\n", at)
            if stop < 0:
                self._keep(data[at:])
                break
            self._line(data[at:stop])
            at = stop + 2
        return b"".join(pieces)

    def _keep(self, line: bytes) -> None:
        # A line feed without its carriage return will never become a line: say so now, not when the time is up.
        if len(line) > MAX_LINE or b"\n" in line or (self._state == _DATA_END and line != b"\r"):
            raise ProtocolError("a line of its chunked coding is malformed")
        self._pending = line

    def _line(self, line: bytes) -> None:
        if self._state == _LENGTH:
            match = _SIZE(line)
            if match is None or len(line) > MAX_LINE:
                raise ProtocolError("a chunk of it has no length")
            self._left = int(match[1], 16)
            self._state = _DATA if self._left else _TRAILER
        elif self._state == _DATA_END:
            if line:
                raise ProtocolError("a chunk of it is longer than announced")
            self._state = _LENGTH
        elif not line:
            self._state = _DONE
        else:
            self._trailer += len(line)
            if b"\n" in line or self._trailer > MAX_TRAILER:
                raise ProtocolError("its trailer is malformed or too long")
