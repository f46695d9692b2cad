"""Transactions of an embedded database: reads decide writes, all of it or nothing."""

# A block that raises is what these tests are about.
# ruff: noqa: PT012
from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mesahub
import mesahub.aio
from mesahub import (
    ArgumentError,
    ConfigurationError,
    DatabaseHandle,
    IntegrityError,
    MesahubError,
    RequestTimeoutError,
    TransactionLostError,
    UnsupportedError,
)
from mesahub.session import Session
from tests.servers import Server


@pytest.fixture(params=["folder", "file", "memory"])
def db(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DatabaseHandle]:
    urls = {"folder": "mh://local/accounts", "file": f"sqlite:///{tmp_path}/accounts.db", "memory": "sqlite://"}
    monkeypatch.setenv("MESAHUB_DATA", str(tmp_path))
    with mesahub.connect(urls[request.param]) as handle:
        handle.exec("CREATE TABLE acc (id INTEGER PRIMARY KEY, cents INTEGER CHECK (cents >= 0))")
        handle.table("acc").insert_many([{"id": number, "cents": 1000} for number in range(1, 5)])
        yield handle


def test_transaction_commits_what_reads_decided(db: DatabaseHandle) -> None:
    with db.transaction() as tx:
        account = tx.table("acc").get(1)
        assert account is not None
        tx.table("acc").update({"id": 1}, {"cents": account["cents"] - 30})
        assert tx.table("acc").insert({"id": 9, "cents": 30}) == {"id": 9, "cents": 30}
        assert tx.rows("SELECT count(*) FROM acc").scalar() == 5
        assert [row["id"] for row in tx.table("acc").iterate(batch_size=2)] == [1, 2, 3, 4, 9]
    assert db.table("acc").get(1) == {"id": 1, "cents": 970}


def test_an_exception_takes_everything_back_and_passes_through(db: DatabaseHandle) -> None:
    with pytest.raises(ZeroDivisionError), db.transaction() as tx:
        tx.table("acc").delete(None, all_rows=True)
        assert tx.table("acc").count() == 0
        raise ZeroDivisionError
    assert db.table("acc").count() == 4
    with pytest.raises(KeyboardInterrupt), db.transaction() as tx:
        tx.exec("UPDATE acc SET cents = 0")
        raise KeyboardInterrupt
    assert db.table("acc").count({"cents": 0}) == 0


def test_a_nested_transaction_is_a_savepoint(db: DatabaseHandle) -> None:
    with db.transaction() as tx:
        tx.table("acc").update({"id": 1}, {"cents": 1})
        with pytest.raises(KeyError), tx.transaction() as inner:
            inner.table("acc").update({"id": 2}, {"cents": 2})
            with inner.transaction() as innermost:
                innermost.table("acc").update({"id": 3}, {"cents": 3})
            raise KeyError
        with tx.transaction() as inner:
            inner.table("acc").update({"id": 4}, {"cents": 4})
    assert [row["cents"] for row in db.table("acc").find(order_by=["id"])] == [1, 1000, 1000, 4]


def test_a_failed_statement_leaves_the_transaction_open(db: DatabaseHandle) -> None:
    with db.transaction() as tx:
        for _ in range(2):
            with pytest.raises(IntegrityError):
                tx.table("acc").insert_many([{"id": 20, "cents": 1}, {"id": 20, "cents": 1}])
        with pytest.raises(IntegrityError):
            tx.table("acc").update({"id": 1}, {"cents": -1})
        tx.table("acc").insert({"id": 21, "cents": 1})
    assert [row["id"] for row in db.table("acc").find(order_by=["id"])] == [1, 2, 3, 4, 21]


