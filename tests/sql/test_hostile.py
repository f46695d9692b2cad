"""Whatever stands in a name or a value, the statement keeps its structure.

SQLite itself is asked: its authorizer tells which tables and columns the compiled statement touches and what it does,
and EXPLAIN shows the program.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from mesahub import any_of, col, not_
from mesahub.dialects.mesahub.lowering import lower
from mesahub.sql import (
    Scope,
    Statement,
    aggregate_statement,
    delete_statement,
    insert_statement,
    lower_rows,
    select_statement,
    update_statement,
)
from tests.properties import examples
from tests.sql.native import connect

EVIL = [
    "'", '"', "''", '""', "\\", "a' OR '1'='1", '" OR 1=1 --', "x'; DROP TABLE t; --", "?", "?1", ":a", "@a", "$a", "%",
    "_", "/*", "*/", "--", ";", ")", "(", "]", "[", "`", "\n", "\r\n", "\t", "NULL", "CURRENT_TIMESTAMP", "rowid", "{}",
    "{0}", "%s", "\\'", "\u2028", "\ufeff", "\u0301", "\u017f", "\uff07", "json_each(?)", "unhex(?)",
]  # fmt: skip
evil = st.sampled_from(EVIL) | st.lists(st.sampled_from(EVIL), min_size=2, max_size=4).map("".join)
text = evil | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=10)
text = text.filter(lambda value: value not in ("t", "n"))
# SQLite knows the first of these by themselves, whatever columns there are; the others stand in the tests.
TAKEN = ("rowid", "oid", "_rowid_", "c", "v", "n", "t")
names = text.filter(lambda name: name.lower() not in TAKEN and not name.lower().startswith("sqlite_"))


def statements(name: str, value: str) -> list[Statement]:
    """A statement of each kind, with the name and the value in each place that takes one."""
    scope = Scope(name)
    many = {name: {"in": [value] * 101}}
    return [
        select_statement(
            scope,
            {name: value, "c": {"gte": value, "lt": value, "ne": value, "between": [value, value]}},
            [name, "c"],
            [{"column": name}, {"column": name, "direction": "desc"}, {"column": name, "nulls": "last"}],
            1,
            1,
            True,
        ),
        select_statement(scope, {name: {"in": [value, None], "not_in": [value], "like": value, "glob": value}}),
        select_statement(scope, {name: {"contains": value, "startswith": value, "endswith": value, "ilike": value}}),
        select_statement(scope, any_of(many, not_({"c": value}), col(name) == col("c"))),
        aggregate_statement(
            scope, {value: ("max", name), "n": "count"}, {name: value}, [name], {value: value}, [{"column": value}]
        ),
        insert_statement(scope, {name: value, "c": value}, returning=[name]),
        insert_statement(scope, {name: value, "c": value}, on_conflict="update", key=[name], returning=True),
        update_statement(scope, {name: value}, {name: value, "c": col(name)}, returning=[name]),
        delete_statement(scope, {name: value}),
        Statement(insert_statement(scope, {name: value, "c": value}).sql, [], "insert", True, [(value, value)] * 2),
    ]


Trace = Callable[[Statement], tuple[list[Any], list[Any]]]


def trace_of(connection: sqlite3.Connection, name: str) -> Trace:
    """For a database whose table and column have this name: a statement's opcodes, and what it wants access to."""
    quoted = '"' + name.replace('"', '""') + '"'
    connection.execute(f"CREATE TABLE {quoted} ({quoted} TEXT UNIQUE, c)")
    seen: list[Any] = []

    def note(action: int, *what: str | None) -> int:
        # A function may have the name too, such as "like", without being meant.
        meant = action != sqlite3.SQLITE_FUNCTION
        seen.append((action, *("NAME" if one == name and meant else one for one in what)))
        return sqlite3.SQLITE_OK

    def trace(statement: Statement) -> tuple[list[Any], list[Any]]:
        sql: str
        bindings: Any
        if statement.rows is None:
            sql, bindings = lower(statement.sql, statement.bindings)
        else:
            sql, bindings = lower_rows(statement.sql, statement.rows)
        del seen[:]
        connection.set_authorizer(note)
        program = [row[1] for row in connection.execute(f"EXPLAIN {sql}", bindings).fetchall()]
        connection.set_authorizer(None)
        return program, list(seen)

    return trace


@contextmanager
def databases(*names: str) -> Iterator[list[Trace]]:
    connections = [connect() for _ in names]
    try:
        yield [trace_of(connection, name) for connection, name in zip(connections, names, strict=True)]
    finally:
        for connection in connections:
            connection.close()


@examples(60)
@given(value=text)
@example(value="x'; DROP TABLE t; --")
def test_a_value_changes_nothing_of_the_structure(value: str) -> None:
    with databases("t", "t") as (harmless, hostile):
        for one, other in zip(statements("t", "v"), statements("t", value), strict=True):
            assert hostile(other) == harmless(one), other.sql


@examples(60)
@given(name=names)
@example(name='" OR 1=1 --')
@example(name="like")
def test_a_name_changes_nothing_of_the_structure(name: str) -> None:
    with databases("t", name) as (harmless, hostile):
        for one, other in zip(statements("t", "v"), statements(name, "v"), strict=True):
            assert hostile(other) == harmless(one), other.sql


@given(value=text)
def test_a_value_never_enters_the_text(value: str) -> None:
    for one, other in zip(statements("t", "v"), statements("t", value), strict=True):
        if "max" not in one.sql:  # there the value is the name of a result, too
            assert one.sql == other.sql
