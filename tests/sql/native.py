"""SQLite as it is, and SQLite as the server drives it: every JSON number arrives as a double."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from mesahub.dialects.mesahub.lowering import lower
from mesahub.sql import Statement, analyze, lower_rows, tokenize


def connect() -> sqlite3.Connection:
    """An empty database, with `unhex` also where SQLite is older than 3.41."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    if sqlite3.sqlite_version_info < (3, 41):
        connection.create_function("unhex", 1, lambda text: None if text is None else bytes.fromhex(text))
    # Blobs may be joined to text that is no UTF-8; it is compared like any other.
    connection.text_factory = lambda text: text.decode(errors="surrogateescape")
    return connection


def over_the_wire(bindings: Sequence[Any]) -> list[Any]:
    """What the server binds: JSON there and back, with every number a double, and no number where there is none."""
    arrived = json.loads(json.dumps(list(bindings), allow_nan=False))
    return [float(value) if type(value) is int else value for value in arrived]


def run_natively(connection: sqlite3.Connection, statement: Statement) -> list[tuple[Any, ...]]:
    """The rows that sqlite3 gives when it binds the values itself."""
    if statement.rows is not None:
        connection.executemany(statement.sql, statement.rows)
        return []
    return connection.execute(numbered(statement.sql), statement.bindings).fetchall()


def run_lowered(connection: sqlite3.Connection, statement: Statement) -> list[tuple[Any, ...]]:
    """The rows that the server would give."""
    sql: str
    bindings: Sequence[Any]
    if statement.rows is not None:
        sql, bindings = lower_rows(statement.sql, statement.rows)
    else:
        sql, bindings = lower(statement.sql, statement.bindings)
    return connection.execute(numbered(sql), over_the_wire(bindings)).fetchall()


def numbered(sql: str) -> str:
    """The text with ``?1`` for ``:a``: from Python 3.14 on, sqlite3 takes no list of values for names."""
    marked = analyze(sql).marked
    if not any(marked):
        return sql
    numbers = {name: f"?{number}" for number, name in enumerate(marked, 1)}
    return "".join(numbers.get(text, text) if kind == "parameter" else text for kind, text, _ in tokenize(sql))


def typed(rows: Sequence[Sequence[Any]]) -> list[list[tuple[type, Any]]]:
    """Rows to compare: 1, 1.0 and True are not the same, and neither are 0.0 and -0.0."""
    return [[(type(value), repr(value)) for value in row] for row in rows]
