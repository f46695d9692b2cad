"""`db.rows`: values as they are stored, over every way."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import date
from typing import Annotated

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mesahub import ArgumentError, DatabaseHandle, NotFoundError, ResultError, SQLError, stored

VALUES = [
    None, 0, 1, -1, 2**53 + 1, 2**63 - 1, -(2**63), 0.0, 3.0, 1.5, 1e300, 5e-324, 2.0**63, 1e21, "", "YWJj", "3.0", "1",
    "a\0b", "ä€😀", "2024-01-02", b"", b"abc", b"\x00\xff\xfe",
]  # fmt: skip
COLUMNS = "plain, b BOOLEAN, d DATETIME, i INTEGER, r REAL, t TEXT, x BLOB, n NUMERIC"


def test_rows_have_the_storage_classes_of_sqlite(db: DatabaseHandle) -> None:
    native = sqlite3.connect(":memory:")
    for run in (db.exec, native.execute):
        run(f"CREATE TABLE t ({COLUMNS})")
    places = ", ".join("?" * 8)
    for value in VALUES:
        native.execute(f"INSERT INTO t VALUES ({places})", [value] * 8)
        db.exec(f"INSERT INTO t VALUES ({places})", [value] * 8)
    for sql in ("SELECT * FROM t ORDER BY rowid", "SELECT *, r, r + 1, x FROM t ORDER BY rowid DESC LIMIT 9"):
        cursor = native.execute(sql)
        rows = db.rows(sql)
        assert repr(rows.tuples()) == repr(cursor.fetchall())
        assert rows.columns == tuple(column[0] for column in cursor.description)
    native.close()


def test_rows_keep_columns_of_one_name_apart(db: DatabaseHandle) -> None:
    rows = db.rows("SELECT 1 AS a, 2 AS a, ? AS b", [b"x"])
    assert (rows.columns, rows.tuples(), rows[0]) == (("a", "a", "b"), [(1, 2, b"x")], {"a": 2, "b": b"x"})


def test_rows_show_infinities(db: DatabaseHandle) -> None:
    assert db.rows("SELECT 9e999, -9e999, 'Inf', 1").tuples() == [(float("inf"), float("-inf"), "Inf", 1)]


@pytest.mark.parametrize(
    "sql",
    [
        "VALUES (1, 'a'), (2, 'b')",
        "WITH x(n) AS (SELECT 1 UNION ALL SELECT 2) SELECT n, 'a' FROM x -- end",
        "SELECT 1, 2 WHERE 0;",
        "PRAGMA table_info('nothing')",
    ],
)
def test_rows_of_every_kind_of_read(db: DatabaseHandle, sql: str) -> None:
    native = sqlite3.connect(":memory:")
    assert db.rows(sql).tuples() == native.execute(sql).fetchall()
    native.close()


def test_an_expression_is_evaluated_once(db: DatabaseHandle) -> None:
    value, text = db.rows("SELECT r, CAST(r AS TEXT) FROM (SELECT random() AS r)").tuples()[0]
    assert isinstance(value, int)
    assert isinstance(text, str)


def test_rows_notice_a_changed_table(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (a, b)")
    db.exec("INSERT INTO t VALUES (1, 2)")
    assert db.rows("SELECT * FROM t").columns == ("a", "b")
    db.exec("ALTER TABLE t RENAME COLUMN b TO c")
    assert db.rows("SELECT * FROM t").columns == ("a", "c")
    db.exec("ALTER TABLE t ADD COLUMN d")
    assert db.rows("SELECT * FROM t").tuples() == [(1, 2, None)]
    db.exec("DELETE FROM t")
    db.exec("ALTER TABLE t RENAME COLUMN d TO e")
    assert db.rows("SELECT * FROM t").columns == ("a", "c", "e")


def test_rows_refuse_a_write_and_pass_on_an_error(db: DatabaseHandle) -> None:
    with pytest.raises(ArgumentError, match="writes"):
        db.rows("DELETE FROM t")
    with pytest.raises(SQLError, match="no such table: missing"):
        db.rows("SELECT * FROM missing")


def test_rows_are_a_sequence(db: DatabaseHandle) -> None:
    rows = db.rows("WITH x(n) AS (VALUES (1), (2), (3)) SELECT n, 'a' || n AS name FROM x")
    assert (len(rows), bool(rows), rows.first(), rows[-1]) == (3, True, {"n": 1, "name": "a1"}, {"n": 3, "name": "a3"})
    assert [row["n"] for row in rows] == rows.column("n") == rows.column(0) == [1, 2, 3]
    assert rows[1:] == [{"n": 2, "name": "a2"}, {"n": 3, "name": "a3"}]
    assert rows.scalar() == 1
    none = rows[:0]
    assert (bool(none), none.first(), none.scalar(), none.columns) == (False, None, None, ("n", "name"))
    assert rows[:1].one() == {"n": 1, "name": "a1"}
    with pytest.raises(ResultError, match="found 3"):
        rows.one()
    with pytest.raises(NotFoundError, match="found none"):
        none.one()
    with pytest.raises(ArgumentError, match="No column 'x'"):
        rows.column("x")
    assert repr(rows) == "<Rows: 3 rows of (n, name): [(1, 'a1'), (2, 'a2'), (3, 'a3')]>"
    assert "<td>a2</td>" in rows._repr_html_()


@dataclass
class Spent:
    name: str
    cents: int
    last: Annotated[date | None, stored.iso] = None


def test_rows_of_a_join_as_instances(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT)")
    db.exec("CREATE TABLE orders (person INTEGER, cents INTEGER, day DATE)")
    db.exec("INSERT INTO people VALUES (1, 'Ann'), (2, 'Bob')")
    db.exec("INSERT INTO orders VALUES (1, 500, '2026-01-02'), (1, 70, '2026-01-31'), (2, 1, NULL)")
    sql = (
        "SELECT p.id, name, sum(cents) AS CENTS, max(day) AS last FROM people AS p JOIN orders ON person = p.id "
        "GROUP BY p.id HAVING sum(cents) >= ? ORDER BY p.id"
    )
    rows = db.rows(sql, [0], model=Spent)
    assert rows == [Spent("Ann", 570, date(2026, 1, 31)), Spent("Bob", 1)]
    assert (rows.first(), rows[1:].one(), rows[-1]) == (rows[0], Spent("Bob", 1), Spent("Bob", 1))
    assert (rows.scalar(), rows.column("name"), rows.dicts()[1]["id"]) == (1, ["Ann", "Bob"], 2)
    assert db.rows(sql, [9999], model=Spent).first() is None
    with pytest.raises(
        ResultError, match=r"Spent\.cents needs column 'cents', and the query has no column of that name"
    ):
        db.rows("SELECT name FROM people", model=Spent)
    with pytest.raises(ResultError, match=r"Spent\.name: column 'name' of the query holds INTEGER, not str"):
        db.rows("SELECT id AS name, 1 AS cents FROM people", model=Spent)
    with pytest.raises(ResultError, match="several columns of that name"):
        db.rows("SELECT name, 'x' AS name, 1 AS cents FROM people", model=Spent)


def test_repr_of_rows_is_short(exact: DatabaseHandle) -> None:
    many = exact.rows("SELECT " + ", ".join(f"'{'x' * 99}' AS column_{number}" for number in range(90)))
    assert len(repr(many)) < 400
    assert ", ... 90 columns)" in repr(many)
    html = exact.rows("SELECT '<b>&' AS \"<script>\", NULL AS n, x'00' AS b")._repr_html_()
    assert "<script>" not in html
    assert "<td>&lt;b&gt;&amp;</td><td>NULL</td>" in html


values = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda x: x + 0.0),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.binary(max_size=8),
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(values, values, values), min_size=1, max_size=5))
def test_rows_differ_from_sqlite_in_nothing(exact: DatabaseHandle, rows: list[tuple[object, ...]]) -> None:
    native = sqlite3.connect(":memory:")
    native.execute("CREATE TABLE t (plain, b BOOLEAN, r REAL)")
    native.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
    exact.exec("DROP TABLE IF EXISTS t")
    exact.exec("CREATE TABLE t (plain, b BOOLEAN, r REAL)")
    exact.table("t").insert_many([dict(zip(("plain", "b", "r"), row, strict=True)) for row in rows])
    sql = "SELECT plain, b, r, r, typeof(b) FROM t ORDER BY rowid"
    assert exact.rows(sql).tuples() == native.execute(sql).fetchall()
    assert [list(map(type, row)) for row in exact.rows(sql).tuples()] == [
        list(map(type, row)) for row in native.execute(sql)
    ]
    native.close()