def test_a_read_transaction_sees_one_state_and_writes_nothing(tmp_path: Path) -> None:
    with mesahub.connect("mh://local/reads", data=str(tmp_path)) as db:
        db.exec("CREATE TABLE t (n)")
        with db.transaction("read") as tx:
            assert tx.table("t").count() == 0
            db.table("t").insert({"n": 1})
            assert tx.table("t").count() == 0
            with pytest.raises(MesahubError, match="readonly"):
                tx.table("t").insert({"n": 2})
        assert db.table("t").count() == 1


def test_writing_past_ones_own_transaction_is_an_error_at_once(db: DatabaseHandle) -> None:
    with pytest.raises(ConfigurationError, match="This thread has a transaction open"), db.transaction() as tx:
        tx.table("acc").update({"id": 1}, {"cents": 1})
        db.table("acc").update({"id": 2}, {"cents": 2})
    assert db.table("acc").get(1) == {"id": 1, "cents": 1000}


def test_a_transaction_has_a_deadline(db: DatabaseHandle) -> None:
    with pytest.raises(RequestTimeoutError), db.transaction(timeout=0.1) as tx:
        tx.table("acc").update({"id": 1}, {"cents": 1})
        time.sleep(0.15)
        tx.table("acc").count()
    assert db.table("acc").get(1) == {"id": 1, "cents": 1000}
    with pytest.raises(RequestTimeoutError), db.transaction(timeout=0.05) as tx:
        tx.table("acc").update({"id": 1}, {"cents": 1})
        time.sleep(0.1)
    assert db.table("acc").get(1) == {"id": 1, "cents": 1000}


def test_others_wait_or_time_out(tmp_path: Path) -> None:
    with mesahub.connect("mh://local/waits", data=str(tmp_path)) as db:
        db.exec("CREATE TABLE t (n)")
        outcome: list[object] = []

        def other(timeout: float) -> None:
            try:
                outcome.append(db.table("t").insert({"n": 2}, timeout=timeout))
            except MesahubError as error:
                outcome.append(type(error))

        with db.transaction() as tx:
            tx.table("t").insert({"n": 1})
            late = threading.Thread(target=other, args=(0.1,))
            late.start()
            late.join(20)
            patient = threading.Thread(target=other, args=(20.0,))
            patient.start()
        patient.join(20)
    assert outcome == [RequestTimeoutError, {"n": 2}]


def test_transfers_by_eight_threads_keep_their_sum(db: DatabaseHandle) -> None:
    def work() -> None:
        for _ in range(25):
            with db.transaction() as tx:
                table = tx.table("acc")
                one, two = table.get(1), table.get(2)
                assert one is not None
                assert two is not None
                table.update({"id": 1}, {"cents": one["cents"] - 1})
                table.update({"id": 2}, {"cents": two["cents"] + 1})

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [row["cents"] for row in db.table("acc").find(order_by=["id"])] == [800, 1200, 1000, 1000]


def test_a_transaction_that_the_database_took_back_is_lost(db: DatabaseHandle) -> None:
    db.exec("CREATE TRIGGER no BEFORE DELETE ON acc BEGIN SELECT RAISE(ROLLBACK, 'no deletes'); END")
    with pytest.raises(TransactionLostError), db.transaction() as tx:
        tx.table("acc").update({"id": 1}, {"cents": 1})
        with pytest.raises(MesahubError, match="no deletes"):
            tx.table("acc").delete({"id": 1})
    assert db.table("acc").get(1) == {"id": 1, "cents": 1000}


@pytest.mark.parametrize(
    "ends",
    [
        "INSERT OR ROLLBACK INTO acc (id) VALUES (1)",
        "UPDATE OR ROLLBACK acc SET id = 1",
        "INSERT INTO guarded VALUES (1)",
    ],
)
def test_others_write_after_a_statement_ended_the_transaction(tmp_path: Path, ends: str) -> None:
    with mesahub.connect(tmp_path / "accounts.db") as db:
        _end_and_write(db, ends)


