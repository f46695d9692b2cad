"""Commit and rollback: real where the engine has transactions, honest where it has none."""

from __future__ import annotations

import threading
import warnings

import pytest

import mesahub
from mesahub import dbapi
from tests.dbapi.conftest import Connect

embedded = pytest.mark.parametrize("way", ["embedded"], indirect=True)
http = pytest.mark.parametrize("way", ["http"], indirect=True)


def count(connection: dbapi.Connection) -> int:
    row = connection.cursor().execute("SELECT count(*) FROM t").fetchone()
    assert row is not None
    return int(row[0])


@embedded
def test_rollback_takes_back_what_was_written_and_created(connect: Connect, connection: dbapi.Connection) -> None:
    other = connect()
    cursor = connection.cursor()
    cursor.execute("INSERT INTO t (id) VALUES (1)")
    cursor.execute("CREATE TABLE u (n)")
    assert connection.in_transaction
    assert (count(connection), count(other)) == (1, 0)
    connection.rollback()
    assert not connection.in_transaction
    assert count(connection) == 0
    with pytest.raises(dbapi.OperationalError, match="no such table"):
        cursor.execute("SELECT * FROM u")
    cursor.execute("INSERT INTO t (id) VALUES (1)")
    connection.commit()
    assert count(other) == 1


@embedded
def test_savepoints_nest(connection: dbapi.Connection) -> None:
    cursor = connection.cursor()
    cursor.execute("SAVEPOINT a")
    assert connection.in_transaction
    cursor.execute("INSERT INTO t (id) VALUES (1)")
    cursor.execute("SAVEPOINT b")
    cursor.execute("INSERT INTO t (id) VALUES (2)")
    cursor.execute("ROLLBACK TO SAVEPOINT b")
    cursor.execute("RELEASE b")
    cursor.execute("RELEASE a")
    connection.commit()
    assert cursor.execute("SELECT id FROM t").fetchall() == [(1,)]


@embedded
def test_transaction_statements_work(connection: dbapi.Connection) -> None:
    cursor = connection.cursor()
    for end in ("ROLLBACK", "rollback transaction;", "COMMIT", "END TRANSACTION"):
        cursor.execute("BEGIN IMMEDIATE")
        assert connection.in_transaction
        cursor.execute("INSERT INTO t (name) VALUES ('x')")
        cursor.execute(end)
        assert not connection.in_transaction
    assert count(connection) == 2


@embedded
def test_isolation_level_none_commits_each_statement(connect: Connect, connection: dbapi.Connection) -> None:
    connection.isolation_level = None
    connection.cursor().execute("INSERT INTO t (id) VALUES (1)")
    assert not connection.in_transaction
    assert count(connect()) == 1
    connection.isolation_level = "immediate"
    assert connection.isolation_level == "IMMEDIATE"
    with pytest.raises(dbapi.InterfaceError, match="isolation_level must be"):
        connection.isolation_level = "SERIAL"


@embedded
def test_a_deferred_constraint_fails_at_commit(connection: dbapi.Connection) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE c (p INTEGER REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED)")
    cursor.execute("INSERT INTO c VALUES (7)")
    with pytest.raises(dbapi.IntegrityError):
        connection.commit()
    assert connection.in_transaction
    connection.rollback()


def test_a_with_block_commits_or_rolls_back(connect: Connect, connection: dbapi.Connection, way: str) -> None:
    with connection:
        connection.cursor().execute("INSERT INTO t (id) VALUES (1)")

    def fail() -> None:
        with warnings.catch_warnings(), connection:
            warnings.simplefilter("ignore")
            connection.cursor().execute("INSERT INTO t (id) VALUES (2)")
            raise KeyError

    with pytest.raises(KeyError) as caught:
        fail()
    assert count(connect()) == (1 if way == "embedded" else 2)
    assert bool(getattr(caught.value, "__notes__", ())) == (way == "http")


@http
def test_rollback_says_that_nothing_can_be_taken_back(connect: Connect, connection: dbapi.Connection) -> None:
    connection.rollback()  # nothing was written since the commit
    connection.cursor().execute("INSERT INTO t (id) VALUES (1)")
    with pytest.raises(dbapi.NotSupportedError, match="1 statement that wrote has taken effect"):
        connection.rollback()
    connection.rollback()  # said once
    connection.cursor().execute("INSERT INTO t (id) VALUES (2)")
    connection.commit()
    connection.rollback()


