"""Multipart forms (RFC 7578), read piece by piece: a file never stands in memory."""

from __future__ import annotations

import re
from collections.abc import Callable
from email.message import Message
from typing import BinaryIO

from mesahub_embedded.engine.errors import RefusedError

__all__ = ["FilePart", "read_form"]

PIECE = 256 * 1024
HEAD_LIMIT = 64 * 1024
FIELD_LIMIT = 10 * 1024 * 1024
"""Bytes of all text fields together; Go's limit."""

_PERCENT = re.compile(r"%(0D|0A|22)")


class FilePart:
    """The head of a part that is a file."""

    __slots__ = ("content_type", "field", "filename")

    def __init__(self, field: str, filename: str, content_type: str) -> None:
        self.field = field
        self.filename = filename
        self.content_type = content_type


Sink = Callable[[bytes], None]


def read_form(
    stream: BinaryIO, length: int, content_type: str, open_file: Callable[[FilePart], Sink | None]
) -> dict[str, str]:
    """Read a form; its files go to the sinks that ``open_file`` gives, piece by piece.

    Args:
        stream: the body.
        length: its bytes.
        content_type: the request's ``Content-Type``.
        open_file: called at each file; gives what takes its bytes, or ``None`` to skip it.

    Returns:
        The text fields; of a repeated one the first.

    Raises:
        RefusedError: 400, it is no form.
    """
    head = _message(f"Content-Type: {content_type}")
    boundary = head.get_param("boundary")
    if head.get_content_type() != "multipart/form-data" or not isinstance(boundary, str) or not boundary:
        raise RefusedError(400, "invalid multipart form")
    reader = _Reader(stream, length, f"--{boundary}".encode("latin-1"))
    fields: dict[str, str] = {}
    taken = 0
    reader.skip_preamble()
    while (part := reader.next_part()) is not None:
        name = part.get_param("name", header="content-disposition")
        filename = part.get_param("filename", header="content-disposition")
        if not isinstance(name, str):
            reader.body(_nowhere)
        elif isinstance(filename, str) and filename:
            sink = open_file(FilePart(name, _plain(filename), part.get("content-type", "")))
            reader.body(sink or _nowhere)
        else:
            value = bytearray()
            reader.body(value.extend)
            taken += len(value)
            if taken > FIELD_LIMIT:
                raise RefusedError(400, "invalid multipart form")
            # A part that has a filename, though an empty one, is not a field.
            if filename is None:
                fields.setdefault(name, value.decode("utf-8", "replace"))
    return fields


class _Reader:
    """Takes a body apart at its boundary, never holding more than a few pieces."""

    def __init__(self, stream: BinaryIO, length: int, delimiter: bytes) -> None:
        self._stream = stream
        self._left = length
        self._delimiter = delimiter
        self._buffer = bytearray()

    def _more(self) -> bool:
        piece = self._stream.read(min(PIECE, self._left)) if self._left > 0 else b""
        self._left -= len(piece)
        self._buffer += piece
        return bool(piece)

    def skip_preamble(self) -> None:
        """Go to the first boundary."""
        while self._buffer.find(self._delimiter) < 0:
            if not self._more():
                raise RefusedError(400, "invalid multipart form")
            if self._buffer.find(self._delimiter) < 0:
                del self._buffer[: -len(self._delimiter)]
        del self._buffer[: self._buffer.find(self._delimiter) + len(self._delimiter)]

    def next_part(self) -> Message | None:
        """The head of the next part, ``None`` at the end of the form."""
        while len(self._buffer) < 2 and self._more():
            pass
        if self._buffer.startswith(b"--"):
            return None
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > HEAD_LIMIT or not self._more():
                raise RefusedError(400, "invalid multipart form")
        head = self._buffer[:end].decode("utf-8", "replace")
        # The break before the body's delimiter belongs to it: an empty body has no other.
        del self._buffer[: end + 2]
        return _message(head.partition("\r\n")[2])

    def body(self, sink: Callable[[bytes], object]) -> None:
        """Give the part's bytes to ``sink``."""
        mark = b"\r\n" + self._delimiter
        start = 2
        while True:
            at = self._buffer.find(mark)
            if at >= 0:
                if at > start:
                    sink(bytes(memoryview(self._buffer)[start:at]))
                del self._buffer[: at + len(mark)]
                return
            # All but what could be the mark's beginning is content.
            safe = len(self._buffer) - len(mark) + 1
            if safe > start:
                sink(bytes(memoryview(self._buffer)[start:safe]))
                del self._buffer[:safe]
                start = 0
            if not self._more():
                raise RefusedError(400, "invalid multipart form")


def _nowhere(_: bytes) -> None:
    pass


def _message(head: str) -> Message:
    message = Message()
    for line in head.split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            message[name.strip()] = value.strip()
    return message


def _plain(filename: str) -> str:
    # Browsers percent-encode the three characters that would break the header (HTML, "multipart form data").
    return _PERCENT.sub(lambda match: chr(int(match[1], 16)), filename)
