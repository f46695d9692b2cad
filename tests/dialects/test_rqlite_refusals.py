"""Writes that rqlite takes and that do harm there."""

from __future__ import annotations

import pytest

from mesahub import UnsupportedError
from mesahub.dialects.rqlite.dialect import RqliteDialect
from mesahub.sql import prepare

DIALECT = RqliteDialect()


def send(sql: str, *bindings: object, dialect: RqliteDialect = DIALECT) -> None:
    dialect.request("main", "exec", prepare(sql, list(bindings), operation="exec"), timeout=1.0)


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("INSERT INTO t VALUES (random())", r"random\(\)"),
        ("INSERT INTO t VALUES (hex(randomblob(4)))", r"randomblob\(\)"),
        ('INSERT INTO t VALUES ("random"())', r"random\(\)"),
        ("INSERT INTO t VALUES (RANDOM ( ))", r"random\(\)"),
        ("INSERT INTO t SELECT a FROM u ORDER BY random() LIMIT 1", r"random\(\)"),
        ("REPLACE INTO t VALUES (abs(random() % 10))", r"random\(\)"),
        ("UPDATE t SET a = CURRENT_TIMESTAMP", "CURRENT_TIMESTAMP"),
        ("UPDATE t SET a = current_date", "CURRENT_DATE"),
        ("DELETE FROM t WHERE at < datetime('now', '-1 day')", "datetime"),
        ("DELETE FROM t WHERE at < datetime( 'NOW' )", "datetime"),
        ("WITH n AS (SELECT unixepoch() AS u) INSERT INTO t SELECT u FROM n", "unixepoch"),
        ("INSERT INTO t VALUES (date())", "date"),
        ("INSERT INTO t VALUES (julianday('now'))", "julianday"),
        ("INSERT INTO t VALUES (strftime('%s'))", "strftime"),
        ("INSERT INTO t VALUES (strftime('%Y', 'now'))", "strftime"),
        ("INSERT INTO t VALUES (datetime('subsec'))", "datetime"),
        ("INSERT INTO t VALUES (timediff('2020-01-01', 'now'))", "timediff"),
        ("INSERT INTO t VALUES (datetime(a, 'localtime'))", "datetime"),
        ('INSERT INTO t VALUES (datetime("now"))', "datetime"),
        ("CREATE TABLE t (at TEXT DEFAULT CURRENT_TIMESTAMP)", "CURRENT_TIMESTAMP"),
        ("CREATE TABLE t (id TEXT DEFAULT (lower(hex(randomblob(16)))))", "randomblob"),
        ("ALTER TABLE t ADD COLUMN at DEFAULT CURRENT_TIME", "CURRENT_TIME"),
        ("CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET at = datetime('now'); END", "datetime"),
        ("INSERT INTO t VALUES (1) ON CONFLICT DO UPDATE SET a = random()", "random"),
        ("INSERT INTO t VALUES (1) RETURNING random()", "random"),
    ],
)
def test_what_would_differ_between_the_nodes_is_refused_with_a_remedy(sql: str, named: str) -> None:
    with pytest.raises(UnsupportedError, match=rf"{named}.*bind it with \?"):
        send(sql)
    send(sql, dialect=RqliteDialect({"nondeterministic": "allow"}))


@pytest.mark.parametrize("value", ["now", " NOW", "localtime", "subsec"])
def test_the_present_time_may_not_be_a_value_either(value: str) -> None:
    for _ in range(2):
        send("UPDATE t SET a = datetime(?)", "2026-01-01")
        with pytest.raises(UnsupportedError, match="for a date function"):
            send("UPDATE t SET a = datetime(?)", value)
    send("UPDATE t SET a = ?", value)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t VALUES (datetime('2026-01-01', '+1 day'))",
        "INSERT INTO t VALUES (strftime('%s', a), date(a, 'start of month'))",
        "INSERT INTO t VALUES (datetime('2026-01-01', 'subsec'))",
        "INSERT INTO t VALUES ('random()', 'now')",
        "INSERT INTO t (random, now, date) VALUES (1, 2, 3)",
        "INSERT INTO date (time) VALUES (1)",
        'INSERT INTO t ("current_timestamp") VALUES (1)',
        "UPDATE t SET random = t.random + 1",
        "CREATE TABLE date (a)",
        "CREATE INDEX i ON time (a)",
        "CREATE TABLE t (a REFERENCES date (id))",
        "CREATE TABLE IF NOT EXISTS time (a)",
        "CREATE VIEW temp_view AS SELECT 1",
        "DROP TABLE random",
        "PRAGMA user_version = 3",
        "PRAGMA main.application_id = 7",
        "VACUUM",
        "ANALYZE",
    ],
)
def test_what_is_the_same_on_each_node_is_sent(sql: str) -> None:
    send(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "PRAGMA foreign_keys = OFF",
        "PRAGMA foreign_keys(0)",
        "PRAGMA main.journal_mode = DELETE",
        'PRAGMA "synchronous"=1',
    ],
)
def test_a_pragma_of_a_session_is_refused(sql: str) -> None:
    with pytest.raises(UnsupportedError, match=r"PRAGMA .* when rqlited is started"):
        send(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TEMP TABLE a (b)",
        "CREATE TEMPORARY VIEW a AS SELECT 1",
        "create temp trigger x after insert on t begin select 1; end",
    ],
)
def test_temp_tables_are_refused(sql: str) -> None:
    with pytest.raises(UnsupportedError, match="TEMP"):
        send(sql)


def test_vacuum_into_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="copy"):
        send("VACUUM INTO 'x.db'")


def test_reads_may_ask_for_the_time_and_for_chance() -> None:
    for sql in ("SELECT datetime('now'), random()", "SELECT * FROM t ORDER BY random()", "PRAGMA table_info(t)"):
        DIALECT.request("main", "query", prepare(sql, operation="query"), timeout=1.0)


def test_a_batch_is_refused_whole() -> None:
    statements = [prepare(sql, operation="exec") for sql in ("DELETE FROM t", "INSERT INTO t VALUES (random())")]
    with pytest.raises(UnsupportedError):
        DIALECT.batch("main", statements, timeout=1.0)
