"""Rewrite a SELECT so that its values are exact, for an engine whose results lose storage classes.

The SELECT becomes a common table expression, so that no value is converted by its declared type. Blobs are returned as
hex, and one text per row has a letter for each value's storage class. Rewriting requires the number of columns, which
another statement reads first (`columns_statement`); the schema version shows whether it is still valid.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mesahub.sql.statement import Statement

__all__ = [
    "KINDS",
    "columns_of",
    "columns_statement",
    "exact_statement",
    "exact_values",
    "is_rewritable",
    "kinds_text",
    "made",
    "value_text",
]

KINDS = "mesahub_kinds"
SCHEMA = "mesahub_schema"
_VERSION = "(SELECT schema_version FROM pragma_schema_version)"
_TOGETHER = 40
"""Letters joined in one expression: SQLite limits the depth of expressions."""
_NUMBERED = re.compile(r"(.*):[0-9]+", re.DOTALL)


def is_rewritable(statement: Statement) -> bool:
    """Whether it can be a common table expression. (A PRAGMA or EXPLAIN cannot, and loses nothing.)"""
    return statement.verb in ("select", "values")


def columns_statement(statement: Statement) -> Statement:
    """A statement whose columns are the schema version and those of ``statement``; it returns one row without
    values."""
    sql = (
        f"SELECT v.schema_version AS {SCHEMA}, s.* FROM pragma_schema_version AS v "
        f"LEFT JOIN (SELECT * FROM (\n{statement.sql}\n) LIMIT 0) AS s"
    )
    return Statement(sql, statement.bindings, "select", False, names=statement.names, table=statement.table)


def columns_of(names: Sequence[str]) -> list[str]:
    """The names of a statement's columns, from those of `columns_statement`.

    >>> columns_of(["mesahub_schema", "a", "a:1", "b:2"])
    ['a', 'a', 'b:2']
    """
    found: list[str] = []
    seen: set[str] = set()
    for name in names[1:]:
        # In a subquery, SQLite appends a number to duplicate names.
        match = _NUMBERED.fullmatch(name)
        if match and match[1].lower() in seen:
            name = match[1]
        seen.add(name.lower())
        found.append(name)
    return found


def exact_statement(statement: Statement, count: int) -> Statement:
    """The rewritten statement.

    Args:
        statement: a SELECT.
        count: its number of columns.
    """
    names = [f"c{index}" for index in range(count)]
    # Materialized: otherwise SQLite might evaluate an expression, such as random(), once per use.
    values = [f"{value_text(name)} AS {name}" for name in names]
    name = _unused("m", statement.sql)
    sql = (
        f"WITH {name}({', '.join(names)}) AS MATERIALIZED (\n{statement.sql}\n) "
        f"SELECT {', '.join(values)}, {kinds_text(names)} AS {KINDS}, {_VERSION} AS {SCHEMA} FROM {name}"
    )
    return Statement(sql, statement.bindings, "select", False, names=statement.names, table=statement.table)


def _unused(name: str, sql: str) -> str:
    """A name that does not occur in a statement: a table of that name would be hidden from it."""
    text = sql.lower()
    while re.search(rf"\b{name}\b", text):
        name += "_"
    return name


def value_text(column: str) -> str:
    """The expression that gives the value of a column, in a form that JSON has."""
    return (
        f"CASE typeof({column}) WHEN 'blob' THEN hex({column}) WHEN 'real' THEN CASE WHEN abs(+{column}) = 9e999 "
        f"THEN NULL ELSE +{column} END ELSE +{column} END"
    )


def kinds_text(columns: Sequence[str]) -> str:
    """The expression that gives one letter for each of these columns: see `made`."""
    letters = [
        f"CASE typeof({column}) WHEN 'real' THEN CASE +{column} WHEN 9e999 THEN 'p' WHEN -9e999 THEN 'm' ELSE 'r' END "
        f"ELSE substr(typeof({column}), 1, 1) END"
        for column in columns
    ]
    groups = [letters[start : start + _TOGETHER] for start in range(0, len(letters), _TOGETHER)]
    return " || ".join([f"({' || '.join(group)})" for group in groups])


def made(value: Any, letter: str) -> Any:
    """The stored value, from that of `value_text` and the letter of `kinds_text`.

    Raises:
        ValueError, TypeError, KeyError: they are not of these.
    """
    make = _MAKE[letter]
    return make(value) if make else value


def exact_values(count: int, rows: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """The rows of a rewritten statement as they are stored.

    Raises:
        ValueError, TypeError, KeyError: the rows are not those of a rewritten statement.
    """
    names = [f"c{index}" for index in range(count)]
    kinds = {row[KINDS] for row in rows}
    makers = {}
    for text in kinds:
        if len(text) != count:
            raise ValueError("kinds")
        makers[text] = [(name, _MAKE[letter]) for name, letter in zip(names, text, strict=True)]
    return [tuple([make(row[name]) if make else row[name] for name, make in makers[row[KINDS]]]) for row in rows]


def _positive(_: Any) -> float:
    return float("inf")


def _negative(_: Any) -> float:
    return float("-inf")


_MAKE: dict[str, Any] = {
    "n": None,
    "i": int,
    "r": float,
    "t": None,
    "b": bytes.fromhex,
    "p": _positive,
    "m": _negative,
}
