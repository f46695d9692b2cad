"""What a statement gave: what a dialect makes of a response, and what a transport without a wire gives at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["Answer"]


class Answer:
    """What a statement gave.

    Attributes:
        columns: the names in SELECT order, duplicates included; ``None`` for a statement that has no columns.
        rows: one per row: a dict where ``named``, else a tuple in the order of ``columns``.
        named: the rows are dicts. Give them in the form that the engine's answer has: the other is made where it is
            asked for.
        affected: rows inserted, updated or deleted; ``None`` where that is not known for certain.
        rowid: of the last inserted row; ``None`` where none was inserted, or it is not known for certain.
        whole: no row is missing, however many there are.
        exact: values have the storage classes with which they are stored, and rows are tuples.
        duration: milliseconds as the engine measured them, or ``None``.
        declared: the declared types of the columns, ``""`` for an expression; ``()`` where they are not known.
        lossy: a value was lost on its way, such as an infinity: `mesahub.DatabaseHandle.rows` asks again, by a SELECT
            that keeps it.
    """

    lossy: bool = False

    __slots__ = ("affected", "columns", "declared", "duration", "exact", "named", "rowid", "rows", "whole")

    def __init__(
        self,
        columns: list[str] | None,
        rows: list[Any],
        *,
        named: bool = False,
        affected: int | None = None,
        rowid: int | None = None,
        whole: bool = False,
        exact: bool = False,
        duration: float | None = None,
        declared: Sequence[str] = (),
    ) -> None:
        self.columns = columns
        self.rows = rows
        self.named = named
        self.affected = affected
        self.rowid = rowid
        self.whole = whole
        self.exact = exact
        self.duration = duration
        self.declared = declared

    def dicts(self) -> list[dict[str, Any]]:
        """The rows as dicts; of several columns with one name the last one's value stays."""
        if self.named:
            return self.rows
        names = self.columns or ()
        return [dict(zip(names, row, strict=True)) for row in self.rows]

    def tuples(self) -> list[tuple[Any, ...]]:
        """The rows as tuples. (Rows that came as dicts have one value for all columns of a name.)"""
        if not self.named:
            return self.rows
        names = self.columns or ()
        return [tuple([row[name] for name in names]) for row in self.rows]

    def payload(self) -> dict[str, Any]:
        """The same as an engine's JSON: for middleware and the recorder, where a transport gave no JSON."""
        return {"columns": self.columns or [], "rows": self.dicts(), "whole": self.whole}

    def __repr__(self) -> str:
        return f"<Answer of {len(self.rows)} rows, columns={self.columns!r}, affected={self.affected}>"
