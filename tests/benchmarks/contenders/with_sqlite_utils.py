"""sqlite-utils."""

from __future__ import annotations

from collections.abc import Callable

import sqlite_utils
import workload

Run = Callable[[int], object]


def _table(folder: str) -> sqlite_utils.db.Table:
    db = sqlite_utils.Database(f"{folder}/utils.db")
    db.enable_wal()
    db.execute("PRAGMA synchronous = NORMAL")
    db["people"].drop(ignore=True)
    db.execute(workload.CREATE)
    return db["people"]


def local_get(folder: str) -> Run:
    table = _table(folder)
    table.insert_all(workload.rows(1000))

    def run(n: int) -> None:
        for i in range(n):
            assert list(table.rows_where("id = ?", [i % 1000], limit=1))

    return run


def local_thousand(folder: str) -> Run:
    table = _table(folder)
    table.insert_all(workload.rows(1000))

    def run(n: int) -> None:
        for _ in range(n):
            assert len(list(table.rows)) == 1000

    return run


def local_insert(folder: str) -> Run:
    table = _table(folder)
    count = 0

    def run(n: int) -> None:
        nonlocal count
        for row in workload.rows(n, count):
            table.insert(row)
        count += n

    return run


def local_insert_many(folder: str) -> Run:
    table = _table(folder)
    data = workload.rows(50_000)

    def run(n: int) -> None:
        for _ in range(n):
            table.delete_where()
            table.insert_all(data)

    return run
