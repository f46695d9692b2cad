"""rowsAffected and lastInsertRowid say what this statement did, and nothing of an earlier one."""

from __future__ import annotations

import pytest

from mesahub_embedded.engine.engine import Engine
from mesahub_embedded.engine.errors import RefusedError


@pytest.fixture(autouse=True)
def tables(engine: Engine) -> None:
    engine.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, k TEXT UNIQUE, n)")
    engine.execute("CREATE TABLE other (id INTEGER PRIMARY KEY, n)")
    engine.execute("CREATE TABLE keyed (k TEXT PRIMARY KEY, n) WITHOUT ROWID")
    engine.execute("INSERT INTO t VALUES (7, 'a', 1)")


@pytest.mark.parametrize(
    ("sql", "affected", "rowid"),
    [
        ("INSERT INTO t (k) VALUES ('b'), ('c')", 2, 9),
        ("INSERT INTO other VALUES (7, 0)", 1, 7),  # the rowid that the last INSERT gave, in another table
        ("REPLACE INTO t VALUES (7, 'z', 0)", 1, 7),
        ("INSERT OR IGNORE INTO t (k) VALUES ('a')", 0, None),
        ("INSERT INTO t (k) VALUES ('a') ON CONFLICT DO NOTHING", 0, None),
        ("INSERT INTO t (k) VALUES ('a') ON CONFLICT (k) DO UPDATE SET n = 2", 1, None),
        ("INSERT INTO t (k) VALUES ('new') ON CONFLICT (k) DO UPDATE SET n = 2", 1, 8),
        ("INSERT INTO keyed VALUES ('a', 1)", 1, None),
        ("WITH x (k) AS (VALUES ('w')) INSERT INTO t (k) SELECT k FROM x", 1, 8),
        ("WITH x (k) AS (VALUES ('a')) DELETE FROM t WHERE k IN (SELECT k FROM x)", 1, None),
        ("/* first */ INSERT INTO t (k) VALUES ('b') -- last", 1, 8),
        ("UPDATE t SET n = 2", 1, 0),
        ("UPDATE t SET n = 2 WHERE id = 99", 0, 0),
        ("DELETE FROM t", 1, 0),
        ("CREATE TABLE more (n)", 0, 0),
        ("CREATE INDEX i ON t (n)", 0, 0),
        ("DROP TABLE other", 0, 0),
        ("ALTER TABLE t ADD COLUMN extra", 0, 0),
        ("PRAGMA user_version = 3", 0, 0),
        ("ANALYZE", 0, 0),
        ("VACUUM", 0, 0),
    ],
)
def test_each_statement_has_its_own_numbers(engine: Engine, sql: str, affected: int, rowid: int | None) -> None:
    outcome = engine.execute(sql)
    assert (outcome.affected, outcome.rowid) == (affected, rowid)


def test_the_numbers_of_a_text_that_ran_before_are_its_own_too(engine: Engine) -> None:
    upsert = "INSERT INTO t (k) VALUES (?) ON CONFLICT (k) DO UPDATE SET n = 2"
    assert [engine.execute(upsert, [key]).rowid for key in ("b", "b", "c", "a")] == [8, None, 9, None]
    ignore = "INSERT OR IGNORE INTO t (k) VALUES (?)"
    assert [engine.execute(ignore, [key]).rowid for key in ("d", "d", "e")] == [10, None, 11]
    insert = "INSERT INTO keyed VALUES (?, 1)"
    assert [engine.execute(insert, [key]).rowid for key in ("b", "c")] == [None, None]


def test_triggers_count_for_nothing(engine: Engine) -> None:
    engine.execute("CREATE TRIGGER copy AFTER INSERT ON t BEGIN INSERT INTO other (id) VALUES (500), (501); END")
    outcome = engine.execute("INSERT INTO t (k) VALUES ('b')")
    assert (outcome.affected, outcome.rowid) == (1, 8)
    outcome = engine.execute("WITH x (k) AS (VALUES ('w')) DELETE FROM t WHERE k = 'b'")
    assert outcome.affected == 1


def test_returning_gives_rows_and_numbers(engine: Engine) -> None:
    outcome = engine.execute("INSERT INTO t (k) VALUES ('b'), ('c') RETURNING id, k AS key")
    assert outcome.plan is not None
    assert outcome.plan.rows(outcome.rows, wire=False) == [{"id": 8, "key": "b"}, {"id": 9, "key": "c"}]
    assert (outcome.affected, outcome.rowid) == (2, 9)


def test_many_rows_have_the_numbers_of_them_all(engine: Engine) -> None:
    insert = "INSERT INTO t (k, n) VALUES (?, ?)"
    outcome = engine.insert_rows(insert, [(f"k{n}", n) for n in range(100)])
    assert (outcome.affected, outcome.rowid) == (100, 107)
    upsert = insert + " ON CONFLICT (k) DO UPDATE SET n = excluded.n"
    outcome = engine.insert_rows(upsert, [("k1", 0), ("k2", 0)])
    assert (outcome.affected, outcome.rowid) == (2, None)


def test_many_rows_go_in_together_or_not_at_all(engine: Engine) -> None:
    with pytest.raises(RefusedError, match="UNIQUE constraint failed") as caught:
        engine.insert_rows("INSERT INTO t (k) VALUES (?)", [("x",), ("y",), ("a",)])
    assert caught.value.status == 400
    assert engine.query("SELECT count(*) FROM t").rows == [(1,)]
