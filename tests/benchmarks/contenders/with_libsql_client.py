"""libsql-client, over HTTP, on a loop of its own. (Its blocking client is a thread around this one.)"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

import libsql_client
import workload

Run = Callable[[int], object]
_loop = asyncio.new_event_loop()


async def _connect(url: str) -> libsql_client.Client:
    return libsql_client.create_client(f"http://{urlsplit(url).netloc}")


def find_one(url: str) -> Run:
    client = _loop.run_until_complete(_connect(url))

    async def fill() -> None:
        await client.execute(workload.CREATE.replace("TABLE", "TABLE IF NOT EXISTS"))
        insert = "INSERT OR IGNORE INTO people VALUES (?, ?, ?, ?, ?)"
        await client.batch([libsql_client.Statement(insert, list(row.values())) for row in workload.rows(1000)])

    async def find(n: int) -> None:
        for i in range(n):
            found = await client.execute('SELECT * FROM "people" WHERE "id" = ? LIMIT 1', [i])
            assert len(found.rows) == 1

    _loop.run_until_complete(fill())
    return lambda n: _loop.run_until_complete(find(n))


def insert_many(url: str, rows: int) -> Run:
    client = _loop.run_until_complete(_connect(url))
    data = [list(row.values()) for row in workload.rows(rows)]

    async def insert(n: int) -> None:
        for _ in range(n):
            await client.execute("DROP TABLE IF EXISTS many")
            await client.execute(workload.CREATE.replace("people", "many"))
            await client.batch(
                [libsql_client.Statement("INSERT INTO many VALUES (?, ?, ?, ?, ?)", row) for row in data]
            )

    return lambda n: _loop.run_until_complete(insert(n))