@http
def test_rollback_leaves_the_error_in_flight_as_it_is(connection: dbapi.Connection) -> None:
    cursor = connection.cursor()

    def work() -> None:
        try:
            cursor.execute("INSERT INTO t (id) VALUES (1)")
            cursor.execute("INSERT INTO t (id) VALUES (1)")
        except dbapi.Error:
            with pytest.warns(dbapi.RollbackWarning):
                connection.rollback()
            raise

    with pytest.raises(dbapi.IntegrityError) as caught:
        work()
    assert any("taken effect" in note for note in caught.value.__notes__)


@http
def test_on_rollback_chooses(connect: Connect, connection: dbapi.Connection) -> None:
    ignoring, warning = connect(on_rollback="ignore"), connect(on_rollback="warn")
    ignoring.cursor().execute("INSERT INTO t (id) VALUES (1)")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ignoring.rollback()
    warning.cursor().execute("INSERT INTO t (id) VALUES (2)")
    with pytest.warns(dbapi.RollbackWarning, match="cannot be rolled back"):
        warning.rollback()
    with pytest.raises(dbapi.InterfaceError, match="on_rollback must be"):
        connect(on_rollback="never")


@http
@pytest.mark.parametrize("sql", ["BEGIN", "SAVEPOINT a", "ROLLBACK", "RELEASE a"])
def test_transaction_statements_are_refused_with_a_reason(connection: dbapi.Connection, sql: str) -> None:
    with pytest.raises(dbapi.NotSupportedError, match="no interactive transactions"):
        connection.cursor().execute(sql)


@http
def test_unit_of_work_batch_sends_writes_at_commit(connect: Connect, connection: dbapi.Connection) -> None:
    unit = connect(unit_of_work="batch")
    cursor = unit.cursor()
    cursor.execute("INSERT INTO t (id) VALUES (1)")
    cursor.executemany("INSERT INTO t (id) VALUES (?)", [(2,), (3,)])
    assert (cursor.rowcount, unit.in_transaction, count(connection)) == (-1, True, 0)
    with pytest.raises(dbapi.NotSupportedError, match="RETURNING"):
        cursor.execute("DELETE FROM t RETURNING id")
    unit.rollback()
    cursor.execute("INSERT INTO t (id) VALUES (4)")
    cursor.execute("INSERT INTO t (id) VALUES (5)")
    unit.commit()
    assert connection.cursor().execute("SELECT id FROM t").fetchall() == [(4,), (5,)]
    cursor.execute("INSERT INTO t (id) VALUES (6)")
    cursor.execute("INSERT INTO t (id) VALUES (6)")
    with pytest.raises(dbapi.IntegrityError):
        unit.commit()
    assert count(connection) == 2


def test_close_takes_back_and_may_be_called_twice(connect: Connect, connection: dbapi.Connection, way: str) -> None:
    connection.cursor().execute("INSERT INTO t (id) VALUES (1)")
    connection.close()
    connection.close()
    with pytest.raises(dbapi.InterfaceError, match="closed"):
        connection.cursor()
    with pytest.raises(dbapi.InterfaceError, match="closed"):
        connection.commit()
    assert count(connect()) == (0 if way == "embedded" else 1)


def test_a_handle_stays_open(connection: dbapi.Connection) -> None:
    db = connection.handle
    other = dbapi.connect(handle=db)
    other.cursor().execute("INSERT INTO t (id) VALUES (1)")
    other.commit()
    other.close()
    assert db.table("t").count() == 1
    with pytest.raises(dbapi.InterfaceError, match="not both"):
        dbapi.connect("mh://local/x", handle=db)


def test_threads_share_a_connection(connection: dbapi.Connection) -> None:
    def work(number: int) -> None:
        for step in range(20):
            connection.cursor().execute("INSERT INTO t (id) VALUES (?)", [number * 100 + step])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    connection.commit()
    assert count(connection) == 160


def test_connect_refuses_what_is_no_url() -> None:
    with pytest.raises(dbapi.InterfaceError) as caught:
        dbapi.connect("postgres://hidden@host/db")
    assert isinstance(caught.value.__cause__, mesahub.ConfigurationError)
    assert "hidden" not in str(caught.value)


def test_a_warning_that_is_an_error_does_not_replace_the_error_in_flight(connect: Connect, way: str) -> None:
    if way == "embedded":
        pytest.skip("there the rollback takes everything back")
    connection = connect()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(KeyError) as caught, connection:  # noqa: PT012
            connection.cursor().execute("CREATE TABLE one (a)")
            raise KeyError("mine")
    assert any("taken effect" in note for note in caught.value.__notes__)
