"""The second run of a text goes a short way: it must give what the first one gave, and notice what has changed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import mesahub
from mesahub import DatabaseHandle, IntegrityError, MesahubError
from mesahub.transport import Request, Response
from mesahub_embedded.engine.engine import Engine
from mesahub_embedded.engine.errors import RefusedError, TimedOutError
from mesahub_embedded.engine.rows import Plan
from mesahub_embedded.storage.data_folder import Store


def thrice(run: Callable[[], Any]) -> list[Any]:
    return [run() for _ in range(3)]


def test_a_read_sees_new_columns_and_types(db: DatabaseHandle) -> None:
    table = db.table("t")
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, flag INTEGER)")
    table.insert({"id": 1, "flag": 1})
    assert thrice(lambda: table.find(where={"id": 1})) == [[{"id": 1, "flag": 1}]] * 3
    db.exec("ALTER TABLE t ADD COLUMN more TEXT DEFAULT 'x'")
    assert thrice(lambda: table.find(where={"id": 1})) == [[{"id": 1, "flag": 1, "more": "x"}]] * 3
    db.exec("DROP TABLE t")
    db.exec("CREATE TABLE t (flag BOOLEAN, id INTEGER PRIMARY KEY)")
    table.insert({"id": 1, "flag": True})
    assert thrice(lambda: table.find(where={"id": 1})) == [[{"flag": True, "id": 1}]] * 3


def test_a_write_sees_new_columns(db: DatabaseHandle) -> None:
    table = db.table("t")
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)")
    assert [row["id"] for row in thrice(lambda: table.insert({"n": 5}))] == [1, 2, 3]
    db.exec("ALTER TABLE t ADD COLUMN more TEXT DEFAULT 'x'")
    assert thrice(lambda: table.insert({"n": 5}))[-1] == {"id": 6, "n": 5, "more": "x"}


def test_another_process_changes_the_schema(db: DatabaseHandle, data: Path) -> None:
    table = db.table("t")
    db.exec("CREATE TABLE t (a INTEGER)")
    thrice(lambda: table.find(limit=1))
    with mesahub.connect("mh://local/shop", data=str(data)) as other:
        other.exec("DROP TABLE t")
        other.exec("CREATE TABLE t (b BOOLEAN)")
        other.table("t").insert({"b": True})
    assert thrice(lambda: table.find(limit=1)) == [[{"b": True}]] * 3


@pytest.mark.parametrize("sql", ["SELECT ? AS a, ? AS b", "SELECT ?1 AS a, ?2 AS b"])
def test_more_values_than_parameters_are_ignored_and_fewer_are_refused(engine: Engine, sql: str) -> None:
    assert thrice(lambda: engine.query(sql, [1, 2]).rows) == [[(1, 2)]] * 3
    assert thrice(lambda: engine.query(sql, [1, 2, 3]).rows) == [[(1, 2)]] * 3
    for _ in range(2):
        with pytest.raises(RefusedError, match="want 2 got 1"):
            engine.query(sql, [1])
    assert engine.query(sql, [3, 4]).rows == [(3, 4)]


def test_a_write_with_too_few_values_writes_nothing(engine: Engine) -> None:
    engine.execute("CREATE TABLE t (a, b)")
    sql = "INSERT INTO t VALUES (?, ?) RETURNING *"
    assert [outcome.rows for outcome in thrice(lambda: engine.execute(sql, [1, 2]))] == [[(1, 2)]] * 3
    with pytest.raises(RefusedError, match="want 2 got 1"):
        engine.execute(sql, [1])
    assert engine.execute(sql, [1, 2, 3]).rows == [(1, 2)]
    assert engine.query("SELECT count(*) FROM t").rows == [(4,)]


def test_text_that_is_no_utf8(engine: Engine) -> None:
    engine.execute("CREATE TABLE t (x)")
    read = "SELECT x FROM t"
    assert thrice(lambda: engine.query(read).rows) == [[]] * 3
    write = "INSERT INTO t VALUES (CAST(? AS TEXT)) RETURNING x"
    assert [outcome.rows for outcome in thrice(lambda: engine.execute(write, [b"a\xff"]))] == [[("a\ufffd",)]] * 3
    assert thrice(lambda: engine.query(read).rows) == [[("a\ufffd",)] * 3] * 3


def test_a_timeout_ends_a_text_that_ran_before(engine: Engine) -> None:
    sql = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT ?) SELECT count(*) AS n FROM c"
    assert thrice(lambda: engine.query(sql, [10], timeout=5).rows) == [[(10,)]] * 3
    with pytest.raises(TimedOutError):
        engine.query(sql, [10**12], timeout=0.02)
    assert engine.query(sql, [10], timeout=5).rows == [(10,)]


def test_the_counts_of_a_write_that_returns_rows(engine: Engine) -> None:
    engine.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER UNIQUE)")
    insert = "INSERT INTO t (n) VALUES (?) ON CONFLICT DO NOTHING RETURNING id"
    for n in range(1, 5):
        outcome = engine.execute(insert, [n])
        assert (outcome.rows, outcome.affected, outcome.rowid) == ([(n,)], 1, n)
    outcome = engine.execute(insert, [1])
    assert (outcome.rows, outcome.affected, outcome.rowid) == ([], 0, None)
    for n in (10, 20, 30):
        outcome = engine.execute("UPDATE t SET n = n + ? WHERE id < 3 RETURNING id", [n])
        assert (outcome.rows, outcome.affected, outcome.rowid) == ([(1,), (2,)], 2, 0)


def test_the_counts_of_a_write_that_returns_nothing(engine: Engine) -> None:
    engine.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER UNIQUE)")
    insert = "INSERT OR IGNORE INTO t (n) VALUES (?)"
    for n in range(1, 5):
        outcome = engine.execute(insert, [n])
        assert (outcome.plan, outcome.affected, outcome.rowid) == (None, 1, n)
    outcome = engine.execute(insert, [1])
    assert (outcome.affected, outcome.rowid) == (0, None)
    assert [engine.execute("UPDATE t SET n = n + ? WHERE id < 3", [n])[2:] for n in (10, 20, 30)] == [(2, 0)] * 3
    assert [engine.execute("DELETE FROM t WHERE id = ?", [n])[2:] for n in (1, 2, 2, 9)] == [
        (1, 0),
        (1, 0),
        (0, 0),
        (0, 0),
    ]
    with pytest.raises(RefusedError, match="want 1 got 0"):
        engine.execute(insert, [])
    assert engine.query("SELECT count(*) FROM t").rows == [(2,)]


@pytest.mark.parametrize("url", ["mh://local/shop", "sqlite://"])
def test_reads_and_writes_of_a_transaction(data: Path, url: str) -> None:
    options: dict[str, Any] = {"data": str(data)} if url.startswith("mh") else {}
    with mesahub.connect(url, **options) as db:
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, flag BOOLEAN)")
        with db.transaction() as tx:
            for n in range(1, 5):
                result = tx.exec("INSERT INTO t (flag) VALUES (?)", [True])
                assert (result.rows_affected, result.last_insert_rowid) == (1, n)
                assert tx.query("SELECT flag FROM t WHERE id = ?", [n]).rows == [{"flag": True}]
                assert tx.query("VALUES (?)", [n]).rows == [{"column1": n}]
                assert tx.rows("SELECT flag FROM t WHERE id = ?", [n]).tuples() == [(1,)]
            tx.exec("ALTER TABLE t ADD COLUMN more TEXT DEFAULT 'x'")
            for n in range(5, 8):
                assert tx.exec("INSERT INTO t (flag) VALUES (?)", [True]).last_insert_rowid == n
                assert tx.query("SELECT * FROM t WHERE id = ?", [n]).rows == [{"id": n, "flag": True, "more": "x"}]
        assert db.table("t").count() == 7


def test_a_failed_write_that_ran_before_changes_nothing(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER UNIQUE)")
    table = db.table("t")
    for n in range(3):
        table.insert({"n": n})
    with pytest.raises(IntegrityError):
        table.insert({"n": 2})
    assert table.insert({"n": 3}) == {"id": 4, "n": 3}


@pytest.mark.parametrize("count", [1, 5, 50])
def test_an_integer_in_a_real_column_is_a_float_in_process(count: int) -> None:
    plan = Plan(("price", "n"), ["REAL", "INTEGER"])
    rows = plan.rows([(1, 2)] * count, wire=False)
    assert {tuple(map(type, row.values())) for row in rows} == {(float, int)}
    assert plan.rows([(1, 2)] * count, wire=True) == [{"price": 1, "n": 2}] * count


def test_the_columns_of_one_result_are_not_those_of_the_next(db: DatabaseHandle) -> None:
    first = db.query("SELECT 1 AS a")
    first.columns.append("b")
    assert db.query("SELECT 1 AS a").columns == ["a"]


def test_rows_in_a_transaction_are_exact(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (at DATETIME, flag BOOLEAN)")
    db.exec("INSERT INTO t VALUES ('2026-01-31', 1)")
    with db.transaction() as tx:
        for rows in thrice(lambda: tx.rows("SELECT * FROM t")):
            assert rows.tuples() == [("2026-01-31", 1)]


def test_a_middleware_sees_what_the_server_answers(data: Path) -> None:
    seen: list[Any] = []

    def look(request: Request, forward: Callable[[Request], Response]) -> Response:
        response = forward(request)
        seen.append(response.payload)
        if request.operation == "query":
            response.payload["rows"] = [{"id": 7, "name": "changed"}]
        return response

    with mesahub.connect("mh://local/shop", data=str(data), middleware=[look]) as db:
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)")
        assert db.table("t").insert({"name": "x"}) == {"id": 1, "name": "x"}
        assert db.exec("INSERT INTO t (name) VALUES ('y')").last_insert_rowid == 2
        assert db.table("t").find() == [{"id": 7, "name": "changed"}]
    header = {"name": "id", "displayName": "id", "originalType": "INTEGER", "type": "number"}
    assert seen[1]["headers"][0] == header
    assert seen[1]["rows"] == [{"id": 1, "name": "x"}]
    assert (seen[2]["rowsAffected"], seen[2]["lastInsertRowid"]) == (1, 2)
    assert set(seen[3]) == {"headers", "rows", "whole", "exact", "stat"}


def test_threads_that_share_texts(store: Store) -> None:
    engine = store.engine("many")
    engine.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)")
    wrong: list[Any] = []

    def work(number: int) -> None:
        for _ in range(50):
            inserted = engine.execute("INSERT INTO t (n) VALUES (?) RETURNING n", [number]).rows
            found = engine.query("SELECT n FROM t WHERE n = ? LIMIT 1", [number]).rows
            if (inserted, found) != ([(number,)], [(number,)]):
                wrong.append((inserted, found))

    threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert engine.query("SELECT count(*) FROM t").rows == [(200,)]


def test_a_table_that_loses_its_rowid(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)")
    sql = "INSERT INTO t (n) VALUES (?)"
    assert [result.last_insert_rowid for result in thrice(lambda: db.exec(sql, [1]))] == [1, 2, 3]
    db.exec("DROP TABLE t")
    db.exec("CREATE TABLE t (n INTEGER PRIMARY KEY) WITHOUT ROWID")
    assert [db.exec(sql, [n]).last_insert_rowid for n in (1, 2, 3)] == [None, None, None]


def test_another_process_takes_the_rowid_away(db: DatabaseHandle, data: Path) -> None:
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)")
    sql = "INSERT INTO t (n) VALUES (?)"
    assert [result.last_insert_rowid for result in thrice(lambda: db.exec(sql, [1]))] == [1, 2, 3]
    with mesahub.connect("mh://local/shop", data=str(data)) as other:
        other.exec("DROP TABLE t")
        other.exec("CREATE TABLE t (n INTEGER PRIMARY KEY) WITHOUT ROWID")
    assert [db.exec(sql, [n]).last_insert_rowid for n in (1, 2, 3)] == [None, None, None]
    with mesahub.connect("mh://local/shop", data=str(data)) as other:
        other.exec("CREATE INDEX i ON t (n)")
    assert [db.exec(sql, [n]).last_insert_rowid for n in (4, 5, 6)] == [None, None, None]


@pytest.mark.parametrize("url", ["mh://local/shop", "sqlite://"])
def test_the_types_of_a_table_that_the_transaction_made(data: Path, url: str) -> None:
    row = {"flag": True, "at": "2026-01-31T00:00:00Z"}
    options: dict[str, Any] = {"data": str(data)} if url.startswith("mh") else {}
    with mesahub.connect(url, **options) as db:
        with db.transaction() as tx:
            tx.exec("CREATE TABLE t (flag BOOLEAN, at DATETIME)")
            assert tx.table("t").insert({"flag": True, "at": "2026-01-31"}) == row
            assert thrice(lambda: tx.table("t").find()) == [[row]] * 3
        assert thrice(lambda: db.table("t").find()) == [[row]] * 3
        assert thrice(lambda: db.table("t").insert({"flag": True, "at": "2026-01-31"})) == [row] * 3


@pytest.mark.parametrize("url", ["mh://local/shop", "sqlite://"])
def test_a_schema_that_was_rolled_back_is_forgotten(data: Path, url: str) -> None:
    options: dict[str, Any] = {"data": str(data)} if url.startswith("mh") else {}
    with mesahub.connect(url, **options) as db:
        with suppress(ZeroDivisionError), db.transaction() as tx:
            tx.exec("CREATE TABLE t (flag BOOLEAN)")
            tx.table("t").insert({"flag": True})
            assert thrice(lambda: tx.query("SELECT * FROM t").rows) == [[{"flag": True}]] * 3
            raise ZeroDivisionError
        db.exec("CREATE TABLE t (n INTEGER)")
        db.exec("INSERT INTO t VALUES (5)")
        assert thrice(lambda: db.query("SELECT * FROM t").rows) == [[{"n": 5}]] * 3
        assert db.query("SELECT * FROM t").columns == ["n"]


def test_a_closed_database_is_not_read(db: DatabaseHandle) -> None:
    thrice(lambda: db.query("SELECT 1 AS a"))
    db.close()
    with pytest.raises(MesahubError, match="closed"):
        db.query("SELECT 1 AS a")
