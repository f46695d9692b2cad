"""What the result of one statement may take, where callers are not trusted with this process's memory."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import Any, NamedTuple

from mesahub_embedded.engine.errors import RefusedError

__all__ = ["ResultLimits", "read_rows"]

_VALUE = 32
"""Bytes that Python takes for a value at least; the text and the bytes of a value are counted besides."""
_ROW = 64


class ResultLimits(NamedTuple):
    """Limits of a result. ``None`` lifts one.

    Args:
        value_bytes: bytes of one value and of one row (``SQLITE_LIMIT_LENGTH``); more is refused by SQLite.
        result_bytes: bytes of all values that are read; more is refused.
        rows: rows that are read; the others are left unread.
        hidden: functions, modules and their tables that statements do not find, in lower case.
    """

    value_bytes: int | None = None
    result_bytes: int | None = None
    rows: int | None = None
    hidden: frozenset[str] = frozenset()


def read_rows(cursor: sqlite3.Cursor, limits: ResultLimits) -> list[tuple[Any, ...]]:
    """The rows of a cursor.

    Raises:
        RefusedError: 400, they have more bytes than one result may have; the statement changed nothing.
    """
    rows: list[tuple[Any, ...]] = []
    left = limits.result_bytes if limits.result_bytes is not None else float("inf")
    for row in cursor:
        left -= _ROW
        for value in row:
            left -= _VALUE + len(value) if isinstance(value, (str, bytes)) else _VALUE
        if left < 0:
            _undo(cursor)
            raise RefusedError(
                400, f"result exceeds {limits.result_bytes} bytes; select fewer columns or rows, or read page by page"
            )
        rows.append(row)
        if limits.rows is not None and len(rows) >= limits.rows:
            cursor.close()
            break
    return rows


def _undo(cursor: sqlite3.Cursor) -> None:
    """End a statement without its effect. Closing it would commit an ``INSERT ... RETURNING``."""
    cursor.connection.interrupt()
    with suppress(sqlite3.Error):
        next(cursor, None)
    cursor.close()
