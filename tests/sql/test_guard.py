"""Nothing that crashes or fools the server leaves this process; everything else does, as it was written."""

from __future__ import annotations

import gc
from collections import UserDict, defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesahub import ArgumentError
from mesahub.sql import Statement, analyze, prepare, split_script, tokenize
from mesahub.sql import statement as module
from tests.properties import examples


def query(sql: str, bindings: Any = None) -> Statement:
    return prepare(sql, bindings, operation="query")


def exec_(sql: str, bindings: Any = None) -> Statement:
    return prepare(sql, bindings, operation="exec")


@pytest.mark.parametrize(
    "sql", ["", " \n\t", ";", " ; ;; ", "-- a", "/* a */", "/* open", "; -- a\n", "\ufeff", "\ufeff;"]
)
def test_what_has_no_statement_is_refused(sql: str) -> None:
    for operation in (query, exec_):
        with pytest.raises(ArgumentError, match="contains no statement"):
            operation(sql)


@pytest.mark.parametrize(
    ("sql", "sent"),
    [
        ("SELECT 1;", "SELECT 1"),
        ("SELECT 1;;", "SELECT 1"),
        ("SELECT 1; -- done", "SELECT 1"),
        ("SELECT 1 /* a */ ; /* b", "SELECT 1"),
        ("SELECT 1;\ufeff", "SELECT 1"),
        ("SELECT 1; \v", "SELECT 1"),
        (";SELECT 1", "SELECT 1"),
        ("; -- a;\n SELECT 1 -- b", "SELECT 1"),
        ("-- a\nSELECT 1; -- b", "-- a\nSELECT 1"),
        ("SELECT 1 -- b", "SELECT 1 -- b"),
        ("SELECT 1 -- b;", "SELECT 1 -- b;"),
        ("SELECT ';'", "SELECT ';'"),
        ('SELECT [;], `;`, ";" ', 'SELECT [;], `;`, ";" '),
        ("SELECT /* ; */ 1", "SELECT /* ; */ 1"),
    ],
)
def test_empty_statements_around_one_are_cut_off(sql: str, sent: str) -> None:
    assert query(sql).sql == sent


CRASHING = st.lists(
    st.sampled_from(["SELECT 1", "SELECT ';'", ";", " ", "\n", "-- a\n", "-- a", "/* ; */", "/*", "\ufeff", ";;"]),
    max_size=7,
).map("".join)


@examples(300)
@given(sql=CRASHING)
def test_no_empty_statement_is_ever_sent(sql: str) -> None:
    try:
        sent = query(sql).sql
    except ArgumentError:
        return
    kinds = [kind for kind, _, _ in tokenize(sent) if kind not in ("space", "comment")]
    assert kinds
    assert "semicolon" not in kinds


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT 1; SELECT 2", "2 statements; the server would run only the last one"),
        ("INSERT INTO t VALUES (1); SELECT 1; SELECT 2;", "3 statements"),
        ("BEGIN", "BEGIN would begin or end a transaction for every client"),
        ("begin immediate;", "BEGIN would"),
        ("/* a */ COMMIT", "COMMIT would"),
        ("END TRANSACTION", "END would"),
        ("ROLLBACK TO a", "ROLLBACK would"),
        ("SAVEPOINT a", "SAVEPOINT would"),
        ("RELEASE a", "RELEASE would"),
        ("ATTACH 'a' AS b", r"ATTACH would affect every client .* mesahub.copy\(\)"),
        ("DETACH b", "DETACH would"),
        ("SELECT 1\0", "NUL character"),
        ("SELECT '\ud800'", "lone surrogate"),
        (f"SELECT '{'x' * 100_000}'", r"100009 bytes; the server accepts 100000\. Bind the values"),
        (f"SELECT '{'é' * 50_000}'", "100009 bytes"),
        ("SELECT ?0", r"parameter \?0 must have a number from \?1 to \?5000"),
        ("SELECT ?5001", r"\?5001 must have"),
        ("SELECT ?99999999", "must have"),
        ("SELECT ?" + "9" * 5000, r"parameter \?99999999999999999999999999999 must"),
    ],
)
def test_what_would_crash_or_fool_the_server_is_refused(sql: str, message: str) -> None:
    for operation in (query, exec_):
        with pytest.raises(ArgumentError, match=message):
            operation(sql)


def test_the_limits_themselves_are_allowed() -> None:
    sql = f"SELECT '{'x' * 99_991}'"
    assert len(sql) == 100_000
    assert query(sql).sql == sql
    assert len(query(f"SELECT {','.join('?' * 5000)}", [None] * 5000).bindings) == 5000
    assert len(query("SELECT ?5000", [None] * 5000).bindings) == 5000


def test_too_many_values_say_what_to_do() -> None:
    with pytest.raises(ArgumentError, match=r"can have at most 5000 values, not 5001.*insert_many.*json_each"):
        query(f"SELECT {','.join('?' * 5001)}", [None] * 5001)


@pytest.mark.parametrize("sql", [None, 5, b"SELECT 1", ["SELECT 1"]])
def test_sql_is_a_string(sql: Any) -> None:
    with pytest.raises(ArgumentError, match="sql must be a string, not"):
        query(sql)


