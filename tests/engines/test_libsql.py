"""What is peculiar to libSQL, on a real server and a replica of it."""

from __future__ import annotations

import base64
import json
import math
import random
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import mesahub
from mesahub import (
    ArgumentError,
    AuthenticationError,
    DatabaseHandle,
    IntegrityError,
    MesahubError,
    NotFoundError,
    SQLError,
    TransactionLostError,
    UnrepresentableResultError,
    UnsupportedError,
)
from mesahub.copying import dump_script
from mesahub.dialects.libsql.dialect import LibsqlDialect
from mesahub.middleware.base import Handler
from mesahub.session import Session
from mesahub.sql import prepare
from mesahub.testing.engine_contract import EngineContract
from mesahub.transport import Request, Response
from tests.engines.install import binary
from tests.engines.sqld_server import PACKAGE, VERSION, Sqld

pytestmark = pytest.mark.engines


@pytest.fixture
def db(sqld: Sqld) -> Iterator[DatabaseHandle]:
    with mesahub.connect(sqld.url(sqld.new_database())) as handle:
        yield handle


class TestContract(EngineContract):
    @pytest.fixture
    def db(self, sqld: Sqld) -> Iterator[DatabaseHandle]:
        with mesahub.connect(sqld.url(sqld.new_database())) as handle:
            yield handle


class TestContractAtAReplica(EngineContract):
    @pytest.fixture
    def db(self, sqld: Sqld) -> Iterator[DatabaseHandle]:
        with mesahub.connect(sqld.url(sqld.new_database(), replicas=True)) as handle:
            yield handle


def test_floats_and_integers_are_exact_to_the_last_bit(db: DatabaseHandle) -> None:
    chosen = random.Random(5)
    floats = [struct.unpack("d", chosen.randbytes(8))[0] for _ in range(300)]
    values = [value for value in floats if math.isfinite(value)] + [5e-324, 2.0**-1022, -0.0, 0.1]
    values += [2**63 - 1, -(2**63), 2**53 + 1]
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
    db.table("t").insert_many([{"v": value} for value in values])
    stored = db.rows("SELECT v FROM t ORDER BY id").column("v")
    bound = [db.rows("SELECT ? AS v", [value]).scalar() for value in values[-10:]]
    assert [repr(value) for value in stored] == [repr(value) for value in values]
    assert [repr(value) for value in bound] == [repr(value) for value in values[-10:]]


def test_a_database_that_is_not_there_is_not_found(sqld: Sqld) -> None:
    with mesahub.connect(sqld.url("missing")) as db, pytest.raises(NotFoundError, match="missing"):
        db.query("SELECT 1")


def test_another_database_is_another_one(db: DatabaseHandle, sqld: Sqld) -> None:
    other = db.client.db(sqld.new_database())
    db.exec("CREATE TABLE here (a)")
    assert (db.tables(), other.tables()) == (["here"], [])


def test_a_batch_is_all_or_nothing(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n UNIQUE)")
    with db.batch(idempotent=True) as batch:
        batch.exec("INSERT INTO t (n) VALUES (:n)", {"n": 1})
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
    client: Any = db.client
    dialect = client.dialect
    assert isinstance(dialect, LibsqlDialect)
    statements = [prepare("INSERT INTO t (n) VALUES (?)", [1], operation="exec")]
    for ran in (False, True):
        request = dialect.batch(db.name, statements, timeout=9.0, ticket="a")
        assert (dialect.batch_answer(statements, db.client.send(request)) is None) is ran
    assert db.query("SELECT n FROM t").rows == [{"n": 1}]


