"""SQLAlchemy for asyncio on mesahub."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import exc, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from mesahub import ConfigurationError, dbapi
from tests.integrations.test_sqlalchemy import Base, Post, User, is_transactional
from tests.servers import Server


@pytest.fixture(params=["embedded", "http"])
def url(request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("aio-alchemy")
    if request.param == "embedded":
        return f"mesahub+sqlite:///{folder}/x.db"
    return f"mesahub+mh://:{server.url(server.new_database(folder.name)).removeprefix('mh://')}"


def run(url: str, work: Callable[[AsyncEngine], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        engine = create_async_engine(url)
        try:
            async with engine.begin() as connection:
                await connection.run_sync(Base.metadata.create_all)
            return await work(engine)
        finally:
            await engine.dispose()

    return asyncio.run(main())


def test_the_orm_loads_what_it_stored(url: str) -> None:
    async def work(engine: AsyncEngine) -> None:
        assert isinstance(engine.pool, AsyncAdaptedQueuePool)
        async with AsyncSession(engine) as session:
            session.add(User(name="Ann", posts=[Post(title="a", content=b"\x00")]))
            await session.commit()
        async with AsyncSession(engine) as session:
            post = (await session.scalars(select(Post))).one()
            assert (post.title, post.content, post.done) == ("a", b"\x00", False)
            assert [row async for row in await session.stream(text("SELECT name FROM users"))] == [("Ann",)]

    run(url, work)


def test_tasks_have_connections_of_their_own(url: str) -> None:
    async def work(engine: AsyncEngine) -> None:
        async def insert(number: int) -> int:
            async with engine.connect() as connection:
                await connection.execute(text("INSERT INTO users (name) VALUES (:n)"), {"n": f"n{number}"})
                await connection.commit()
                found = await connection.execute(text("SELECT id FROM users WHERE name = :n"), {"n": f"n{number}"})
                return int(found.scalar_one())

        assert sorted(await asyncio.gather(*[insert(number) for number in range(30)])) == list(range(1, 31))

    run(url, work)


def test_an_exception_rolls_back_or_says_what_has_taken_effect(url: str) -> None:
    async def work(engine: AsyncEngine) -> None:
        async def fail() -> None:
            async with engine.begin() as connection:
                await connection.execute(text("INSERT INTO users (name) VALUES ('Ann')"))
                raise KeyError

        real = is_transactional(engine)  # type: ignore[arg-type]
        with nullcontext() if real else pytest.warns(dbapi.RollbackWarning), pytest.raises(KeyError) as caught:
            await fail()
        assert bool(getattr(caught.value, "__notes__", ())) != real
        async with engine.connect() as connection:
            count = (await connection.execute(text("SELECT count(*) FROM users"))).scalar_one()
        assert count == (0 if real else 1)

    run(url, work)


def test_an_integrity_error_arrives_as_one(url: str) -> None:
    async def work(engine: AsyncEngine) -> None:
        async with AsyncSession(engine) as session:
            session.add(User(id=1, name="Ann"))
            await session.commit()
            session.add(User(id=1, name="Bob"))
            with pytest.raises(exc.IntegrityError) as caught:
                await session.commit()
            assert isinstance(caught.value.orig, dbapi.IntegrityError)

    run(url, work)


def test_a_cancelled_task_leaves_the_pool_whole(url: str) -> None:
    async def work(engine: AsyncEngine) -> None:
        async def insert() -> None:
            async with engine.begin() as connection:
                await connection.execute(text("INSERT INTO users (name) VALUES ('Ann')"))
                await asyncio.sleep(30)

        for _ in range(20):  # more often than the pool has connections
            task = asyncio.create_task(insert())
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    if url.startswith("mesahub+mh"):
        pytest.skip("there every insert takes effect, so the second one fails")
    run(url, work)


@pytest.mark.filterwarnings("ignore:The garbage collector:sqlalchemy.exc.SAWarning")
def test_a_connection_that_is_collected_is_taken_back_and_its_client_closed(tmp_path: Path) -> None:
    async def work(engine: AsyncEngine) -> None:
        connection = await engine.connect()
        await connection.execute(text("INSERT INTO users (name) VALUES ('Ann')"))
        driver: Any = (await connection.get_raw_connection()).dbapi_connection
        client = driver.handle.awaited.client
        del connection, driver
        gc.collect()
        await asyncio.sleep(0.2)
        with pytest.raises(ConfigurationError, match="closed"):
            await client.query("x", "SELECT 1")
        async with engine.begin() as other:
            await other.execute(text("INSERT INTO users (name) VALUES ('Bob')"))
            assert (await other.execute(text("SELECT name FROM users"))).scalars().all() == ["Bob"]

    run(f"mesahub+sqlite:///{tmp_path}/x.db", work)
