"""insert_many with two requests on their way at once: all rows, counted, whatever fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

import mesahub
from mesahub import AmbiguousResultError, ArgumentError, ConnectionLostError, IntegrityError, TableHandle
from mesahub._calls.plans import bulk_insert
from mesahub.transport import Request, Response, TransportOptions
from mesahub_embedded.transport import EmbeddedTransport


class Far:
    """A database that seems to be far away; it notes how many requests overlap."""

    def __init__(self, folder: Path) -> None:
        self._engine = EmbeddedTransport(TransportOptions(options={"data": str(folder)}))
        self.batches: list[set[int]] = []
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()
        self.both = threading.Barrier(2, timeout=0.2)
        self.before: Callable[[int], object] = lambda number: None
        self.after: Callable[[int], object] = lambda number: None

    def send(self, request: Request) -> Response:
        rows = request.payload.get("rows")
        if rows is None:
            return self._engine.send(request)
        with self._lock:
            self.batches.append({row[0] for row in rows})
            number = len(self.batches)
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            self.before(number)
            response = self._engine.send(request)
            self.after(number)
            return response
        finally:
            with self._lock:
                self._now -= 1

    def close(self) -> None:
        self._engine.close()

    @property
    def sizes(self) -> list[int]:
        return [len(batch) for batch in self.batches]


@contextmanager
def far_table(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[TableHandle, Far]]:
    monkeypatch.setattr(bulk_insert, "SHARED_BYTES", 300)
    far = Far(folder)
    with closing(far), mesahub.MesahubClient(transport=far, retry=mesahub.RetryPolicy.none()) as client:
        db = client.db("shop")
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER UNIQUE)")
        yield db.table("t"), far


def rows(count: int) -> list[dict[str, Any]]:
    return [{"id": n, "n": n} for n in range(count)]


def stored(table: TableHandle) -> set[int]:
    return {row["id"] for row in table.find()}


def overlap(far: Far) -> None:
    def meet(number: int) -> None:
        if number <= 2:
            far.both.wait()

    far.before = meet


def test_two_requests_are_on_their_way_and_all_rows_come_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with far_table(tmp_path, monkeypatch) as (table, far):
        overlap(far)  # breaks where the first is waited for before the second is sent
        seen: list[int] = []
        done = table.insert_many(rows(200), in_flight=2, progress=lambda done, _: seen.append(done), returning=["id"])
        assert done.rows_affected == 200
        assert {row["id"] for row in done.rows} == stored(table) == set(range(200))
        assert far.most == 2
        assert len(far.sizes) > 3
        assert seen == sorted(seen)
        assert seen[-1] == 200


def test_one_request_at_a_time_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with far_table(tmp_path, monkeypatch) as (table, far):
        assert table.insert_many(rows(200)).rows_affected == 200
        assert (far.most, far.sizes) == (1, [200])


@pytest.mark.parametrize("taken", [1, 70, 120])
def test_a_request_that_fails_ends_it_and_the_others_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    with far_table(tmp_path, monkeypatch) as (table, far):
        table.insert({"id": 10_000, "n": taken})
        with pytest.raises(IntegrityError) as caught:
            table.insert_many(rows(200), in_flight=2)
        inside = stored(table) - {10_000}
        assert inside == set().union(*[batch for batch in far.batches if taken not in batch])
        assert sum(min(batch) > taken for batch in far.batches) <= 1
        assert caught.value.details["rows_inserted"] == len(inside)


def test_what_is_in_doubt_is_the_sum_of_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(_: int) -> None:
        raise ConnectionLostError("gone")

    with far_table(tmp_path, monkeypatch) as (table, far):
        overlap(far)
        far.after = lose
        with pytest.raises(AmbiguousResultError) as caught:
            table.insert_many(rows(200), in_flight=2)
        assert len(far.sizes) == 2
        assert caught.value.details["rows_in_doubt"] == sum(far.sizes) == len(stored(table))
        assert caught.value.details["rows_inserted"] == 0


def test_a_wrong_row_ends_it_after_those_on_their_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = [*rows(100), {"id": 100, "n": object()}, {"id": 101, "n": 101}]
    with far_table(tmp_path, monkeypatch) as (table, far):
        with pytest.raises(ArgumentError, match="100") as caught:
            table.insert_many(iter(given), in_flight=2)
        assert caught.value.details["rows_inserted"] == len(stored(table)) == sum(far.sizes)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"in_flight": 3}, "in_flight must be 1 or 2"),
        ({"in_flight": 0}, "in_flight must be 1 or 2"),
        ({"in_flight": True}, "in_flight must be 1 or 2"),
        ({"in_flight": "2"}, "in_flight must be 1 or 2"),
        ({"in_flight": 2, "on_conflict": "ignore"}, "on_conflict needs theirs"),
        ({"in_flight": 2, "on_conflict": "update"}, "on_conflict needs theirs"),
        ({"in_flight": 2, "alter": True}, "alter=True needs theirs"),
    ],
)
def test_what_needs_an_order_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], what: str
) -> None:
    with far_table(tmp_path, monkeypatch) as (table, far):
        with pytest.raises(ArgumentError, match=what):
            table.insert_many(rows(3), **options)
        assert far.sizes == []


def test_a_transaction_has_one_request_at_a_time(tmp_path: Path) -> None:
    with mesahub.connect("mh://local/shop", data=str(tmp_path)) as db:
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)")
        with db.transaction() as tx:
            assert tx.table("t").insert_many(rows(50), in_flight=2).rows_affected == 50
        assert db.table("t").insert_many(({"n": n} for n in range(50)), in_flight=2).rows_affected == 50
