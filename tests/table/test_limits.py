"""Bulk inserts keep to the limits of the engine."""

from __future__ import annotations

from mesahub._calls.plans.bulk_insert import BulkInsert
from mesahub.dialects.base import Capabilities
from mesahub.sql import Scope


def sizes(capabilities: Capabilities, *, returning: bool = False) -> list[int]:
    plan = BulkInsert(
        [{"a": "x" * 100}] * 1000,
        scope=Scope("t"),
        on_conflict=None,
        key=(),
        update=None,
        returning=returning or None,
        progress=None,
        capabilities=capabilities,
    )
    found = []
    while (statement := plan.statement()) is not None:
        assert statement.rows is not None
        found.append(len(statement.rows))
    return found


def test_insert_many_keeps_to_the_bytes_that_the_engine_takes() -> None:
    assert sizes(Capabilities("x")) == [1000]
    assert max(sizes(Capabilities("x", max_body=20_000))) < 190
    assert max(sizes(Capabilities("x", max_value=10_000))) < 95


def test_insert_many_with_returning_asks_for_fewer_rows_than_the_engine_gives() -> None:
    assert sizes(Capabilities("x", max_rows=500)) == [1000]
    assert sizes(Capabilities("x", max_rows=500), returning=True) == [250] * 4
