"""The Python database API on a file: ``mesahub.dbapi``, and ``sqlite3``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import workload

Run = Callable[[int], object]
SELECT = "SELECT * FROM people WHERE id = ?"
INSERT = "INSERT INTO people (name, email, age, city) VALUES (?, ?, ?, ?)"


def _opened(folder: str, ours: bool) -> Any:
    connection: Any
    if ours:
        import mesahub.dbapi

        connection = mesahub.dbapi.connect(f"mh://local/dbapi?data={folder}")
    else:
        import sqlite3

        connection = sqlite3.connect(f"{folder}/dbapi.db")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
    cursor = connection.cursor()
    cursor.execute("DROP TABLE IF EXISTS people")
    cursor.execute(workload.CREATE)
    cursor.executemany(INSERT, [tuple(row.values())[1:] for row in workload.rows(1000)])
    connection.commit()
    return connection


def get(folder: str, ours: bool) -> Run:
    cursor = _opened(folder, ours).cursor()

    def run(n: int) -> None:
        for i in range(n):
            cursor.execute(SELECT, (i % 1000 + 1,))
            assert cursor.fetchone() is not None

    return run


def insert(folder: str, ours: bool) -> Run:
    """A hundred inserts in a transaction."""
    connection = _opened(folder, ours)
    cursor = connection.cursor()
    rows = [tuple(row.values())[1:] for row in workload.rows(100)]

    def run(n: int) -> None:
        for _ in range(n):
            for row in rows:
                cursor.execute(INSERT, row)
            connection.commit()

    return run
