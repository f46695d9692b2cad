"""What a cancelled or late call leaves: to its caller, to the client, and in the database."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import Any

import pytest

import mesahub
from mesahub import AmbiguousResultError, RequestTimeoutError, RetryPolicy
from tests.servers import Server

LONG = (
    "INSERT INTO t SELECT n FROM (WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 40000000) "
    "SELECT n FROM c)"
)


def test_a_cancelled_write_over_http_says_that_it_may_have_run(server: Server) -> None:
    server.new_database("aio-cancel")

    async def main() -> None:
        async with mesahub.aio.connect(server.url("aio-cancel"), pool_size=1) as db:
            await db.exec("CREATE TABLE t (n)")
            task = asyncio.create_task(db.exec(LONG.replace("40000000", "1000000")))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError) as raised:
                await task
            assert "may have been carried out" in "".join(getattr(raised.value, "__notes__", []))
            # Its place in the pool is free again, and its answer reaches no other call.
            assert (await db.query("SELECT 7 AS n")).rows == [{"n": 7}]

    asyncio.run(main())


def test_a_cancelled_write_in_process_is_undone(tmp_path: Path) -> None:
    async def main() -> None:
        async with mesahub.aio.connect("mh://local/cancel", data=str(tmp_path)) as db:
            await db.exec("CREATE TABLE t (n)")
            task = asyncio.create_task(db.exec(LONG))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await db.table("t").count() == 0

    asyncio.run(main())


def test_a_transaction_of_a_cancelled_task_is_taken_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with mesahub.aio.connect("mh://local/cancel", data=str(tmp_path)) as db:
            await db.exec("CREATE TABLE t (n)")
            inside = asyncio.Event()

            async def work() -> None:
                async with db.transaction() as tx:
                    await tx.table("t").insert({"n": 1})
                    inside.set()
                    await asyncio.sleep(60)

            task = asyncio.create_task(work())
            await inside.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            # Whoever waits for the right to write gets it.
            await db.table("t").insert({"n": 2}, timeout=20)
            assert await db.table("t").find() == [{"n": 2}]

    asyncio.run(main())


@pytest.mark.parametrize(("operation", "error"), [("exec", AmbiguousResultError), ("query", RequestTimeoutError)])
def test_a_late_answer_is_an_error_as_in_blocking_code(operation: str, error: type[Exception]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"

        async def main() -> None:
            async with mesahub.aio.AsyncMesahubClient("k", url, retry=RetryPolicy.none()) as client:
                call: Any = getattr(client.db("x"), operation)
                with pytest.raises(error):
                    await call("SELECT 1" if operation == "query" else "DELETE FROM t", timeout=0.2)

        asyncio.run(main())


def test_an_upload_from_a_pipe_leaves_the_loop_free(server: Server) -> None:
    server.new_database("aio-pipe")
    reading, writing = os.pipe()

    async def main() -> None:
        async with mesahub.aio.connect(server.url("aio-pipe")) as db:
            with os.fdopen(reading, "rb") as source:
                task = asyncio.create_task(db.files.upload(source, "a.txt"))
                for _ in range(3):
                    await asyncio.sleep(0.01)  # the loop runs while the pipe has nothing
                assert not task.done()
                os.write(writing, b"late")
                os.close(writing)
                assert (await task)["size_bytes"] == 4

    asyncio.run(main())


def test_a_file_that_cannot_be_opened_is_an_error_before_anything_is_sent(server: Server) -> None:
    async def main() -> None:
        async with mesahub.aio.connect(server.url("x")) as db:
            with pytest.raises(mesahub.ArgumentError, match="cannot be opened"):
                await db.files.upload("/no/such/file.txt")

    asyncio.run(main())
