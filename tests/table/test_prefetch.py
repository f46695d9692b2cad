"""iterate over a network: one page is asked for in advance, and nothing else changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

import mesahub
from mesahub import ArgumentError, DatabaseHandle, RequestTimeoutError, ServerError, TableHandle
from mesahub.errors import Outcome
from mesahub.transport import Request, Response, TransportOptions
from mesahub_embedded.transport import EmbeddedTransport

ROWS = 20


class Far:
    """A database that seems to be far away: what is asked of it, in which thread, and when it answers."""

    def __init__(self, folder: Path) -> None:
        self._engine = EmbeddedTransport(TransportOptions(options={"data": str(folder)}))
        self.pages: list[int] = []
        self.threads: list[threading.Thread] = []
        self.asked = threading.Semaphore(0)
        self.before: Callable[[int], object] = lambda number: None

    def send(self, request: Request) -> Response:
        if request.payload["sql"].startswith('SELECT "t".'):
            self.pages.append(request.payload["bindings"][-1])
            self.threads.append(threading.current_thread())
            self.asked.release()
            self.before(len(self.pages))
        return self._engine.send(request)

    def close(self) -> None:
        self._engine.close()


@contextmanager
def far_table(folder: Path, **options: Any) -> Iterator[tuple[TableHandle, Far]]:
    far = Far(folder)
    with closing(far), mesahub.MesahubClient(transport=far, retry=mesahub.RetryPolicy.none(), **options) as client:
        db = client.db("shop")
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)")
        db.table("t").insert_many({"id": n, "text": "x"} for n in range(ROWS))
        yield db.table("t"), far


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "mesahub-ahead"]


def ids(rows: Iterator[dict[str, Any]]) -> list[int]:
    return [row["id"] for row in rows]


@pytest.mark.parametrize("prefetch", [None, 0, 1])
@pytest.mark.parametrize("batch_size", [1, 7, 10, 20, 100, None])
def test_every_row_comes_once(tmp_path: Path, prefetch: int | None, batch_size: int | None) -> None:
    with far_table(tmp_path) as (table, _):
        assert ids(table.iterate(batch_size=batch_size, prefetch=prefetch)) == list(range(ROWS))
        assert threads() == []


def test_the_next_page_is_asked_for_while_the_caller_works(tmp_path: Path) -> None:
    with far_table(tmp_path) as (table, far):
        rows = table.iterate(batch_size=5)
        assert next(rows)["id"] == 0
        assert far.pages == [5]
        assert next(rows)["id"] == 1
        assert far.asked.acquire(timeout=10)
        assert far.asked.acquire(timeout=10)
        assert far.pages == [5, 5]
        assert ids(rows) == list(range(2, ROWS))
        assert len(far.pages) == 5  # the last one is empty


def test_one_page_is_asked_for_and_no_more(tmp_path: Path) -> None:
    with far_table(tmp_path) as (table, far):
        rows = table.iterate(batch_size=5)
        next(rows)
        next(rows)
        for thread in threads():
            thread.join()
        assert len(far.pages) == 2
        assert [next(rows)["id"] for _ in range(3)] == [2, 3, 4]
        assert len(far.pages) == 2


def test_without_prefetch_pages_come_when_they_are_needed(tmp_path: Path) -> None:
    with far_table(tmp_path) as (table, far):
        rows = table.iterate(batch_size=5, prefetch=0)
        assert [next(rows)["id"] for _ in range(5)] == [0, 1, 2, 3, 4]
        assert far.pages == [5]
        assert len(ids(rows)) == ROWS - 5
        assert set(far.threads) == {threading.current_thread()}


@pytest.mark.parametrize("end", ["break", "close", "raise", "drop"])
def test_no_thread_is_left(tmp_path: Path, end: str) -> None:
    with far_table(tmp_path) as (table, far):
        release = threading.Event()
        far.before = lambda number: release.wait(10) if number == 2 else None
        rows = table.iterate(batch_size=5)
        next(rows)
        next(rows)
        assert threads() != []
        threading.Timer(0.05, release.set).start()
        if end == "close":
            rows.close()  # type: ignore[attr-defined]
        elif end == "drop":
            del rows
        elif end == "break":
            for _ in rows:
                break
            del rows
        else:
            with suppress(ZeroDivisionError):
                for _ in rows:
                    raise ZeroDivisionError
            del rows
        assert threads() == []
        assert len(far.pages) == 2


def test_an_error_comes_after_the_rows_before_it(tmp_path: Path) -> None:
    def fail(number: int) -> None:
        if number == 2:
            raise RequestTimeoutError("too late", outcome=Outcome.NOT_SENT)

    with far_table(tmp_path) as (table, far):
        far.before = fail
        rows = table.iterate(batch_size=5)
        assert [next(rows)["id"] for _ in range(5)] == [0, 1, 2, 3, 4]
        with pytest.raises(RequestTimeoutError, match="too late"):
            next(rows)
        assert list(rows) == []
        assert threads() == []
        assert len(far.pages) == 2


def test_an_error_of_a_page_that_nobody_needs_is_forgotten(tmp_path: Path) -> None:
    def fail(number: int) -> None:
        if number == 2:
            raise ServerError.of("broken", status_code=500)

    with far_table(tmp_path) as (table, far):
        far.before = fail
        for row in table.iterate(batch_size=5):
            if row["id"] == 3:
                break
        assert len(far.pages) == 2


def test_a_row_that_stays_comes_once_while_others_change(tmp_path: Path) -> None:
    with far_table(tmp_path) as (table, _):
        seen = []
        for row in table.iterate(batch_size=4):
            seen.append(row["id"])
            if row["id"] == 2:
                table.delete({"id": {"in": [0, 1, 12]}})
                table.insert({"id": -1, "text": "y"})
        assert sorted(set(seen)) == seen
        assert set(range(ROWS)) - {12} <= set(seen)


def test_middleware_sees_the_context_of_the_loop(tmp_path: Path) -> None:
    variable: ContextVar[str] = ContextVar("variable", default="nothing")
    seen: list[str] = []

    def look(request: Request, forward: Callable[[Request], Response]) -> Response:
        if request.operation == "query":
            seen.append(variable.get())
        return forward(request)

    with far_table(tmp_path, middleware=[look]) as (table, _):
        variable.set("request 7")
        assert len(ids(table.iterate(key="id", batch_size=8))) == ROWS
    assert seen[-3:] == ["request 7"] * 3


def test_pages_grow_to_about_a_megabyte(tmp_path: Path) -> None:
    with far_table(tmp_path) as (table, far):
        table.insert_many({"id": n, "text": "x" * 1000} for n in range(1000, 4000))
        assert len(ids(table.iterate())) == ROWS + 3000
        assert far.pages[0] == 1000
        assert all(900 <= count <= 1100 for count in far.pages[1:])
        far.pages.clear()
        assert len(ids(table.iterate(select=["id"]))) == ROWS + 3000
        assert far.pages == [1000, 50_000]
        far.pages.clear()
        assert len(ids(table.iterate(batch_size=2000))) == ROWS + 3000
        assert far.pages == [2000, 2000]


@pytest.mark.parametrize("prefetch", [2, -1, True, "1", 1.0])
def test_prefetch_is_0_or_1(tmp_path: Path, prefetch: Any) -> None:
    with far_table(tmp_path) as (table, far):
        with pytest.raises(ArgumentError, match="prefetch must be 0 or 1"):
            table.iterate(prefetch=prefetch)
        assert far.pages == []


def test_a_transaction_is_read_by_its_own_thread(tmp_path: Path) -> None:
    seen: list[tuple[threading.Thread, int]] = []

    def look(request: Request, forward: Callable[[Request], Response]) -> Response:
        if request.payload["sql"].startswith('SELECT "t".'):
            seen.append((threading.current_thread(), request.payload["bindings"][-1]))
        return forward(request)

    def read(db: DatabaseHandle) -> None:
        assert len(ids(db.table("t").iterate(prefetch=1))) == 2500

    with mesahub.connect("mh://local/shop", data=str(tmp_path), middleware=[look]) as db:
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        db.table("t").insert_many({"id": n} for n in range(2500))
        read(db)
        with db.transaction() as tx:
            read(tx)
    assert seen == [(threading.current_thread(), 1000)] * 6


def test_a_recorded_scan_is_replayed_in_order(tmp_path: Path) -> None:
    options: dict[str, Any] = {"transport": "recorder", "cassette": str(tmp_path / "scan.json")}
    recording: dict[str, Any] = {"mode": "record", "inner": "embedded", "data": str(tmp_path)}
    for more in (recording, {}):
        with mesahub.connect("mh://local/shop", **options, **more) as db:
            table = db.table("t")
            db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)")
            table.insert_many({"id": n, "n": 0} for n in range(6))
            for row in table.iterate(batch_size=2):
                table.update({"id": row["id"]}, {"n": 1})
                assert threads() == []
