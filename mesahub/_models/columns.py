"""The SQL by which the columns of a class are read, so that their values are those that are stored.

A bare column is converted on the way by its declared type, and JSON has neither bytes nor a difference between 3 and
3.0. So each column is read by an expression that has no declared type. What the field can hold decides which one: most
are as short as the column itself, and a value that the field cannot hold shows itself as such.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mesahub.sql.identifiers import Scope, quote_name
from mesahub.sql.rewrites.exact import KINDS, kinds_text, made, value_text
from mesahub.sql.select import Selected

if TYPE_CHECKING:
    from mesahub._models.classes import Field

__all__ = ["Selection", "selection_of"]

Reader = Callable[[list[dict[str, Any]]], list[Any]]
"""The stored values of one column, from the rows of a result: it also puts them into the rows."""


class WrongStorage(str):
    """In place of a value that a field cannot hold: the name of its storage class."""

    __slots__ = ()


class Selection(Selected):
    """Columns of a class, as the SQL of a SELECT or RETURNING.

    Attributes:
        fields: the fields that are read.
        readers: one for each of them.
        parse: makes instances of a long response at once, where the class can do so: see `mesahub.sql.Statement`.
    """

    __slots__ = ("fields", "parse", "readers")

    def __init__(self, text: str, fields: Sequence[Field], readers: Sequence[Reader]) -> None:
        super().__init__(text, [field.column for field in fields])
        self.fields = tuple(fields)
        self.readers = tuple(readers)
        self.parse: Callable[[bytes], dict[str, Any]] | None = None


def selection_of(fields: Sequence[Field], scope: Scope, *, distinct: bool = False) -> Selection:
    """The selection of these fields from a table. ``distinct``: text is compared by the collation of its column."""
    terms: list[str] = []
    readers: list[Reader] = []
    mixed: list[str] = []
    for field in fields:
        column, alias = scope[field.column], quote_name(field.column)
        storage: set[type] = set() if field.codec is None else set(field.codec.storage)
        if storage == {int, float} and field.codec is not None and not field.codec.exact <= {float, type(None)}:
            storage = set()  # 3 and 3.0 are two values of int | float
        if storage == {int}:
            terms.append(f"+{column} AS {alias}")
            readers.append(_plain(field.column))
        elif storage == {str} and distinct:
            # A CASE has no collation.
            terms.append(f"+{column} AS {alias}")
            readers.append(_texts(field.column, len(mixed)))
            mixed.append(column)
        elif storage == {str}:
            terms.append(f"CASE typeof({column}) WHEN 'blob' THEN 0 ELSE +{column} END AS {alias}")
            readers.append(_plain(field.column))
        elif storage == {int, float}:
            terms.append(
                # An integer that is not exact as a float is named, as is text.
                f"CASE typeof({column}) WHEN 'real' THEN CASE +{column} WHEN 9e999 THEN 'inf' WHEN -9e999 THEN '-inf' "
                f"ELSE +{column} END WHEN 'null' THEN NULL WHEN 'integer' THEN CASE CAST(+{column} AS REAL) "
                f"WHEN +{column} THEN +{column} ELSE 'integer' END ELSE typeof({column}) END AS {alias}"
            )
            readers.append(_numbers(field.column))
        elif storage == {bytes}:
            terms.append(
                f"CASE typeof({column}) WHEN 'blob' THEN hex({column}) WHEN 'null' THEN NULL ELSE 0 END AS {alias}"
            )
            readers.append(_blobs(field.column))
        else:
            terms.append(f"{value_text(column)} AS {alias}")
            readers.append(_anything(field.column, len(mixed)))
            mixed.append(column)
    if mixed:
        terms.append(f"{kinds_text(mixed)} AS {KINDS}")
    return Selection(", ".join(terms), fields, readers)


def _plain(name: str) -> Reader:
    return lambda rows: [row[name] for row in rows]


def _texts(name: str, place: int) -> Reader:
    return lambda rows: [row[name] if row[KINDS][place] in "tn" else 0 for row in rows]


def _numbers(name: str) -> Reader:
    def read(rows: list[dict[str, Any]]) -> list[Any]:
        values = [row[name] for row in rows]
        kinds = set(map(type, values))
        if str in kinds or int in kinds:
            for row in rows:
                value = row[name]
                if type(value) is int:
                    row[name] = float(value)  # a whole real has lost its point on the wire
                elif type(value) is str:
                    row[name] = _number(value)
            return [row[name] for row in rows]
        return values

    return read


def _number(text: str) -> Any:
    return float(text) if text in ("inf", "-inf") else WrongStorage(text.upper())


def _blobs(name: str) -> Reader:
    def read(rows: list[dict[str, Any]]) -> list[Any]:
        for row in rows:
            if type(row[name]) is str:
                row[name] = bytes.fromhex(row[name])
        return [row[name] for row in rows]

    return read


def _anything(name: str, place: int) -> Reader:
    return lambda rows: [made(row[name], row[KINDS][place]) for row in rows]
