"""What SQLite refuses, as the server says it: a status and a text."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from typing import Any

from mesahub.sql import analyze
from mesahub_embedded.engine.parameters import bound

__all__ = ["RefusedError", "TimedOutError", "fewer_wanted", "refusal"]

_TOO_FEW = re.compile(r"current statement uses (\d+), and there are (\d+) supplied")


class RefusedError(Exception):
    """An answer that is an error.

    Attributes:
        status: the HTTP status.
        text: what goes into ``{"error": ...}``.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class TimedOutError(Exception):
    """The time given ran out before the statement was done. It changed nothing."""


def refusal(
    sqlite: sqlite3.Connection, sql: str, bindings: Sequence[Any], error: Exception, *, write: bool
) -> RefusedError:
    """What the server answers where SQLite raised this.

    A statement that does not compile is the caller's fault, 400. One that fails while it runs is a 500 to the
    server, unless it writes.
    """
    text = str(error)
    code = getattr(error, "sqlite_errorcode", 0) or 0
    if code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return RefusedError(503, "database is locked")
    few = _TOO_FEW.search(text)
    if few or "did not supply a value" in text:
        wanted = few[1] if few else analyze(sql).highest
        return RefusedError(400, f"not enough args to execute query: want {wanted} got {len(bindings)}")
    if "one statement at a time" in text:
        return RefusedError(400, "only one statement can be sent at a time")
    if code & 0xFF in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_AUTH) and not write:
        return RefusedError(403, "This SQL statement is not allowed on the /query endpoint. Use /exec instead.")
    if isinstance(error, sqlite3.ProgrammingError) and not code:
        return RefusedError(400, text)
    if not _compiles(sqlite, sql, bindings):
        return RefusedError(400, text)
    return RefusedError(400 if write and not _has_columns(sql) else 500, text)


def fewer_wanted(error: Exception) -> int | None:
    """How many bindings the statement takes, when it was given more: the server ignores the rest."""
    match = _TOO_FEW.search(str(error))
    if match and int(match[1]) < int(match[2]):
        return int(match[1])
    return None


def _compiles(sqlite: sqlite3.Connection, sql: str, bindings: Sequence[Any]) -> bool:
    text, values = bound(sql, bindings)
    try:
        sqlite.execute(f"EXPLAIN {text}", values).close()
    except (sqlite3.Error, sqlite3.Warning):
        return False
    return True


def _has_columns(sql: str) -> bool:
    word = sql.lstrip().partition(" ")[0].upper()
    return word in ("SELECT", "VALUES")
