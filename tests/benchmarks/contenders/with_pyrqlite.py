"""pyrqlite, rqlite's own client."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import pyrqlite.dbapi2
import workload

Run = Callable[[int], object]


def _connect(url: str) -> pyrqlite.dbapi2.Connection:
    parts = urlsplit(url)
    return pyrqlite.dbapi2.connect(host=parts.hostname, port=parts.port)


def find_one(url: str) -> Run:
    cursor = _connect(url).cursor()

    def run(n: int) -> None:
        for i in range(n):
            cursor.execute('SELECT * FROM "people" WHERE "id" = ? LIMIT 1', (i,))
            assert len(cursor.fetchall()) == 1

    return run


def insert_many(url: str, rows: int) -> Run:
    cursor = _connect(url).cursor()
    data = [tuple(row.values()) for row in workload.rows(rows)]

    def run(n: int) -> None:
        for _ in range(n):
            cursor.execute("DROP TABLE IF EXISTS many")
            cursor.execute(workload.CREATE.replace("people", "many"))
            cursor.executemany("INSERT INTO many VALUES (?, ?, ?, ?, ?)", data)

    return run
