"""Programs for asyncio that type checkers must accept. They are checked by ``make lint``, and never run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, assert_type

import mesahub
from mesahub import ExecResult, FileRecord, QueryResult, RetryPolicy, aio
from mesahub.aio import (
    AsyncBatch,
    AsyncDatabaseHandle,
    AsyncMesahubClient,
    AsyncMesahubManagementClient,
    AsyncTableHandle,
)
from mesahub.aio.middleware import Handler, hooks, inside_retry, logging, rate_limit
from mesahub.rows import Rows
from mesahub.transport import AsyncResponse, AsyncTransport, Request, Response, TransportOptions


@dataclass
class User:
    id: int
    name: str


class BlockingTransport:
    def __init__(self, options: TransportOptions) -> None: ...

    def send(self, request: Request, /) -> Response:
        return Response(200, payload={})

    def close(self) -> None: ...


class OwnTransport:
    def __init__(self, options: TransportOptions) -> None:
        self.base_url = options.base_url

    async def send(self, request: Request, /) -> AsyncResponse:
        return AsyncResponse(200, payload={})

    async def close(self) -> None: ...


async def own_middleware(request: Request, forward: Handler) -> Response:
    return await forward(request)


@inside_retry
async def of_attempts(request: Request, forward: Handler) -> AsyncResponse:
    task = asyncio.create_task(forward(request))
    return await task


def one_that_does_not_wait(request: Request, forward: Handler) -> Any:
    return forward(request.with_header("X-Trace", "1"))


async def key_from_a_vault() -> str:
    return "k"


async def clients(url: str) -> None:
    transport: AsyncTransport = OwnTransport(TransportOptions(base_url=url))
    async with mesahub.aio.connect(url, transport="asyncio", timeout=3) as db:
        assert_type(db, AsyncDatabaseHandle)
    db = aio.connect(url, transport=OwnTransport, middleware=[own_middleware, of_attempts, one_that_does_not_wait])
    await db.close()
    aio.connect(url, transport=BlockingTransport)
    async with AsyncMesahubClient(
        key_from_a_vault, url, retry=RetryPolicy.none(), transport=transport, middleware=[logging(), rate_limit(500)]
    ) as client:
        assert_type(client.db("x"), AsyncDatabaseHandle)
        assert_type((await client.admin.health())["status"], Any)
        await client.buckets.list()
    AsyncMesahubClient(lambda: "k", [url, url], middleware=[hooks(after=print)])
    async with AsyncMesahubManagementClient(url, "shs_k") as management:
        await management.databases.create("x")


async def reads_and_writes(db: AsyncDatabaseHandle) -> None:
    assert_type(await db.query("SELECT 1"), QueryResult)
    assert_type(await db.rows("SELECT 1"), Rows)
    assert_type(await db.exec("DELETE FROM t"), ExecResult)
    table = db.table("users")
    assert_type(await table.find(), list[dict[str, Any]])
    assert_type(await table.insert({"name": "Ann"}), dict[str, Any])
    async for row in table.iterate(order_by=["name"]):
        assert_type(row, dict[str, Any])
    users = db.table("users", User)
    assert_type(users, AsyncTableHandle[User])
    assert_type(await users.find_one(), User | None)
    assert_type([user.name async for user in users.iterate()], list[str])
    assert_type(await users.insert(User(1, "Ann")), User)
    assert_type(await users.count(), int)


async def rows_of_a_generator(db: AsyncDatabaseHandle) -> None:
    async def rows() -> AsyncIterator[dict[str, Any]]:
        yield {"id": 1}

    async def users() -> AsyncIterator[User]:
        yield User(1, "Ann")

    assert_type(await db.table("t").insert_many(rows()), ExecResult)
    assert_type(await db.table("users", User).upsert_many(users()), ExecResult[User])


async def batches_and_transactions(db: AsyncDatabaseHandle) -> None:
    async with db.batch(idempotent=True) as batch:
        assert_type(batch, AsyncBatch)
        batch.exec("DELETE FROM t")
        batch.table("t").upsert({"id": 1})
    assert_type(await db.batch(["DELETE FROM t", ("DELETE FROM t WHERE id = ?", [1])]), list[ExecResult])
    async with db.transaction("read") as tx:
        assert_type(tx, AsyncDatabaseHandle)
        await tx.table("t").find()
    async with db.session() as session:
        await session.exec("PRAGMA cache_size = 100")
    session = await db.session()
    await session.close()


async def files(db: AsyncDatabaseHandle) -> None:
    assert_type(await db.files.upload(b"x", "a.txt"), FileRecord)
    async with db.files.stream("id") as download:
        async for piece in download:
            assert_type(piece, bytes)
        assert_type(await download.read(), bytes)
    async for record in db.files.iterate():
        assert_type(record, FileRecord)


async def at_once(db: AsyncDatabaseHandle) -> None:
    users, count = await asyncio.gather(db.table("users").find(), db.table("users").count())
    assert_type(users, list[dict[str, Any]])
    assert_type(count, int)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(db.table("log").insert({"note": "x"}))
    await asyncio.shield(db.table("log").insert({"note": "y"}))


def lifespan(url: str) -> Callable[[Any], Any]:
    @asynccontextmanager
    async def run(app: Any) -> AsyncIterator[None]:
        async with mesahub.aio.connect(url) as db:
            app.state.db = db
            yield

    return run
