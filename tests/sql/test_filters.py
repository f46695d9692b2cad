"""The dict form: each operator, several on one column, NULL, lists, and what is refused."""

from __future__ import annotations

import datetime
import enum
from collections import OrderedDict
from types import MappingProxyType
from typing import Any

import pytest

from mesahub import ArgumentError, any_of, col
from mesahub.sql import OPERATORS, Scope, compile_where

USERS = Scope("users")


def compiled(where: Any) -> tuple[str, list[Any]]:
    bindings: list[Any] = []
    return compile_where(where, USERS, bindings), bindings


AGE, ROLE, NAME = '"users"."age"', '"users"."role"', '"users"."name"'


SAID: list[tuple[Any, str, list[Any]]] = [
    (None, "", []),
    ({}, "", []),
    ({"age": 5}, f"{AGE} = ?", [5]),
    ({"age": True}, f"{AGE} = ?", [True]),
    ({"age": None}, f"{AGE} IS NULL", []),
    ({"age": {"eq": 5}}, f"{AGE} = ?", [5]),
    ({"age": {"eq": None}}, f"{AGE} IS NULL", []),
    ({"age": {"ne": 5}}, f"{AGE} != ?", [5]),
    ({"age": {"ne": None}}, f"{AGE} IS NOT NULL", []),
    ({"age": {"gt": 1, "lte": 9}}, f"{AGE} > ? AND {AGE} <= ?", [1, 9]),
    ({"age": {"gte": 1.5}, "role": "x"}, f"{AGE} >= ? AND {ROLE} = ?", [1.5, "x"]),
    ({"age": {"lt": b"a"}}, f"{AGE} < ?", [b"a"]),
    ({"name": {"like": "%a%"}}, f"{NAME} LIKE ?", ["%a%"]),
    ({"name": {"not_like": "a_"}}, f"{NAME} NOT LIKE ?", ["a_"]),
    ({"name": {"ilike": "A%"}}, f"lower({NAME}) LIKE lower(?)", ["A%"]),
    ({"name": {"not_ilike": "A%"}}, f"lower({NAME}) NOT LIKE lower(?)", ["A%"]),
    ({"name": {"glob": "a*"}}, f"{NAME} GLOB ?", ["a*"]),
    ({"name": {"not_glob": "a*"}}, f"{NAME} NOT GLOB ?", ["a*"]),
    ({"name": {"contains": "5%_\\"}}, f"{NAME} LIKE ? ESCAPE '\\'", ["%5\\%\\_\\\\%"]),
    ({"name": {"not_contains": "a"}}, f"{NAME} NOT LIKE ? ESCAPE '\\'", ["%a%"]),
    ({"name": {"startswith": "a"}}, f"{NAME} LIKE ? ESCAPE '\\'", ["a%"]),
    ({"name": {"not_startswith": "a"}}, f"{NAME} NOT LIKE ? ESCAPE '\\'", ["a%"]),
    ({"name": {"endswith": "a"}}, f"{NAME} LIKE ? ESCAPE '\\'", ["%a"]),
    ({"name": {"not_endswith": "a"}}, f"{NAME} NOT LIKE ? ESCAPE '\\'", ["%a"]),
    ({"role": {"in": ["a", "b"]}}, f"{ROLE} IN (?, ?)", ["a", "b"]),
    ({"role": {"in": ("a", None)}}, f"({ROLE} IN (?) OR {ROLE} IS NULL)", ["a"]),
    ({"role": {"in": [None]}}, f"{ROLE} IS NULL", []),
    ({"role": {"in": []}}, f"({ROLE} IS NULL AND 1 = 0)", []),
    ({"role": {"in": {"b", "a"}}}, f"{ROLE} IN (?, ?)", ["a", "b"]),
    ({"role": {"in": iter(["a"])}}, f"{ROLE} IN (?)", ["a"]),
    ({"role": {"in": range(2)}}, f"{ROLE} IN (?, ?)", [0, 1]),
    ({"role": {"not_in": ["a"]}}, f"{ROLE} NOT IN (?)", ["a"]),
    ({"role": {"not_in": ["a", None]}}, f"{ROLE} NOT IN (?)", ["a"]),
    ({"role": {"not_in": [None]}}, f"{ROLE} IS NOT NULL", []),
    ({"role": {"not_in": []}}, f"({ROLE} IS NULL OR 1 = 1)", []),
    ({"age": {"between": [1, 9]}}, f"{AGE} BETWEEN ? AND ?", [1, 9]),
    ({"age": {"not_between": (1, 9)}}, f"{AGE} NOT BETWEEN ? AND ?", [1, 9]),
    ({"age": {"between": [col("name"), 9]}}, f"{AGE} BETWEEN {NAME} AND ?", [9]),
    ({"age": {"is_null": True}}, f"{AGE} IS NULL", []),
    ({"age": {"is_null": False}}, f"{AGE} IS NOT NULL", []),
    ({"age": {"is_not_null": 1}}, f"{AGE} IS NOT NULL", []),
    ({"age": {"is_not_null": False}}, f"{AGE} IS NULL", []),
    ({"age": col("role")}, f"{AGE} = {ROLE}", []),
    ({"age": {"gt": col("role")}}, f"{AGE} > {ROLE}", []),
    ({"name": {"like": col("role")}}, f"{NAME} LIKE {ROLE}", []),
    ({"name": {"ilike": col("role")}}, f"lower({NAME}) LIKE lower({ROLE})", []),
    (OrderedDict(age=MappingProxyType({"gt": 1})), f"{AGE} > ?", [1]),
    (MappingProxyType({"age": 1}), f"{AGE} = ?", [1]),
]


