"""The standard library's sqlite3, giving rows as dicts."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import workload

Run = Callable[[int], object]
INSERT = "INSERT INTO people (id, name, email, age, city) VALUES (:id, :name, :email, :age, :city)"


def _connect(folder: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{folder}/bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("DROP TABLE IF EXISTS people")
    connection.execute(workload.CREATE)
    return connection


def _dicts(cursor: sqlite3.Cursor) -> list[dict[str, Any]]:
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def local_get(folder: str) -> Run:
    connection = _connect(folder)
    connection.executemany(INSERT, workload.rows(1000))

    def run(n: int) -> None:
        for i in range(n):
            assert _dicts(connection.execute("SELECT * FROM people WHERE id = ? LIMIT 1", [i % 1000]))

    return run


def local_thousand(folder: str) -> Run:
    connection = _connect(folder)
    connection.executemany(INSERT, workload.rows(1000))

    def run(n: int) -> None:
        for _ in range(n):
            assert len(_dicts(connection.execute("SELECT * FROM people"))) == 1000

    return run


def local_tuples(folder: str) -> Run:
    connection = _connect(folder)
    connection.executemany(INSERT, workload.rows(1000))

    def run(n: int) -> None:
        for _ in range(n):
            assert len(connection.execute("SELECT * FROM people").fetchall()) == 1000

    return run


def local_insert(folder: str) -> Run:
    connection = _connect(folder)
    count = 0

    def run(n: int) -> None:
        nonlocal count
        for row in workload.rows(n, count):
            assert _dicts(connection.execute(f"{INSERT} RETURNING *", row))
        count += n

    return run


def local_insert_many(folder: str) -> Run:
    connection = _connect(folder)
    data = workload.rows(50_000)

    def run(n: int) -> None:
        for _ in range(n):
            connection.execute("DELETE FROM people")
            connection.execute("BEGIN")
            connection.executemany(INSERT, data)
            connection.execute("COMMIT")

    return run
