"""Rows on their way in: CSV, TSV, JSON and JSON lines, with the line of every fault."""

from __future__ import annotations

import base64
import codecs
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

from mesahub.cli.output import NUMBER
from mesahub.errors import ArgumentError
from mesahub.sql import adapt

__all__ = ["FORMATS", "RowFile", "converter"]

FORMATS = {"csv": "csv", "tsv": "tsv", "tab": "tsv", "json": "json", "jsonl": "jsonl", "ndjson": "jsonl"}
"""The end of a file's name to its format."""
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)

Row = dict[str, Any]
Cells = list[tuple[str | None, bool]]
"""Texts (``None`` for a TSV's NULL), and whether each was quoted."""


class RowFile:
    """The rows of a file; may be read several times.

    Args:
        stream: the file, which can seek.
        name: what errors call it.
        kind: ``"csv"``, ``"tsv"``, ``"json"`` or ``"jsonl"``.
        encoding: default: what a byte order mark says, or else UTF-8.
        delimiter, quote: of a CSV.
    """

    def __init__(
        self,
        stream: BinaryIO,
        name: str,
        kind: str,
        encoding: str | None = None,
        delimiter: str = ",",
        quote: str = '"',
    ) -> None:
        self._stream = stream
        self._name = name
        self._kind = kind
        self._delimiter = delimiter
        self._quote = quote
        head = stream.read(4)
        found = next((known for mark, known in _BOMS if head.startswith(mark)), None)
        try:
            self._encoding = codecs.lookup(encoding or found or "utf-8").name
        except LookupError:
            raise ArgumentError(f"Unknown encoding {encoding!r}; for example utf-8, latin-1, cp1252, utf-16.") from None
        if self._encoding == "utf-8" and found == "utf-8-sig":
            self._encoding = "utf-8-sig"

    def rows(self, types: dict[str, str] | None) -> Iterator[Row]:
        """The rows.

        Args:
            types: the table's columns and their declared types. ``None``: any columns, and the cells of CSV and TSV as
                they are, as text and ``None``.

        Raises:
            ArgumentError: names the line.
        """
        self._stream.seek(0)
        if self._kind == "json":
            yield from self._json()
        elif self._kind == "jsonl":
            yield from self._jsonl()
        else:
            yield from self._cells(types)

    def detected_types(self) -> dict[str, str]:
        """The columns of a CSV or TSV, each with a type that keeps all of its cells as they are written."""
        kinds: dict[str, set[str]] = {}
        for row in self.rows(None):
            for name, text in row.items():
                known = kinds.setdefault(name, set())
                if text is not None:
                    known.add(_type_of(text))
        types = {}
        for name, known in kinds.items():
            types[name] = "TEXT" if "TEXT" in known or not known else "REAL" if "REAL" in known else "INTEGER"
        return types

    def fault(self, line: int, problem: str) -> ArgumentError:
        """An error in a line."""
        return ArgumentError(f"{self._name}, line {line}: {problem}")

    def _lines(self) -> Iterator[tuple[int, str]]:
        """The lines with their numbers and ends."""
        number = 0
        if self._encoding.startswith(("utf-16", "utf-32")):
            pieces: Iterable[bytes] = [self._stream.read()]
        else:
            pieces = self._stream
        for piece in pieces:
            try:
                text = piece.decode(self._encoding if number == 0 else self._encoding.replace("utf-8-sig", "utf-8"))
            except UnicodeDecodeError as error:
                line = number + 1 + piece[: error.start].decode(self._encoding, "replace").count("\n")
                advice = "pass --encoding, for example --encoding latin-1."
                raise self.fault(line, f"This is not valid {self._encoding.upper()}; {advice}") from None
            for line_text in [text] if "\r" not in text and text.count("\n") < 2 else _LINE.findall(text):
                number += 1
                yield number, line_text

    def _records(self) -> Iterator[tuple[int, Cells]]:
        """The records of a CSV or TSV, each with the number of its first line."""
        lines = self._lines()
        for number, line in lines:
            if self._kind == "tsv":
                yield number, [(_unescaped(cell), False) for cell in _chopped(line).split("\t")]
            elif self._quote not in line:
                yield number, [(cell, False) for cell in _chopped(line).split(self._delimiter)]
            else:
                yield number, self._quoted_record(number, line, lines)

    def _quoted_record(self, number: int, line: str, lines: Iterator[tuple[int, str]]) -> Cells:
        cells: Cells = []
        quote, delimiter = self._quote, self._delimiter
        at = 0
        while True:
            if not line.startswith(quote, at):
                end = line.find(delimiter, at)
                if end < 0:
                    cells.append((_chopped(line[at:]), False))
                    return cells
                cells.append((line[at:end], False))
                at = end + 1
                continue
            start, text = at + 1, []
            while True:
                end = line.find(quote, start)
                if end < 0:
                    text.append(line[start:])
                    following = next(lines, None)
                    if following is None:
                        raise self.fault(number, f"The quote in column {len(cells) + 1} is never closed.")
                    line, start = following[1], 0
                elif line.startswith(quote, end + 1):
                    text.append(line[start : end + 1])
                    start = end + 2
                else:
                    text.append(line[start:end])
                    break
            cells.append(("".join(text), True))
            rest = _chopped(line[end + 1 :])
            if not rest:
                return cells
            if not rest.startswith(delimiter):
                raise self.fault(number, f"Text follows the closing quote of column {len(cells)}: {rest:.20}")
            at = end + 2

    def _cells(self, types: dict[str, str] | None) -> Iterator[Row]:
        records = self._records()
        head = next(records, None)
        if head is None:
            return
        names = [name or "" for name, _ in head[1]]
        lowered = [name.lower() for name in names]
        for place, name in enumerate(lowered):
            if not name:
                raise self.fault(head[0], f"Column {place + 1} has no name.")
            if name in lowered[:place]:
                raise self.fault(head[0], f"Two columns are named {names[place]!r}.")
        known = None if types is None else {name.lower(): declared for name, declared in types.items()}
        if known is not None and types is not None:
            for name in names:
                if name.lower() not in known:
                    raise self.fault(
                        head[0],
                        f"The table has no column {name!r}; it has {', '.join(types)}. --alter adds missing columns.",
                    )
        declared = [None if known is None else known[name.lower()] for name in names]
        converters = [None if kind is None else converter(kind) for kind in declared]
        for number, cells in records:
            if len(names) > 1 and cells == [("", False)]:
                continue  # a blank line
            if len(cells) != len(names):
                raise self.fault(number, f"{len(cells)} values for {len(names)} columns.")
            yield {
                name: self._value(number, name, kind, convert, *cell)
                for name, kind, convert, cell in zip(names, declared, converters, cells, strict=True)
            }

    def _value(
        self,
        number: int,
        name: str,
        declared: str | None,
        convert: Callable[[str], Any] | None,
        text: str | None,
        quoted: bool,
    ) -> Any:
        if text is None:
            return None
        if not text and not quoted and (self._kind == "csv" or (declared and convert is not str)):
            # Nothing between two delimiters; text columns of a TSV keep it as empty text, since their NULL is \\N.
            return None
        if convert is None or (quoted and declared == ""):
            return text
        try:
            return adapt(convert(text))
        except (ValueError, ArgumentError):
            raise self.fault(number, f"{text!r:.60} is not a valid {declared} for {name!r}.") from None

    def _jsonl(self) -> Iterator[Row]:
        for number, line in self._lines():
            if line.strip():
                yield self._object(number, line)

    def _json(self) -> Iterator[Row]:
        text = "".join([line for _, line in self._lines()])
        found = self._loads(1, text)
        if isinstance(found, dict):
            found = [found]
        if not isinstance(found, list):
            raise ArgumentError(f"{self._name} must hold a list of objects.")
        for number, row in enumerate(found, 1):
            yield self._row(f"row {number}", row)

    def _object(self, number: int, line: str) -> Row:
        return self._row(f"line {number}", self._loads(number, line.strip()))

    def _loads(self, first: int, text: str) -> Any:
        try:
            return json.loads(text, object_pairs_hook=_pairs, parse_constant=_constant)
        except json.JSONDecodeError as error:
            raise self.fault(first + error.lineno - 1, f"This is not valid JSON: {error.msg}.") from None
        except (ValueError, RecursionError) as error:
            raise self.fault(first, f"{error}.") from None

    def _row(self, where: str, row: Any) -> Row:
        if not isinstance(row, dict):
            raise ArgumentError(f"{self._name}, {where}: A row must be an object, not {row!r:.60}.")
        values = {}
        for name, value in row.items():
            try:
                values[name] = adapt(_decoded(value))
            except (ArgumentError, ValueError) as error:
                raise ArgumentError(f"{self._name}, {where}, {name!r}: {error}") from None
        return values


