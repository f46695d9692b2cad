"""The embedded transport for asyncio: the contract, statements that are stopped, turns, sessions."""

from __future__ import annotations

import asyncio
import io
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from mesahub.errors import ConfigurationError, Outcome, RequestTimeoutError
from mesahub.testing.asynchronous.contract import OnLoop
from mesahub.testing.asynchronous.event_loops import EventLoops
from mesahub.testing.base import Basics
from mesahub.testing.concurrency import Sharing
from mesahub.transport import AsyncTransportFactory, FileBody, Request, TransportOptions
from mesahub.transport.asynchronous.registry import find_async_factory
from mesahub_embedded import AsyncEmbeddedTransport

FOREVER = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT count(*) AS c FROM n"
)
ENDLESS_INSERT = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) INSERT INTO t SELECT i FROM n"
)


class TestAsyncEmbedded(OnLoop, EventLoops, Basics, Sharing):
    """The parts of the contract that do not speak of HTTP."""

    speaks_http = False

    @pytest.fixture
    def async_transport(self) -> AsyncTransportFactory:
        return find_async_factory("embedded")

    @pytest.fixture
    def options(self, tmp_path: Path) -> TransportOptions:
        return TransportOptions(options={"data": str(tmp_path)})


def query(sql: str, *bindings: Any, timeout: float | None = 20.0) -> Request:
    return Request("query", "POST", "/", database="demo", payload=_payload(sql, bindings), safe=True, timeout=timeout)


def execute(sql: str, *bindings: Any, timeout: float | None = 20.0) -> Request:
    return Request("exec", "POST", "/", database="demo", payload=_payload(sql, bindings), timeout=timeout)


def _payload(sql: str, bindings: tuple[Any, ...]) -> dict[str, Any]:
    return {"sql": sql, "bindings": list(bindings)}


@asynccontextmanager
async def embedded(**options: Any) -> AsyncIterator[AsyncEmbeddedTransport]:
    transport = AsyncEmbeddedTransport(TransportOptions(options=options))
    try:
        await transport.send(execute("CREATE TABLE t (i INTEGER)"))
        yield transport
    finally:
        await transport.close()


def run(options: dict[str, Any], use: Callable[[AsyncEmbeddedTransport], Coroutine[Any, Any, Any]]) -> Any:
    async def main() -> Any:
        async with asyncio.timeout(30), embedded(**options) as transport:
            return await use(transport)

    return asyncio.run(main())


