"""iterate: every row once, in order, under ties, NULLs, odd keys and concurrent change, a page at a time."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mesahub
from mesahub import ArgumentError, DatabaseHandle, NoSuchColumnError, col
from mesahub.middleware import Handler
from mesahub.transport import Request, Response

VALUES = st.none() | st.integers(-3, 3) | st.sampled_from([2**63 - 1, 2**53 + 1, 0.5, 1.0, "", "a", "A", b"", b"a"])
ORDER = st.lists(
    st.tuples(st.sampled_from("xsr"), st.sampled_from(["asc", "desc"]), st.sampled_from([None, "first", "last"])),
    max_size=3,
)
TABLES = {
    "integer": "id INTEGER PRIMARY KEY, x, s TEXT COLLATE NOCASE, r REAL",
    "none": "id INTEGER, x, s TEXT COLLATE NOCASE, r REAL",
    "text": "id TEXT PRIMARY KEY, x, s TEXT COLLATE NOCASE, r REAL",
    "nulls": "x, s TEXT COLLATE NOCASE, r REAL, id INTEGER, PRIMARY KEY (x, s)",
    "without": "id INTEGER, x, s TEXT COLLATE NOCASE, r REAL, PRIMARY KEY (id DESC) ",
    "strict": "id INT NOT NULL PRIMARY KEY, x, s TEXT COLLATE NOCASE, r REAL",
}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    table=st.sampled_from(sorted(TABLES)),
    rows=st.lists(st.tuples(VALUES, VALUES.filter(lambda v: not isinstance(v, bytes)), VALUES), max_size=12),
    order=ORDER,
    batch_size=st.integers(1, 5),
)
def test_pages_are_the_whole_in_order(
    table: str, rows: list[tuple[Any, Any, Any]], order: list[tuple[str, str, str | None]], batch_size: int,
    db: DatabaseHandle,
) -> None:  # fmt: skip
    db.exec("DROP TABLE IF EXISTS t")
    db.exec(f"CREATE TABLE t ({TABLES[table]}){' WITHOUT ROWID' if table == 'without' else ''}")
    t = db.table("t")
    t.insert_many([{"id": i, "x": x, "s": s, "r": r} for i, (x, s, r) in enumerate(rows)], on_conflict="ignore")
    asked = [{"column": n, "direction": d, **({"nulls": u} if u else {})} for n, d, u in order]
    found = list(t.iterate(order_by=asked, batch_size=batch_size))
    whole = t.find()
    assert sorted(map(repr, found)) == sorted(map(repr, whole))
    # By SQLite's own order: what is equal in it may come in any.
    keys = ["x", "s", "r"]
    ranked = t.find(order_by=asked) if asked else found
    names = [n for n, _, _ in order]
    assert [[_folded(row[n]) for n in keys if n in names] for row in found] == [
        [_folded(row[n]) for n in keys if n in names] for row in ranked
    ]


def _folded(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def fill(db: DatabaseHandle, count: int = 10) -> None:
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)")
    db.table("t").insert_many([{"id": i, "n": i % 3} for i in range(count)])


def ids(rows: Any) -> list[int]:
    return [row["id"] for row in rows]


def test_a_filter_an_order_and_a_choice_of_columns(db: DatabaseHandle) -> None:
    fill(db)
    t = db.table("t")
    assert ids(t.iterate({"n": {"in": iter([1, 2])}}, order_by=["-n"], batch_size=2)) == [2, 5, 8, 1, 4, 7]
    assert list(t.iterate(col("n") == 0, ["n"], batch_size=2)) == [{"n": 0}] * 4
    assert list(t.iterate({"id": {"gte": 8}}, ["id"], "id", batch_size=1)) == [{"id": 8}, {"id": 9}]
    assert list(t.iterate({"id": {"gt": 100}})) == []


def test_change_meanwhile_shifts_nothing(db: DatabaseHandle) -> None:
    fill(db)
    t = db.table("t")
    rows = t.iterate(batch_size=2)
    seen = [next(rows)["id"], next(rows)["id"]]
    t.delete({"id": {"in": [0, 1, 4]}})
    t.insert({"id": -5, "n": 0})
    t.insert({"id": 100, "n": 0})
    assert seen + ids(rows) == [0, 1, 2, 3, 5, 6, 7, 8, 9, 100]


def test_pages_are_asked_for_one_at_a_time(tmp_path: Path) -> None:
    limits: list[int] = []

    def watch(request: Request, handler: Handler) -> Response:
        if " ORDER BY " in request.payload["sql"] and request.payload["sql"].startswith('SELECT "t".*'):
            limits.append(request.payload["bindings"][-1])
        return handler(request)

    with mesahub.connect("mh://local/x", data=str(tmp_path), middleware=[watch]) as db:
        fill(db)
        rows = db.table("t").iterate(batch_size=4)
        assert limits == []
        assert [next(rows)["id"] for _ in range(4)] == [0, 1, 2, 3]
        assert limits == [4]
        assert len(list(rows)) == 6
        assert limits == [4, 4, 4]


def test_a_view_needs_a_key(db: DatabaseHandle) -> None:
    fill(db)
    db.exec("CREATE VIEW v AS SELECT id * 2 AS twice, n FROM t")
    v = db.table("v")
    with pytest.raises(ArgumentError, match=r"'v' is a view.*iterate\(key=\['id'\]\)"):
        v.iterate()
    assert [row["twice"] for row in v.iterate(key="twice", batch_size=3)] == list(range(0, 20, 2))
    assert [row["twice"] for row in v.iterate(order_by=["-n"], key=["twice"], batch_size=3)][:3] == [4, 10, 16]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size must be an integer from 1 to 99999, not 0"),
        ({"batch_size": 100_000}, "batch_size"),
        ({"batch_size": True}, "batch_size"),
        ({"where": {"n": {"gtt": 1}}}, "Unknown operator"),
        ({"select": "n"}, "select must be a list"),
        ({"order_by": [5]}, "A term of order_by"),
        ({"order_by": [{"column": ["n"]}]}, "must be a string"),
        ({"key": []}, "key must be a column or a list"),
        ({"key": 5}, "key must be a column or a list"),
    ],
)
def test_a_wrong_argument_is_told_at_once(db: DatabaseHandle, arguments: dict[str, Any], message: str) -> None:
    fill(db)
    with pytest.raises(ArgumentError, match=message):
        db.table("t").iterate(**arguments)


def test_a_misspelt_column_is_told(db: DatabaseHandle) -> None:
    fill(db)
    with pytest.raises(NoSuchColumnError):
        list(db.table("t").iterate(order_by=["m"]))


def test_a_table_in_memory_order_is_sqlites(db: DatabaseHandle) -> None:
    # NULL, numbers, text, blobs: as ORDER BY has it, and as a plain sqlite3 connection has it.
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, x)")
    values = [b"a", "a", 2, None, 1.5, "", b"", None, -1]
    db.table("t").insert_many([{"x": value} for value in values])
    plain = sqlite3.connect(":memory:")
    plain.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, x)")
    plain.executemany("INSERT INTO t (x) VALUES (?)", [(value,) for value in values])
    expected = [row[0] for row in plain.execute("SELECT id FROM t ORDER BY x, id")]
    plain.close()
    assert ids(db.table("t").iterate(order_by=["x"], batch_size=2)) == expected