_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\", "b": "\b", "f": "\f", "v": "\v"}


def _unescaped(cell: str) -> str | None:
    if "\\" not in cell:
        return cell
    if cell == "\\N":
        return None
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[0]), cell, flags=re.DOTALL)


def _chopped(line: str) -> str:
    return line[:-2] if line.endswith("\r\n") else line[:-1] if line.endswith(("\n", "\r")) else line


def _pairs(pairs: list[tuple[str, Any]]) -> Row:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"An object has the name {twice!r} twice")
    return found


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number that JSON and SQLite have")


def _decoded(value: Any) -> Any:
    if isinstance(value, dict) and value.keys() == {"base64"} and isinstance(value["base64"], str):
        return base64.b64decode(value["base64"], validate=True)
    # As sqlite-utils: lists and objects are stored as JSON text.
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value


def _type_of(text: str) -> str:
    """INTEGER or REAL only for a text that is written again in the same way: 007 and 1.10 stay text."""
    if len(text) < 20 and _INTEGER.fullmatch(text) and str(int(text)) == text and -(2**63) <= int(text) < 2**63:
        return "INTEGER"
    return "REAL" if NUMBER.fullmatch(text) and repr(float(text)) == text else "TEXT"


def _number(text: str) -> int | float:
    if not NUMBER.fullmatch(text):
        raise ValueError(text)
    return int(text) if _INTEGER.fullmatch(text) else float(text)


def _any(text: str) -> Any:
    return _number(text) if NUMBER.fullmatch(text) else text


def _real(text: str) -> float:
    return float(_number(text))


def _boolean(text: str) -> Any:
    known = {"true": True, "t": True, "yes": True, "false": False, "f": False, "no": False}
    return known.get(text.lower(), text)


def converter(declared: str) -> Callable[[str], Any]:
    """What makes a value of a cell's text, by the column's declared type (SQLite's rules of affinity, section 3.1)."""
    kind = declared.upper()
    if kind in ("BOOLEAN", "BOOL"):
        return _boolean
    if "INT" in kind:
        return _number
    if any(word in kind for word in ("CHAR", "CLOB", "TEXT", "DATE", "TIME")):
        return str
    if "BLOB" in kind:
        return lambda text: base64.b64decode(text, validate=True)
    if any(word in kind for word in ("REAL", "FLOA", "DOUB")):
        return _real
    # Other names (NUMERIC, DECIMAL, UUID, JSON): SQLite itself makes a number of what is one, and keeps the rest.
    return str if kind else _any
