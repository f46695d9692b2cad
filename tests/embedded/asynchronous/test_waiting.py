"""Statements that wait: for a lock of another process, a thread, or their turn to write."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mesahub.errors import Outcome, RequestTimeoutError
from mesahub.transport import Request
from mesahub_embedded import AsyncEmbeddedTransport
from tests.embedded.asynchronous.running import (
    ENDLESS_INSERT,
    FOREVER,
    execute,
    payload_of,
    query,
    rows,
    run,
    started,
)


@pytest.mark.parametrize("kind", ["exec", "batch", "begin"])
def test_wait_for_a_lock_of_another_process_can_be_stopped(tmp_path: Path, kind: str) -> None:
    async def use(transport: AsyncEmbeddedTransport) -> None:
        async def work() -> None:
            if kind == "exec":
                await transport.send(execute("INSERT INTO t VALUES (1)"))
            elif kind == "batch":
                payload = {"statements": [payload_of("INSERT INTO t VALUES (1)")]}
                await transport.send(Request("batch", "POST", "/", database="demo", payload=payload, timeout=20.0))
            else:
                session = await transport.open_session("demo")
                try:
                    await session.begin("immediate", 20.0)
                    await session.send(execute("INSERT INTO t VALUES (1)"))
                    await session.end(commit=True)
                finally:
                    await session.close()

        path = next(tmp_path.rglob("demo.db"))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            task = asyncio.ensure_future(work())
            await started(task)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(task, 2.0)  # SQLite would wait for 5 s
            patient = asyncio.ensure_future(work())
            await started(patient)
            other.execute("COMMIT")
            await patient
        assert await rows(transport) == [{"c": 1}]

    run({"data": tmp_path}, use)


def test_database_that_stays_locked_is_busy(tmp_path: Path) -> None:
    async def use(transport: AsyncEmbeddedTransport) -> None:
        path = next(tmp_path.rglob("demo.db"))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            response = await transport.send(execute("INSERT INTO t VALUES (1)", timeout=0.6))
            assert response.status == 503
            session = await transport.open_session("demo")
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                await session.begin("immediate", 0.6)
            await session.close()
        assert await rows(transport) == [{"c": 0}]

    run({"data": tmp_path}, use)


def test_reads_go_on_while_many_writes_wait(tmp_path: Path) -> None:
    async def use(transport: AsyncEmbeddedTransport) -> None:
        long = asyncio.ensure_future(transport.send(execute(ENDLESS_INSERT)))
        await started(long)
        waiting = [asyncio.ensure_future(transport.send(execute("INSERT INTO t VALUES (1)"))) for _ in range(50)]
        await asyncio.sleep(0)
        assert await rows(transport) == [{"c": 0}]
        long.cancel()
        await asyncio.gather(*waiting)
        assert await rows(transport) == [{"c": 50}]

    run({"data": tmp_path}, use)


def test_read_that_finds_no_thread_in_its_time_was_not_begun(tmp_path: Path) -> None:
    async def use(transport: AsyncEmbeddedTransport) -> None:
        long = [asyncio.ensure_future(transport.send(query(FOREVER))) for _ in range(2)]
        await started(long[0])
        with pytest.raises(RequestTimeoutError) as caught:
            await transport.send(query("SELECT 1 AS one", timeout=0.05))
        assert caught.value.outcome is Outcome.NOT_SENT
        for task in long:
            task.cancel()
        await asyncio.wait(long)
        assert await rows(transport) == [{"c": 0}]

    run({"data": tmp_path, "threads": 2}, use)


def test_cancelled_writer_hands_its_turn_on(place: dict[str, Any]) -> None:
    async def use(transport: AsyncEmbeddedTransport) -> None:
        long = asyncio.ensure_future(transport.send(execute(ENDLESS_INSERT)))
        await started(long)
        waiting = [asyncio.ensure_future(transport.send(execute("INSERT INTO t VALUES (?)", i))) for i in range(10)]
        await asyncio.sleep(0)
        for task in waiting[::2]:
            task.cancel()
        long.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert await rows(transport, "SELECT i FROM t") == [{"i": i} for i in (1, 3, 5, 7, 9)]

    run(place, use)
