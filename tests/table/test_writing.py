"""insert, insert_many, upsert, update, delete: what goes in, what comes back, and what is in when one fails."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import mesahub
from mesahub import (
    AmbiguousResultError,
    ArgumentError,
    DatabaseHandle,
    IntegrityError,
    RetryPolicy,
    SQLError,
    col,
)
from mesahub.errors import ConnectionLostError
from mesahub.middleware import Handler
from mesahub.sql import batches as bulk
from mesahub.transport import Request, Response


def stored(db: DatabaseHandle, table: str = "t") -> list[dict[str, Any]]:
    return db.table(table).find(order_by=["id"])


@pytest.fixture
def t(db: DatabaseHandle) -> mesahub.TableHandle:
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, n INTEGER DEFAULT 7)")
    return db.table("t")


# --- one row -----------------------------------------------------------------------------------------------


def test_insert_gives_the_stored_row(t: mesahub.TableHandle) -> None:
    assert t.insert({"name": "a"}) == {"id": 1, "name": "a", "n": 7}
    assert t.insert({}) == {"id": 2, "name": None, "n": 7}


def test_a_row_that_a_trigger_ignores_is_an_error(db: DatabaseHandle, t: mesahub.TableHandle) -> None:
    db.exec("CREATE TRIGGER no BEFORE INSERT ON t BEGIN SELECT raise(IGNORE); END")
    with pytest.raises(SQLError, match="a trigger of 't' ignored it"):
        t.insert({"name": "a"})
    assert t.count() == 0


def test_upsert_inserts_or_changes(t: mesahub.TableHandle) -> None:
    assert t.upsert({"id": 1, "name": "a", "n": 1}) == {"id": 1, "name": "a", "n": 1}
    assert t.upsert({"id": 1, "name": "b"}) == {"id": 1, "name": "b", "n": 1}
    assert t.upsert({"name": "b", "n": 5}, key="name") == {"id": 1, "name": "b", "n": 5}
    assert t.upsert({"name": "b", "n": 6}, ["name"], []) is None
    assert t.upsert({"name": "c", "n": 6}, ["name"], []) == {"id": 2, "name": "c", "n": 6}
    assert t.upsert({"id": 2, "name": "d", "n": 8}, update=["n"]) == {"id": 2, "name": "c", "n": 8}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (({"name": "a"},), ArgumentError, "Key column 'id' is missing from the values"),
        (({"id": 1}, []), ArgumentError, "key must be a column or a list"),
        (({"id": 1}, "id", ["n"]), ArgumentError, "Column 'n' in update is missing"),
        (({"id": 1, "n": 1}, "n"), SQLError, "ON CONFLICT"),
    ],
)
def test_upsert_wants_a_key(
    t: mesahub.TableHandle, arguments: tuple[Any, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        t.upsert(*arguments)


def test_upsert_without_a_primary_key_says_so(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE p (n)")
    with pytest.raises(ArgumentError, match=r"'p' has no primary key; pass key=\[...\]"):
        db.table("p").upsert({"n": 1})
    with pytest.raises(ArgumentError, match="'p' has no primary key"):
        db.table("p").upsert_many([{"n": 1}])


# --- update and delete -------------------------------------------------------------------------------------


def test_update_and_delete_tell_what_they_did(t: mesahub.TableHandle) -> None:
    t.insert_many([{"name": x, "n": i} for i, x in enumerate("abcd")])
    done = t.update({"n": {"gte": 2}}, {"n": col("id")}, returning=["id", "n"])
    assert (done.rows_affected, done.columns) == (2, ["id", "n"])
    assert sorted(row["n"] for row in done.rows) == [3, 4]
    assert t.update({"id": 99}, {"n": 0}).rows_affected == 0
    assert t.update({"id": 99}, {"n": 0}, returning=True).rows == []
    assert t.update({}, {"n": 0}, all_rows=True).rows_affected == 4
    assert t.delete({"name": {"in": []}}).rows_affected == 0
    assert t.delete(col("name") == "a", returning=True).rows == [{"id": 1, "name": "a", "n": 0}]
    assert t.delete(None, all_rows=True).rows_affected == 3


# --- many rows ---------------------------------------------------------------------------------------------


def test_rows_with_other_columns_get_the_defaults(t: mesahub.TableHandle, db: DatabaseHandle) -> None:
    done = t.insert_many([{"name": "a"}, {"n": 1}, {"name": "b", "n": None}, {}, {}, {"name": "c"}])
    assert (done.rows_affected, done.rows) == (6, [])
    found = sorted(((row["name"], row["n"]) for row in stored(db)), key=repr)
    assert found == sorted([("a", 7), (None, 1), ("b", None), (None, 7), (None, 7), ("c", 7)], key=repr)


def test_one_row_of_defaults_goes_where_there_is_no_rowid(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE w (k TEXT PRIMARY KEY DEFAULT 'k', id INTEGER DEFAULT 1) WITHOUT ROWID")
    assert db.table("w").insert_many([{}]).rows_affected == 1
    assert stored(db, "w") == [{"k": "k", "id": 1}]


def test_nothing_is_nothing(t: mesahub.TableHandle) -> None:
    seen: list[Any] = []
    done = t.insert_many([], progress=lambda *args: seen.append(args))
    assert (done.rows_affected, done.last_insert_rowid, seen) == (0, None, [])


def test_conflicts(t: mesahub.TableHandle, db: DatabaseHandle) -> None:
    t.insert_many([{"id": 1, "name": "a", "n": 1}])
    again = [{"id": 1, "name": "A", "n": 2}, {"id": 2, "name": "b", "n": 2}]
    with pytest.raises(IntegrityError) as caught:
        t.insert_many(again)
    assert (caught.value.kind, caught.value.details["rows_inserted"]) == ("unique", 0)
    assert t.insert_many(again, "ignore").rows_affected == 1
    assert stored(db) == [{"id": 1, "name": "a", "n": 1}, {"id": 2, "name": "b", "n": 2}]
    assert t.insert_many(again, "replace").rows_affected == 2
    assert t.insert_many([{"id": 1, "n": 9}], "update").rows_affected == 1
    assert t.upsert_many(({"name": x, "n": 5} for x in "bc"), key="name", returning=["name", "n"]).rows == [
        {"name": "b", "n": 5},
        {"name": "c", "n": 5},
    ]
    assert [(row["name"], row["n"]) for row in stored(db)] == [("A", 9), ("b", 5), ("c", 5)]
    # The last of two rows with one key wins, also where they have other columns.
    t.upsert_many([{"name": "c", "n": 1}, {"name": "c"}, {"name": "c", "n": 2}], "name")
    found = t.find_one({"name": "c"})
    assert found is not None
    assert found["n"] == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on_conflict": "abort"}, "on_conflict must be"),
        ({"idempotent": True}, "idempotent needs an on_conflict"),
        ({"key": "id"}, "key, update and where belong to on_conflict='update'"),
        ({"on_conflict": "ignore", "update": ["n"]}, "key, update and where belong"),
        ({"on_conflict": "update", "key": []}, "key must be"),
        ({"returning": "id"}, "returning must be True or a list"),
    ],
)
def test_a_wrong_argument_is_told_before_a_row_is_read(
    t: mesahub.TableHandle, options: dict[str, Any], message: str
) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        pytest.fail("a row was read")
        yield {}

    with pytest.raises(ArgumentError, match=message):
        t.insert_many(rows(), **options)


# --- many requests -----------------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests of ten rows."""
    monkeypatch.setattr(bulk, "_SLAB", 10)
    cut = bulk.batches

    def cut_small(rows: Any, *, in_order: bool, most_rows: int) -> Iterator[bulk.Batch]:
        return cut(rows, in_order=in_order, most_rows=min(most_rows, 10))

    monkeypatch.setattr("mesahub._calls.plans.bulk_insert.batches", cut_small)


