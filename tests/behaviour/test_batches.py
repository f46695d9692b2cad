"""`db.batch`: all of its writes or none, over every way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from mesahub import ArgumentError, DatabaseHandle, IntegrityError, NoSuchTableError, RequestTooLargeError, SQLError

HTTP = ("urllib", "requests", "urllib3", "asyncio")
VALUES = [
    None, True, 0, -1, 2**53 + 1, 2**63 - 1, -(2**63), 0.1, 3.0, 1e300, 5e-324, 1 / 3, "", "YWJj", "a\0b", "ä€😀",
    "'; --", b"", b"\x00\xff",
]  # fmt: skip


def with_accounts(db: DatabaseHandle) -> DatabaseHandle:
    db.exec("CREATE TABLE account (id INTEGER PRIMARY KEY, cents INTEGER CHECK (cents >= 0))")
    db.exec("INSERT INTO account VALUES (1, 1000), (2, 1000)")
    db.exec("CREATE TABLE log (id INTEGER PRIMARY KEY, note)")
    return db


def balances(db: DatabaseHandle) -> list[int]:
    return [row["cents"] for row in db.query("SELECT cents FROM account ORDER BY id").rows]


def test_a_batch_does_all(db: DatabaseHandle) -> None:
    accounts = with_accounts(db)
    done = accounts.batch(
        [
            ("UPDATE account SET cents = cents - ? WHERE id = ?", [300, 1]),
            ("UPDATE account SET cents = cents + :n WHERE id = :id AND :n > 0", {"n": 300, "id": 2}),
            "INSERT INTO log (note) VALUES ('moved') -- a note",
        ]
    )
    assert [result.rows_affected in (1, None) for result in done] == [True] * 3
    assert balances(accounts) == [700, 1300]
    assert accounts.query("SELECT note FROM log").rows == [{"note": "moved"}]


def test_a_batch_does_nothing_where_one_statement_fails(db: DatabaseHandle) -> None:
    accounts = with_accounts(db)
    with pytest.raises(IntegrityError, match="CHECK constraint failed"):
        accounts.batch(
            [
                ("INSERT INTO log (note) VALUES (?)", ["moved"]),
                ("UPDATE account SET cents = cents + 2000 WHERE id = ?", [2]),
                ("UPDATE account SET cents = cents - 2000 WHERE id = ?", [1]),
            ]
        )
    with pytest.raises(NoSuchTableError):
        accounts.batch(["DELETE FROM log", "INSERT INTO nosuch VALUES (1)"])
    assert balances(accounts) == [1000, 1000]
    assert accounts.query("SELECT * FROM log").rows == []
    assert accounts.batch(["INSERT INTO log (note) VALUES (1)"])[0].columns == []


def test_a_batch_is_collected_in_a_with_block(db: DatabaseHandle) -> None:
    accounts = with_accounts(db)
    with accounts.batch() as b:
        b.table("account").update({"id": 1}, {"cents": 1})
        b.table("log").insert({"note": b"\x01"})
        b.table("log").insert_many([{"note": 1.5}, {"note": None}, {"note": "x"}])
        b.table("account").upsert({"id": 2, "cents": 7}, key="id")
        b.table("account").upsert({"id": 3, "cents": 8})
        b.table("log").delete({"note": "x"})
        b.exec("DELETE FROM log WHERE note = ?", [1.5])
        assert accounts.query("SELECT * FROM log").rows == []
    assert len(b.results) == len(b) == 7
    assert balances(accounts) == [1, 7, 8]
    assert accounts.rows("SELECT note FROM log ORDER BY id").column("note") == [b"\x01", None]


def test_a_with_block_that_raises_sends_nothing(db: DatabaseHandle) -> None:
    accounts = with_accounts(db)
    with suppress(ZeroDivisionError), accounts.batch() as b:
        b.exec("DELETE FROM account")
        raise ZeroDivisionError
    assert balances(accounts) == [1000, 1000]


def test_a_batch_carries_values_exactly(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (one, many, compared)")
    with db.batch() as b:
        b.table("t").insert_many([{"one": 0, "many": value} for value in VALUES])
        for number, value in enumerate(VALUES, 1):
            b.table("t").update({"_rowid_": number}, {"one": value})
            b.exec("UPDATE t SET compared = many IS ? WHERE _rowid_ = ?", [value, number])
    rows = db.rows("SELECT one, many, compared FROM t ORDER BY _rowid_").tuples()
    wanted = [int(value) if isinstance(value, bool) else value for value in VALUES]
    assert repr(rows) == repr([(value, value, 1) for value in wanted])


def test_a_batch_of_a_thousand_inserts_is_one_request(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n REAL)")
    done = db.batch([("INSERT INTO t (id, name, n) VALUES (?, ?, ?)", [i, f"name {i}", i / 3]) for i in range(1000)])
    assert len(done) == 1000
    assert db.rows("SELECT count(*), min(id), max(n) FROM t").tuples() == [(1000, 0, 333.0)]


def test_an_idempotent_batch_runs(db: DatabaseHandle) -> None:
    accounts = with_accounts(db)
    for _ in range(2):
        accounts.batch([("UPDATE account SET cents = cents - ? WHERE id = 1", [1])], idempotent=True)
    assert balances(accounts) == [998, 1000]
    assert accounts.rows("SELECT count(*) FROM mesahub_tickets").scalar() == 2


def test_an_empty_batch_and_wrong_entries(db: DatabaseHandle) -> None:
    assert db.batch([]) == []
    wrong: list[Any] = ["DELETE FROM t", [5], [("a", "b", "c")], 5]
    for statements in wrong:
        with pytest.raises(ArgumentError):
            db.batch(statements)
    with pytest.raises(ArgumentError, match="BEGIN"):
        db.batch(["BEGIN"])


REFUSED = {
    "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x": "begins with WITH",
    "INSERT INTO t VALUES (1) RETURNING a": "has RETURNING",
    "CREATE TABLE u (a)": "CREATE, and only",
    "UPDATE main.t SET a = 1": "qualified by a schema",
    "UPDATE OR IGNORE main.t SET a = 1": "qualified by a schema",
    'DELETE FROM "main".t': "qualified by a schema",
    "INSERT INTO main.t VALUES (1)": "qualified by a schema",
    "INSERT INTO t DEFAULT VALUES": "DEFAULT VALUES",
    "INSERT OR FAIL INTO t VALUES (1)": "OR FAIL",
    "UPDATE t SET a = 1 ORDER BY a LIMIT 1": "ORDER BY or LIMIT",
    "DELETE FROM t LIMIT 1": "ORDER BY or LIMIT",
    "UPDATE t INDEXED BY i SET a = 1": "INDEXED",
}


@pytest.mark.parametrize("sql", REFUSED)
def test_what_a_trigger_cannot_hold_is_refused_before_it_is_sent(db: DatabaseHandle, way: str, sql: str) -> None:
    if way not in (*HTTP, "replayed"):
        pytest.skip("a transaction can hold more")
    db.exec("CREATE TABLE t (a)")
    with pytest.raises(ArgumentError, match=f"Statement 1 .*{REFUSED[sql]}") as caught:
        db.batch(["INSERT INTO t VALUES (1)", sql])
    assert caught.value.details["statement"] == 1


def test_a_batch_that_is_too_large_is_refused(db: DatabaseHandle, way: str) -> None:
    if way not in HTTP:
        pytest.skip("no limit in process")
    with pytest.raises(RequestTooLargeError, match="a batch cannot be cut"):
        db.batch([(f"UPDATE t SET a = ? WHERE b = {number}", [number]) for number in range(3000)])


def test_embedded_says_which_statement_failed(db: DatabaseHandle, way: str) -> None:
    if way != "embedded":
        pytest.skip("a trigger does not say it")
    db.exec("CREATE TABLE t (a UNIQUE)")
    with pytest.raises(IntegrityError) as caught:
        db.batch(["INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (1)", "CREATE TABLE u (a)"])
    assert caught.value.details["statement"] == 1
    results = db.batch(["CREATE TABLE u (a)", "INSERT INTO u VALUES (1), (2) RETURNING a"])
    assert results[1].rows == [{"a": 1}, {"a": 2}]


def test_threads_that_move_money_keep_its_sum(db: DatabaseHandle, way: str) -> None:
    if way == "replayed":
        pytest.skip("threads take turns differently")
    if "async" in way:
        pytest.skip("threads share no loop; tests/aio/test_handles.py has tasks")
    accounts = with_accounts(db)

    def move(number: int) -> None:
        source, cents = 1 + number % 2, 5000 if number % 10 == 0 else number % 7
        try:
            accounts.batch(
                [
                    ("UPDATE account SET cents = cents - ? WHERE id = ?", [cents, source]),
                    ("UPDATE account SET cents = cents + ? WHERE id = ?", [cents, 3 - source]),
                    ("INSERT INTO log (note) VALUES (?)", [number]),
                ]
            )
        except SQLError:
            failed.append(number)

    failed: list[int] = []
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(move, range(200)))
    assert sum(balances(accounts)) == 2000
    assert accounts.rows("SELECT count(*) FROM log").scalar() == 200 - len(failed)
    assert sorted(failed) == list(range(0, 200, 10))
