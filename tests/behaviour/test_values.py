"""A value goes in and comes out the same, whatever moves it."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from mesahub import ArgumentError, DatabaseHandle, SQLSyntaxError

INTEGERS = [0, 1, -1, 2**31, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)]
TEXTS = ["", "a", "it's", '"', "ä€😀", "a\nb\tc", "null", "5", "5.0", "[1]", "\u2028", "x" * 10_000, "a\x00b"]
REALS = [0.5, 3.0, -3.0, 1e15, 1e21, 1e-7, 1.7976931348623157e308, 5e-324, 0.1]
BLOBS = [b"", b"\x00", b"abc", bytes(range(256)), b"YWJj"]


def same(got: Any, expected: Any) -> bool:
    return type(got) is type(expected) and got == expected


@pytest.mark.parametrize(
    ("declared", "values"),
    [("INTEGER", INTEGERS), ("TEXT", TEXTS), ("REAL", REALS), ("BLOB", BLOBS)],
    ids=["integer", "text", "real", "blob"],
)
def test_a_value_comes_back_exactly(db: DatabaseHandle, declared: str, values: list[Any]) -> None:
    db.exec(f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {declared})")
    table = db.table("t")
    for index, value in enumerate(values):
        row = table.insert({"id": index, "v": value})
        assert same(row["v"], value), (row["v"], value)
    rows = table.find(order_by=["id"])
    assert all(same(row["v"], value) for row, value in zip(rows, values, strict=True)), rows


@pytest.mark.parametrize("values", [INTEGERS, TEXTS, REALS, BLOBS], ids=["integer", "text", "real", "blob"])
def test_a_column_without_type_keeps_the_storage_class(db: DatabaseHandle, values: list[Any]) -> None:
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
    db.table("t").insert_many([{"id": i, "v": v} for i, v in enumerate(values)])
    kinds = {int: "integer", str: "text", float: "real", bytes: "blob"}
    rows = db.query("SELECT typeof(v) AS kind FROM t ORDER BY id").rows
    assert [row["kind"] for row in rows] == [kinds[type(v)] for v in values]


@pytest.mark.parametrize("values", [INTEGERS, TEXTS, REALS, BLOBS], ids=["integer", "text", "real", "blob"])
def test_a_value_finds_its_row(db: DatabaseHandle, values: list[Any]) -> None:
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
    db.table("t").insert_many([{"id": i, "v": v} for i, v in enumerate(values)])
    for index, value in enumerate(values):
        found = db.table("t").find(where={"v": value}, select=["id"])
        assert found == [{"id": index}], value


def test_null_and_booleans(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, flag BOOLEAN, n INTEGER, s TEXT)")
    row = db.table("t").insert({"flag": True, "n": True, "s": None})
    assert row["flag"] is True
    assert row["n"] == 1
    assert row["s"] is None
    assert db.table("t").find(where={"flag": True, "s": None}) == [row]


def test_an_integer_binding_means_an_integer_in_raw_sql(db: DatabaseHandle) -> None:
    assert db.query("SELECT 7 / ? AS q", [2]).rows == [{"q": 3}]
    assert db.query("SELECT typeof(?) AS kind", [1]).rows == [{"kind": "integer"}]
    assert db.query("SELECT ? || 'x' AS s", [1]).rows == [{"s": "1x"}]
    db.exec("CREATE TABLE places (zip TEXT)")
    db.exec("INSERT INTO places VALUES (?)", [5])
    assert db.query("SELECT zip FROM places WHERE zip = ?", [5]).rows == [{"zip": "5"}]


def test_a_column_named_after_a_placeholder_has_the_name_that_was_written(db: DatabaseHandle) -> None:
    assert db.query("SELECT 1 + ?", [2]).rows == [{"1 + ?": 3}]
    assert db.query("SELECT length(?)", [b"abc"]).columns == ["length(?)"]


def test_columns_named_after_placeholders_keep_names_and_the_last_value(db: DatabaseHandle) -> None:
    result = db.query("SELECT ?, ?, ? || ?", [1, "a", b"b", 2])
    assert result.columns == ["?", "?", "? || ?"]
    assert result.rows == [{"?": "a", "? || ?": "b2"}]
    assert db.query("SELECT unhex(?)", ["61"]).columns == ["unhex(?)"]


def test_a_forgotten_comma_between_integers_is_no_sum(db: DatabaseHandle) -> None:
    with pytest.raises(SQLSyntaxError, match=r'near "\?": syntax error|syntax error around L1:17'):
        db.query("SELECT 3 IN (? ?) AS found", [1, 2])


def test_integers_keep_a_compounds_affinity(db: DatabaseHandle) -> None:
    # SQLite itself answers so or so, by its version.
    if db.query("SELECT sqlite_version() AS v").rows != [{"v": sqlite3.sqlite_version}]:
        pytest.skip("the engine has another version of SQLite than Python")
    sql = "SELECT n = '5' AS same FROM (SELECT CAST(6 AS INTEGER) AS n UNION ALL SELECT ?)"
    with closing(sqlite3.connect(":memory:")) as native:
        expected = native.execute(sql, [5]).fetchall()
    assert [(row["same"],) for row in db.query(sql, [5]).rows] == expected


def test_declared_types_shape_the_answer(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (at DATETIME, day DATE, flag BOOLEAN, plain TEXT)")
    db.exec("INSERT INTO t VALUES ('2024-01-02 03:04:05', '2024-01-02', 2, '2024-01-02')")
    assert db.table("t").find() == [
        {"at": "2024-01-02T03:04:05Z", "day": "2024-01-02T00:00:00Z", "flag": True, "plain": "2024-01-02"}
    ]


@pytest.mark.parametrize(
    "value", [2**63, -(2**63) - 1, math.inf, -math.inf, math.nan, "\ud800", object(), [1], {"a": 1}]
)
def test_what_cannot_be_kept_exactly_is_refused(db: DatabaseHandle, value: Any) -> None:
    db.exec("CREATE TABLE t (v)")
    with pytest.raises(ArgumentError):
        db.table("t").insert({"v": value})
    with pytest.raises(ArgumentError):
        db.query("SELECT ?", [value])
    assert db.table("t").count() == 0
