"""This package, on engines of others."""

from __future__ import annotations

from collections.abc import Callable

import workload

import mesahub

Run = Callable[[int], object]


def find_one(url: str) -> Run:
    db = mesahub.connect(url)
    _fill(db)
    find = db.table("people").find

    def run(n: int) -> None:
        for i in range(n):
            assert len(find(where={"id": i}, limit=1)) == 1

    return run


def _fill(db: mesahub.DatabaseHandle) -> None:
    if not db.has_table("people"):
        db.exec(workload.CREATE)
        db.table("people").insert_many(workload.rows(1000))


def insert_many(url: str, rows: int) -> Run:
    db = mesahub.connect(url, timeout=120)
    data = workload.rows(rows)

    def run(n: int) -> None:
        for _ in range(n):
            db.exec("DROP TABLE IF EXISTS many")
            db.exec(workload.CREATE.replace("people", "many"))
            assert db.table("many").insert_many(data).rows_affected == rows

    return run