READS = [
    "SELECT 1", "select 1", "/* DELETE */ SELECT 1", "-- DROP\nSELECT 1", "VALUES (1)", "EXPLAIN DELETE FROM t",
    "EXPLAIN QUERY PLAN INSERT INTO t VALUES (1)", "WITH a AS (SELECT 1) SELECT * FROM a",
    "WITH RECURSIVE a(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM a WHERE n < 9) SELECT n FROM a",
    "WITH a AS MATERIALIZED (SELECT 'DELETE'), \"delete\" AS NOT MATERIALIZED (SELECT 1) SELECT 1",
    "WITH a AS (SELECT 1) VALUES (2)", "PRAGMA foreign_keys", "PRAGMA table_info(t)", "pragma main.index_list('t')",
    "PRAGMA \"integrity_check\"(10)", "PRAGMA user_version", "PRAGMA", "SELECT replace('a', 'b', 'c')",
    "SELECT (SELECT ')') FROM t", "WITH", "WITH a AS (SELECT 1)", "SELEC 1", "(SELECT 1)", "'text'", "? 1",
]  # fmt: skip
WRITES = {
    "INSERT INTO t VALUES (1)": "insert", "REPLACE INTO t VALUES (1)": "replace", "update t SET a = 1": "update",
    "DELETE FROM t": "delete", "CREATE TABLE t (a)": "create", "DROP TABLE t": "drop", "ALTER TABLE t ADD b": "alter",
    "ANALYZE": "analyze", "REINDEX": "reindex", "VACUUM": "vacuum", "PRAGMA user_version = 5": "pragma",
    "PRAGMA main.user_version(5)": "pragma", "PRAGMA table_info = t": "pragma", "PRAGMA optimize": "pragma",
    "PRAGMA wal_checkpoint": "pragma", "PRAGMA temp.incremental_vacuum(5)": "pragma",
    "WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a": "insert",
    "WITH a(x, y) AS (SELECT (1), (2)), b AS (SELECT 2) DELETE FROM t": "delete",
    "/* SELECT */ WITH a AS (SELECT ')') UPDATE t SET a = 1": "update",
    "WITH a AS (SELECT 1) REPLACE INTO t SELECT 1": "replace",
    "CREATE TRIGGER a AFTER INSERT ON t BEGIN SELECT 1; SELECT 2; END": "create",
}  # fmt: skip


@pytest.mark.parametrize("sql", READS)
def test_what_reads_goes_both_ways(sql: str) -> None:
    count = analyze(sql).highest
    assert query(sql, [1] * count).writes is exec_(sql, [1] * count).writes is False


@pytest.mark.parametrize(("sql", "verb"), WRITES.items())
def test_a_write_goes_through_exec_alone(sql: str, verb: str) -> None:
    statement = exec_(sql)
    assert (statement.sql, statement.verb, statement.writes) == (sql, verb, True)
    with pytest.raises(ArgumentError, match=rf"This statement writes \({verb.upper()}\).*Use exec\(\)"):
        query(sql)


def test_a_syntax_error_is_left_to_sqlite() -> None:
    for sql in ("SELEC 1", "SELECT 'open", "SELECT FROM", "CREATE TRIGGER a BEGIN SELECT 1;", ")", "SELECT #1"):
        values = [1] if "#" in sql else None
        assert exec_(sql, values).sql == sql


@pytest.mark.parametrize(
    ("sql", "bindings", "values"),
    [
        ("SELECT 1", None, []),
        ("SELECT 1", [], []),
        ("SELECT 1", {}, []),
        ("SELECT ?, ?", (1, "a"), [1, "a"]),
        ("SELECT ?, ?", iter([1, 2]), [1, 2]),
        ("SELECT ?, ?", range(2), [0, 1]),
        ("SELECT ?2, ?1", [1, 2], [1, 2]),
        ("SELECT ?3, ?", [1, 2, 3, 4], [1, 2, 3, 4]),
        ("SELECT ?1, ?1", [1], [1]),
        ("SELECT :a, :b, :a", {"b": 2, "a": 1}, [1, 2]),
        ("SELECT @a, $b", {"a": 1, "b": 2}, [1, 2]),
        ("SELECT :a, @a", {"a": 1}, [1, 1]),
        ("SELECT :a, @a", {":a": 1, "@a": 2}, [1, 2]),
        ("SELECT :a, @a", {"a": 1, "@a": 2}, [1, 2]),
        ("SELECT $a::b(c)", {"a::b(c)": 1}, [1]),
        ("SELECT :a", UserDict(a=1), [1]),
        ("SELECT :a, ?, :b", [1, 2, 3], [1, 2, 3]),
        ("SELECT :a, ':b', \":c\" -- :d", {"a": 1}, [1]),
        ("SELECT :É", {"É": 1}, [1]),
    ],
)
def test_values_are_dealt_out_as_sqlite_numbers_them(sql: str, bindings: Any, values: list[Any]) -> None:
    assert query(sql, bindings).bindings == values


