"""The form on the wire means what the values bound natively mean."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mesahub import ArgumentError
from mesahub.dialects.mesahub.lowering import lower, restore_name
from mesahub.sql import Statement, analyze, lower_rows, prepare
from tests.properties import examples
from tests.sql.native import connect, run_lowered, run_natively, typed

INTEGERS = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 1, -1, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["5", "5.0", "a\0b", "[1]", ""]
)
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
    "SELECT n FROM t ORDER BY n LIMIT ? OFFSET ?",
    "SELECT n IS DISTINCT FROM ?, n IS NOT ? FROM t",
    "SELECT s, n = '5' FROM (SELECT n, s FROM t UNION ALL SELECT ?, ?)",
    "SELECT n FROM t INTERSECT SELECT ? UNION SELECT CAST(? AS INTEGER) EXCEPT SELECT ?",
    "SELECT d, d = '5' FROM (SELECT CAST(n AS INTEGER) AS d FROM t UNION ALL SELECT ?) ORDER BY 1",
    "SELECT min(?, n) OVER () FROM t WINDOW w AS (ORDER BY ?)",
    "SELECT count(*) FILTER (WHERE ? > n), ifnull(?, 1) FROM t GROUP BY s HAVING ? OR n",
    "SELECT value FROM json_each(?) WHERE value <> ?",
    "SELECT n FROM t WHERE (n, s) IN (VALUES (?, ?), (?, ?))",
    "SELECT a.n FROM t a JOIN t b ON ? AND a.n = ? + b.n",
    "SELECT n FROM t WHERE n IN (SELECT ? UNION SELECT 5) AND EXISTS (SELECT ?)",
    "SELECT substr('abcdef', ?, ?), printf('%s %d', ?, ?), unhex(hex(?))",
    "EXPLAIN QUERY PLAN SELECT n FROM t WHERE n = ? AND s = ?",
    # Mistakes: SQLite must find them in the one as in the other.
    "SELECT n IN (? ?) FROM t",
    "SELECT n ? FROM t",
    "SELECT ? ? FROM t",
    "SELECT * FROM t WHERE n = (1) ?",
    "SELECT offset ? FROM (SELECT 1 AS offset)",
    "SELECT \"n\" ?, 'a' ?, 1 ? FROM t",
    "SELECT n FROM ?",
    "SELECT n FROM t WHERE n ?",
    "SELECT t.? FROM t",
]


def filled() -> sqlite3.Connection:
    connection = connect()
    connection.execute("CREATE TABLE t (n INTEGER, s TEXT, r REAL, x, b BLOB, u NUMERIC)")
    for value in [0, 1, -1, 5, 2**53 + 1, "5", "5.0", 5.0, 0.5, "a", b"a", None, ""]:
        connection.execute("INSERT INTO t VALUES (?1, ?1, ?1, ?1, ?1, ?1)", [value])
    return connection


@examples(400)
@given(sql=st.sampled_from(TEMPLATES), data=st.data())
def test_a_statement_gives_the_same_rows(sql: str, data: st.DataObject) -> None:
    with_values = prepare(sql, data.draw(_bindings_for(sql)), operation="query")
    connection = filled()
    assert _outcome(run_lowered, connection, with_values) == _outcome(run_natively, connection, with_values)
    connection.close()


def _outcome(run: Any, connection: sqlite3.Connection, statement: Statement) -> Any:
    try:
        return typed(run(connection, statement))
    except sqlite3.Error as error:
        # A syntax error names the token at which SQLite noticed it, which may be one that is sent in another form.
        return type(error), "syntax error" if "syntax error" in str(error) else restore_name(str(error))


def _bindings_for(sql: str) -> st.SearchStrategy[Any]:
    found = analyze(sql)
    if found.named:
        return st.fixed_dictionaries({name: VALUES for name in found.parameters if name})
    return st.lists(VALUES, min_size=found.highest, max_size=found.highest)


@examples(200)
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


@examples(200)
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


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ?",
        "SELECT ?+1",
        "SELECT ?1 || ?",
        "SELECT length(?2), ?1",
        "SELECT unhex('61'), CAST('5' AS INTEGER), ?",
        "SELECT ? UNION SELECT ?",
        "SELECT * FROM (SELECT ? + 1, 'a' || ?)",
        "SELECT ?, ?, ?",
    ],
)
def test_a_columns_name_is_restored(sql: str) -> None:
    connection = connect()
    values = [7, b"x", 8][: analyze(sql).highest]
    native = [column[0] for column in connection.execute(sql, values).description]
    lowered, bindings = lower(sql, values)
    names = [column[0] for column in connection.execute(lowered, bindings).description]
    assert [restore_name(name, sql) for name in names] == native
    connection.close()


@pytest.mark.parametrize("mark", [":a", "@a", "$a::b(c)", "?1"])
def test_a_named_parameters_column_is_restored(mark: str) -> None:
    lowered, _ = lower(f"SELECT {mark}", [1])
    assert lowered == f"SELECT +CAST({mark} AS INTEGER)"
    assert restore_name(lowered[7:]) == mark


def test_a_name_that_looks_lowered_is_kept_where_the_user_wrote_it() -> None:
    for sql in ("SELECT unhex(?)", "SELECT +CAST(? AS INTEGER)", "SELECT ifnull(CAST(? AS INT),0)"):
        assert restore_name(sql[7:], sql) == sql[7:]
        assert restore_name(sql[7:]) == "?"


def test_a_word_before_a_placeholder_stays_a_word() -> None:
    assert lower("SELECT 1 AND?", [b"a"])[0] == "SELECT 1 AND unhex(?)"
    assert lower("SELECT NOT?,?", [1, None])[0] == "SELECT NOT +CAST(? AS INTEGER),?"


def test_a_text_is_lowered_once_and_a_long_one_each_time() -> None:
    short, long = "SELECT ?", f"SELECT ?, '{'x' * 5000}'"
    assert lower(short, [1])[0] is lower(short, [2])[0]
    assert lower(long, [1])[0] is not lower(long, [2])[0]
    assert lower(long, [1])[0] == lower(long, [2])[0]


def test_the_texts_that_are_kept_are_bounded() -> None:
    from mesahub.dialects.mesahub import lowering
    from mesahub.sql.rewrites import json_rows

    for number in range(lowering._KEPT + 10):
        lower(f"SELECT ?, {number}", [1])
        lower_rows(f"INSERT INTO t{number} VALUES (?)", [(1,)])
    assert 0 < len(lowering._lowered) <= lowering._KEPT
    assert 0 < len(json_rows._inserts) <= json_rows._KEPT


def test_five_thousand_integers_fit_into_one_list() -> None:
    statement = prepare(f"SELECT 1 WHERE 4999 IN ({','.join('?' * 5000)})", list(range(5000)), operation="query")
    connection = connect()
    lowered, _ = lower(statement.sql, statement.bindings)
    assert len(lowered) <= 100_000
    if hasattr(connection, "setlimit"):  # SQLite's own limit of variables differs from build to build
        connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 5000)
    assert run_lowered(connection, statement) == [(1,)]
    connection.close()


def test_a_text_that_becomes_too_long_says_so() -> None:
    sql = f"SELECT {', '.join(['?'] * 5000)}, '{'x' * 60_000}'"
    statement = prepare(sql, list(range(5000)), operation="query")
    with pytest.raises(ArgumentError, match="insert_many"):
        lower(statement.sql, statement.bindings)