def test_other_tasks_write_after_a_statement_ended_the_transaction(tmp_path: Path) -> None:
    async def main() -> int | None:
        async with mesahub.aio.connect(tmp_path / "accounts.db") as db:
            await db.exec("CREATE TABLE acc (id INTEGER PRIMARY KEY)")
            await db.exec("INSERT INTO acc VALUES (1)")
            opened: Any = await db.session()
            async with opened as session:
                await session.begin()
                with pytest.raises(IntegrityError):
                    await session.exec("INSERT OR ROLLBACK INTO acc VALUES (1)")
                assert not session.in_transaction
                done = await asyncio.create_task(db.exec("INSERT INTO acc VALUES (2)", timeout=5))
                await session.begin()
                await session.exec("INSERT INTO acc VALUES (3)")
                await session.commit()
            assert await db.table("acc").count() == 3
            return done.rows_affected

    assert asyncio.run(main()) == 1


def _end_and_write(db: DatabaseHandle, ends: str) -> None:
    db.exec("CREATE TABLE acc (id INTEGER PRIMARY KEY, cents INTEGER)")
    db.exec("INSERT INTO acc VALUES (1, 1), (2, 2), (3, 3)")
    db.exec("CREATE TABLE guarded (a)")
    db.exec("CREATE TRIGGER guard BEFORE INSERT ON guarded BEGIN SELECT RAISE(ROLLBACK, 'not here'); END")
    done: list[int | None] = []

    def write() -> None:
        done.append(db.exec("UPDATE acc SET cents = 5 WHERE id = 2", timeout=5).rows_affected)

    opened: Any = db.session()
    with opened as session:
        session.begin()
        with pytest.raises(MesahubError):
            session.exec(ends)
        assert not session.in_transaction
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
        assert done == [1]
        session.begin()
        session.exec("UPDATE acc SET cents = 7 WHERE id = 3")
        session.commit()
    assert db.table("acc").get(3) == {"id": 3, "cents": 7}


def test_scripts_may_begin_and_commit(db: DatabaseHandle) -> None:
    db.exec_script("BEGIN; UPDATE acc SET cents = 1 WHERE id = 1; COMMIT; UPDATE acc SET cents = 2 WHERE id = 2")
    assert [row["cents"] for row in db.table("acc").find(order_by=["id"])] == [1, 2, 1000, 1000]
    with pytest.raises(ArgumentError, match="left a transaction open"):
        db.exec_script("BEGIN; DELETE FROM acc")
    with pytest.raises(IntegrityError) as caught:
        db.exec_script("BEGIN; DELETE FROM acc WHERE id = 1; INSERT INTO acc VALUES (2, 0); COMMIT")
    assert caught.value.details["statement"] == 2
    assert db.table("acc").count() == 4


def test_a_session_keeps_what_belongs_to_a_connection(db: DatabaseHandle) -> None:
    with db.session() as session:
        assert isinstance(session, Session)
        session.exec("CREATE TEMP TABLE mine (n)")
        session.table("mine").insert({"n": 1})
        assert session.query("SELECT n FROM mine").rows == [{"n": 1}]
        session.begin()
        with pytest.raises(ArgumentError):
            session.begin()
        session.table("acc").delete({"id": 1})
        session.rollback()
        session.begin("deferred")
        session.table("acc").delete({"id": 2})
        session.commit()
        assert not session.in_transaction
    assert [row["id"] for row in db.table("acc").find(order_by=["id"])] == [1, 3, 4]
    if "memory" not in db.name:  # one in memory has a single connection
        with pytest.raises(MesahubError):
            db.query("SELECT n FROM mine")


def test_a_server_has_batches_and_no_transactions(server: Server) -> None:
    with mesahub.connect(server.url(server.new_database("no-transactions"))) as db:
        with pytest.raises(UnsupportedError, match="batch"), db.transaction():
            pass
        with pytest.raises(ArgumentError, match="BEGIN"):
            db.exec_script("BEGIN; COMMIT")
