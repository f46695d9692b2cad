"""`mesahub.aio`: what asyncio adds to what tests/behaviour asks of every way."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import io
import pickle
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import mesahub
import mesahub.aio.files as aio_files
import mesahub.files
from mesahub import ArgumentError, ConfigurationError, IntegrityError, SQLError
from mesahub.aio import AsyncDatabaseHandle
from tests.servers import Server

Body = Callable[[AsyncDatabaseHandle], Awaitable[Any]]
Run = Callable[[Body], Any]


@pytest.fixture(params=["asyncio", "embedded"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """Run a coroutine function with a database that has a table ``t``."""
    options: dict[str, Any] = {}
    if request.param == "embedded":
        url, options = "mh://local/aio", {"data": str(tmp_path)}
    else:
        server: Server = request.getfixturevalue("server")
        name = f"aio-{abs(hash(request.node.name))}"
        server.new_database(name)
        url = server.url(name)

    def call(body: Body) -> Any:
        async def main() -> Any:
            async with mesahub.aio.connect(url, **options) as db:
                await db.exec("DROP TABLE IF EXISTS t")
                await db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n TEXT)")
                return await body(db)

        return asyncio.run(main())

    return call


def test_rows_come_in_async_for(run: Run) -> None:
    async def body(db: AsyncDatabaseHandle) -> list[int]:
        table = db.table("t")
        await table.insert_many([{"n": str(number)} for number in range(2500)])
        return [row["id"] async for row in table.iterate(batch_size=400)]

    assert run(body) == list(range(1, 2501))


def test_arguments_of_iterate_are_checked_when_it_is_called(run: Run) -> None:
    async def body(db: AsyncDatabaseHandle) -> None:
        wrong: list[dict[str, Any]] = [{"batch_size": 0}, {"prefetch": 2}, {"where": {"n": {"no": 1}}}, {"key": 5}]
        for arguments in wrong:
            with pytest.raises(ArgumentError):
                db.table("t").iterate(**arguments)
        await db.exec("DROP VIEW IF EXISTS v")
        await db.exec("CREATE VIEW v AS SELECT * FROM t")
        with pytest.raises(ArgumentError, match="is a view"):
            await anext(db.table("v").iterate())

    run(body)


def test_a_loop_that_ends_early_leaves_no_task(run: Run) -> None:
    async def body(db: AsyncDatabaseHandle) -> None:
        await db.table("t").insert_many([{"n": str(number)} for number in range(500)])
        rows = db.table("t").iterate(batch_size=100)
        async with contextlib.aclosing(rows):  # type: ignore[type-var]
            async for row in rows:
                if row["id"] == 2:
                    break
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(body)


def test_rows_may_come_from_an_asynchronous_generator(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesahub._aio.rows.PART", 100)
    seen: list[tuple[int, int | None]] = []

    async def rows(count: int, *, breaks: bool = False) -> AsyncIterator[dict[str, Any]]:
        for number in range(count):
            await asyncio.sleep(0)
            yield {"id": number, "n": str(number)}
        if breaks:
            yield {"id": 0, "n": "taken"}

    async def body(db: AsyncDatabaseHandle) -> None:
        table = db.table("t")
        done = await table.insert_many(rows(250), returning=["id"], progress=lambda *each: seen.append(each))
        assert done.rows_affected == len(done.rows) == 250
        assert seen[-1] == (250, None)
        assert (await table.insert_many(rows(0))).rows_affected == 0
        assert (await table.upsert_many(rows(250), key="id")).rows_affected == 250
        assert await table.count() == 250
        await table.delete({}, all_rows=True)
        with pytest.raises(IntegrityError) as raised:
            await table.insert_many(rows(200, breaks=True))
        assert raised.value.details["rows_inserted"] == 200
        with pytest.raises(ArgumentError, match="progress"):
            await table.insert_many(rows(1), progress=5)  # type: ignore[call-overload]

    run(body)


def test_a_batch_collects_in_async_with(run: Run) -> None:
    async def body(db: AsyncDatabaseHandle) -> list[dict[str, Any]]:
        async with db.batch() as batch:
            batch.exec("INSERT INTO t (id, n) VALUES (?, ?)", [1, "a"])
            batch.table("t").insert({"id": 2, "n": "b"})
            batch.table("t").upsert({"id": 1, "n": "c"})
            batch.table("t").insert_many([{"id": 2, "n": "d"}], "update")
        assert len(batch.results) == 4
        assert len(await db.batch(["DELETE FROM t WHERE id = 99", ("DELETE FROM t WHERE id = ?", [98])])) == 2
        with contextlib.suppress(KeyError):
            async with db.batch() as batch:
                batch.exec("DELETE FROM t")
                raise KeyError
        return await db.table("t").find(order_by=["id"])

    assert run(body) == [{"id": 1, "n": "c"}, {"id": 2, "n": "d"}]


def test_a_batch_that_fails_changes_nothing(run: Run) -> None:
    async def body(db: AsyncDatabaseHandle) -> None:
        with pytest.raises(IntegrityError):
            await db.batch(["INSERT INTO t VALUES (1, 'a')", "INSERT INTO t VALUES (1, 'b')"])
        with pytest.raises(ArgumentError):
            await db.batch("DELETE FROM t")
        assert await db.table("t").count() == 0

    run(body)


def test_tasks_that_move_money_keep_its_sum(run: Run) -> None:
    async def body(db: AsyncDatabaseHandle) -> None:
        await db.exec("DROP TABLE IF EXISTS account")
        await db.exec("CREATE TABLE account (id INTEGER PRIMARY KEY, cents INTEGER CHECK (cents >= 0))")
        await db.exec("INSERT INTO account VALUES (1, 1000), (2, 1000)")
        failed = []

        async def move(number: int) -> None:
            source, cents = 1 + number % 2, 5000 if number % 10 == 0 else number % 7
            try:
                async with db.batch() as batch:
                    batch.exec("UPDATE account SET cents = cents - ? WHERE id = ?", [cents, source])
                    batch.exec("UPDATE account SET cents = cents + ? WHERE id = ?", [cents, 3 - source])
            except SQLError:
                failed.append(number)

        async with asyncio.TaskGroup() as tasks:
            for number in range(60):
                tasks.create_task(move(number))
        assert (await db.rows("SELECT sum(cents) FROM account")).scalar() == 2000
        assert sorted(failed) == list(range(0, 60, 10))

    run(body)


def test_files_go_up_and_come_down(run: Run, tmp_path: Path) -> None:
    async def body(db: AsyncDatabaseHandle) -> None:
        content = bytes(range(256)) * 3000
        path = tmp_path / "source.bin"
        path.write_bytes(content)
        seen: list[int] = []
        record = await db.files.upload(path, "a.txt", "text/plain", progress=lambda done, _: seen.append(done))
        assert record["size_bytes"] == seen[-1] == len(content)
        async with db.files.stream(record["id"]) as download:
            assert b"".join([piece async for piece in download]) == content
        opened = await db.files.stream(record["id"])
        assert await opened.read(5) == content[:5]
        await opened.close()
        assert await db.files.download(record["id"]) == content
        target = tmp_path / "target.bin"
        assert await db.files.download_to(record["id"], target) == len(content)
        assert target.read_bytes() == content
        into = io.BytesIO()
        await db.files.download_to(record["id"], into)
        assert into.getvalue() == content
        assert [file["id"] async for file in db.files.iterate()] == [record["id"]]
        with pytest.raises(ArgumentError):
            db.files.iterate(page_size=0)
        await db.files.delete(record["id"])
        with pytest.raises(mesahub.NotFoundError):
            await db.files.download(record["id"])

    run(body)


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with mesahub.aio.connect("mh://local/tx", data=str(tmp_path)) as db:
            await db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY)")
            with contextlib.suppress(KeyError):
                async with db.transaction() as tx:
                    await tx.table("t").insert({"id": 1})
                    raise KeyError
            async with db.transaction() as tx:
                await tx.table("t").insert({"id": 2})
                with contextlib.suppress(IntegrityError):
                    async with tx.transaction():
                        await tx.table("t").insert({"id": 3})
                        await tx.table("t").insert({"id": 3})
                assert [row["id"] async for row in tx.table("t").iterate()] == [2]
            assert await db.table("t").find() == [{"id": 2}]
            async with db.session() as session:
                await session.exec("CREATE TEMP TABLE own (a)")
                assert await session.query("SELECT * FROM own")
            session = await db.session()
            await session.close()

    asyncio.run(main())


def test_over_http_a_transaction_is_refused(server: Server) -> None:
    async def main() -> None:
        async with mesahub.aio.connect(server.url("x")) as db:
            with pytest.raises(mesahub.UnsupportedError):
                async with db.transaction():
                    pass

    asyncio.run(main())


def test_admin_and_buckets(server: Server) -> None:
    async def main() -> None:
        async with mesahub.aio.AsyncMesahubClient(server.admin_token, server.base_url, "api") as client:
            assert (await client.admin.health())["status"] == "ok"
            await client.admin.databases.create("aio-admin")
            assert "aio-admin" in [each["slug"] for each in await client.admin.databases.list()]
            await client.db("aio-admin").exec("CREATE TABLE t (a)")
            into = io.BytesIO()
            await client.admin.databases.export("aio-admin", into)
            assert into.getvalue().startswith(b"SQLite format 3")
            assert await client.admin.databases.import_tables("aio-admin", into.getvalue(), ["t"]) == 0
            await client.buckets.create("aio-bucket")
            record = await client.bucket("aio-bucket").files.upload(b"x", "a.txt")
            assert (await client.bucket("aio-bucket").files.meta(record["id"]))["filename"] == "a.txt"
            await client.buckets.delete("aio-bucket")
            await client.admin.databases.delete("aio-admin")

    asyncio.run(main())


def test_a_client_serves_one_loop_after_the_other(server: Server) -> None:
    server.new_database("loops")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # of connections that outlive their loop
        db = mesahub.aio.connect(server.url("loops"))
        assert asyncio.run(db.query("SELECT 1 AS one"))["rows"] == [{"one": 1}]
        assert asyncio.run(db.query("SELECT 2 AS two"))["rows"] == [{"two": 2}]
        asyncio.run(db.close())
        gc.collect()


@pytest.mark.parametrize("transport", ["urllib", "requests"])
def test_a_blocking_transport_runs_on_threads(server: Server, transport: str) -> None:
    server.new_database(f"threads-{transport}")

    async def main() -> list[Any]:
        async with mesahub.aio.connect(server.url(f"threads-{transport}"), transport=transport) as db:
            return await asyncio.gather(*(db.query("SELECT ? AS n", [n]) for n in range(20)))

    assert [result.rows[0]["n"] for result in asyncio.run(main())] == list(range(20))


def test_what_is_wrong_is_said_by_connect() -> None:
    with pytest.raises(ConfigurationError, match="Unknown transport"):
        mesahub.aio.connect("mh://k@localhost/x", transport="asyncoi")
    with pytest.raises(ConfigurationError, match=r"mesahub\.aio\.connect"):
        mesahub.aio.AsyncMesahubClient()
    with pytest.raises(ConfigurationError, match="cannot be pickled"):
        pickle.dumps(mesahub.aio.AsyncMesahubClient("k", "http://localhost:1"))


def test_a_blocking_import_brings_nothing_of_asyncio() -> None:
    code = "import sys, mesahub, mesahub.client; mesahub.MesahubClient('k', 'http://localhost:1'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not {name for name in loaded if name.split(".")[0] in ("asyncio", "mesahub_asyncio")}
    assert not {name for name in loaded if name.startswith(("mesahub.aio", "mesahub._aio"))}


def test_what_does_not_wait_is_the_same_object() -> None:
    assert aio_files.DeletedFiles is mesahub.files.DeletedFiles  # type: ignore[attr-defined]
    assert mesahub.aio.middleware.RetryPolicy is mesahub.RetryPolicy