@pytest.mark.parametrize(("where", "sql", "bindings"), SAID)
def test_what_a_filter_says(where: Any, sql: str, bindings: list[Any]) -> None:
    assert compiled(where) == (sql, bindings)


def test_every_operator_is_tested_above() -> None:
    filters: list[Any] = [where or {} for where, _, _ in SAID]
    conditions = [condition for where in filters for condition in where.values() if isinstance(condition, dict)]
    assert {word for condition in conditions for word in condition} == set(OPERATORS)


def test_values_are_adapted_wherever_they_stand() -> None:
    day = datetime.date(2026, 1, 31)

    class Colour(enum.Enum):
        RED = "red"

    assert compiled({"age": day})[1] == ["2026-01-31"]
    assert compiled({"age": {"gt": day}})[1] == ["2026-01-31"]
    assert compiled({"age": {"in": [day, Colour.RED]}})[1] == ["2026-01-31", "red"]
    assert compiled({"age": {"between": [day, day]}})[1] == ["2026-01-31"] * 2
    assert compiled({"age": Colour.RED})[1] == ["red"]
    assert compiled({"age": {"eq": Colour.RED}})[1] == ["red"]


def test_a_long_list_is_one_value() -> None:
    sql, bindings = compiled({"age": {"in": list(range(101))}})
    assert sql == f"{AGE} IN (SELECT +value FROM json_each(?))"
    assert bindings == [str(list(range(101))).replace(" ", "")]
    assert compiled({"age": {"in": list(range(100))}})[0] == f"{AGE} IN ({', '.join('?' * 100)})"


def test_a_long_list_may_hold_columns_and_null() -> None:
    sql, bindings = compiled({"age": {"in": [*range(101), col("name"), None]}})
    assert sql == f"(({AGE} IN (SELECT +value FROM json_each(?)) OR {AGE} IN ({NAME})) OR {AGE} IS NULL)"
    assert len(bindings) == 1
    assert compiled({"age": {"not_in": [*range(101), col("name")]}})[0] == (
        f"({AGE} NOT IN (SELECT +value FROM json_each(?)) AND {AGE} NOT IN ({NAME}))"
    )
    assert compiled({"age": {"in": [col("name")] * 101}}) == (f"{AGE} IN ({', '.join([NAME] * 101)})", [])


