"""Filters find the rows that an independent model finds; so does the form on the wire, and the embedded database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import mesahub
from mesahub import DatabaseHandle, all_of, any_of, col, not_
from mesahub.sql import Column, Scope, select_statement
from tests.properties import examples
from tests.sql import model
from tests.sql.native import connect, run_lowered, run_natively

VALUES: list[Any] = [
    None, 0, 1, -1, 5, 10, 2**53 + 1, 2**63 - 1, -(2**63), 0.5, -0.5, 5.0, 1e16,
    "", "a", "A", "ab", "aB", "5", "5.0", " 5 ", "05", "10", "1e1", "%", "_", "a%b", "a\\b", "é", "É", "[a]", "*",
    "日本", "\U0001f600", b"", b"a", b"5", b"\x00\xff", True, False,
]  # fmt: skip
TEXTS = [value for value in VALUES if isinstance(value, str)]


def rows() -> list[dict[str, Any]]:
    """Each value in each column that can keep it, one beside another."""
    made = []
    for i, value in enumerate(VALUES):
        other = VALUES[(i * 7 + 3) % len(VALUES)]
        text = VALUES[(i * 5 + 1) % len(VALUES)]
        row = {"id": i, "n": value, "r": other, "s": None if isinstance(text, bytes) else text, "x": value}
        made.append(row | {"u": other, "b": VALUES[(i * 3) % len(VALUES)]})
    return made


STORED = [{name: model.stored(row[name], affinity) for name, affinity in model.COLUMNS.items()} for row in rows()]
SCOPE = Scope("t")


@pytest.fixture(scope="module")
def native() -> Iterator[sqlite3.Connection]:
    connection = connect()
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, r REAL, s TEXT, x, u NUMERIC, b BLOB)")
    for row in rows():
        connection.execute("INSERT INTO t VALUES (:id, :n, :r, :s, :x, :u, :b)", row)
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseHandle]:
    with mesahub.connect("mh://local/model", data=str(tmp_path_factory.mktemp("model"))) as handle:
        handle.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, r REAL, s TEXT, x, u NUMERIC, b BLOB)")
        handle.table("t").insert_many(rows())
        yield handle


def test_the_model_stores_what_sqlite_stores(native: sqlite3.Connection) -> None:
    names = list(model.COLUMNS)
    found = native.execute(f"SELECT {', '.join(names)} FROM t ORDER BY id").fetchall()
    for row, values in zip(STORED, found, strict=True):
        assert [(type(row[name]), row[name]) for name in names] == [(type(value), value) for value in values]


# --- conditions, as the model knows them -------------------------------------------------------------------

column = st.sampled_from(list(model.COLUMNS))
text_column = st.sampled_from(["s", "id"])
known = st.sampled_from([value for value in VALUES if value is not None]) | st.integers(-(2**63), 2**63 - 1)
operand = known | column.map(lambda name: ("column", name))
pattern = st.lists(st.sampled_from(["%", "_", "a", "B", "5", "é", "\\", "[", "日", "."]), max_size=4).map("".join)
members = st.lists(st.none() | operand, max_size=5)
# Beyond the length at which a list goes as one JSON text.
long_members = st.lists(known, min_size=1, max_size=6).map(lambda some: some * 101)


def condition(
    columns: st.SearchStrategy[str], words: list[str], value: st.SearchStrategy[Any]
) -> st.SearchStrategy[Any]:
    return st.tuples(st.just("condition"), columns, st.sampled_from(words), value)


PATTERNS = ["like", "not_like", "ilike", "not_ilike", "contains", "not_contains", "startswith", "endswith"]
leaf = (
    condition(column, ["eq", "ne"], st.none() | operand)
    | condition(column, ["gt", "gte", "lt", "lte"], operand)
    | condition(column, ["in", "not_in"], members)
    | condition(column, ["in", "not_in"], long_members)
    | condition(column, ["between", "not_between"], st.tuples(operand, operand))
    | condition(column, ["is_null", "is_not_null"], st.booleans())
    | condition(text_column, [*PATTERNS, "not_startswith", "not_endswith"], pattern)
    | condition(text_column, ["glob", "not_glob"], st.lists(st.sampled_from("*?aB5é."), max_size=3).map("".join))
)
tree = st.recursive(
    leaf,
    lambda inner: (
        st.tuples(st.sampled_from(["all", "any"]), st.lists(inner, max_size=3)) | st.tuples(st.just("not"), inner)
    ),
    max_leaves=6,
)


def said(value: Any) -> Any:
    """A value as a user writes it."""
    if isinstance(value, list):
        return [said(member) for member in value]
    if isinstance(value, tuple):
        return col(value[1]) if value[0] == "column" else tuple(said(member) for member in value)
    return value


def as_expression(node: Any) -> Any:
    if node[0] in ("all", "any"):
        join = all_of if node[0] == "all" else any_of
        return join(*(as_expression(part) for part in node[1]))
    if node[0] == "not":
        return ~as_expression(node[1])
    _, name, word, value = node
    c = col(name)
    direct = {
        "eq": lambda v: c == v,
        "ne": lambda v: c != v,
        "gt": lambda v: c > v,
        "gte": lambda v: c >= v,
        "lt": lambda v: c < v,
        "lte": lambda v: c <= v,
        "in": c.in_,
        "between": lambda v: c.between(*v),
        "not_between": lambda v: c.not_between(*v),
        "is_null": lambda v: c.is_null() if v else c.is_not_null(),
        "is_not_null": lambda v: c.is_not_null() if v else c.is_null(),
    }
    method = direct.get(word) or getattr(c, word)
    return method(said(value))


def as_dicts(node: Any) -> Any:
    """The same with a dict wherever the dict form can say it."""
    if node[0] == "all":
        return all_of(*(as_dicts(part) for part in node[1]))
    if node[0] == "any":
        return any_of(*(as_dicts(part) for part in node[1]))
    if node[0] == "not":
        return not_(as_dicts(node[1]))
    _, name, word, value = node
    value = said(value)
    return {name: value} if word == "eq" and not isinstance(value, Column) else {name: {word: value}}


@examples(300)
@given(node=tree)
@example(node=("condition", "n", "not_in", []))
@example(node=("not", ("condition", "x", "in", [])))
@example(node=("condition", "s", "in", [5, None, ("column", "x")]))
@example(node=("condition", "x", "in", [0.1, b"a", "a\0b", 2**63 - 1, 1e16] * 30))
def test_filters_find_what_the_model_finds(node: Any, native: sqlite3.Connection, db: DatabaseHandle) -> None:
    expected = [row["id"] for row in STORED if model.holds(node, row)]
    expression = as_expression(node)
    statement = select_statement(SCOPE, expression, ["id"], ["id"])
    assert [row[0] for row in run_natively(native, statement)] == expected
    assert [row[0] for row in run_lowered(native, statement)] == expected
    assert [row["id"] for row in db.table("t").find(as_dicts(node), ["id"], ["id"])] == expected
    # Both forms are one text, and the same text each time.
    other = select_statement(SCOPE, as_dicts(node), ["id"], ["id"])
    assert (other.sql, other.bindings) == (statement.sql, statement.bindings)
    assert select_statement(SCOPE, expression, ["id"], ["id"]).sql == statement.sql


@examples(100)
@given(
    column_name=column,
    values=st.lists(
        known | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3) | st.binary(max_size=3)
    ),
)
def test_a_long_list_finds_what_a_short_one_finds(
    column_name: str, values: list[Any], native: sqlite3.Connection
) -> None:
    if column_name == "r":
        values = [value for value in values if not isinstance(value, int) or int(float(value)) == value]
    scope = Scope("v")
    native.execute("DROP TABLE IF EXISTS v")
    native.execute("CREATE TABLE v (id INTEGER, n INTEGER, r REAL, s TEXT, x, u NUMERIC, b BLOB)")
    native.executemany(f"INSERT INTO v ({column_name}) VALUES (?)", [(value,) for value in values])
    for chosen in (values[::2], values[1::2]):
        short = select_statement(scope, {column_name: {"in": chosen[:100]}}, ["rowid"], ["rowid"])
        long = select_statement(scope, {column_name: {"in": chosen[:100] * 102}}, ["rowid"], ["rowid"])
        if chosen:
            assert "json_each" in long.sql
            assert "json_each" not in short.sql
        expected = run_natively(native, short)
        assert run_natively(native, long) == expected
        assert run_lowered(native, long) == expected


ORDERS = st.lists(
    st.tuples(column, st.sampled_from(["asc", "desc"]), st.sampled_from([None, "first", "last"])), max_size=3
)


@examples(150)
@given(order=ORDERS, limit=st.none() | st.integers(0, 50), offset=st.none() | st.integers(0, 50))
def test_rows_come_in_the_order_that_was_asked_for(
    order: list[tuple[str, str, str | None]], limit: int | None, offset: int | None, db: DatabaseHandle
) -> None:
    expected = sorted(STORED, key=lambda row: int(row["id"]))
    for name, direction, nulls in reversed(order):
        expected.sort(key=lambda row: model.rank(row[name]), reverse=direction == "desc")
        if nulls is not None:
            expected.sort(key=lambda row: (row[name] is None) != (nulls == "first"))
    asked = [{"column": n, "direction": d, **({"nulls": u} if u else {})} for n, d, u in order]
    found = db.table("t").find(None, ["id"], [*asked, "id"], limit, offset)
    start = offset or 0
    stop = None if limit is None else start + limit
    assert [row["id"] for row in found] == [row["id"] for row in expected[start:stop]]
