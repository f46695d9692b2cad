"""Rows as SQLite has them to rows as the server shows them (docs/protocol.md, section 2).

A column's declared type decides: BOOLEAN becomes true or false, dates RFC 3339 text; a whole real loses
its point; a blob is base64 text. In process a BLOB column stays bytes and a REAL column keeps its floats,
which is what the client makes of the server's answer too.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from mesahub.sql.declared import UnshownError, converter

__all__ = ["Plan", "UnrepresentableError", "header"]

Values = Sequence[Any]
RowMaker = Callable[[Any], list[dict[str, Any]]]

_NUMBER = frozenset({"INTEGER", "INT", "REAL", "FLOAT", "DOUBLE", "NUMERIC"})
_REALS = frozenset({"REAL", "FLOAT", "DOUBLE", "DOUBLE PRECISION"})
_EASY = frozenset({int, str, type(None)})
_ALL: set[type] = {*_EASY, float, bytes}
_FEW = 8
_EXACT = float(2**53)


class UnrepresentableError(Exception):
    """A value that JSON cannot hold: an infinity, or a date beyond year 9999."""


def header(name: str, declared: str) -> dict[str, str]:
    """A column's header, with the type that the server gives for its declared type."""
    if declared in _NUMBER:
        kind = "number"
    elif declared == "BLOB":
        kind = "blob"
    elif declared == "BOOLEAN":
        kind = "boolean"
    else:
        kind = "text"
    return {"name": name, "displayName": name, "originalType": declared, "type": kind}


class Plan:
    """How the rows of one statement become dicts.

    Args:
        names: the columns' names, duplicates included.
        declared: their declared types as written, ``""`` for an expression.

    Attributes:
        headers: as the answer has them; shared by all answers, not to be changed.
    """

    __slots__ = ("_easy", "_kinds", "_maker", "_one", "_plain", "_real", "_types", "headers", "names")

    def __init__(self, names: tuple[str, ...], declared: Sequence[str]) -> None:
        self.names = names
        self.headers = [header(name, type_) for name, type_ in zip(names, declared, strict=True)]
        self._types = [type_.upper() for type_ in declared]
        self._kinds = [converter(type_) for type_ in self._types]
        self._plain = not any(self._kinds)
        self._real = not _REALS.isdisjoint(self._types)
        self._easy = self._plain and not self._real
        self._maker, self._one = _row_makers(names)

    def rows(self, rows: list[tuple[Any, ...]], *, wire: bool) -> list[dict[str, Any]]:
        """The rows as dicts; ``wire``: in the form that goes into JSON, else in that for this process.

        Raises:
            UnrepresentableError: a value has no form.
        """
        if not rows:
            return []
        if self._easy and len(rows) == 1:
            row = rows[0]
            for value in row:  # for one row, a loop takes a third of the time of a set
                if type(value) not in _EASY:
                    break
            else:
                return self._one(*row)
        if self._plain:
            if len(rows) <= _FEW:
                if not self._changes_few(rows, wire):
                    return self._maker(rows)
                types = _ALL
            else:
                types = set(map(type, chain.from_iterable(rows)))
                if self._easy and types <= _EASY:
                    return self._maker(rows)
        else:
            types = _ALL
        columns = list(zip(*rows, strict=True))
        changed = False
        for index, column in enumerate(columns):
            converted = self._column(index, column, types, wire)
            if converted is not column:
                columns[index] = converted
                changed = True
        if not changed:
            return self._maker(rows)
        return self._maker(zip(*columns, strict=True))

    def _changes_few(self, rows: list[tuple[Any, ...]], wire: bool) -> bool:
        """Must any value be changed? For few rows a look at each is faster than one at the columns."""
        for row in rows:
            for index, value in enumerate(row):
                kind = type(value)
                if kind is float:
                    if value - value != 0.0 or (value.is_integer() and (wire or self._types[index] not in _REALS)):
                        return True
                elif kind is bytes or (kind is int and self._real and not wire and self._types[index] in _REALS):
                    return True
        return False

    def _column(self, index: int, column: Any, types: set[type], wire: bool) -> Any:
        convert = self._kinds[index]
        real = not wire and self._types[index] in _REALS
        if convert is None and types <= _EASY and not (real and int in types):
            return column
        held = set(map(type, column))
        if convert is not None and (int in held or str in held):
            try:
                column = [convert(value) for value in column]
            except UnshownError:
                raise UnrepresentableError from None
        if float in held:
            column = _reals(column, keep=real)
        if real and int in held:  # an expression of that type, such as a column of a view
            column = [float(value) if type(value) is int else value for value in column]
        if bytes in held and (wire or self._types[index] != "BLOB"):
            encode = base64.b64encode
            column = [encode(value).decode() if type(value) is bytes else value for value in column]
        return column


def _reals(column: Any, *, keep: bool) -> Any:
    # One infinity makes the sum infinite or no number; a sum may also run over, so then each one is looked at.
    try:
        total = sum(column)
    except TypeError:
        total = sum(value for value in column if type(value) is float)
    if total - total != 0.0 and not all(math.isfinite(value) for value in column if type(value) is float):
        raise UnrepresentableError
    if keep:
        return column
    return [whole(value) if type(value) is float else value for value in column]


def whole(value: float) -> float | int:
    """A real as JSON shows it: whole ones below 1e21 without a point, with the fewest digits that identify it.

    >>> whole(3.0), whole(2.0**63), whole(1.5), whole(1e21)
    (3, 9223372036854776000, 1.5, 1e+21)
    """
    if not value.is_integer():
        return value
    if -_EXACT < value < _EXACT:
        return int(value)
    if abs(value) >= 1e21:
        return value
    from decimal import Decimal

    return int(Decimal(repr(value)))


Makers = tuple[RowMaker, Callable[..., list[dict[str, Any]]]]

_makers: dict[tuple[str, ...], Makers] = {}
_WIDEST = 200
"""Columns up to which a row maker is compiled; the widest tables gain nothing by it."""


def _row_makers(names: tuple[str, ...]) -> Makers:
    """Functions that make dicts with these keys of tuples, and of the values of one: of two equal names the last value
    stays.
    """
    makers = _makers.get(names)
    if makers is None:
        if not 0 < len(names) <= _WIDEST:

            def zipped(rows: Any) -> list[dict[str, Any]]:
                return [dict(zip(names, row, strict=True)) for row in rows]

            makers = zipped, lambda *row: zipped([row])
        else:
            # A dict display is three times as fast as dict(zip(...)). The names enter it as literals, by repr.
            variables = ", ".join([f"v{index}" for index in range(len(names))])
            items = ", ".join([f"{name!r}: v{index}" for index, name in enumerate(names)])
            makers = (
                _compiled(f"lambda rows: [{{{items}}} for {variables}, in rows]"),
                _compiled(f"lambda {variables}: [{{{items}}}]"),
            )
        if len(_makers) >= 1000:
            _makers.clear()
        _makers[names] = makers
    return makers


def _compiled(source: str) -> Callable[..., list[dict[str, Any]]]:
    made: Callable[..., list[dict[str, Any]]] = eval(source, {"__builtins__": {}})  # noqa: S307
    return made