def test_the_text_is_the_same_each_time() -> None:
    where = {"name": {"in": {"b", "a", "c", "d"}}, "age": {"not_in": frozenset([3, 1, 2])}}
    assert compiled(where) == (f"{NAME} IN (?, ?, ?, ?) AND {AGE} NOT IN (?, ?, ?)", ["a", "b", "c", "d", 1, 2, 3])


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (
            {"age": {"gtt": 1}},
            r"Unknown operator 'gtt' on column 'age'\. Did you mean 'gt'\? The operators are eq, ",
        ),
        ({"age": {">=": 1}}, "Did you mean 'gte'"),
        ({"age": {"$ne": 1}}, "Did you mean 'ne'"),
        ({"age": {"NOT_IN": [1]}}, "Did you mean 'not_in'"),
        ({"age": {"exists": True}}, "Did you mean 'is_not_null'"),
        ({"age": {5: 1}}, "Unknown operator 5 on column 'age'. The operators"),
        ({"age": {"zzzzzz": 1}}, r"Unknown operator .* The operators"),
        ({"age": {}}, "The condition on 'age' is empty"),
        ({"age": [1, 2]}, r"The condition on 'age' is a list; write \{'age': \{'in': "),
        ({"age": {"eq": [1]}}, "'eq' on column 'age': expected a single value, not a list; use 'in'"),
        ({"age": {"gt": None}}, "'gt' on column 'age': None .NULL. cannot be compared"),
        ({"age": {"in": "abc"}}, "'in' on column 'age': the value must be a list of values, not str"),
        ({"age": {"in": b"abc"}}, "not bytes"),
        ({"age": {"in": 5}}, "not int"),
        ({"age": {"in": {"a": 1}}}, "not dict"),
        ({"age": {"not_in": None}}, "'not_in' on column 'age': .* not NoneType"),
        ({"age": {"in": [2**64]}}, "'in' on column 'age': The integer .* 64 bits"),
        ({"age": {"is_null": "yes"}}, "'is_null' on column 'age': the value must be True or False, not 'yes'"),
        ({"age": {"is_null": None}}, "True or False, not None"),
        ({"age": {"is_not_null": 2}}, "True or False, not 2"),
        ({"age": {"between": 5}}, r"two values, \[low, high\], not 5"),
        ({"age": {"between": [1]}}, "two values"),
        ({"age": {"between": [1, 2, 3]}}, "two values"),
        ({"age": {"between": [None, 2]}}, "two values"),
        ({"age": {"between": [2, None]}}, "two values"),
        ({"name": {"like": 5}}, "'like' on column 'name': the pattern must be a string, not int"),
        ({"name": {"contains": None}}, "the value must be a string, not NoneType"),
        ({"name": {"startswith": "a\0b"}}, "NUL character, where SQLite would stop reading"),
        ({"name": {"glob": "\0"}}, "NUL character"),
        ({"name": {"like": "\ud800"}}, "lone surrogate"),
        ({"age": 2**63}, "'eq' on column 'age': The integer"),
        ({"age": {"lt": float("nan")}}, "'lt' on column 'age': nan cannot be stored"),
        ({"age": {"eq": {"a": 1}}}, "'eq' on column 'age': A value of type dict .*json.dumps"),
        ({"age": object()}, "type object cannot be stored.*register_adapter"),
        ({5: 1}, "The name of a column must be a string, not 5"),
        ({"": 1}, "must not be empty"),
        ({"a\0": 1}, "NUL"),
        ({"\ud800": 1}, "lone surrogate"),
        (["age"], "where must be a dict .* not list"),
        ("age = 5", "where must be a dict .* not str"),
        (col("age"), "where must be a dict"),
    ],
)
def test_what_is_refused_is_named(where: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        compiled(where)


def test_a_key_that_is_no_name_is_refused() -> None:
    class Unhashable(dict[str, Any]):
        def items(self) -> Any:
            return [([], 1)]

    with pytest.raises(ArgumentError, match=r"A key of where must be a column name, not \[\]"):
        compiled(Unhashable())


def test_null_safe_is_said_with_two_conditions() -> None:
    where = any_of({"role": {"ne": "admin"}}, {"role": None})
    assert compiled(where)[0] == f"{ROLE} != ? OR {ROLE} IS NULL"
