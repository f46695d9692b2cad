"""What a database consists of, asked of it, and changed for rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mesahub
from mesahub import ArgumentError, DatabaseHandle, MesahubError, NoSuchTableError, SQLError
from mesahub.sql.schema import ColumnInfo, declared_types


@pytest.fixture
def db(tmp_path: Path) -> Iterator[DatabaseHandle]:
    with mesahub.connect("mh://local/schema", data=str(tmp_path)) as made:
        yield made


def test_tables_lists_names_without_internal_and_shadow_tables(db: DatabaseHandle) -> None:
    db.exec_script(
        "CREATE TABLE b (id INTEGER PRIMARY KEY AUTOINCREMENT); CREATE TABLE sqlitelike (a); CREATE VIEW v AS SELECT 1;"
        "CREATE VIRTUAL TABLE notes USING fts5(body)"
    )
    assert db.tables() == ["b", "notes", "sqlitelike"]
    assert db.tables(views=True) == ["b", "notes", "sqlitelike", "v"]


def test_has_table_compares_names_as_sqlite_does(db: DatabaseHandle) -> None:
    db.exec('CREATE TABLE "Odd.name" (a)')
    assert db.has_table("odd.NAME")
    assert not db.has_table("odd")


def test_schema_returns_statements_in_order(db: DatabaseHandle) -> None:
    db.exec_script("CREATE TABLE t (a); CREATE TABLE u (a); CREATE INDEX i ON t (a); CREATE VIEW v AS SELECT 1 AS one")
    assert [(entry.type, entry.name, entry.table) for entry in db.schema()] == [
        ("table", "t", "t"), ("table", "u", "u"), ("index", "i", "t"), ("view", "v", "v"),
    ]  # fmt: skip
    assert [entry.sql for entry in db.schema("T")] == ["CREATE TABLE t (a)", "CREATE INDEX i ON t (a)"]
    assert db.schema("nosuch") == []


def test_columns_describes_each_column(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (b VARCHAR(20) NOT NULL DEFAULT 'x', a, c AS (a + 1), PRIMARY KEY (a, b))")
    assert db.table("t").columns() == [
        ColumnInfo("b", "VARCHAR(20)", True, "'x'", 2, False, False),
        ColumnInfo("a", "", False, None, 1, False, False),
        ColumnInfo("c", "", False, None, 0, True, False),
    ]
    with pytest.raises(NoSuchTableError, match="no such table: nosuch"):
        db.table("nosuch").columns()


def test_insert_many_creates_a_table_from_its_rows(db: DatabaseHandle) -> None:
    rows: list[dict[str, Any]] = [
        {"id": 1, "name": "Ann", "score": 1, "ok": True, "odd": 1},
        {"id": 2, "name": None, "score": 1.5, "photo": b"x", "odd": "text", "none": None},
    ]
    assert db.table("people").insert_many(iter(rows), create=True, key="id").rows_affected == 2
    types = {column.name: column.type for column in db.table("people").columns()}
    assert types == {
        "id": "INTEGER", "name": "TEXT", "score": "REAL", "ok": "BOOLEAN", "odd": "", "photo": "BLOB", "none": "",
    }  # fmt: skip
    assert db.table("people").primary_key() == [("id", "INTEGER")]
    db.table("people").insert_many([{"id": 2, "name": "Bob"}], "update", create=True)
    assert db.table("people").get(2, ["name"]) == {"name": "Bob"}


def test_insert_many_create_needs_rows_with_columns_and_the_key(db: DatabaseHandle) -> None:
    db.table("t").insert_many([], create=True)
    assert not db.has_table("t")
    with pytest.raises(ArgumentError, match="Key column 'id' is missing from"):
        db.table("t").insert_many([{"a": 1}], create=True, key="id")
    with pytest.raises(ArgumentError, match="without columns"):
        db.table("t").insert_many([{}], create=True)
    assert db.tables() == []


def test_insert_many_alter_adds_the_columns_that_rows_name(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (Id INTEGER PRIMARY KEY)")
    with pytest.raises(SQLError):
        db.table("t").insert_many([{"id": 1, "a": 1}])
    # A refused insert_many must not spoil the next one.
    rows: list[dict[str, Any]] = [{"id": 1, "a": "x"}, {"ID": 2, "b": 2.5}, {"id": 3, "a": "y", "b": 1.0}]
    assert db.table("t").insert_many(rows, alter=True).rows_affected == 3
    assert [(c.name, c.type) for c in db.table("t").columns()] == [("Id", "INTEGER"), ("a", "TEXT"), ("b", "REAL")]
    assert db.table("t").count() == 3


def test_insert_many_alter_accepts_a_column_that_another_client_added(
    db: DatabaseHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.exec("CREATE TABLE t (id INTEGER)")
    run = db.client.run_exec

    def late(ref: str, statement: Any, **options: Any) -> Any:
        result = run(ref, statement, **options)
        if statement.sql.startswith("ALTER"):
            raise MesahubError("AMBIGUOUS", 0, "its answer was lost")
        return result

    monkeypatch.setattr(db.client, "run_exec", late)
    assert db.table("t").insert_many([{"id": 1, "a": 1}], alter=True).rows_affected == 1


texts = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.none() | st.booleans() | numbers | texts | st.binary()


@given(st.lists(st.fixed_dictionaries({"a": values, "b": values}), min_size=1, max_size=5))
def test_declared_types_change_no_value(rows: list[dict[str, Any]]) -> None:
    types = declared_types(rows)
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"CREATE TABLE t (a {types['a']}, b {types['b']})")
        connection.executemany("INSERT INTO t VALUES (?, ?)", [(row["a"], row["b"]) for row in rows])
        found = connection.execute("SELECT a, b FROM t").fetchall()
    assert found == [(row["a"], row["b"]) for row in rows]
