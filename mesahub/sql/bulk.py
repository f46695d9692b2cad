"""Many rows for one INSERT: grouped by their columns, adapted, and cut into batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from math import isfinite
from operator import itemgetter
from typing import Any

from mesahub.errors import ArgumentError
from mesahub.sql.values import MAX_INT, MIN_INT, adapt

_SLAB = 5_000
"""Rows looked at together. What is done for a whole column at once is done by C code."""
BATCH_ROWS = 50_000
BATCH_BYTES = 6 * 1024 * 1024
"""An estimate of what one request carries; the server takes 10 MiB, with all that quoting adds."""

_EXACT = frozenset({str, int, float, bool, bytes, type(None)})

Row = tuple[Any, ...]


class Batch:
    """Rows that go in together.

    Attributes:
        columns: the columns that all of them have.
        rows: their values.
        size: an estimate of their bytes.
    """

    __slots__ = ("columns", "rows", "size")

    def __init__(self, columns: tuple[str, ...], rows: list[Row], size: int) -> None:
        self.columns = columns
        self.rows = rows
        self.size = size


def batches(rows: Iterable[Mapping[str, Any]], *, in_order: bool) -> Iterator[Batch]:
    """Cut rows into batches, each for one statement.

    Args:
        rows: any iterable of dicts. It is read as the batches are taken.
        in_order: keep the order of all rows, also of those with other columns. Without it, rows with the same
            columns come together, in their own order.

    Raises:
        ArgumentError: names the row, counted from 0, and the column.
    """
    if isinstance(rows, (Mapping, str, bytes)) or not isinstance(rows, Iterable):
        raise ArgumentError(f"rows must be a list (or any iterable) of dicts, not a {type(rows).__name__}.")
    source = iter(rows)
    open_: dict[tuple[str, ...], Batch] = {}
    seen = 0
    while slab := list(islice(source, _SLAB)):
        for columns, members, numbers in _groups(slab, in_order):
            if in_order and open_ and columns not in open_:
                yield from open_.values()
                open_.clear()
            values, size = _values(columns, members, seen, numbers)
            batch = open_.get(columns)
            if batch is not None and (batch.size + size > BATCH_BYTES or len(batch.rows) + len(values) > BATCH_ROWS):
                yield open_.pop(columns)
                batch = None
            if batch is None:
                open_[columns] = Batch(columns, values, size)
            else:
                batch.rows += values
                batch.size += size
        seen += len(slab)
    yield from open_.values()


def _groups(
    slab: list[Any], in_order: bool
) -> Iterator[tuple[tuple[str, ...], list[Mapping[str, Any]], list[int] | None]]:
    """(columns, rows, their numbers in the slab; ``None`` for all of it)."""
    first = slab[0]
    if type(first) is dict and first:
        same = first.keys()
        # A list and not a generator: this runs for every row.
        if all([type(row) is dict and row.keys() == same for row in slab]):  # noqa: C419
            yield tuple(first), slab, None
            return
    groups: dict[frozenset[str], tuple[tuple[str, ...], list[Mapping[str, Any]], list[int]]] = {}
    for number, row in enumerate(slab):
        if not isinstance(row, Mapping) or not row:
            raise ArgumentError(f"A row is a dict from column to value that is not empty; one of them is {row!r:.60}.")
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
    size = 12 * len(columns) * len(members)
    if len(columns) == 1:
        only = columns[0]
        by_column: list[Any] = [[row[only] for row in members]]
        rows: list[Row] = []
    else:
        rows = list(map(itemgetter(*columns), members))
        by_column = list(zip(*rows, strict=True))
    changed = len(columns) == 1
    for index, column in enumerate(by_column):
        types = set(map(type, column))
        if not types <= _EXACT:
            by_column[index] = column = _adapted(columns[index], column, seen, numbers)
            types = set(map(type, column))
            changed = True
        elif not _is_exact(column, types):
            _adapted(columns[index], column, seen, numbers)  # raises, and says where
        if str in types or bytes in types:
            size += sum([len(value) for value in column if type(value) is str or type(value) is bytes])
    return (list(zip(*by_column, strict=True)) if changed else rows), size


def _is_exact(column: Any, types: set[type]) -> bool:
    if int in types:
        whole = column if types == {int} else [value for value in column if type(value) is int]
        if min(whole) < MIN_INT or max(whole) > MAX_INT:
            return False
    if float in types and not all(
        map(isfinite, column if types == {float} else [value for value in column if type(value) is float])
    ):
        return False
    if str in types:
        text = "".join(column if types == {str} else [value for value in column if type(value) is str])
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                return False
    return True


def _adapted(name: str, column: Any, seen: int, numbers: list[int] | None) -> list[Any]:
    values = []
    for index, value in enumerate(column):
        try:
            values.append(adapt(value))
        except ArgumentError as error:
            row = seen + (index if numbers is None else numbers[index])
            raise ArgumentError(f"Row {row}, column {name!r}: {error}") from None
    return values
