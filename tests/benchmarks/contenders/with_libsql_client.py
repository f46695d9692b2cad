"""libsql-client, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import libsql_client
import workload

Run = Callable[[int], object]


def _connect(url: str) -> libsql_client.ClientSync:
    # It sends no Host header of its own, so it uses the server's default database.
    return libsql_client.create_client_sync(f"http://{urlsplit(url).netloc}")


def find_one(url: str) -> Run:
    client = _connect(url)
    client.execute(workload.CREATE.replace("TABLE", "TABLE IF NOT EXISTS"))
    insert = "INSERT OR IGNORE INTO people VALUES (?, ?, ?, ?, ?)"
    client.batch([libsql_client.Statement(insert, list(row.values())) for row in workload.rows(1000)])

    def run(n: int) -> None:
        for i in range(n):
            rows = client.execute('SELECT * FROM "people" WHERE "id" = ? LIMIT 1', [i]).rows
            assert len(rows) == 1

    return run


def insert_many(url: str, rows: int) -> Run:
    client = _connect(url)
    data = [list(row.values()) for row in workload.rows(rows)]

    def run(n: int) -> None:
        for _ in range(n):
            client.execute("DROP TABLE IF EXISTS many")
            client.execute(workload.CREATE.replace("people", "many"))
            client.batch([libsql_client.Statement("INSERT INTO many VALUES (?, ?, ?, ?, ?)", row) for row in data])

    return run
