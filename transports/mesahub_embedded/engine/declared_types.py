"""The declared types of a statement's columns, which Python's sqlite3 does not provide.

SQLite reports them for a view: the statement becomes a temporary one (with NULL for its parameters), and
``PRAGMA table_info`` reads it.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from mesahub.sql.tokenizer import outer_words, significant
from mesahub_embedded.engine import forks
from mesahub_embedded.engine.connections import Connection
from mesahub_embedded.engine.parameters import nulled

if TYPE_CHECKING:
    from mesahub_embedded.engine.schema_copy import Shadow

__all__ = ["DeclaredTypes"]

# SQLite keeps these as a number and gives them back in capitals; older ones as they were written.
_STANDARD = frozenset({"any", "blob", "int", "integer", "real", "text"})


class DeclaredTypes:
    """Query SQLite on a separate connection: a new view makes all statements of its connection recompile."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._shadow: Shadow | None = None
        self._version = -1

    def of(self, sql: str, count: int, uncommitted: Connection | None = None) -> list[str]:
        """The declared types of the ``count`` columns, ``""`` where there is none (an expression).

        Args:
            sql: the statement.
            count: how many columns it has.
            uncommitted: the connection to ask, where its transaction has changed the schema, or it is the only one.
        """
        none = [""] * count
        select = nulled(_as_select(sql) or sql)
        with self._lock, forks.section():
            if uncommitted is not None:
                columns = _of_connection(uncommitted, select)
            elif _types_expressions():
                columns = self._of_shadow(self._opened(), select)
            else:
                columns = _of_view(self._opened(), select)
        if columns is None or len(columns) != count:
            return none  # no SELECT: PRAGMA, EXPLAIN
        return [_written(declared) for declared in columns]

    def schema_version(self) -> int:
        """The number of the schema, without what transactions have not committed."""
        with self._lock, forks.section():
            return self._opened().schema_version()

    def _opened(self) -> Connection:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _of_shadow(self, connection: Connection, select: str) -> list[str] | None:
        version = connection.schema_version()
        if self._shadow is None or self._version != version:
            if self._shadow is not None:
                self._shadow.close()
            self._shadow = _shadow(connection)
            self._version = version
        return self._shadow.declared(select)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            connection, self._connection = self._connection, None
            shadow, self._shadow = self._shadow, None
        if shadow is not None:
            shadow.close()
        if connection is not None:
            connection.close()


def _shadow(connection: Connection) -> Shadow:
    from mesahub_embedded.engine.schema_copy import Shadow

    return Shadow(connection.sqlite)


def _of_connection(connection: Connection, select: str) -> list[str] | None:
    if not _types_expressions():
        return _of_view(connection, select)
    shadow = _shadow(connection)
    try:
        return shadow.declared(select)
    finally:
        shadow.close()


def _of_view(connection: Connection, select: str) -> list[str] | None:
    sqlite = connection.sqlite
    # table_info looks into the schema that the connection knows; only a statement that reads notices a newer one.
    sqlite.execute("SELECT 1 FROM main.sqlite_schema LIMIT 1").fetchone()
    try:
        connection.own(f"CREATE TEMP VIEW mesahub_columns AS {select}")
    except (sqlite3.Error, sqlite3.Warning):
        return None
    try:
        columns = sqlite.execute("PRAGMA temp.table_info(mesahub_columns)").fetchall()
    except sqlite3.Error:
        return None
    finally:
        connection.own("DROP VIEW temp.mesahub_columns")
    return [column[2] or "" for column in columns]


def _written(declared: str) -> str:
    return declared.upper() if declared.lower() in _STANDARD else declared


@cache
def _types_expressions() -> bool:
    """Does this SQLite give types to columns that have none?"""
    probe = sqlite3.connect(":memory:")
    try:
        probe.execute("CREATE TABLE t (x)")
        probe.execute("CREATE VIEW v AS SELECT x FROM t")
        return bool(probe.execute("PRAGMA table_info(v)").fetchone()[2])
    finally:
        probe.close()


def _as_select(sql: str) -> str | None:
    """``SELECT columns FROM table`` for ``INSERT ... RETURNING columns``; ``None`` for any other statement.

    SQLite then says of it, as of any view, which types its columns have.
    """
    tokens = significant(sql)
    while tokens and tokens[-1][0] == "semicolon":
        tokens.pop()
    target = returning = -1
    for place, word in outer_words(tokens):
        if (target < 0 and word in ("into", "update")) or (word == "from" and _deletes(tokens, place)):
            target = place + 1
        elif word == "returning":
            returning = place
    if target < 0 or returning < 0:
        return None
    # UPDATE OR IGNORE t
    if tokens[target][1].upper() == "OR":
        target += 2
    end = target + 1
    if end + 1 < len(tokens) and tokens[end][1] == ".":
        end += 2
    if end + 1 < len(tokens) and tokens[end][1].upper() == "AS":
        end += 2
    table = sql[tokens[target][2] : tokens[end - 1][2] + len(tokens[end - 1][1])]
    last = tokens[-1]
    return f"SELECT {sql[tokens[returning][2] + len('RETURNING') : last[2] + len(last[1])]} FROM {table}"


def _deletes(tokens: list[tuple[str, str, int]], index: int) -> bool:
    return index > 0 and tokens[index - 1][1].upper() == "DELETE"
