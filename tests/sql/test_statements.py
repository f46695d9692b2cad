"""What the table API's calls become, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest

from mesahub import ArgumentError, col
from mesahub.sql import (
    Scope,
    aggregate_statement,
    count_statement,
    delete_statement,
    exists_statement,
    insert_statement,
    insert_text,
    quote_name,
    select_statement,
    update_statement,
)

T = Scope("t")


@pytest.mark.parametrize(
    ("arguments", "sql", "bindings"),
    [
        ({}, 'SELECT * FROM "t"', []),
        ({"where": {}}, 'SELECT * FROM "t"', []),
        ({"select": ["b", "a"]}, 'SELECT "t"."b", "t"."a" FROM "t"', []),
        ({"select": ("a",), "distinct": True}, 'SELECT DISTINCT "t"."a" FROM "t"', []),
        ({"select": iter(["a"])}, 'SELECT "t"."a" FROM "t"', []),
        ({"select": []}, 'SELECT * FROM "t"', []),
        ({"order_by": ["a", "-b"]}, 'SELECT * FROM "t" ORDER BY "t"."a", "t"."b" DESC', []),
        ({"order_by": "-a"}, 'SELECT * FROM "t" ORDER BY "t"."a" DESC', []),
        ({"order_by": []}, 'SELECT * FROM "t"', []),
        ({"order_by": {"column": "a"}}, 'SELECT * FROM "t" ORDER BY "t"."a"', []),
        ({"order_by": [{"column": "a", "direction": "DESC"}]}, 'SELECT * FROM "t" ORDER BY "t"."a" DESC', []),
        ({"order_by": [{"column": "a", "direction": "asc"}]}, 'SELECT * FROM "t" ORDER BY "t"."a"', []),
        ({"order_by": [{"column": "a", "nulls": "last"}]}, 'SELECT * FROM "t" ORDER BY "t"."a" NULLS LAST', []),
        (
            {"order_by": ({"column": "a", "direction": "desc", "nulls": "first"},)},
            'SELECT * FROM "t" ORDER BY "t"."a" DESC NULLS FIRST',
            [],
        ),
        ({"order_by": [{"column": "-a"}]}, 'SELECT * FROM "t" ORDER BY "t"."-a"', []),
        ({"order_by": [col("d").json("$.a")]}, 'SELECT * FROM "t" ORDER BY ("t"."d"->>?)', ["$.a"]),
        ({"order_by": col("d")}, 'SELECT * FROM "t" ORDER BY "t"."d"', []),
        (
            {"order_by": [{"column": col("d").json("$.a"), "direction": "desc"}]},
            'SELECT * FROM "t" ORDER BY ("t"."d"->>?) DESC',
            ["$.a"],
        ),
        ({"limit": 5}, 'SELECT * FROM "t" LIMIT ?', [5]),
        ({"limit": 0, "offset": 0}, 'SELECT * FROM "t" LIMIT ? OFFSET ?', [0, 0]),
        ({"offset": 5}, 'SELECT * FROM "t" LIMIT ? OFFSET ?', [-1, 5]),
        (
            {"where": {"a": 1}, "order_by": ["a"], "limit": 2, "offset": 3},
            'SELECT * FROM "t" WHERE "t"."a" = ? ORDER BY "t"."a" LIMIT ? OFFSET ?',
            [1, 2, 3],
        ),
    ],
)
def test_find(arguments: dict[str, Any], sql: str, bindings: list[Any]) -> None:
    statement = select_statement(T, **arguments)
    assert (statement.sql, statement.bindings, statement.verb, statement.writes) == (sql, bindings, "select", False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"limit": -1}, "limit must be an integer of 0 or more, not -1"),
        ({"limit": "5.5"}, "limit must be an integer"),
        ({"limit": "-5"}, "limit must be an integer"),
        ({"limit": ""}, "limit must be an integer"),
        ({"limit": "٣"}, "limit must be an integer"),
        ({"limit": 2**63}, "limit must be an integer"),
        ({"limit": float("inf")}, "limit must be an integer"),
        ({"limit": [1]}, "limit must be an integer"),
        ({"limit": True}, "limit must be an integer"),
        ({"limit": 5, "offset": -1}, "offset must be an integer"),
        ({"limit": 1.5}, "limit must be an integer"),
        ({"offset": 1.5}, "offset must be an integer"),
        ({"select": "a"}, r"select must be a list of columns, such as \['id', 'name'\], not 'a'"),
        ({"select": {"a"}}, "select must be a list"),
        ({"select": {"a": 1}}, "select must be a list"),
        ({"select": 5}, "select must be a list"),
        ({"select": [["a"]]}, "select must be a list of column names"),
        ({"select": [5]}, "must be a string, not 5"),
        ({"order_by": 5}, "order_by must be a list"),
        ({"order_by": {"a"}}, "order_by must be a list"),
        ({"order_by": [5]}, "A term of order_by must be a name"),
        ({"order_by": [""]}, "must not be empty"),
        ({"order_by": ["-"]}, "must not be empty"),
        ({"order_by": [{"direction": "asc"}]}, "A term of order_by must be a name"),
        ({"order_by": [{"column": "a", "dir": "asc"}]}, "Unknown key 'dir' in order_by; the keys are column"),
        (
            {"order_by": [{"column": "a", "direction": "down"}]},
            "The direction of 'a' must be 'asc' or 'desc', not 'down'",
        ),
        ({"order_by": [{"column": "a", "direction": "asc; DROP TABLE t"}]}, "must be 'asc' or 'desc'"),
        ({"order_by": [{"column": "a", "direction": None}]}, "must be 'asc' or 'desc', not None"),
        ({"order_by": [{"column": "a", "direction": []}]}, "must be 'asc' or 'desc'"),
        ({"order_by": [{"column": "a", "nulls": "middle"}]}, "must be 'first' or 'last'"),
        ({"order_by": [{"column": "a", "nulls": []}]}, "must be 'first' or 'last'"),
        ({"order_by": [{"column": ["a"], "nulls": "last"}]}, "must be a string"),
        ({"order_by": [{"column": 5, "direction": "asc"}]}, "must be a string"),
    ],
)
def test_find_refuses(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        select_statement(T, **arguments)


def test_count_and_exists() -> None:
    assert count_statement(T, None).sql == 'SELECT count(*) AS "count" FROM "t"'
    assert count_statement(T, {"a": 1}).sql == 'SELECT count(*) AS "count" FROM "t" WHERE "t"."a" = ?'
    assert exists_statement(T, {}).sql == 'SELECT EXISTS (SELECT 1 FROM "t") AS "exists"'
    assert exists_statement(T, {"a": 1}).sql == 'SELECT EXISTS (SELECT 1 FROM "t" WHERE "t"."a" = ?) AS "exists"'


def test_aggregate() -> None:
    statement = aggregate_statement(
        T,
        {"n": "count", "most": ("max", "x{y}"), "kinds": ("count_distinct", "k")},
        {"a": {"gt": 1}},
        group_by=["g", "h"],
        having={"n": {"gte": 2}, "g": {"ne": "z"}},
        order_by=["-most", {"column": "h", "nulls": "last"}],
        limit=3,
        offset=1,
    )
    assert statement.sql == (
        'SELECT "t"."g", "t"."h", count(*) AS "n", max("t"."x{y}") AS "most", count(DISTINCT "t"."k") AS "kinds" '
        'FROM "t" WHERE "t"."a" > ? GROUP BY "t"."g", "t"."h" HAVING count(*) >= ? AND "t"."g" != ? '
        'ORDER BY max("t"."x{y}") DESC, "t"."h" NULLS LAST LIMIT ? OFFSET ?'
    )
    assert statement.bindings == [1, 2, "z", 3, 1]
    assert aggregate_statement(T, {"n": "count"}).sql == 'SELECT count(*) AS "n" FROM "t"'
    assert aggregate_statement(T, {"s": ("sum", "a")}, group_by="g", having=col("s") > 1).sql == (
        'SELECT "t"."g", sum("t"."a") AS "s" FROM "t" GROUP BY "t"."g" HAVING sum("t"."a") > ?'
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"functions": {}}, "takes a dict"),
        ({"functions": "count"}, "takes a dict"),
        ({"functions": {"n": "counts"}}, "Did you mean 'count'"),
        ({"functions": {"n": "sum"}}, r"must be 'count' or a pair such as \('sum', 'amount'\), not 'sum'"),
        ({"functions": {"n": ("summ", "a")}}, "Did you mean 'sum'"),
        ({"functions": {"n": ("sum",)}}, "a pair"),
        ({"functions": {"n": ([], "a")}}, "a pair"),
        ({"functions": {"n": 5}}, "a pair"),
        ({"functions": {"n": ("sum", ["a"])}}, "must be a string"),
        ({"functions": {"g": "count"}, "group_by": ["g"]}, "Duplicate name 'g'"),
        ({"functions": {"n": "count"}, "group_by": [["g"]]}, "must be a string"),
        (
            {"functions": {"total": "count"}, "having": {"totl": 1}},
            "'totl' is neither a group nor a function of this aggregate.*these are total.*Did you mean 'total'",
        ),
        ({"functions": {"n": "count"}, "order_by": ["a"]}, "neither a group nor a function"),
    ],
)
def test_aggregate_refuses(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        aggregate_statement(T, **arguments)


def test_insert() -> None:
    statement = insert_statement(T, {"b": 1, "a": None}, returning=True)
    assert (statement.sql, statement.bindings) == ('INSERT INTO "t" ("b", "a") VALUES (?, ?) RETURNING *', [1, None])
    assert (statement.verb, statement.writes) == ("insert", True)
    assert insert_statement(T, {}).sql == 'INSERT INTO "t" DEFAULT VALUES'
    assert (
        insert_statement(T, {"a": 1}, key=["a"]).sql == 'INSERT INTO "t" ("a") VALUES (?) ON CONFLICT ("a") DO NOTHING'
    )


@pytest.mark.parametrize(
    ("options", "sql"),
    [
        ({}, 'INSERT INTO "t" ("a", "b") VALUES (?, ?)'),
        ({"on_conflict": "ignore"}, 'INSERT OR IGNORE INTO "t" ("a", "b") VALUES (?, ?)'),
        ({"on_conflict": "replace"}, 'INSERT OR REPLACE INTO "t" ("a", "b") VALUES (?, ?)'),
        (
            {"on_conflict": "update", "key": ["a"]},
            'INSERT INTO "t" ("a", "b") VALUES (?, ?) ON CONFLICT ("a") DO UPDATE SET "b" = excluded."b"',
        ),
        (
            {"on_conflict": "update", "key": ["a"], "update": ["a", "b"]},
            'INSERT INTO "t" ("a", "b") VALUES (?, ?) ON CONFLICT ("a") '
            'DO UPDATE SET "a" = excluded."a", "b" = excluded."b"',
        ),
        (
            {"on_conflict": "update", "key": ["a"], "update": []},
            'INSERT INTO "t" ("a", "b") VALUES (?, ?) ON CONFLICT ("a") DO NOTHING',
        ),
        (
            {"on_conflict": "update", "key": ["a", "b"]},
            'INSERT INTO "t" ("a", "b") VALUES (?, ?) ON CONFLICT ("a", "b") DO NOTHING',
        ),
        ({"returning": ["a"]}, 'INSERT INTO "t" ("a", "b") VALUES (?, ?) RETURNING "t"."a"'),
        ({"returning": "*"}, 'INSERT INTO "t" ("a", "b") VALUES (?, ?) RETURNING *'),
        ({"returning": False}, 'INSERT INTO "t" ("a", "b") VALUES (?, ?)'),
    ],
)
def test_insert_and_conflicts(options: dict[str, Any], sql: str) -> None:
    assert insert_text(T, ["a", "b"], **options) == sql


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on_conflict": "upsert"}, "on_conflict must be None, 'ignore', 'replace' or 'update', not 'upsert'"),
        ({"on_conflict": []}, "on_conflict must be"),
        ({"on_conflict": "update", "key": ["c"]}, "Key column 'c' is missing from the values"),
        ({"on_conflict": "update", "key": ["a"], "update": ["c"]}, "Column 'c' in update"),
        ({"on_conflict": "update", "key": ["a"], "update": "b"}, "update must be a list"),
        ({"on_conflict": "update", "key": ["a"], "update": 5}, "update must be a list"),
        ({"returning": "a"}, r"returning must be True or a list of columns, such as \['id'\], not 'a'"),
        ({"returning": []}, "returning must be True or a list"),
        ({"returning": 5}, "returning must be True or a list"),
        ({"returning": [["a"]]}, "column names"),
    ],
)
def test_insert_refuses(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        insert_text(T, ["a", "b"], **options)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "A row must be a dict of column names to values, not None"),
        ([("a", 1)], "A row must be a dict"),
        ("a", "A row must be a dict"),
        ({"a": 2**63}, "The value of 'a': The integer"),
        ({"a": [1]}, "The value of 'a': A value of type list"),
        ({5: 1}, "must be a string"),
    ],
)
def test_a_row_is_a_dict_of_values(data: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        insert_statement(T, data)


def test_update_and_delete() -> None:
    statement = update_statement(T, {"id": 1}, {"a": 5, "b": col("c"), "d": col("e").json("$.x"), "f": None})
    assert statement.sql == ('UPDATE "t" SET "a" = ?, "b" = "t"."c", "d" = ("t"."e"->>?), "f" = ? WHERE "t"."id" = ?')
    assert (statement.bindings, statement.verb, statement.writes) == ([5, "$.x", None, 1], "update", True)
    statement = delete_statement(T, col("id") == 1, returning=["id"])
    assert statement.sql == 'DELETE FROM "t" WHERE "t"."id" = ? RETURNING "t"."id"'
    assert (statement.bindings, statement.verb, statement.writes) == ([1], "delete", True)
    assert delete_statement(T, {}, all_rows=True).sql == 'DELETE FROM "t"'
    assert (
        update_statement(T, None, {"a": 1}, all_rows=True, returning=True).sql == 'UPDATE "t" SET "a" = ? RETURNING *'
    )


def test_all_rows_is_said_by_true_alone() -> None:
    for said in (False, None, 1, "yes"):
        with pytest.raises(ArgumentError, match="all_rows=True"):
            delete_statement(T, {}, all_rows=said)  # type: ignore[arg-type]


@pytest.mark.parametrize("changes", [None, {}, [("a", 1)], "a"])
def test_an_update_changes_something(changes: Any) -> None:
    with pytest.raises(ArgumentError, match="set must be a non-empty dict"):
        update_statement(T, {"id": 1}, changes)


@pytest.mark.parametrize(
    ("name", "quoted"),
    [("a", '"a"'), ('a"b', '"a""b"'), ("main.t", '"main.t"'), ("select", '"select"'), ("tä", '"tä"'), (" ", '" "')],
)
def test_names_are_quoted(name: str, quoted: str) -> None:
    assert quote_name(name) == quoted
    assert Scope(name).table == quoted
    assert Scope("t")[name] == f'"t".{quoted}'


def test_a_scope_keeps_a_bounded_number_of_columns() -> None:
    scope = Scope("t")
    for n in range(2000):
        assert scope[f"c{n}"] == f'"t"."c{n}"'
    assert len(scope) == 1024
