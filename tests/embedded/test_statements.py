"""What the engine runs, what it refuses, and that it leaves nothing behind."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from mesahub import ConfigurationError, DatabaseBusyError, DatabaseHandle, RequestTimeoutError
from mesahub.errors import Outcome
from mesahub_embedded.engine.engine import Engine
from mesahub_embedded.engine.errors import RefusedError, TimedOutError
from mesahub_embedded.engine.rows import UnrepresentableError
from mesahub_embedded.server.scripts import run_script
from mesahub_embedded.storage.naming import file_name

ENDLESS = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"


@pytest.mark.parametrize(
    ("sql", "status", "text"),
    [
        ("SELEC 1", 400, 'near "SELEC": syntax error'),
        ("SELECT * FROM t WHERE", 400, "incomplete input"),
        ("SELECT * FROM nosuch", 400, "no such table: nosuch"),
        ("SELECT nope FROM t", 400, "no such column: nope"),
        ("SELECT nofn(1)", 400, "no such function: nofn"),
        ("SELECT abs(-9223372036854775808)", 500, "integer overflow"),
        ("SELECT json('{bad')", 500, "malformed JSON"),
        ("SELECT 1 LIMIT 1.5", 500, "datatype mismatch"),
        ("SELECT ?, ?", 400, "not enough args to execute query: want 2 got 1"),
        ("SELECT 1; SELECT 2", 400, "only one statement can be sent at a time"),
        ("BEGIN", 400, "a transaction was left open"),
        ("COMMIT", 500, "cannot commit - no transaction is active"),
        ("INSERT INTO t VALUES (1)", 403, "not allowed on the /query endpoint"),
        ("WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", 403, "not allowed on the /query endpoint"),
        ("PRAGMA user_version (10)", 403, "not allowed on the /query endpoint"),
        ("PRAGMA query_only (0)", 403, "not allowed on the /query endpoint"),
        ("PRAGMA case_sensitive_like = 1", 403, "not allowed on the /query endpoint"),
        ("ANALYZE", 403, "not allowed on the /query endpoint"),
    ],
)
def test_what_a_query_refuses(engine: Engine, sql: str, status: int, text: str) -> None:
    engine.execute("CREATE TABLE t (n INTEGER)")
    with pytest.raises(RefusedError) as caught:
        engine.query(sql, [1] if "?" in sql else [])
    assert caught.value.status == status
    assert text in caught.value.text
    assert engine.query("SELECT count(*) FROM t").rows == [(0,)]


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("INSERT INTO t VALUES (1, 2)", "table t has 1 columns but 2 values were supplied"),
        ("INSERT INTO t (nope) VALUES (1)", "table t has no column named nope"),
        ("INSERT INTO t SELECT abs(-9223372036854775808)", "integer overflow"),
        ("INSERT INTO child VALUES (99)", "FOREIGN KEY constraint failed"),
        ("INSERT INTO t VALUES (-1)", "CHECK constraint failed: n >= 0"),
        ("BEGIN", "a transaction was left open"),
        ("SAVEPOINT s", "a transaction was left open"),
        ("COMMIT", "cannot commit - no transaction is active"),
        ("ATTACH DATABASE 'other.db' AS o", "not authorized"),
        ("VACUUM INTO 'copy.db'", "authoriz"),
        ("SELECT load_extension('x')", "not authorized"),
        ("PRAGMA locking_mode = EXCLUSIVE", "not authorized"),
        ("PRAGMA journal_mode = DELETE", "not authorized"),
        ("PRAGMA main.query_only (1)", "not authorized"),
        ("PRAGMA writable_schema = 1", "not authorized"),
    ],
)
def test_what_a_write_refuses(engine: Engine, sql: str, text: str, tmp_path: Path) -> None:
    engine.execute("CREATE TABLE t (n INTEGER PRIMARY KEY CHECK (n >= 0))")
    engine.execute("CREATE TABLE child (n REFERENCES t)")
    before = sorted(os.listdir())
    with pytest.raises(RefusedError) as caught:
        engine.execute(sql)
    assert text in caught.value.text
    assert sorted(os.listdir()) == before
    # The connection is as good as new.
    assert engine.execute("INSERT INTO t VALUES (5)").affected == 1
    assert engine.query("SELECT n FROM t").rows == [(5,)]


@pytest.mark.parametrize(
    "sql",
    [
        "PRAGMA table_info (t)",
        "PRAGMA journal_mode",
        "PRAGMA integrity_check (1)",
        "PRAGMA foreign_key_list ('t')",
        "SELECT * FROM pragma_table_xinfo('t')",
    ],
)
def test_a_pragma_that_tells_may_be_asked(engine: Engine, sql: str) -> None:
    engine.execute("CREATE TABLE t (n REFERENCES t)")
    assert engine.query(sql).rows
    assert engine.execute(sql).rows


def test_a_script_runs_in_order_and_may_hold_a_transaction(engine: Engine) -> None:
    engine.execute("CREATE TABLE t (n)")
    with engine.script() as run:
        run.execute("BEGIN")
        run.execute("INSERT INTO t VALUES (1)")
        run.execute("COMMIT")
    with pytest.raises(RefusedError, match="left open"), engine.script() as run:  # noqa: PT012
        run.execute("BEGIN")
        run.execute("INSERT INTO t VALUES (2)")
    assert engine.query("SELECT n FROM t").rows == [(1,)]


def test_no_result_is_cut(engine: Engine) -> None:
    numbers = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 150000) SELECT x FROM c"
    assert len(engine.query(numbers).rows) == 150_000


def test_no_result_is_cut_on_the_way_to_the_caller(db: DatabaseHandle) -> None:
    sql = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 100000) SELECT x FROM c"
    assert db.query(sql).row_count == 100_000


@pytest.mark.parametrize("mark", [":x", "@x", "$x", "?1"])
def test_parameters_of_every_kind(engine: Engine, mark: str) -> None:
    assert engine.query(f"SELECT {mark} AS a, {mark} AS b, ':x'", ["v", "ignored"]).rows == [("v", "v", ":x")]


def test_parameters_that_sqlite3_cannot_tell_apart(engine: Engine) -> None:
    assert engine.query("SELECT :a AS one, @a AS two, ? AS three", ["x", "y", "z"]).rows == [("x", "y", "z")]


@pytest.mark.parametrize(
    ("select", "row"),
    [
        ("?2, ?1", ("y", "x")),
        ("?1, ?01", ("x", "x")),
        ("?, ?1, ?3", ("x", "x", "z")),
        ("?3", ("z",)),
        ("?2, ?", ("y", "z")),
        (":a, ?1, ?", ("x", "x", "y")),
        ("$a::b, ':c'", ("x", ":c")),
        ("?, '?1'", ("x", "?1")),
    ],
)
def test_numbered_parameters(engine: Engine, select: str, row: tuple[str, ...]) -> None:
    assert engine.query(f"SELECT {select}", ["x", "y", "z", "left over"]).rows == [row]
    wanted = {"?2, ?1": 2, "?3": 3, "?2, ?": 3}.get(select)
    if wanted is not None:
        with pytest.raises(RefusedError, match=f"want {wanted} got 1"):
            engine.query(f"SELECT {select}", ["x"])


def test_a_text_too_long_to_be_remembered(engine: Engine) -> None:
    assert engine.query(f"SELECT :a, length('{'x' * 20_000}'), :a", ["v"]).rows == [("v", 20_000, "v")]


def test_a_parameter_with_a_number_beyond_the_limit(engine: Engine) -> None:
    for number in (0, 10**9, 10**30):
        with pytest.raises(RefusedError, match="variable number must be between"):
            engine.query(f"SELECT ?{number}, :a", ["x"])


def test_a_long_statement_is_interrupted(engine: Engine) -> None:
    with pytest.raises(TimedOutError):
        engine.query(ENDLESS, timeout=0.05)
    engine.execute("CREATE TABLE t (n)")
    with pytest.raises(TimedOutError):
        engine.execute(f"INSERT INTO t {ENDLESS}", timeout=0.05)
    assert engine.query("SELECT count(*) FROM t").rows == [(0,)]


def test_a_statement_that_nobody_waits_for_is_interrupted(engine: Engine) -> None:
    looks = iter([True, True])
    with pytest.raises(TimedOutError):
        engine.query(ENDLESS, alive=lambda: next(looks, False))


def test_the_callers_timeout_is_an_error_that_tells_what_became_of_it(db: DatabaseHandle) -> None:
    with pytest.raises(RequestTimeoutError) as caught:
        db.query(ENDLESS, timeout=0.05)
    assert caught.value.outcome is Outcome.NOT_SENT


def test_another_processs_lock_is_waited_for_and_then_told(data: Path) -> None:
    engine = Engine(_made(data), busy=0.05)
    try:
        engine.execute("CREATE TABLE t (n)")
        other = sqlite3.connect(_made(data), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RefusedError, match="database is locked") as caught:
            engine.execute("INSERT INTO t VALUES (1)")
        assert caught.value.status == 503
        assert engine.query("SELECT count(*) FROM t").rows == [(0,)]
        other.execute("COMMIT")
        other.close()
        assert engine.execute("INSERT INTO t VALUES (1)").affected == 1
    finally:
        engine.close()


def test_run_script_answers_a_lock_with_503_only_before_it_has_changed_anything(data: Path) -> None:
    """A 503 makes a client send the whole script again, also what was carried out."""
    engine = Engine(_made(data), busy=0.05)
    engine.execute("CREATE TABLE t (n)")
    other = sqlite3.connect(_made(data), isolation_level=None)

    def lock(*_: object) -> dict[str, Any]:
        other.execute("BEGIN IMMEDIATE")
        return {}

    try:
        for first, status, stored in (("INSERT INTO t VALUES (1)", 400, 1), ("CREATE TEMP TABLE s (n)", 503, 1)):
            with pytest.raises(RefusedError, match="database is locked") as caught:
                run_script(engine, [first, "INSERT INTO t VALUES (2)"], [], answer=lock)
            other.execute("COMMIT")
            assert caught.value.status == status
            assert engine.query("SELECT count(*) FROM t").rows == [(stored,)]
    finally:
        other.close()
        engine.close()


def test_a_locked_database_is_an_error_of_its_own(db: DatabaseHandle, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_: object, **__: object) -> None:
        raise RefusedError(503, "database is locked")

    monkeypatch.setattr(Engine, "execute", locked)
    with pytest.raises(DatabaseBusyError):
        db.client.exec(db.name, "CREATE TABLE t (n)", timeout=0.01)


def _made(data: Path) -> Path:
    folder = data / "databases"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / file_name("busy")


def test_what_json_cannot_hold(engine: Engine) -> None:
    engine.execute("CREATE TABLE t (r REAL, at DATETIME)")
    for sql in ("SELECT 9e999", "SELECT 1, -9e999", "SELECT 1e300 * 1e300 FROM t"):
        outcome = engine.query(sql)
        assert outcome.plan is not None
        if outcome.rows:
            with pytest.raises(UnrepresentableError):
                outcome.plan.rows(outcome.rows, wire=False)
    # Values whose sum runs over are no infinities.
    outcome = engine.query("SELECT ? AS x UNION ALL SELECT ? UNION ALL SELECT ?", [1.5e308, 1.6e308, 1.7e308])
    assert outcome.plan is not None
    assert outcome.plan.rows(outcome.rows * 4, wire=True)[0] == {"x": 1.5e308}


def test_text_that_is_no_text_comes_with_a_mark(engine: Engine) -> None:
    assert engine.query("SELECT CAST(x'61ff62' AS TEXT)").rows == [("a\ufffdb",)]
    engine.execute("CREATE TABLE t (s TEXT)")
    assert engine.execute("INSERT INTO t VALUES (CAST(x'61ff' AS TEXT)) RETURNING s").rows == [("a\ufffd",)]
    assert engine.query("SELECT s FROM t").rows == [("a\ufffd",)]
    assert engine.query("SELECT 'plain'").rows == [("plain",)]


def test_unhex_is_there_whatever_sqlite_it_is(engine: Engine) -> None:
    row = engine.query(
        "SELECT unhex('00ff'), unhex('0'), unhex('xx'), unhex(NULL), unhex('aa-bb', '-'), unhex('a-b', '-')"
    )
    assert row.rows == [(b"\x00\xff", None, None, None, b"\xaa\xbb", None)]


def test_after_close_it_says_so(data: Path) -> None:
    import mesahub

    db = mesahub.connect("mh://local/x", data=str(data))
    db.query("SELECT 1")
    db.close()
    db.close()
    with pytest.raises(ConfigurationError, match="closed"):
        db.query("SELECT 1")


def test_the_log_is_folded_into_the_file_at_the_end(data: Path) -> None:
    import mesahub

    with mesahub.connect("mh://local/x", data=str(data)) as db:
        db.exec("CREATE TABLE t (n)")
    assert [path.name for path in (data / "databases").iterdir()] == ["x.db"]
