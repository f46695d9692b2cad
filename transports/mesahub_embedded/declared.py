"""The declared types of a statement's columns, which Python's sqlite3 does not tell.

SQLite tells them of a view: the statement becomes a temporary one (with NULL for its parameters), and
``PRAGMA table_info`` reads it.
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

from mesahub_embedded.connections import Connection, open_connection
from mesahub_embedded.parameters import nulled
from mesahub_embedded.returning import as_select

__all__ = ["DeclaredTypes"]

# SQLite keeps these as a number and gives them back in capitals; older ones as they were written.
_STANDARD = frozenset({"any", "blob", "int", "integer", "real", "text"})


class DeclaredTypes:
    """Asks SQLite on a connection of its own: a new view makes all statements of its connection compile anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: Connection | None = None

    def of(self, sql: str, count: int) -> list[str]:
        """The declared types of the ``count`` columns, ``""`` where there is none (an expression)."""
        none = [""] * count
        with self._lock:
            if self._connection is None:
                self._connection = open_connection(self._path, 5.0)
            sqlite = self._connection.sqlite
            try:
                sqlite.execute(f"CREATE TEMP VIEW mesahub_columns AS {nulled(as_select(sql) or sql)}")
            except (sqlite3.Error, sqlite3.Warning):
                return none  # no SELECT: PRAGMA, EXPLAIN
            try:
                columns = sqlite.execute("PRAGMA temp.table_info(mesahub_columns)").fetchall()
            except sqlite3.Error:
                return none
            finally:
                sqlite.execute("DROP VIEW temp.mesahub_columns")
        if len(columns) != count:
            return none
        return [_written(column[2] or "") for column in columns]

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _written(declared: str) -> str:
    return declared.upper() if declared.lower() in _STANDARD else declared
