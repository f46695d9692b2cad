"""Programs for asyncio that type checkers must reject, line by line. Checked by ``make lint``, never run."""
# pyright: reportUnnecessaryTypeIgnoreComment=error

from __future__ import annotations

import mesahub
from mesahub.aio import AsyncDatabaseHandle, AsyncMesahubClient
from mesahub.transport import Request


def misspelt_options(url: str) -> None:
    mesahub.aio.connect(url, tiemout=3)  # type: ignore[call-arg]
    AsyncMesahubClient("k", url, poolsize=3)  # type: ignore[call-arg]
    mesahub.aio.connect(url, timeout="3")  # type: ignore[arg-type]
    mesahub.aio.connect(url, transport=object())  # type: ignore[arg-type]
    mesahub.aio.connect(url, middleware=[print_request])  # type: ignore[list-item]
    AsyncMesahubClient(key_that_is_a_number, url)  # type: ignore[arg-type]


def print_request(request: Request) -> None:
    print(request)


async def key_that_is_a_number() -> int:
    return 5


async def forgotten_await(db: AsyncDatabaseHandle) -> None:
    for row in db.table("t").find():  # type: ignore[attr-defined]
        print(row)
    print(db.query("SELECT 1").rows)  # type: ignore[attr-defined]
    for row in db.table("t").iterate():  # type: ignore[attr-defined]
        print(row)
    for file in db.files.iterate():  # type: ignore[attr-defined]
        print(file)


async def forgotten_async(url: str, db: AsyncDatabaseHandle) -> None:
    with mesahub.aio.connect(url) as handle:  # type: ignore[attr-defined]
        print(handle)
    with db.transaction() as tx:  # type: ignore[attr-defined]
        print(tx)


async def awaited_though_nothing_waits(db: AsyncDatabaseHandle) -> None:
    async with db.batch() as batch:
        await batch.table("t").insert({"id": 1})  # type: ignore[misc]
    async for row in db.table("t").find():  # type: ignore[attr-defined]
        print(row)