def test_answers_of_any_size_come_whole(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)")
    rows = [{"a": f"{number:0300}"} for number in range(50_000)]
    assert len(db.table("t").insert_many(rows, returning=["id", "a"]).rows) == 50_000
    assert db.table("t").find(select=["a"], order_by=["id"], limit=50_000) == rows
    assert len(db.exec("UPDATE t SET a = a || 'x' RETURNING *").rows) == 50_000
    with db.transaction() as tx:
        assert len(tx.exec("UPDATE t SET a = a || 'y' RETURNING *").rows) == 50_000
        assert tx.table("t").find(select=["a"], order_by=["id"], limit=50_000)[7]["a"] == f"{7:0300}xy"
    assert db.table("t").count({"a": {"like": "%xy"}}) == 50_000


def test_what_cannot_be_sent_back_is_not_stored(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (a)")
    with pytest.raises(SQLError, match=r"taken back.*UTF-8"):
        db.exec("INSERT INTO t VALUES (CAST(x'ff' AS TEXT)) RETURNING a")
    assert db.table("t").count() == 0
    db.exec("INSERT INTO t VALUES (CAST(x'ff' AS TEXT))")
    with pytest.raises(UnrepresentableResultError, match="UTF-8"):
        db.query("SELECT a FROM t")
    assert db.rows("SELECT CAST(a AS BLOB) AS a FROM t").scalar() == b"\xff"


def test_values_up_to_the_limit_go_in_and_larger_ones_are_refused_unsent(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a)")
    largest = bytes(4_999_900)  # (a whole row has no more than 5,000,000 bytes, too)
    db.table("t").insert_many([{"a": largest}, {"a": "x" * 4_999_900}, {"a": 1}])
    assert db.rows("SELECT a FROM t WHERE id = 1").scalar() == largest
    for value in (bytes(5_000_001), "é" * 2_500_001):
        with pytest.raises(ArgumentError, match="5,000,000"):
            db.table("t").insert({"a": value})
        with pytest.raises(ArgumentError, match="5,000,000"):
            db.table("t").insert_many([{"a": value}, {"a": value}])
    assert db.table("t").count() == 3


def test_a_transaction_holds_or_is_taken_back(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n UNIQUE)")
    with db.transaction() as tx:
        row = tx.table("t").insert({"n": 1})
        tx.table("t").update({"id": row["id"]}, {"n": row["n"] + 1})
        assert (db.table("t").count(), tx.table("t").count()) == (0, 1)
        with pytest.raises(IntegrityError):
            tx.table("t").insert({"n": 2})
        with pytest.raises(KeyError), tx.transaction():
            tx.table("t").delete(None, all_rows=True)
            raise KeyError
    assert db.table("t").find() == [{"id": 1, "n": 2}]
    with pytest.raises(KeyError), db.transaction() as tx:
        tx.table("t").delete(None, all_rows=True)
        raise KeyError
    assert db.table("t").count() == 1


def test_threads_that_read_and_then_write_lose_nothing(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (n INTEGER)")
    db.exec("INSERT INTO t VALUES (0)")

    def add(_: int) -> None:
        with db.transaction() as tx:
            tx.exec("UPDATE t SET n = ?", [tx.rows("SELECT n FROM t").scalar() + 1])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(add, range(40)))
    assert db.rows("SELECT n FROM t").scalar() == 40


def test_a_transaction_for_reading_sees_one_state_and_writes_nothing(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (n INTEGER)")
    with db.transaction("read") as tx:
        db.exec("INSERT INTO t VALUES (1)")
        assert tx.table("t").count() == 0
        with pytest.raises(SQLError, match="only reads"):
            tx.exec("INSERT INTO t VALUES (2)")
    assert db.rows("SELECT n FROM t").tuples() == [(1,)]


def test_a_commit_that_fails_leaves_nothing(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE p (id INTEGER PRIMARY KEY)")
    db.exec("CREATE TABLE c (p REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(IntegrityError) as caught, db.transaction() as tx:
        tx.exec("INSERT INTO c VALUES (9)")
    assert caught.value.kind == "foreign_key"
    with db.session() as session:
        assert isinstance(session, Session)
        session.begin()
        session.exec("INSERT INTO c VALUES (9)")
        with pytest.raises(IntegrityError):
            session.commit()
        session.exec("INSERT INTO p VALUES (9)")
        session.commit()
    assert db.table("c").count() == 1


def test_what_the_database_takes_back_is_lost(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (n)")
    db.exec("CREATE TRIGGER g BEFORE INSERT ON t WHEN new.n < 0 BEGIN SELECT RAISE(ROLLBACK, 'no'); END")
    with pytest.raises(TransactionLostError), db.transaction() as tx:
        tx.exec("INSERT INTO t VALUES (1)")
        with pytest.raises(SQLError, match="no"):
            tx.exec("INSERT INTO t VALUES (-1)")
        with pytest.raises(TransactionLostError):
            tx.exec("INSERT INTO t VALUES (2)")
    assert db.table("t").count() == 0


@pytest.mark.slow
def test_a_transaction_that_another_writer_ended_writes_nothing_more(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (n)")
    with pytest.raises(TransactionLostError), db.transaction() as tx:
        tx.exec("INSERT INTO t VALUES (1)")
        db.exec("INSERT INTO t VALUES (2)")  # waits for 5 seconds
        for _ in range(2):
            with pytest.raises(TransactionLostError):
                tx.exec("INSERT INTO t VALUES (3)")
    with pytest.raises(TransactionLostError), db.transaction() as tx:
        tx.exec("INSERT INTO t VALUES (4)")
        db.exec("INSERT INTO t VALUES (5)")
    assert db.rows("SELECT n FROM t ORDER BY n").column("n") == [2, 5]


@pytest.mark.slow
def test_a_session_that_is_idle_for_too_long_is_lost_only_if_it_holds_something(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (n)")
    with db.session() as free, db.session() as pinned, pytest.raises(TransactionLostError), db.transaction() as tx:
        pinned.exec("PRAGMA foreign_keys = OFF")
        tx.exec("INSERT INTO t VALUES (2)")
        time.sleep(13)  # (it expires streams now and then, 10 seconds after their last use)
        with pytest.raises(TransactionLostError):
            tx.exec("INSERT INTO t VALUES (3)")
        free.exec("INSERT INTO t VALUES (4)")
        with pytest.raises(TransactionLostError):
            pinned.exec("INSERT INTO t VALUES (5)")
    assert db.rows("SELECT n FROM t ORDER BY n").column("n") == [4]


def test_settings_last_as_long_as_a_session(db: DatabaseHandle) -> None:
    with pytest.raises(UnsupportedError, match="session"):
        db.exec("PRAGMA foreign_keys = OFF")
    with db.session() as session:
        session.exec("PRAGMA foreign_keys = OFF")
        assert session.query("PRAGMA foreign_keys").rows == [{"foreign_keys": 0}]
    assert db.query("PRAGMA foreign_keys").rows == [{"foreign_keys": 1}]


def test_a_rowid_in_a_transaction_is_that_of_the_insert(db: DatabaseHandle) -> None:
    db.exec_script(
        """
        CREATE TABLE a (id INTEGER PRIMARY KEY, u UNIQUE, n DEFAULT 0);
        CREATE TABLE b (id INTEGER PRIMARY KEY);
        CREATE TABLE w (k PRIMARY KEY) WITHOUT ROWID;
        CREATE VIEW v AS SELECT id FROM b;
        CREATE TRIGGER g INSTEAD OF INSERT ON v BEGIN SELECT 1; END;
        """
    )
    statements = [
        ("INSERT INTO w VALUES (0)", None),
        ("INSERT INTO a (u) VALUES (1)", 1),
        ('INSERT INTO main."b" VALUES (1)', 1),
        ("INSERT INTO w VALUES (1)", None),
        ("INSERT INTO v VALUES (5)", None),
        ("INSERT INTO a (u) VALUES (1) ON CONFLICT DO UPDATE SET n = 1", None),
        ("INSERT OR IGNORE INTO a (u) VALUES (1)", None),
        ("INSERT INTO [b] VALUES (7)", 7),
        ("UPDATE a SET n = 2", None),
    ]
    with db.transaction() as tx:
        found = [tx.exec(sql).last_insert_rowid for sql, _ in statements]
    assert found == [rowid for _, rowid in statements]


def test_a_script_may_hold_transactions(db: DatabaseHandle) -> None:
    db.exec_script(
        "CREATE TABLE t (n); BEGIN; INSERT INTO t VALUES (1); SAVEPOINT a; DELETE FROM t; ROLLBACK TO a; END"
    )
    assert db.table("t").count() == 1
    with pytest.raises(ArgumentError, match="open"):
        db.exec_script("BEGIN; DELETE FROM t")
    assert db.table("t").count() == 1


@pytest.mark.parametrize("transport", ["urllib", "requests", "urllib3"])
def test_every_transport_carries_transactions_and_names(sqld: Sqld, transport: str) -> None:
    with mesahub.connect(sqld.url(sqld.new_database(), replicas=True), transport=transport) as db:
        db.exec("CREATE TABLE t (n)")
        with db.transaction() as tx:
            tx.exec("INSERT INTO t VALUES (1)")
        assert db.table("t").find() == [{"n": 1}]


def test_a_transaction_is_recorded_and_replayed(sqld: Sqld, tmp_path: Path) -> None:
    recorder = {"transport": "recorder", "cassette": str(tmp_path / "cassette.json")}

    def use(db: DatabaseHandle) -> None:
        db.exec("CREATE TABLE t (n)")
        with db.transaction() as tx:
            tx.table("t").insert({"n": 5})
            assert tx.table("t").find() == [{"n": 5}]
        assert db.table("t").count() == 1

    with mesahub.connect(sqld.url(sqld.new_database()), mode="record", **recorder) as db:  # type: ignore[arg-type]
        use(db)
    with mesahub.connect(f"libsql://127.0.0.1:9/{db.name}", mode="replay", **recorder) as db:  # type: ignore[arg-type]
        use(db)


def test_a_read_at_a_replica_is_never_stale(sqld: Sqld) -> None:
    with mesahub.connect(sqld.url(sqld.new_database(), replicas=True)) as db:
        db.exec("CREATE TABLE t (n)")
        stale = []
        for number in range(500):
            db.exec("INSERT INTO t VALUES (?)", [number])
            if db.table("t").count() != number + 1:
                stale.append(number)
        assert stale == []
        with db.transaction() as tx:
            tx.exec("DELETE FROM t")
        assert db.table("t").count() == 0
        with db.session() as session:
            for number in range(50):
                session.exec("INSERT INTO t VALUES (?)", [number])
                assert db.table("t").count() == number + 1


def test_reads_go_to_the_replica_unless_it_is_to_be_the_primary(sqld: Sqld) -> None:
    with mesahub.connect(sqld.url(sqld.new_database(), replicas=True)) as db:
        db.exec("CREATE TABLE t (n)")
        servers = []

        def note(request: Request, forward: Handler) -> Response:
            response = forward(request)
            servers.append(response.server.rpartition(":")[2])
            return response

        url = sqld.url(db.name, replicas=True)
        with mesahub.connect(url, middleware=[note]) as noted:
            noted.exec("INSERT INTO t VALUES (1)")
            for _ in range(20):  # (a replica that does not know the database yet has the primary asked)
                noted.table("t").find()
            noted.query("SELECT 1", consistency="primary")
    primary, replica = map(str, sqld.http)
    assert (servers[0], servers[-1]) == (primary, primary)
    assert replica in servers


def test_a_copy_there_and_home_is_exact(db: DatabaseHandle, tmp_path: Path) -> None:
    with mesahub.connect("mh://local/shop", data=str(tmp_path)) as shop:
        shop.exec_script(
            """
            CREATE TABLE a (id INTEGER PRIMARY KEY, b BLOB, x, r REAL, o BOOLEAN, d DATETIME, z REFERENCES z (id));
            CREATE TABLE z (id INTEGER PRIMARY KEY AUTOINCREMENT, a REFERENCES a (id), s TEXT);
            CREATE VIEW v AS SELECT b FROM a;
            CREATE TRIGGER g AFTER INSERT ON z BEGIN UPDATE a SET x = 'hit' WHERE id = -1; END;
            INSERT INTO z (id, s) VALUES (1, 's');
            INSERT INTO a VALUES (1, x'ff00', x'', 1.5, 1, '2020-01-01', 1), (2, 'YWJj', 3.0, 3.0, 0, NULL, NULL),
            (3, NULL, 1152921504606846977, 9e999, 1, NULL, 1), (4, x'', 3, 1e-300, NULL, 'x' || char(0) || 'y', 1),
            (5, CAST(x'c3' AS TEXT), CAST(x'ff41' AS TEXT), 0.1, 2, 5, 1), (6, 'x', x'deadbeef', 2, 7, 'y', 1);
            CREATE TABLE s (k TEXT PRIMARY KEY, v ANY) STRICT, WITHOUT ROWID;
            INSERT INTO s VALUES ('a', x'00'), ('b', 2);
            CREATE TABLE big (b);
            INSERT INTO big VALUES (zeroblob(3000000)), (zeroblob(4900000)), (hex(zeroblob(2400000)));
            UPDATE z SET a = 1;
            PRAGMA user_version = 7;
            """
        )
        script = list(dump_script(shop))
        mesahub.copy(shop, db)
        assert list(dump_script(db)) == script
        with mesahub.connect("mh://local/home", data=str(tmp_path)) as home:
            mesahub.copy(db, home)
            assert list(dump_script(home)) == script


def test_a_value_that_the_server_does_not_take_ends_a_copy_by_name(db: DatabaseHandle, tmp_path: Path) -> None:
    with mesahub.connect("mh://local/shop", data=str(tmp_path)) as shop:
        shop.exec("CREATE TABLE big (b)")
        shop.exec("INSERT INTO big VALUES (zeroblob(6000000))")
        with pytest.raises(ArgumentError, match=r"'big' has 6,000,000 bytes"):
            mesahub.copy(shop, db)
    assert db.tables() == ["big"]


def test_a_token_is_wanted_and_taken(tmp_path: Path) -> None:
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    private = ed25519.Ed25519PrivateKey.generate()
    (tmp_path / "key").write_text(
        base64.urlsafe_b64encode(private.public_key().public_bytes_raw()).decode().rstrip("=")
    )

    def part(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).decode().rstrip("=")

    def token(**claims: object) -> str:
        signed = ".".join(part(json.dumps(each).encode()) for each in ({"alg": "EdDSA", "typ": "JWT"}, claims))
        return f"{signed}.{part(private.sign(signed.encode()))}"

    server = Sqld(
        binary(PACKAGE, VERSION, "sqld"),
        tmp_path,
        replicas=0,
        namespaces=False,
        options=("--auth-jwt-key-file", str(tmp_path / "key")),
    )
    try:
        with mesahub.connect(server.url(token=token(a="rw"))) as db:
            db.exec("CREATE TABLE t (a)")
            with db.transaction() as tx:
                tx.exec("INSERT INTO t VALUES (1)")
        with mesahub.connect(f"libsql://{server.hosts()}?authToken={token(a='ro')}") as db:
            assert db.table("t").count() == 1
            with pytest.raises(MesahubError):
                db.exec("INSERT INTO t VALUES (2)")
        for wrong in ("", "abc", token(a="rw", exp=1)):
            with mesahub.connect(server.url(token=wrong)) as db, pytest.raises(AuthenticationError, match="token"):
                db.query("SELECT 1")
    finally:
        server.stop()
