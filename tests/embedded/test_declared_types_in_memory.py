"""A database in memory has one connection, which is also asked for declared types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import mesahub
from mesahub import DatabaseHandle
from tests.guards.test_cost import functions_entered

SELECT = "SELECT d FROM n"
SHOWN = {"DATE": "2024-01-02T00:00:00Z", "TEXT": "2024-01-02", "DATETIME": "2024-01-02T00:00:00Z"}


@pytest.fixture
def db() -> Iterator[DatabaseHandle]:
    with mesahub.connect(":memory:") as handle:
        yield handle


def shown(db: DatabaseHandle, declared: str, temp: str = "") -> list[object]:
    """What a column of this type shows, three times, in a table that is made for it."""
    db.exec(f"CREATE {temp} TABLE n (d {declared})")
    db.exec("INSERT INTO n VALUES ('2024-01-02')")
    return [db.query(SELECT).rows[0]["d"] for _ in range(3)]


@pytest.mark.parametrize("temp", ["", "TEMP"])
def test_types_are_those_of_the_schema_of_now(db: DatabaseHandle, temp: str) -> None:
    with db.session() as session:
        for declared in ("DATE", "TEXT", "DATETIME", "TEXT"):
            assert shown(session, declared, temp) == [SHOWN[declared]] * 3
            session.exec("DROP TABLE n")


def test_types_of_a_transaction_that_was_taken_back_are_forgotten(db: DatabaseHandle) -> None:
    for declared in ("DATE", "TEXT", "DATETIME", "TEXT"):
        with db.session() as opened:
            session: Any = opened  # a `mesahub.session.Session`
            session.begin()
            assert shown(session, declared) == [SHOWN[declared]] * 3
            session.rollback()
    assert shown(db, "DATE") == [SHOWN["DATE"]] * 3


def test_a_find_in_memory_enters_few_functions(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)")
    table = db.table("t")
    for _ in range(3):
        table.find({"id": 1}, limit=1)
        db.query("SELECT * FROM t")
    entered = functions_entered(lambda: table.find(where={"id": 1}, limit=1))
    assert len(entered) <= 42, "\n".join(entered)
