"""The form on the wire means what the values bound natively mean."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mesahub import ArgumentError
from mesahub.sql import Statement, lower, lower_rows, prepare, restore_name
from tests.sql.native import connect, run_lowered, run_natively, typed

INTEGERS = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 1, -1, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(["5", "5.0", "a\0b", "[1]", ""])
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.none() | st.booleans() | INTEGERS | FLOATS | TEXTS | st.binary(max_size=12)

# Each of them says something else about the values: affinity, precedence, arithmetic, collation, functions.
TEMPLATES = [
    "SELECT typeof(?1), ?1",
    "SELECT ? || 'x', -? ",
    "SELECT 7/?, 7 %?, ?*2, ?+?",
    "SELECT n FROM t WHERE n = ?",
    "SELECT n FROM t WHERE s = ?",
    "SELECT n FROM t WHERE r >= ? AND r <=?",
    "SELECT n FROM t WHERE x IS ? OR x>?",
    "SELECT n FROM t WHERE ? IN (n, s, x) AND?",
    "SELECT n FROM t WHERE s IN (?, ?, ?)",
    "SELECT n FROM t WHERE x BETWEEN ? AND ? ORDER BY n",
    "SELECT n FROM t WHERE s LIKE ? ESCAPE '!' OR s GLOB ?",
    "SELECT CASE ? WHEN n THEN ? ELSE ? END FROM t",
    "SELECT coalesce(?, n), max(n, ?), length(?), quote(?) FROM t",
    "SELECT (?, ?) < (n, s) FROM t",
    "SELECT ? COLLATE NOCASE = 'A', CAST(? AS TEXT), CAST(? AS REAL), ? IS NULL",
    "SELECT json_array(?, ?), json_type(json_array(?)), json_object('a', ?)",
    "SELECT :a, :b || :a, @c, $d",
    "SELECT ?2, ?1, ?, ?2",
    "SELECT group_concat(?) FROM t GROUP BY ? ORDER BY ?",
    "WITH w(v) AS (VALUES (?), (?)) SELECT typeof(v), v FROM w UNION ALL SELECT typeof(?), ?",
    "SELECT sum(?) OVER (ORDER BY n ROWS 1 PRECEDING) FROM t",
    "SELECT n FROM t WHERE NOT ? AND n <> ~? ",
    "SELECT '?', \"n\", [n], `n`, ? /* ? */ FROM t -- ?",
    "SELECT ?->>'$', json_quote(?)",
]


def filled() -> sqlite3.Connection:
    connection = connect()
    connection.execute("CREATE TABLE t (n INTEGER, s TEXT, r REAL, x, b BLOB, u NUMERIC)")
    for value in [0, 1, -1, 5, 2**53 + 1, "5", "5.0", 5.0, 0.5, "a", b"a", None, ""]:
        connection.execute("INSERT INTO t VALUES (?1, ?1, ?1, ?1, ?1, ?1)", [value])
    return connection


@settings(max_examples=400, deadline=None)
@given(sql=st.sampled_from(TEMPLATES), data=st.data())
def test_a_statement_gives_the_same_rows(sql: str, data: st.DataObject) -> None:
    with_values = prepare(sql, data.draw(_bindings_for(sql)), operation="query")
    connection = filled()
    try:
        expected: Any = typed(run_natively(connection, with_values))
    except sqlite3.Error as error:
        with pytest.raises(sqlite3.Error) as caught:
            run_lowered(connection, with_values)
        assert restore_name(str(caught.value)) == str(error)
    else:
        assert typed(run_lowered(connection, with_values)) == expected
    connection.close()


def _bindings_for(sql: str) -> st.SearchStrategy[Any]:
    from mesahub.sql import analyze

    found = analyze(sql)
    if found.named:
        return st.fixed_dictionaries({name: VALUES for name in found.parameters if name})
    return st.lists(VALUES, min_size=found.highest, max_size=found.highest)


@settings(max_examples=200, deadline=None)
@given(column=st.sampled_from(["n", "s", "r", "x", "b", "u"]), value=VALUES)
def test_a_value_is_stored_the_same(column: str, value: Any) -> None:
    connection = connect()
    connection.execute("CREATE TABLE t (n INTEGER, s TEXT, r REAL, x, b BLOB, u NUMERIC)")
    statement = Statement(f"INSERT INTO t ({column}) VALUES (?)", [value], "insert", True)
    run_natively(connection, statement)
    run_lowered(connection, statement)
    native, lowered = connection.execute(f"SELECT typeof({column}), {column} FROM t").fetchall()
    assert typed([lowered]) == typed([native])
    connection.close()


@settings(max_examples=200, deadline=None)
@given(rows=st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=1, max_size=8))
@example(rows=[(5e-324, 1.7976931348623157e308, -0.0), (0.1, 0.30000000000000004, 2.0**62)])
@example(rows=[(1.1125369292536007e-308, -2.2250738585072014e-308, 9007199254740993.0), ("a", b"", None)])
def test_many_rows_are_stored_the_same(rows: list[tuple[Any, ...]]) -> None:
    connection = connect()
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, x, s TEXT, r REAL)")
    statement = Statement("INSERT INTO t (x, s, r) VALUES (?, ?, ?)", [], "insert", True, rows)
    run_natively(connection, statement)
    run_lowered(connection, statement)
    stored = connection.execute("SELECT typeof(x), x, typeof(s), s, typeof(r), r FROM t ORDER BY id").fetchall()
    assert typed(stored[len(rows) :]) == typed(stored[: len(rows)])
    connection.close()


def test_what_needs_no_change_is_not_changed() -> None:
    sql, bindings = "SELECT ?, ?, ?, ?", ["a", 1.5, None, True]
    assert lower(sql, bindings) == (sql, bindings)


def test_bulk_rows_keep_what_follows_the_values() -> None:
    sql = 'INSERT INTO "VALUES (?)" ("a") VALUES (?) ON CONFLICT ("a") DO NOTHING RETURNING "a"'
    lowered, bindings = lower_rows(sql, [(1,), (2,)])
    assert lowered == (
        'INSERT INTO "VALUES (?)" ("a") SELECT value->>\'$[0]\' FROM json_each(?) WHERE true '
        'ON CONFLICT ("a") DO NOTHING RETURNING "a"'
    )
    assert bindings == ["[[1],[2]]"]


@pytest.mark.parametrize("sql", ["SELECT ?", "SELECT ?+1", "SELECT :a || ?", "SELECT length(?2), ?1"])
def test_a_columns_name_is_restored(sql: str) -> None:
    connection = connect()
    values = [7, b"x"][: 2 if "?2" in sql or ":a" in sql else 1]
    native = [column[0] for column in connection.execute(sql, values).description]
    lowered, bindings = lower(sql, values)
    names = [column[0] for column in connection.execute(lowered, bindings).description]
    assert [restore_name(name) for name in names] == native
    connection.close()


def test_a_text_that_becomes_too_long_says_so() -> None:
    sql = f"SELECT {', '.join(['?'] * 5000)}, '{'x' * 60_000}'"
    statement = prepare(sql, list(range(5000)), operation="query")
    with pytest.raises(ArgumentError, match="insert_many"):
        lower(statement.sql, statement.bindings)
