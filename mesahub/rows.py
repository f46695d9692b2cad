"""Rows exactly as they are stored: what `mesahub.DatabaseHandle.rows` gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Generic, overload

from mesahub.errors import ArgumentError, NotFoundError, ResultError
from mesahub.results import R

__all__ = ["Rows"]

_SHOWN = 20
_NAMES = 8


class Rows(Sequence[R], Generic[R]):
    """The rows of a query, as a sequence of dicts, or of instances of a class.

    It loops, has a length and a truth, and can be indexed and sliced. Where columns share a name, a dict has the last
    one's value; `tuples` and `columns` keep them apart. ``pandas.DataFrame`` and ``polars.DataFrame`` take it as it is
    (``pandas.DataFrame(rows, columns=rows.columns)`` has the columns also where there are no rows).

    Values have the storage class with which they are stored: nothing is converted by a declared type, a REAL is a
    ``float``, a BLOB is ``bytes``, infinities are ``inf`` and ``-inf``.

    Attributes:
        columns: the names in SELECT order, duplicates included.

    Example:
        >>> rows = Rows(("id", "name"), [(1, "Ann"), (2, "Bob")])
        >>> len(rows), rows[0], rows.column("name")
        (2, {'id': 1, 'name': 'Ann'}, ['Ann', 'Bob'])
    """

    __slots__ = ("_made", "_rows", "columns")

    def __init__(self, columns: Sequence[str], rows: list[tuple[Any, ...]], made: list[R] | None = None) -> None:
        self.columns = tuple(columns)
        self._rows = rows
        self._made = made

    def tuples(self) -> list[tuple[Any, ...]]:
        """The rows as tuples, in the order of `columns`."""
        return list(self._rows)

    def dicts(self) -> list[dict[str, Any]]:
        """The rows as dicts."""
        return [dict(zip(self.columns, row, strict=True)) for row in self._rows]

    def first(self) -> R | None:
        """The first row, ``None`` if there is none."""
        return self[0] if self._rows else None

    def one(self) -> R:
        """The only row.

        Raises:
            NotFoundError: there is none.
            ResultError: there are several.
        """
        if not self._rows:
            raise NotFoundError.of("Expected one row, found none.")
        if len(self._rows) > 1:
            raise ResultError(f"Expected one row, found {len(self._rows):,}.")
        return self[0]

    def scalar(self) -> Any:
        """The first value of the first row; ``None`` if there is no row."""
        return self._rows[0][0] if self._rows else None

    def column(self, name: str | int) -> list[Any]:
        """The values of one column.

        Args:
            name: its name, or its position from 0.

        Raises:
            ArgumentError: there is no such column, or several have that name.
        """
        if isinstance(name, int) and not isinstance(name, bool):
            if not -len(self.columns) <= name < len(self.columns):
                raise ArgumentError(f"There are {len(self.columns)} columns, so none at position {name}.")
            index = name
        else:
            found = [position for position, column in enumerate(self.columns) if column == name]
            if len(found) != 1:
                what = f"{len(found)} columns are named {name!r}; give a position" if found else f"No column {name!r}"
                raise ArgumentError(f"{what}. Columns: {', '.join(self.columns)}.")
            index = found[0]
        return [row[index] for row in self._rows]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[R]:
        if self._made is not None:
            yield from self._made
            return
        columns = self.columns
        for row in self._rows:
            found: Any = dict(zip(columns, row, strict=True))
            yield found

    @overload
    def __getitem__(self, index: int) -> R: ...
    @overload
    def __getitem__(self, index: slice) -> Rows[R]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return Rows(self.columns, self._rows[index], None if self._made is None else self._made[index])
        if isinstance(index, str):
            raise TypeError(f"Rows are indexed by position; for a column use rows.column({index!r})")
        return dict(zip(self.columns, self._rows[index], strict=True)) if self._made is None else self._made[index]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Rows):
            return self.columns == other.columns and self._rows == other._rows and self._made == other._made
        return list(self) == other if isinstance(other, list) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        count = len(self._rows)
        shown = ", ".join([f"{row!r:.60}" for row in (self._rows if self._made is None else self._made)[:3]])
        more = ", ..." if count > 3 else ""
        names = ", ".join([f"{name:.30}" for name in self.columns[:_NAMES]])
        if len(self.columns) > _NAMES:
            names += f", ... {len(self.columns):,} columns"
        return f"<Rows: {count:,} row{'' if count == 1 else 's'} of ({names}): [{shown}{more}]>"

    def _repr_html_(self) -> str:
        """A table for notebooks: the first rows."""
        from html import escape

        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        shown = [
            ["NULL" if value is None else escape(f"{value!s:.200}") for value in row] for row in self._rows[:_SHOWN]
        ]
        body = "".join("<tr>" + "".join(f"<td>{text}</td>" for text in row) + "</tr>" for row in shown)
        more = len(self._rows) - _SHOWN
        foot = f"<p>… {more:,} more rows</p>" if more > 0 else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{foot}"
