"""Rows of data frames: pandas, polars, and tables of pyarrow. None of them is imported here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mesahub.errors import ArgumentError

__all__ = ["FrameRows", "rows_of"]

_SLICE = 10_000
"""Rows that are converted together."""


class FrameRows:
    """The rows of a data frame as dicts, converted slice by slice. It has a length, and can be iterated again.

    Args:
        frame: the data frame.
        columns: the names of its columns.
        length: its number of rows.
        convert: gives the values of rows ``start`` to ``stop``, column by column.
    """

    def __init__(self, frame: Any, columns: Sequence[Any], length: int, convert: Any) -> None:
        self._frame = frame
        self._columns = _checked(columns, type(frame).__name__)
        self._length = length
        self._convert = convert

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[dict[str, Any]]:
        names = self._columns
        if not names:
            yield from ({} for _ in range(self._length))
            return
        for start in range(0, self._length, _SLICE):
            values = self._convert(self._frame, start, min(start + _SLICE, self._length))
            for row in zip(*values, strict=True):
                yield dict(zip(names, row, strict=True))


def rows_of(rows: Any, kind: str = "dicts") -> Iterable[Any]:
    """The rows of a data frame; any other iterable of rows is returned unchanged.

    Missing values (``NaN`` of a pandas frame, ``pd.NA``, ``NaT``, null) are ``None``.

    Args:
        rows: what the caller gave.
        kind: what each row is, for the message.

    Raises:
        ArgumentError: it is not an iterable, or a single row; or a data frame whose columns have no usable names, whose
            index holds data, or which has not been computed yet.
    """
    for base in type(rows).__mro__:
        library = base.__module__.partition(".")[0]
        if library in _LIBRARIES:
            known = _FRAMES.get((library, base.__name__))
            if known is not None:
                made: FrameRows = known(rows)
                return made
    if isinstance(rows, (Mapping, str, bytes)) or not isinstance(rows, Iterable):
        raise ArgumentError(f"rows must be a list (or any iterable) of {kind}, not {type(rows).__name__}.")
    return rows


def _checked(columns: Sequence[Any], kind: str) -> list[str]:
    seen: set[str] = set()
    for number, name in enumerate(columns):
        if not isinstance(name, str):
            raise ArgumentError(f"Column {number} of the {kind} is named {name!r:.60}; rename it to a string.")
        if name in seen:
            raise ArgumentError(f"The {kind} has several columns named {name!r:.60}; rename them.")
        seen.add(name)
    return [str(name) for name in columns]


def _of_pandas(frame: Any) -> FrameRows:
    named = [name for name in frame.index.names if name is not None]
    if named or frame.index.nlevels > 1:
        raise ArgumentError(
            f"The DataFrame's index {', '.join(map(repr, named)) or ''} would not be stored. Pass df.reset_index() to "
            "store it as columns, or df.reset_index(drop=True) to leave it out."
        )
    return FrameRows(frame, list(frame.columns), len(frame), _pandas_values)


def _pandas_values(frame: Any, start: int, stop: int) -> list[list[Any]]:
    part = frame.iloc[start:stop]
    found = []
    for place in range(part.shape[1]):
        series = part.iloc[:, place]
        values = series.tolist()
        missing = series.isna()
        if missing.any():
            values = [None if gap else value for value, gap in zip(values, missing.tolist(), strict=True)]
        found.append(values)
    return found


def _of_polars(frame: Any) -> FrameRows:
    return FrameRows(frame, frame.columns, frame.height, _polars_values)


def _polars_values(frame: Any, start: int, stop: int) -> list[list[Any]]:
    return [column.to_list() for column in frame.slice(start, stop - start).get_columns()]


def _of_pyarrow(table: Any) -> FrameRows:
    return FrameRows(table, table.schema.names, table.num_rows, _pyarrow_values)


def _pyarrow_values(table: Any, start: int, stop: int) -> list[list[Any]]:
    return [column.to_pylist() for column in table.slice(start, stop - start).columns]


def _not_computed(_: Any) -> FrameRows:
    raise ArgumentError("A LazyFrame has no rows yet: pass frame.collect().")


def _one_column(series: Any) -> FrameRows:
    raise ArgumentError(
        f"rows must be a data frame, or dicts of column names to values, not a {type(series).__name__}: pass "
        "series.to_frame('column')."
    )


_LIBRARIES = frozenset({"pandas", "polars", "pyarrow"})
_FRAMES: Mapping[tuple[str, str], Any] = {
    ("pandas", "DataFrame"): _of_pandas,
    ("pandas", "Series"): _one_column,
    ("polars", "DataFrame"): _of_polars,
    ("polars", "Series"): _one_column,
    ("polars", "LazyFrame"): _not_computed,
    ("pyarrow", "Table"): _of_pyarrow,
    ("pyarrow", "RecordBatch"): _of_pyarrow,
}
