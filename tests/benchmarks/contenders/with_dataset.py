"""dataset, on SQLAlchemy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dataset
import workload

Run = Callable[[int], object]


def _table(folder: str) -> Any:
    db = dataset.connect(f"sqlite:///{folder}/dataset.db")
    db.query("PRAGMA journal_mode = WAL")
    db.query("PRAGMA synchronous = NORMAL")
    db.query("DROP TABLE IF EXISTS people")
    db.query(workload.CREATE)
    return db["people"]


def local_get(folder: str) -> Run:
    table = _table(folder)
    table.insert_many(workload.rows(1000))

    def run(n: int) -> None:
        for i in range(n):
            assert table.find_one(id=i % 1000)

    return run


def local_thousand(folder: str) -> Run:
    table = _table(folder)
    table.insert_many(workload.rows(1000))

    def run(n: int) -> None:
        for _ in range(n):
            assert len(list(table.all())) == 1000

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
            table.delete()
            table.insert_many(data)

    return run
