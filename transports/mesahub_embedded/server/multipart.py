"""Multipart forms (RFC 7578), read piece by piece: a file is never held in memory.

The time it takes is linear in the form's length, whatever the form holds. `email` takes quadratic time for the
parameters of one header. Both parsers of PyPI are linear too; but buckets are answered by this server's handlers in
process as well, where the package must need no dependency.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import BinaryIO
from urllib.parse import unquote

from mesahub_embedded.engine.errors import RefusedError

__all__ = ["FilePart", "parse_parameters", "read_form"]

PIECE = 256 * 1024
HEAD_LIMIT = 16 * 1024
"""Bytes of one part's headers."""
PARTS_LIMIT = 1000
"""Parts of a form; Go's limit."""
BOUNDARY_LIMIT = 200
"""Characters; RFC 2046 allows 70."""
FIELD_LIMIT = 10 * 1024 * 1024
"""Bytes of all text fields together; Go's limit."""

_PERCENT = re.compile(r"%(0D|0A|22)")
_PARAMETER = re.compile(
    r"""[ \t]*;[ \t]*
    (?:
        ([\w!#$%&'*+.^`|~-]+) [ \t]*=[ \t]*
        (?: "((?:[^"\\]|\\.)*)" | ([^\s;"]*) )
    )?""",
    re.VERBOSE | re.ASCII | re.DOTALL,
)
# Browsers of old sent C:\path\name: a backslash is an escape only before a quote or another one.
_ESCAPED = re.compile(r'\\(["\\])')
# What may follow a boundary: the line's end, padding, or the dashes of the last one. Anything else is content.
_AFTER_BOUNDARY = frozenset(b"\r\n \t-")


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
        RefusedError: 400, it is not a form.
    """
    kind, parameters = parse_parameters(content_type)
    boundary = parameters.get("boundary", "")
    if kind != "multipart/form-data" or not 0 < len(boundary) <= BOUNDARY_LIMIT:
        raise _invalid()
    reader = _Reader(stream, length, f"--{boundary}".encode("latin-1", "replace"))
    fields: dict[str, str] = {}
    taken = 0
    reader.skip_preamble()
    for _ in range(PARTS_LIMIT):
        part = reader.next_part()
        if part is None:
            return fields
        disposition, named = parse_parameters(part.get("content-disposition", ""))
        name, filename = named.get("name", ""), named.get("filename")
        if disposition != "form-data" or not name:
            reader.body(_discard)
        elif filename:
            sink = open_file(FilePart(name, _plain(filename), part.get("content-type", "")))
            reader.body(sink or _discard)
        else:
            value = bytearray()
            reader.body(_limited(value, FIELD_LIMIT - taken))
            taken += len(value)
            # A part that has a filename, though an empty one, is not a field.
            if filename is None:
                fields.setdefault(name, value.decode("utf-8", "replace"))
    raise _invalid()


class _Reader:
    """Splits a body at its boundary, never holding more than a few pieces."""

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
                raise _invalid()
            if self._buffer.find(self._delimiter) < 0:
                del self._buffer[: -len(self._delimiter)]
        del self._buffer[: self._buffer.find(self._delimiter) + len(self._delimiter)]

    def next_part(self) -> dict[str, str] | None:
        """The headers of the next part, by name in lower case; ``None`` at the end of the form."""
        while len(self._buffer) < 2 and self._more():
            pass
        if self._buffer.startswith(b"--"):
            return None
        while (end := self._buffer.find(b"\r\n\r\n", 0, HEAD_LIMIT)) < 0:
            if len(self._buffer) >= HEAD_LIMIT or not self._more():
                raise _invalid()
        head = self._buffer[:end].decode("utf-8", "replace")
        # The break before the body's delimiter belongs to it: an empty body has no other.
        del self._buffer[: end + 2]
        return _headers(head.partition("\r\n")[2])

    def body(self, sink: Callable[[bytes], object]) -> None:
        """Pass the part's bytes to ``sink``."""
        mark = b"\r\n" + self._delimiter
        start, searched = 2, 0
        while True:
            at = self._buffer.find(mark, searched)
            if at >= 0:
                end = at + len(mark)
                if end == len(self._buffer) and self._more():
                    continue
                if end < len(self._buffer) and self._buffer[end] not in _AFTER_BOUNDARY:
                    searched = at + 1
                    continue
                if at > start:
                    sink(bytes(memoryview(self._buffer)[start:at]))
                del self._buffer[:end]
                return
            # All but what could be the mark's beginning is content.
            safe = len(self._buffer) - len(mark) + 1
            if safe > start:
                sink(bytes(memoryview(self._buffer)[start:safe]))
                del self._buffer[:safe]
                start = searched = 0
            if not self._more():
                raise _invalid()


def parse_parameters(header: str) -> tuple[str, dict[str, str]]:
    """A header's value in lower case, and its parameters by name in lower case; of a repeated one the first.

    >>> parse_parameters('form-data; name="a"; filename="b;c.txt"')
    ('form-data', {'name': 'a', 'filename': 'b;c.txt'})
    """
    value, _, _ = header.partition(";")
    parameters: dict[str, str] = {}
    position = len(value)
    while match := _PARAMETER.match(header, position):
        name, quoted, plain = match.groups()
        position = match.end()
        if name is None:
            continue
        text = plain if quoted is None else _ESCAPED.sub(r"\1", quoted)
        if name.endswith("*"):
            # RFC 5987: charset'language'text
            charset, _, rest = text.partition("'")
            name, text = name[:-1], unquote(rest.partition("'")[2], "latin-1" if "8859" in charset else "utf-8")
        parameters.setdefault(name.lower(), text)
    return value.strip(" \t").lower(), parameters


def _headers(head: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    name = ""
    for line in head.split("\r\n"):
        if line[:1] in (" ", "\t") and name:  # a folded line goes on with the one before
            headers[name] += " " + line.strip(" \t")
            continue
        name, colon, value = line.partition(":")
        name = name.strip(" \t").lower() if colon else ""
        if name:
            headers[name] = value.strip(" \t")
    return headers


def _limited(value: bytearray, room: int) -> Callable[[bytes], None]:
    def add(piece: bytes) -> None:
        if len(value) + len(piece) > room:
            raise _invalid()
        value.extend(piece)

    return add


def _discard(_: bytes) -> None:
    pass


def _invalid() -> RefusedError:
    return RefusedError(400, "invalid multipart form")


def _plain(filename: str) -> str:
    # Browsers percent-encode the three characters that would break the header (HTML, "multipart form data").
    return _PERCENT.sub(lambda match: chr(int(match[1], 16)), filename)
