"""`mesahub.aio.copy`."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

import mesahub
from mesahub import ArgumentError
from tests.servers import Server

SCHEMA = """
    CREATE TABLE parent (id INTEGER PRIMARY KEY, x);
    CREATE TABLE child (id INTEGER PRIMARY KEY, parent REFERENCES parent (id), data BLOB);
    CREATE INDEX by_parent ON child (parent);
"""


def test_a_database_is_copied_between_handles(server: Server, tmp_path: Path) -> None:
    server.new_database("aio-copy")
    seen: list[tuple[str, int, int, bool]] = []

    def progress(table: str, done: int, total: int) -> None:
        seen.append((table, done, total, threading.current_thread() is threading.main_thread()))

    async def main() -> None:
        async with (
            mesahub.aio.connect("mh://local/source", data=str(tmp_path)) as source,
            mesahub.aio.connect(server.url("aio-copy")) as target,
        ):
            await source.exec_script(SCHEMA)
            await source.table("parent").insert_many([{"id": n, "x": n * 0.5} for n in range(500)])
            await source.table("child").insert_many([{"parent": n, "data": bytes([n % 256])} for n in range(500)])
            done = await mesahub.aio.copy(source, target, batch_size=100, progress=progress)
            assert done.rows == 1000
            assert done.others == ("by_parent",)
            assert await target.table("child").count() == 500
            with pytest.raises(ArgumentError, match="same database"):
                await mesahub.aio.copy(target, target)
            with pytest.raises(ArgumentError, match="batch_size"):
                await mesahub.aio.copy(source, target, batch_size=0)
        again = await mesahub.aio.copy(f"mh://local/source?data={tmp_path}", server.url("aio-copy"), ["parent"])
        assert again.rows == 500

    asyncio.run(main())
    assert seen[-1] == ("child", 500, 500, True)
    assert all(in_the_loop for *_, in_the_loop in seen)


def test_a_cancelled_copy_stops_and_is_resumed(server: Server, tmp_path: Path) -> None:
    server.new_database("aio-copy-cancelled")

    async def main() -> None:
        async with (
            mesahub.aio.connect("mh://local/source", data=str(tmp_path)) as source,
            mesahub.aio.connect(server.url("aio-copy-cancelled")) as target,
        ):
            await source.exec_script(SCHEMA)
            await source.table("parent").insert_many([{"id": n, "x": n} for n in range(1000)])
            reached = asyncio.Event()
            task = asyncio.create_task(
                mesahub.aio.copy(source, target, batch_size=10, progress=lambda *_: reached.set())
            )
            await reached.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            copied = await target.table("parent").count()
            assert 0 < copied < 1000
            for thread in threading.enumerate():
                if thread.name.startswith("mesahub-copy"):
                    thread.join(30)
                    assert not thread.is_alive()
            assert (await mesahub.aio.copy(source, target)).rows == 1000

    asyncio.run(main())
