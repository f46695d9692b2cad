"""Many rows for one INSERT: grouped by their columns, adapted, and split into batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from math import isfinite
from operator import itemgetter
from typing import Any

from mesahub.errors import ArgumentError
from mesahub.sql.frames import rows_of
from mesahub.sql.values import MAX_INT, MIN_INT, adapt

_SLAB = 5_000
"""Rows processed together, so that C code can handle a whole column at once."""
BATCH_BYTES = 9_800_000
"""Maximum bytes of one request: the server accepts 10 MiB, of which up to 100,000 bytes are the statement."""
BATCH_ROWS = 200_000
"""Maximum number of rows: limits the memory, and the time for which others wait."""

_EXACT = frozenset({str, int, float, bool, bytes, type(None)})

Row = tuple[Any, ...]


class Batch:
    """Rows that are inserted together.

    Attributes:
        columns: the columns of every row.
        rows: their values.
        size: their estimated size in bytes.
    """

    __slots__ = ("columns", "rows", "size")

    def __init__(self, columns: tuple[str, ...], rows: list[Row], size: int) -> None:
        self.columns = columns
        self.rows = rows
        self.size = size


def batches(
    rows: Iterable[Mapping[str, Any]], *, in_order: bool, most_rows: int = BATCH_ROWS, most_bytes: int = BATCH_BYTES
) -> Iterator[Batch]:
    """Split rows into batches, each for one statement.

    Args:
        rows: any iterable of dicts, or a data frame. It is read lazily.
        in_order: keep the order of all rows, even with different columns. Otherwise rows
            with the same columns are grouped, in order.
        most_rows: maximum rows of a batch.
        most_bytes: approximate maximum bytes of a batch on the wire, and of the rows buffered while a batch fills.

    Raises:
        ArgumentError: a row is invalid; names the row, counted from 0, and the column.
    """
    if type(rows) is not list:
        rows = rows_of(rows)
    source = iter(rows)
    open_: dict[tuple[str, ...], Batch] = {}
    seen = held = 0
    while slab := list(islice(source, min(_SLAB, most_rows))):
        for columns, members, numbers in _groups(slab, in_order, seen):
            if in_order and open_ and columns not in open_:
                yield from open_.values()
                open_.clear()
                held = 0
            for piece in _pieces(columns, *_values(columns, members, seen, numbers), most_bytes):
                batch = open_.get(columns)
                if batch is not None and (
                    batch.size + piece.size > most_bytes or len(batch.rows) + len(piece.rows) > most_rows
                ):
                    held -= batch.size
                    yield open_.pop(columns)
                    batch = None
                if batch is None:
                    open_[columns] = piece
                else:
                    batch.rows += piece.rows
                    batch.size += piece.size
                held += piece.size
            while held > 2 * most_bytes:  # many kinds of rows, none of which fills a batch
                largest = max(open_.values(), key=lambda batch: batch.size)
                held -= largest.size
                yield open_.pop(largest.columns)
        seen += len(slab)
    yield from open_.values()


def _pieces(columns: tuple[str, ...], rows: list[Row], size: int, most_bytes: int) -> Iterator[Batch]:
    """Split the rows into pieces that nearly fill a batch; usually there is only one."""
    if size <= most_bytes // 8 or len(rows) == 1:
        yield Batch(columns, rows, size)
        return
    half = len(rows) // 2
    for part in (rows[:half], rows[half:]):
        columns_of_part = zip(*part, strict=True)
        size = 4 * len(part) + sum([_column_size(column, set(map(type, column))) for column in columns_of_part])
        yield from _pieces(columns, part, size, most_bytes)


def _groups(
    slab: list[Any], in_order: bool, seen: int
) -> Iterator[tuple[tuple[str, ...], list[Mapping[str, Any]], list[int] | None]]:
    """(columns, rows, their numbers in the slab; ``None`` for all of it)."""
    first = slab[0]
    if type(first) is dict and first:
        same = first.keys()
        # A list, not a generator: this runs for every row.
        if all([type(row) is dict and row.keys() == same for row in slab]):  # noqa: C419
            yield tuple(first), slab, None
            return
    groups: dict[frozenset[str], tuple[tuple[str, ...], list[Mapping[str, Any]], list[int]]] = {}
    for number, row in enumerate(slab):
        if not isinstance(row, Mapping):
            raise ArgumentError(f"Row {seen + number} must be a dict of column names to values, not {row!r:.60}.")
        keys = frozenset(row)
        if in_order and groups and keys not in groups:
            yield from groups.values()
            groups.clear()
        group = groups.setdefault(keys, (tuple(sorted(row)), [], []))
        group[1].append(row)
        group[2].append(number)
    yield from groups.values()


def _values(
    columns: tuple[str, ...], members: list[Mapping[str, Any]], seen: int, numbers: list[int] | None
) -> tuple[list[Row], int]:
    if not columns:
        # All defaults. VALUES () is invalid SQL; with a rowid of NULL, SQLite chooses one.
        return [(None,)] * len(members), 8 * len(members)
    rows: list[Row] = []
    if len(columns) == 1:
        only = columns[0]
        by_column: list[Any] = [[row[only] for row in members]]
    else:
        rows = list(map(itemgetter(*columns), members))
        by_column = list(zip(*rows, strict=True))
    changed = len(columns) == 1
    size = 4 * len(members)
    for index, column in enumerate(by_column):
        types = set(map(type, column))
        if not types <= _EXACT:
            by_column[index] = column = _adapted(columns[index], column, seen, numbers)
            types = set(map(type, column))
            changed = True
        bytes_ = _column_size(column, types)
        if bytes_ < 0:
            _adapted(columns[index], column, seen, numbers)  # raises, with the position
        size += bytes_
    return (list(zip(*by_column, strict=True)) if changed else rows), size


def _column_size(column: Any, types: set[type]) -> int:
    """Estimate the bytes of a column of values on the wire; -1 if one of them cannot be stored unchanged."""
    size = 0
    if int in types:
        whole = column if types == {int} else [value for value in column if type(value) is int]
        low, high = min(whole), max(whole)
        if low < MIN_INT or high > MAX_INT:
            return -1
        size += len(whole) * (1 + max(len(str(low)), len(str(high))))
    if float in types:
        reals = column if types == {float} else [value for value in column if type(value) is float]
        if not all(map(isfinite, reals)):
            return -1
        size += len(reals) * _REAL_BYTES
    if str in types:
        texts = column if types == {str} else [value for value in column if type(value) is str]
        text = "".join(texts)
        bytes_ = _text_size(text)
        if bytes_ < 0:
            return -1
        size += bytes_ + 5 * len(texts)
        if "\0" in text:
            size += len(text) + 6 * len(column)
    if bytes in types:
        size += sum([2 * len(value) for value in column if type(value) is bytes]) + 10 * len(column)
    if bool in types or type(None) in types:
        size += 6 * len(column)
    return size


_REAL_BYTES = 45
"""``[3,7205759403792794,72057594037927936,1],``: a fraction as its integer and its powers of two."""


def _text_size(text: str) -> int:
    """Return its bytes as JSON within JSON, without quotes; -1 for a lone surrogate."""
    if text.isascii():
        size = len(text)
    else:
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            return -1
    # \" is quoted twice, and so is a backslash; a newline becomes \\n. Others are rare.
    return size + 3 * (text.count('"') + text.count("\\")) + 2 * text.count("\n")


def _adapted(name: str, column: Any, seen: int, numbers: list[int] | None) -> list[Any]:
    values = []
    for index, value in enumerate(column):
        try:
            values.append(adapt(value))
        except ArgumentError as error:
            row = seen + (index if numbers is None else numbers[index])
            raise ArgumentError(f"Row {row}, column {name!r}: {error}") from None
    return values
