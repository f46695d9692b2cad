"""Statements that are stopped: by a cancellation, or when their time is over."""

from __future__ import annotations

import asyncio
import threading
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
    working_threads,
)


@pytest.mark.parametrize("sql", [FOREVER, ENDLESS_INSERT])
def test_cancelled_statement_is_stopped_and_its_end_awaited(place: dict[str, Any], sql: str) -> None:
    async def use(transport: AsyncEmbeddedTransport) -> None:
        request = execute(sql) if "INSERT" in sql else query(sql)
        task = asyncio.ensure_future(transport.send(request))
        await started(task)
        assert working_threads()
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert working_threads() == []
        assert getattr(caught.value, "__notes__", []) == []  # it is known: nothing was changed
        assert await rows(transport) == [{"c": 0}]

    run(place, use)


def test_cancelled_bulk_insert_leaves_no_row(place: dict[str, Any]) -> None:
    many = Request(
        "exec",
        "POST",
        "/",
        database="demo",
        payload={"sql": "INSERT INTO t VALUES (?)", "bindings": [], "rows": [[1]] * 2_000_000},
        timeout=30.0,
    )

    async def use(transport: AsyncEmbeddedTransport) -> None:
        task = asyncio.ensure_future(transport.send(many))
        await started(task, 0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await rows(transport) == [{"c": 0}]

    run(place, use)


def test_cancelled_batch_leaves_nothing(tmp_path: Path) -> None:
    statements = [payload_of("INSERT INTO t VALUES (1)"), payload_of(ENDLESS_INSERT)]
    batch = Request("batch", "POST", "/", database="demo", payload={"statements": statements}, timeout=20.0)

    async def use(transport: AsyncEmbeddedTransport) -> None:
        task = asyncio.ensure_future(transport.send(batch))
        await started(task)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await rows(transport) == [{"c": 0}]

    run({"data": tmp_path}, use)


def test_cancelled_again_while_its_end_is_awaited(tmp_path: Path) -> None:
    async def use(transport: AsyncEmbeddedTransport) -> None:
        task = asyncio.ensure_future(transport.send(execute(ENDLESS_INSERT)))
        await started(task)
        for _ in range(5):
            task.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert working_threads() == []
        assert await rows(transport) == [{"c": 0}]

    run({"data": tmp_path}, use)


def test_write_that_was_over_when_it_was_cancelled_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mesahub_embedded.transport import EmbeddedTransport

    send, done, go = EmbeddedTransport.send, threading.Event(), threading.Event()

    def slow(self: EmbeddedTransport, request: Request, alive: Any = None) -> Any:
        response = send(self, request, alive)
        if "INSERT" in request.payload["sql"]:
            done.set()
            go.wait(10)
        return response

    monkeypatch.setattr(EmbeddedTransport, "send", slow)

    async def use(transport: AsyncEmbeddedTransport) -> None:
        task = asyncio.ensure_future(transport.send(execute("INSERT INTO t VALUES (1)")))
        await asyncio.to_thread(done.wait, 10)
        task.cancel()
        await asyncio.sleep(0.01)
        assert not task.done()  # its fate is not known yet
        go.set()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert "was carried out" in caught.value.__notes__[0]
        assert await rows(transport) == [{"c": 1}]

    run({"data": tmp_path}, use)


def test_timeout_stops_a_statement_and_says_that_nothing_was_done(place: dict[str, Any]) -> None:
    async def use(transport: AsyncEmbeddedTransport) -> None:
        with pytest.raises(RequestTimeoutError) as caught:
            await transport.send(execute(ENDLESS_INSERT, timeout=0.1))
        assert caught.value.outcome is Outcome.NOT_SENT
        assert await rows(transport) == [{"c": 0}]

    run(place, use)