@pytest.mark.parametrize(
    ("sql", "bindings", "message"),
    [
        ("SELECT 1", [1], r"has 0 values to bind, and 1 was given"),
        ("SELECT ?", None, "has 1 value to bind, and 0 were given"),
        ("SELECT ?", [], "has 1 value to bind"),
        ("SELECT ?", [1, 2], "has 1 value to bind, and 2 were given"),
        ("SELECT ?3", [1], "has 3 values to bind"),
        ("SELECT :a, :b", None, "has 2 values to bind, as a dict with the names a, b; 0 given"),
        ("SELECT :a, @a", [1], "as a dict with the names a; 1 given"),
        ("SELECT :a, ?", [1], "has 2 values to bind, and 1 was given"),
        ("SELECT ?", {}, "has [?] parameters; pass their values as a list"),
        ("SELECT ?, :a", {"a": 1}, "pass their values as a list"),
        ("SELECT :name", {}, "Without a value: name"),
        ("SELECT :name, @name, $x", {}, "Without a value: name, x[.]"),
        ("SELECT :name", {"nane": 1}, "Without a value: name. Not in the statement: nane. Did you mean 'name'"),
        ("SELECT :name", {"name": 1, "other": 2}, "Not in the statement: other[.]"),
        ("SELECT :name", {"name": 1, 5: 2}, "Not in the statement: 5"),
        ("SELECT :name", {"name": 1, ":name": 2}, "Not in the statement: name"),
        ("SELECT :name", defaultdict(int), "Without a value: name"),
        ("SELECT 1", {"a": 1}, "Not in the statement: a"),
        ("SELECT ?", "x", r"must be a list for \?, or a dict for :name, not str: \['x'\]"),
        ("SELECT 1", "", "not str"),
        ("SELECT ?", "x" * 50, r"not str\."),
        ("SELECT ?", b"x", "not bytes"),
        ("SELECT ?", {1}, "not set"),
        ("SELECT ?", frozenset([1]), "not frozenset"),
        ("SELECT ?", 5, "not int"),
        ("SELECT 1", 0, "not int"),
        ("SELECT 1", False, "not bool"),
        ("SELECT ?", [object()], "type object cannot be stored"),
        ("SELECT :a", {"a": object()}, "type object cannot be stored"),
    ],
)
def test_values_that_do_not_fit_are_refused(sql: str, bindings: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        query(sql, bindings)


def test_what_is_known_of_a_text_is_kept_in_bounds() -> None:
    for number in range(module._KEPT + 10):
        query(f"SELECT {number}")
    assert 0 < len(module._prepared) <= module._KEPT
    long = f"SELECT '{'x' * 5000}'"
    assert query(long).sql == query(long).sql == long
    assert long not in module._prepared
    assert all(known.analysis.parts == [] for known in module._prepared.values())
    gc.collect()


def test_a_statements_repr_shows_no_values() -> None:
    assert repr(query("SELECT ?", ["secret"])) == "<Statement 'SELECT ?'>"


TRIGGER = """CREATE TEMP TRIGGER IF NOT EXISTS "a;b" AFTER UPDATE OF n ON t WHEN new.n > 5
BEGIN
    UPDATE t SET n = CASE WHEN n > 5 THEN 1 ELSE 2 END; -- ; END;
    INSERT INTO log VALUES ('; END;');
END"""


@pytest.mark.parametrize(
    ("script", "statements"),
    [
        ("", []),
        (" ; -- a\n ; /* b */", []),
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1; SELECT ';';\n-- a;\nSELECT 3;", ["SELECT 1", "SELECT ';'", "SELECT 3"]),
        (f"{TRIGGER};\nSELECT 1", [TRIGGER, "SELECT 1"]),
        (f"SELECT 0;EXPLAIN {TRIGGER}; ", ["SELECT 0", f"EXPLAIN {TRIGGER}"]),
        (f"EXPLAIN QUERY PLAN {TRIGGER};;SELECT 1", [f"EXPLAIN QUERY PLAN {TRIGGER}", "SELECT 1"]),
        (f"CREATE{TRIGGER[11:]};SELECT 1", [f"CREATE{TRIGGER[11:]}", "SELECT 1"]),
        ("CREATE TEMPORARY TRIGGER a BEGIN SELECT 1;;", ["CREATE TEMPORARY TRIGGER a BEGIN SELECT 1"]),
        ("CREATE TABLE trigger (a); SELECT 1", ["CREATE TABLE trigger (a)", "SELECT 1"]),
        ("DROP TRIGGER a; SELECT 1", ["DROP TRIGGER a", "SELECT 1"]),
        ("SELECT CASE WHEN 1 THEN 2 END; SELECT 1", ["SELECT CASE WHEN 1 THEN 2 END", "SELECT 1"]),
        ("SELECT 'open; SELECT 1", ["SELECT 'open; SELECT 1"]),
    ],
)
def test_a_script_is_split_where_its_statements_end(script: str, statements: list[str]) -> None:
    assert split_script(script) == statements


def test_semicolons_of_an_endless_trigger_alone_are_no_statement() -> None:
    assert split_script("CREATE TRIGGER;;;") == ["CREATE TRIGGER"]
