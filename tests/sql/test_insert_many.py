"""Many rows: in as few requests as the server takes, each kind of row with its own columns, every value exact."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesahub import ArgumentError
from mesahub._util import json
from mesahub.sql import Scope, insert_text, lower_rows
from mesahub.sql.batches import BATCH_BYTES, BATCH_ROWS, Batch, batches
from tests.properties import examples
from tests.sql.native import connect, over_the_wire, typed

MAX_BODY = 10 * 1024 * 1024


def cut(rows: Any, in_order: bool = False, **limits: int) -> list[tuple[tuple[str, ...], list[tuple[Any, ...]]]]:
    return [(batch.columns, batch.rows) for batch in batches(rows, in_order=in_order, **limits)]


def body(batch: Batch) -> bytes:
    """What the statement codec of `mesahub.dialects.mesahub` sends."""
    sql, bindings = lower_rows(insert_text(Scope("t"), batch.columns or ("a",)), batch.rows)
    return json.dumps({"sql": sql, "bindings": bindings})


def test_rows_of_one_kind_are_one_batch() -> None:
    assert cut([{"a": 1, "b": "x"}, {"b": "y", "a": 2}]) == [(("a", "b"), [(1, "x"), (2, "y")])]
    assert cut([{"a": 1}]) == [(("a",), [(1,)])]
    assert cut([]) == []
    assert cut(iter(())) == []


def test_rows_of_other_kinds_come_together_or_in_order() -> None:
    rows = [{"a": 1}, {"b": 2, "a": 0}, {"a": 3}, {"a": 4, "b": 5}, {}]
    assert cut(rows) == [(("a",), [(1,), (3,)]), (("a", "b"), [(0, 2), (4, 5)]), ((), [(None,)])]
    assert cut(rows, in_order=True) == [
        (("a",), [(1,)]),
        (("a", "b"), [(0, 2)]),
        (("a",), [(3,)]),
        (("a", "b"), [(4, 5)]),
        ((), [(None,)]),
    ]


def test_kinds_are_kept_together_across_slabs() -> None:
    rows = [{"a": i} if i % 2 else {"b": i} for i in range(12_000)]
    assert [(columns, len(members)) for columns, members in cut(rows)] == [(("b",), 6000), (("a",), 6000)]
    assert len(cut([{"a": i} for i in range(12_000)], in_order=True)) == 1
    alike = [{"a": 1}] * 5_000 + [{"b": 1}] * 5_000
    assert [columns for columns, _ in cut(alike, in_order=True)] == [("a",), ("b",)]


def test_rows_are_read_as_they_are_sent() -> None:
    read = 0

    def source() -> Iterator[dict[str, Any]]:
        nonlocal read
        for i in range(40_000):
            read += 1
            yield {"a": i}

    taken = batches(source(), in_order=False, most_rows=10_000)
    assert read == 0
    assert len(next(taken).rows) == 10_000
    assert read == 15_000
    assert sum(len(batch.rows) for batch in taken) == 30_000


def test_many_kinds_of_rows_do_not_fill_the_memory() -> None:
    held: list[int] = []
    kinds = [{f"c{i % 1000}": "x" * 1000} for i in range(20_000)]
    most = 2_000_000
    sent = 0
    for batch in batches(kinds, in_order=False, most_bytes=most):
        sent += batch.size
        held.append(batch.size)
    assert sum(held) == sent > 20_000_000
    # The first leaves long before the end, when what is held back exceeds the limit.
    assert max(held) < most


VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
    | st.binary(max_size=40)
    | st.sampled_from(
        ['"' * 30, "\\" * 30, "\n" * 30, "日" * 30, "a\0b", "[1]", '{"a": 1}', "null", "1e5", 1.0, -0.0, 0.1]
    )
)


@examples(150)
@given(rows=st.lists(st.dictionaries(st.sampled_from("abc"), VALUES), max_size=12))
def test_rows_are_stored_as_sqlite3_would_store_them(rows: list[dict[str, Any]]) -> None:
    connection = connect()
    for table in ("bound", "lowered"):
        connection.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, a, b TEXT DEFAULT 'none', c REAL DEFAULT 7)")
    for batch in batches(rows, in_order=True):
        columns = batch.columns or ("_rowid_",)
        connection.executemany(insert_text(Scope("bound"), columns), batch.rows)
        sql, bindings = lower_rows(insert_text(Scope("lowered"), columns), batch.rows)
        connection.execute(sql, over_the_wire(bindings))
    select = "SELECT typeof(a), a, typeof(b), b, typeof(c), c FROM {} ORDER BY id"
    bound = connection.execute(select.format("bound")).fetchall()
    assert typed(connection.execute(select.format("lowered")).fetchall()) == typed(bound)
    assert len(bound) == len(rows)
    for row, values in zip(rows, bound, strict=True):
        if "b" not in row:
            assert values[2:4] == ("text", "none")
        if "c" not in row:
            assert values[4:6] == ("real", 7.0)
    connection.close()


@examples(150)
@given(values=st.lists(VALUES, min_size=20, max_size=40))
def test_the_size_of_a_batch_is_told_well_enough(values: list[Any]) -> None:
    (batch,) = batches([{"a": value} for value in values], in_order=False)
    extreme = any(isinstance(value, float) and value and not 1e-15 < abs(value) < 1e15 for value in values)
    odd = any(isinstance(value, str) and any(ord(character) < 32 for character in value) for value in values)
    assert batch.size <= 4 * len(body(batch))
    if not extreme and not odd:  # those are told too small, and their batches are halved when it comes to it
        assert len(body(batch)) <= batch.size + 1500


@pytest.mark.parametrize(
    ("value", "count"),
    [("x" * 1000, 30_000), ("日" * 300, 30_000), ('"\\' * 100, 40_000), (b"\xff" * 500, 30_000), (2**62, 600_000)],
)
def test_requests_are_filled_and_not_overfilled(value: Any, count: int) -> None:
    found = list(batches(({"a": value} for _ in range(count)), in_order=False))
    assert sum(len(batch.rows) for batch in found) == count
    sizes = [len(body(batch)) for batch in found]
    assert max(sizes) <= MAX_BODY
    # All but the last are as good as full.
    for size, batch in zip(sizes[:-1], found, strict=False):
        assert size > 0.8 * BATCH_BYTES or len(batch.rows) == BATCH_ROWS


def test_large_rows_go_one_by_one_if_need_be() -> None:
    rows: list[dict[str, Any]] = [{"a": "x" * 6_000_000}, {"a": "y"}, {"a": b"z" * 3_000_000}]
    assert [len(batch.rows) for batch in batches(rows, in_order=False)] == [2, 1]
    (one,) = batches([{"a": "x" * 20_000_000}], in_order=False)
    assert len(one.rows) == 1  # too large for the server: it is the request that says so


def test_values_are_adapted() -> None:
    rows = [{"a": datetime.date(2026, 1, 31), "b": decimal.Decimal("1.10")}, MappingProxyType({"a": None, "b": 2})]
    assert cut(rows) == [(("a", "b"), [("2026-01-31", "1.10"), (None, 2)])]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"a": 1}, {"a": 2**63}], "Row 1, column 'a': The integer .* does not fit"),
        ([{"a": -(2**63) - 1}], "Row 0, column 'a'"),
        ([{"a": 1.0}, {"a": 2.0}, {"a": float("inf")}], "Row 2, column 'a': inf cannot be stored"),
        ([{"a": "ok"}, {"a": "\ud800"}], "Row 1, column 'a': The text contains a lone surrogate"),
        ([{"a": 1, "b": [1]}], "Row 0, column 'b': A value of type list"),
        ([{"b": 1}, {"a": object()}], "Row 1, column 'a': A value of type object"),
        ([{"a": 1}] * 5_003 + [{"b": 1}, {"a": {}}], "Row 5004, column 'a'"),
        ([{"a": 1}, ("a", 2)], r"Row 1 must be a dict of column names to values, not \('a', 2\)"),
        ([{"a": 1}] * 5_000 + [None], "Row 5000 must be a dict"),
        ([5], "Row 0 must be a dict"),
        ({"a": 1}, "rows must be a list .* not dict"),
        ("abc", "not str"),
        (b"abc", "not bytes"),
        (None, "not NoneType"),
        (5, "not int"),
    ],
)
def test_what_cannot_be_stored_is_named_by_row_and_column(rows: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        cut(rows)
