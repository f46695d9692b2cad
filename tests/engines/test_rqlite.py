"""What is peculiar to rqlite, on three real nodes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import mesahub
from mesahub import AuthenticationError, DatabaseHandle, IntegrityError, UnsupportedError
from mesahub.copying import dump_script
from mesahub.dialects.rqlite.dialect import RqliteDialect
from mesahub.sql import prepare
from mesahub.testing.engine_contract import EngineContract
from tests.engines.install import binary
from tests.engines.rqlite_cluster import PACKAGE, VERSION, Cluster

pytestmark = pytest.mark.engines


@pytest.fixture
def db(rqlite: Cluster) -> Iterator[DatabaseHandle]:
    with mesahub.connect(rqlite.url) as handle:
        yield handle


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("INSERT INTO main.t (a) VALUES (5) RETURNING id, a", [{"id": 3, "a": 5}]),
        ("INSERT INTO [t] (a) VALUES (5) RETURNING [id]", [{"id": 3}]),
        ("INSERT INTO t (a) SELECT value FROM json_each('[7, 8]') RETURNING id", [{"id": 3}, {"id": 4}]),
        ("INSERT INTO t (a) VALUES ((SELECT max(a) FROM t)) RETURNING a", [{"a": 2}]),
        ("UPDATE t SET (a, b) = (5, 6) WHERE id = 1 RETURNING *", [{"id": 1, "a": 5, "b": 6}]),
        ("UPDATE t SET a = u.a FROM (SELECT 9 AS a) AS u WHERE id = 1 RETURNING t.a", [{"a": 9}]),
        ("UPDATE t SET a = 0 WHERE id IN (SELECT max(id) FROM t) RETURNING id", [{"id": 2}]),
        ("WITH c AS (SELECT 2 AS k) DELETE FROM t WHERE id IN (SELECT k FROM c) RETURNING id", [{"id": 2}]),
        ("DELETE FROM t WHERE a COLLATE NOCASE = 'x' RETURNING id", []),
        ("DELETE FROM t WHERE id = 1 RETURNING (SELECT count(*) FROM t) AS n", [{"n": 1}]),
        ("INSERT INTO t (a) VALUES (0x1f) RETURNING a AS 'x'", [{"x": 31}]),
    ],
)
def test_no_form_of_returning_loses_its_rows(db: DatabaseHandle, sql: str, rows: list[dict[str, int]]) -> None:
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)")
    db.exec("INSERT INTO t (a) VALUES (1), (2)")
    result = db.exec(sql)
    assert (result.rows, result.rows_affected) == (rows, len(rows))


def test_a_read_knows_a_table_that_was_made_anew(db: DatabaseHandle) -> None:
    for columns in ("a REAL", "b TEXT, c BLOB", "a INTEGER, d REAL", "d REAL"):
        db.exec("DROP TABLE IF EXISTS t")
        db.exec(f"CREATE TABLE t ({columns})")
        db.exec("INSERT INTO t DEFAULT VALUES")
        names = [column.split()[0] for column in columns.split(", ")]
        assert db.query("SELECT * FROM t").columns == names


def test_a_copy_there_and_home_is_exact(db: DatabaseHandle, tmp_path: Path) -> None:
    with mesahub.connect("mh://local/shop", data=str(tmp_path)) as shop:
        shop.exec(
            "CREATE TABLE a (id INTEGER PRIMARY KEY, b BLOB, x, r REAL, o BOOLEAN, d DATETIME, z REFERENCES z (id))"
        )
        shop.exec("CREATE TABLE z (id INTEGER PRIMARY KEY AUTOINCREMENT, a REFERENCES a (id), s TEXT)")
        shop.exec("CREATE VIEW v AS SELECT b FROM a")
        shop.exec("CREATE TRIGGER g AFTER INSERT ON z BEGIN UPDATE a SET x = 'hit' WHERE id = -1; END")
        shop.exec("INSERT INTO z (id, s) VALUES (1, 's')")
        shop.exec(
            "INSERT INTO a VALUES (1, x'ff00', x'', 1.5, 1, '2020-01-01', 1), (2, 'YWJj', 3.0, 3.0, 0, NULL, NULL), "
            "(3, NULL, 1152921504606846977, 9e999, 1, NULL, 1), (4, x'', 3, 1e-300, NULL, 'x' || char(0) || 'y', 1), "
            "(5, CAST(x'c3' AS TEXT), CAST(x'ff41' AS TEXT), 0.1, 2, 5, 1), (6, 'x', x'deadbeef', 2, 7, 'y', 1)"
        )
        shop.exec("UPDATE z SET a = 1")
        shop.exec("PRAGMA user_version = 7")
        script = list(dump_script(shop))
        mesahub.copy(shop, db)
        assert list(dump_script(db)) == script
    with mesahub.connect("mh://local/home", data=str(tmp_path)) as home:
        mesahub.copy(db, home)
        assert list(dump_script(home)) == script


def test_a_schema_that_is_refused_is_refused_before_anything_is_copied(
    db: DatabaseHandle, rqlite: Cluster, tmp_path: Path
) -> None:
    with mesahub.connect("mh://local/shop", data=str(tmp_path)) as shop:
        shop.exec("CREATE TABLE a (id INTEGER PRIMARY KEY)")
        shop.exec("CREATE TABLE b (id INTEGER PRIMARY KEY, at TEXT DEFAULT CURRENT_TIMESTAMP)")
        with pytest.raises(UnsupportedError, match="CURRENT_TIMESTAMP"):
            mesahub.copy(shop, db)
        assert db.query("SELECT name FROM sqlite_schema").rows == []
        with mesahub.connect(f"{rqlite.url}?nondeterministic=allow") as other:
            mesahub.copy(shop, other)
        assert len(db.query("SELECT name FROM sqlite_schema").rows) == 2


def test_a_batch_is_all_or_nothing(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n UNIQUE)")
    with db.batch(idempotent=True) as batch:
        batch.exec("INSERT INTO t (n) VALUES (?)", [1])
        batch.exec("UPDATE main.t SET n = n + 1 RETURNING id, n")
    assert [(result.rows_affected, result.last_insert_rowid, result.rows) for result in batch.results] == [
        (1, 1, []),
        (1, None, [{"id": 1, "n": 2}]),
    ]
    with pytest.raises(IntegrityError) as caught:
        db.batch(["INSERT INTO t (n) VALUES (1)", "DELETE FROM t WHERE n = 2", "INSERT INTO t (n) VALUES (1)"])
    assert caught.value.details["statement"] == 2
    assert db.query("SELECT n FROM t").rows == [{"n": 2}]


def test_a_ticket_runs_once(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (n)")
    dialect = RqliteDialect()
    statements = [prepare("INSERT INTO t (n) VALUES (?)", [1], operation="exec")]
    for ran in (False, True):
        request = dialect.batch("main", statements, timeout=9.0, ticket="a")
        assert (dialect.batch_answer(statements, db.client.send(request)) is None) is ran
    assert db.query("SELECT n FROM t").rows == [{"n": 1}]


class TestContract(EngineContract):
    @pytest.fixture
    def db(self, rqlite: Cluster) -> Iterator[DatabaseHandle]:
        with mesahub.connect(rqlite.url) as handle:
            yield handle


def test_each_consistency_reads(db: DatabaseHandle) -> None:
    for level in sorted(db.capabilities.consistency):
        assert db.query("SELECT 1 AS one", consistency=level).rows == [{"one": 1}]


def test_a_slow_read_ends_with_its_time_and_a_slower_one_is_waited_for(db: DatabaseHandle) -> None:
    slow = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT ?) SELECT max(x) AS n FROM c"
    with pytest.raises(mesahub.RequestTimeoutError):
        db.query(slow, [10**9], timeout=0.5)
    assert db.query(slow, [20_000], timeout=60).rows == [{"n": 20_000}]


def test_50_000_rows_go_in_and_come_out_whole(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b BLOB)")
    rows = [{"a": number, "b": bytes([number % 256])} for number in range(50_000)]
    result = db.table("t").insert_many(rows, returning=["id"])
    assert [row["id"] for row in result.rows] == list(range(1, 50_001))
    assert db.table("t").find(select=["a", "b"], limit=50_000) == rows
    assert len(db.table("t").update({"id": {"in": list(range(1, 151))}}, {"a": 0}, returning=["id"]).rows) == 150


def test_a_user_and_a_password(tmp_path: Path) -> None:
    auth = tmp_path / "auth.json"
    auth.write_text(json.dumps([{"username": "bob", "password": "s:cret", "perms": ["all"]}]))
    cluster = Cluster(binary(PACKAGE, VERSION, "bin/rqlited"), tmp_path, nodes=1, auth=auth)
    try:
        hosts = cluster.url.removeprefix("rqlite://")
        with mesahub.connect(f"rqlite://bob:s%3Acret@{hosts}") as db:
            assert db.exec("CREATE TABLE t (a)").rows_affected == 0
        for wrong in (f"rqlite://bob:other@{hosts}", f"rqlite://{hosts}"):
            with mesahub.connect(wrong) as db, pytest.raises(AuthenticationError, match="user or the password"):
                db.query("SELECT 1")
    finally:
        cluster.stop()