@pytest.mark.usefixtures("small")
def test_progress_and_sums(t: mesahub.TableHandle) -> None:
    seen: list[Any] = []
    done = t.insert_many([{"name": str(i)} for i in range(25)], progress=lambda *a: seen.append(a), returning=["id"])
    assert seen == [(10, 25), (20, 25), (25, 25)]
    assert (done.rows_affected, len(done.rows), done.columns) == (25, 25, ["id"])
    done = t.insert_many(({"name": f"x{i}"} for i in range(15)), progress=lambda *a: seen.append(a))
    assert seen[3:] == [(10, None), (15, None)]
    assert (done.rows_affected, done.last_insert_rowid) == (15, 40)


@pytest.mark.usefixtures("small")
def test_a_later_request_fails_and_the_error_says_what_is_in(t: mesahub.TableHandle) -> None:
    rows = [{"name": str(i)} for i in range(25)] + [{"name": "3"}]
    with pytest.raises(IntegrityError, match=r"UNIQUE constraint failed: t\.name \(20 rows are in") as caught:
        t.insert_many(rows)
    assert caught.value.details["rows_inserted"] == t.count() == 20


@pytest.mark.usefixtures("small")
def test_a_bad_row_is_found_late_and_the_error_says_what_is_in(t: mesahub.TableHandle) -> None:
    rows = [{"n": i} for i in range(25)] + [{"n": 2**64}]
    with pytest.raises(ArgumentError, match=r"Row 25, column 'n': .*\(10 rows are in") as caught:
        t.insert_many(rows)
    assert caught.value.details["rows_inserted"] == t.count() == 10


