"""Recognize an INSERT of one row of parameters, which can run once for many rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mesahub.errors import ArgumentError
from mesahub.sql.tokenizer import Token, outer_words, significant
from mesahub.sql.values import adapt

__all__ = ["RowInsert", "row_insert"]


class RowInsert(NamedTuple):
    """An INSERT whose VALUES are one row of parameters and nothing else.

    Attributes:
        sql: its text, with ``?`` for each value.
        names: the names of the parameters, without prefixes; ``()`` if they are positional.
        width: how many there are.
    """

    sql: str
    names: tuple[str, ...]
    width: int

    def row(self, values: Any, number: int) -> tuple[Any, ...]:
        """The values of one row, adapted.

        Args:
            values: a sequence, or a mapping for named parameters.
            number: of the row, from 0, for messages.

        Raises:
            ArgumentError: they do not fit the parameters.
        """
        if isinstance(values, Mapping):
            try:
                return tuple([adapt(values[name]) for name in self.names or [None]])
            except KeyError as error:
                raise ArgumentError(f"Row {number} has no value for the parameter {error}.") from None
        if isinstance(values, (str, bytes)) or not isinstance(values, Sequence):
            values = tuple(values) if hasattr(values, "__iter__") and not isinstance(values, (str, bytes)) else None
        if values is None:
            raise ArgumentError(f"Row {number} must be a sequence of values, or a dict for named parameters.")
        if self.names:
            raise ArgumentError(f"Row {number} must be a dict: the statement has named parameters.")
        if len(values) != self.width:
            raise ArgumentError(f"Row {number} has {len(values)} values, and the statement {self.width} parameters.")
        return tuple([adapt(value) for value in values])


def row_insert(sql: str) -> RowInsert | None:
    """The parts of such an INSERT; ``None`` for any other statement.

    >>> row_insert("insert into t (a, b) values (:a, :b) on conflict do nothing")
    RowInsert(sql='insert into t (a, b) VALUES (?, ?) on conflict do nothing', names=('a', 'b'), width=2)
    >>> row_insert("INSERT INTO t VALUES (?, 1)"), row_insert("INSERT INTO t VALUES (?) RETURNING id")
    (None, None)
    """
    tokens = significant(sql)
    while tokens and tokens[-1][0] == "semicolon":
        tokens.pop()
    if not tokens or tokens[0][1].lower() not in ("insert", "replace"):
        return None
    start = _values(tokens)
    if start is None:
        return None
    end = start + 1
    parameters: list[str] = []
    while end + 1 < len(tokens) and tokens[end + 1][0] == "parameter" and tokens[end][1] in ("(", ","):
        parameters.append(tokens[end + 1][1])
        end += 2
    if not parameters or end >= len(tokens) or tokens[end][1] != ")":
        return None
    rest = tokens[end + 1 :]
    words = {text.lower() for kind, text, _ in rest if kind == "word"}
    if any(kind in ("parameter", "semicolon") for kind, _, _ in rest) or "returning" in words:
        return None
    if rest and rest[0][1] == ",":
        return None
    positional = parameters[0] == "?"
    if any((text == "?") != positional or text[:1] == "?" != text for text in parameters):
        return None
    last = rest[-1] if rest else tokens[end]
    tail = sql[tokens[end][2] + 1 : last[2] + len(last[1])] if rest else ""
    marks = ", ".join("?" * len(parameters))
    names = () if positional else tuple(text[1:] for text in parameters)
    return RowInsert(f"{sql[: tokens[start][2]]}VALUES ({marks}){tail}", names, len(parameters))


def _values(tokens: list[Token]) -> int | None:
    """Where the word VALUES is, outside of parentheses."""
    for place, word in outer_words(tokens):
        if word in ("select", "default"):
            return None
        if word == "values":
            return place if place + 1 < len(tokens) and tokens[place + 1][1] == "(" else None
    return None