@pytest.fixture(params=["folder", "file", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Where the database is."""
    places: dict[str, dict[str, Any]] = {
        "folder": {"data": tmp_path},
        "file": {"file": tmp_path / "x.db"},
        "memory": {"file": ":memory:"},
    }
    return places[str(request.param)]


async def rows(transport: Any, sql: str = "SELECT count(*) AS c FROM t") -> Any:
    return (await transport.send(query(sql))).payload["rows"]


async def started(task: asyncio.Task[Any], seconds: float = 0.1) -> None:
    """Let a task's statement run for a while."""
    await asyncio.sleep(seconds)
    assert not task.done()


def working_threads() -> list[str]:
    """Threads that carry out a statement just now."""
    import sys

    frames = sys._current_frames()
    busy = []
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        while frame is not None:
            if frame.f_code.co_name == "send" and "mesahub_embedded" in frame.f_code.co_filename:
                busy.append(thread.name)
                break
            frame = frame.f_back
    return busy


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
    statements = [_payload("INSERT INTO t VALUES (1)", ()), _payload(ENDLESS_INSERT, ())]
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


@pytest.mark.parametrize("kind", ["exec", "batch", "begin"])
def test_wait_for_a_lock_of_another_process_can_be_stopped(tmp_path: Path, kind: str) -> None:
    async def use(transport: AsyncEmbeddedTransport) -> None:
        async def work() -> None:
            if kind == "exec":
                await transport.send(execute("INSERT INTO t VALUES (1)"))
            elif kind == "batch":
                payload = {"statements": [_payload("INSERT INTO t VALUES (1)", ())]}
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


def test_transaction_of_a_session_is_all_or_nothing(place: dict[str, Any]) -> None:
    async def use(transport: AsyncEmbeddedTransport) -> None:
        for commit, count in ((False, 0), (True, 1)):
            session = await transport.open_session("demo")
            await session.begin("immediate", 5.0)
            assert session.in_transaction
            await session.send(execute("INSERT INTO t VALUES (1)"))
            await session.end(commit=commit)
            assert not session.in_transaction
            await session.close()
            await session.close()
            assert await rows(transport) == [{"c": count}]

    run(place, use)


def test_other_writes_wait_for_a_transaction(tmp_path: Path) -> None:
    async def use(transport: AsyncEmbeddedTransport) -> None:
        async def transfer(number: int) -> None:
            session = await transport.open_session("demo")
            try:
                await session.begin("immediate", 20.0)
                before = (await rows(session))[0]["c"]
                await asyncio.sleep(0)
                await session.send(execute("INSERT INTO t VALUES (?)", before))
                await session.end(commit=True)
            finally:
                await session.close()

        others = [transport.send(execute("INSERT INTO t SELECT count(*) FROM t")) for _ in range(20)]
        await asyncio.gather(*map(transfer, range(20)), *others)
        assert await rows(transport, "SELECT i FROM t ORDER BY i") == [{"i": i} for i in range(40)]

    run({"data": tmp_path}, use)


def test_task_that_would_wait_for_its_own_transaction_is_told_so(place: dict[str, Any]) -> None:
    async def use(transport: AsyncEmbeddedTransport) -> None:
        session = await transport.open_session("demo")
        await session.begin("immediate", 5.0)
        with pytest.raises(ConfigurationError, match="transaction open"):
            await transport.send(execute("INSERT INTO t VALUES (1)"))
        await session.close()
        await transport.send(execute("INSERT INTO t VALUES (1)"))
        assert await rows(transport) == [{"c": 1}]

    run(place, use)


def test_cancelled_statement_of_a_transaction_is_taken_back_with_it(place: dict[str, Any]) -> None:
    async def use(transport: AsyncEmbeddedTransport) -> None:
        async def work() -> None:
            session = await transport.open_session("demo")
            try:
                await session.begin("immediate", 5.0)
                await session.send(execute("INSERT INTO t VALUES (1)"))
                await session.send(execute(ENDLESS_INSERT))
            finally:
                await session.close()

        task = asyncio.ensure_future(work())
        await started(task)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await rows(transport) == [{"c": 0}]
        await transport.send(execute("INSERT INTO t VALUES (1)", timeout=1.0))

    run(place, use)


@pytest.mark.parametrize("turns", range(12))
def test_cancelled_begin_leaves_nobody_waiting(place: dict[str, Any], turns: int) -> None:
    """Whatever step of opening, beginning and closing a session is cancelled, the next writer gets its turn."""

    async def use(transport: AsyncEmbeddedTransport) -> None:
        async def work() -> None:
            session = await transport.open_session("demo")
            try:
                await session.begin("immediate", 5.0)
                await session.send(execute("INSERT INTO t VALUES (1)"))
                await session.end(commit=False)
            finally:
                await session.close()

        task = asyncio.ensure_future(work())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await transport.send(execute("INSERT INTO t VALUES (2)", timeout=2.0))
        assert await rows(transport, "SELECT i FROM t") == [{"i": 2}]

    run(place, use)


def test_begin_gives_up_in_its_time(tmp_path: Path) -> None:
    async def use(transport: AsyncEmbeddedTransport) -> None:
        async def hold(go: asyncio.Event) -> None:
            session = await transport.open_session("demo")
            await session.begin("immediate", 5.0)
            go.set()
            try:
                await asyncio.sleep(30)
            finally:
                await session.close()

        go = asyncio.Event()
        holding = asyncio.ensure_future(hold(go))
        await go.wait()
        session = await transport.open_session("demo")
        with pytest.raises(RequestTimeoutError):
            await session.begin("immediate", 0.05)
        assert not session.in_transaction
        await session.close()
        holding.cancel()
        await asyncio.wait([holding])

    run({"data": tmp_path}, use)


def test_upload_and_download(tmp_path: Path) -> None:
    content = bytes(range(256)) * 4000
    body = FileBody(len(content), lambda: io.BytesIO(content))

    async def use(transport: AsyncEmbeddedTransport) -> None:
        fields = {"filename": "file.bin"}
        upload = Request("files.upload", "POST", "/v1/files/demo", database="demo", payload=fields, body=body)
        made = await transport.send(upload)
        assert made.status == 201
        path = f"/v1/files/demo/{made.payload['id']}"
        response = await transport.send(Request("files.download", "GET", path, database="demo", streams=True))
        assert response.async_stream is not None
        assert await response.async_stream.read(10) == bytes(range(10))
        await response.aclose()
        response = await transport.send(Request("files.download", "GET", path, database="demo", streams=True))
        assert await response.aread() == content

    run({"data": tmp_path / "data"}, use)


def test_cancelled_upload_stores_no_file(tmp_path: Path) -> None:
    class Slow:
        def read(self, size: int) -> bytes:
            time.sleep(0.01)
            return bytes(min(size, 1000))

    body = FileBody(10_000_000, Slow, chunk_size=1000)  # type: ignore[arg-type]

    async def use(transport: AsyncEmbeddedTransport) -> None:
        upload = Request("files.upload", "POST", "/", database="demo", payload={"filename": "x"}, body=body)
        task = asyncio.ensure_future(transport.send(upload))
        await started(task)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        listed = await transport.send(Request("files.list", "GET", "/", database="demo"))
        assert listed.payload["Total"] == 0

    run({"data": tmp_path}, use)


def test_threads_must_be_a_number() -> None:
    with pytest.raises(ConfigurationError, match="threads"):
        AsyncEmbeddedTransport(TransportOptions(options={"data": "x", "threads": 0}))