@pytest.mark.usefixtures("small")
def test_what_is_not_ours_is_raised_as_it_is_with_a_note(t: mesahub.TableHandle) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        yield from ({"n": i} for i in range(25))
        raise ZeroDivisionError("no more")

    with pytest.raises(ZeroDivisionError) as caught:
        t.insert_many(rows())
    assert caught.value.__notes__ == ["insert_many had put in 10 rows before this."]
    assert t.count() == 10

    def stop(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as interrupted:
        t.insert_many([{"n": 1}], progress=stop)
    assert interrupted.value.__notes__ == ["insert_many had put in 1 rows before this."]
    with pytest.raises(ZeroDivisionError) as early:
        t.insert_many(1 // 0 for _ in "a")  # type: ignore[misc]
    assert not hasattr(early.value, "__notes__")


Fault = Callable[[Request, Handler], Response]


def losing_answers(lost: Callable[[Request], bool]) -> Fault:
    """Carries requests out, and loses the answers of some."""

    def middleware(request: Request, handler: Handler) -> Response:
        response = handler(request)
        if lost(request):
            raise ConnectionLostError("the connection broke")
        return response

    middleware.inside_retry = True  # type: ignore[attr-defined]
    return middleware


@pytest.mark.usefixtures("small")
def test_an_answer_that_is_lost_leaves_some_rows_in_doubt(tmp_path: Path) -> None:
    count = 0

    def lost(request: Request) -> bool:
        nonlocal count
        count += request.payload is not None and "rows" in request.payload
        return count == 3

    with mesahub.connect("mh://local/x", data=str(tmp_path), middleware=[losing_answers(lost)]) as db:
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n)")
        with pytest.raises(AmbiguousResultError, match="20 rows are in for certain; the 10 of the request") as caught:
            db.table("t").insert_many([{"n": i} for i in range(45)])
        assert caught.value.details["rows_inserted"] == 20
        assert caught.value.details["rows_in_doubt"] == 10


def test_what_is_too_large_for_a_request_goes_in_halves(
    t: mesahub.TableHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    run = t._run

    def limited(statement: Any, timeout: float | None, idempotent: bool) -> Any:
        if len(statement.rows) > 3:
            raise ArgumentError.of("too large", code="BODY_TOO_LARGE", status_code=400)
        sizes.append(len(statement.rows))
        return run(statement, timeout, idempotent)

    monkeypatch.setattr(t, "_run", limited)
    assert t.insert_many([{"n": i} for i in range(10)]).rows_affected == 10
    assert sizes == [2, 3, 2, 3]
    monkeypatch.setattr(t, "_run", lambda *_: limited(type("S", (), {"rows": [0] * 9})(), None, False))
    with pytest.raises(ArgumentError, match="too large"):
        t.insert_many([{"n": 1}])


# --- sent twice --------------------------------------------------------------------------------------------


@pytest.fixture
def flaky(tmp_path: Path) -> Iterator[DatabaseHandle]:
    """Each INSERT is carried out, and its first answer is lost."""
    seen: set[str] = set()

    def lost(request: Request) -> bool:
        sql = request.payload["sql"] if isinstance(request.payload, dict) else ""
        first = sql.startswith("INSERT") and repr(request.payload) not in seen
        seen.add(repr(request.payload))
        return first

    retry = RetryPolicy(backoff=0)
    with mesahub.connect("mh://local/x", data=str(tmp_path), middleware=[losing_answers(lost)], retry=retry) as db:
        db.exec("CREATE TABLE t (id TEXT PRIMARY KEY, n INTEGER, r REAL, b BLOB)")
        yield db


def test_an_idempotent_insert_is_sent_again_and_stored_once(flaky: DatabaseHandle) -> None:
    t = flaky.table("t")
    row = {"id": str(uuid.uuid4()), "n": None, "r": 1.5, "b": b"x"}
    assert t.insert(row, idempotent=True) == row
    assert t.insert(row, idempotent=True) == row
    assert t.count() == 1
    with pytest.raises(AmbiguousResultError):
        t.insert({"id": "other"})
    assert t.insert({"id": "other"}, idempotent=True)["id"] == "other"
    assert t.count() == 2


def test_an_idempotent_insert_never_takes_another_row_for_its_own(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (id TEXT PRIMARY KEY, n INTEGER, m TEXT UNIQUE)")
    t = db.table("t")
    t.insert({"id": "k", "n": 1, "m": "a"}, idempotent=True)
    with pytest.raises(IntegrityError, match=r"UNIQUE constraint failed: t\.id: another row has this key") as caught:
        t.insert({"id": "k", "n": 2, "m": "a"}, idempotent=True)
    assert (caught.value.kind, caught.value.table, caught.value.columns) == ("unique", "t", ("id",))
    # Another unique column is no question of sending it twice.
    with pytest.raises(IntegrityError) as unique:
        t.insert({"id": "l", "m": "a"}, idempotent=True)
    assert unique.value.columns == ("m",)


@pytest.mark.parametrize(
    ("table", "data", "message"),
    [
        ("t", {"n": 1}, r"needs the row's primary key \(id\), made by the client.*'id' is missing"),
        ("t", {"id": None}, "'id' is missing"),
        ("t", [("id", 1)], "'id' is missing"),
        ("p", {"n": 1}, "'p' declares none"),
    ],
)
def test_an_idempotent_insert_needs_a_key_of_the_clients(
    db: DatabaseHandle, table: str, data: Any, message: str
) -> None:
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n)")
    db.exec("CREATE TABLE p (n)")
    with pytest.raises(ArgumentError, match=message):
        db.table(table).insert(data, idempotent=True)


def test_a_handle_shows_where_it_belongs(t: mesahub.TableHandle) -> None:
    assert (repr(t), t.name) == ("<TableHandle 't' of 'table'>", "t")


def test_views_with_triggers_and_full_text_tables_are_tables_too(db: DatabaseHandle, t: mesahub.TableHandle) -> None:
    db.exec("CREATE VIEW v AS SELECT id, name FROM t")
    db.exec("CREATE TRIGGER i INSTEAD OF INSERT ON v BEGIN INSERT INTO t (name) VALUES (new.name); END")
    db.exec("CREATE TRIGGER u INSTEAD OF UPDATE ON v BEGIN UPDATE t SET name = new.name WHERE id = old.id; END")
    db.exec("CREATE TRIGGER d INSTEAD OF DELETE ON v BEGIN DELETE FROM t WHERE id = old.id; END")
    v = db.table("v")
    assert v.insert({"name": "a"})["name"] == "a"
    v.insert_many([{"name": "b"}, {"name": "c"}])
    v.update({"name": "a"}, {"name": "z"})
    v.delete({"name": "b"})
    assert [row["name"] for row in stored(db)] == ["z", "c"]

    db.exec("CREATE VIRTUAL TABLE f USING fts5(body)")
    f = db.table("f")
    assert f.insert({"body": "one two"}) == {"body": "one two"}
    f.insert_many([{"body": "three"}])
    assert f.get(2) == {"body": "three"}
    assert [row["body"] for row in f.iterate(batch_size=1)] == ["one two", "three"]
