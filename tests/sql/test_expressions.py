"""Expressions: they say what dicts say, join, negate, and refuse to be taken for Python's own truth."""

from __future__ import annotations

from typing import Any

import pytest

from mesahub import ArgumentError, all_of, any_of, col, not_
from mesahub.sql import Expression, Scope, compile_where, delete_statement
from mesahub.sql.filters import Known, join_terms

T = Scope("t")
A, B, C = '"t"."a"', '"t"."b"', '"t"."c"'
a, b, c = col("a"), col("b"), col("c")


def compiled(where: Any) -> tuple[str, list[Any]]:
    bindings: list[Any] = []
    return compile_where(where, T, bindings), bindings


@pytest.mark.parametrize(
    ("expression", "dict_form"),
    [
        (a == 1, {"a": 1}),
        (a == None, {"a": None}),  # noqa: E711
        (a != None, {"a": {"ne": None}}),  # noqa: E711
        (a != 1, {"a": {"ne": 1}}),
        ((a > 1) & (a <= 9), {"a": {"gt": 1, "lte": 9}}),
        ((a >= 1) & (b < 9), {"a": {"gte": 1}, "b": {"lt": 9}}),
        (a.in_([1, 2, None]), {"a": {"in": [1, 2, None]}}),
        (a.in_(x for x in (1, 2)), {"a": {"in": [1, 2]}}),
        (a.in_([]), {"a": {"in": []}}),
        (a.not_in([1]), {"a": {"not_in": [1]}}),
        (a.between(1, 2), {"a": {"between": [1, 2]}}),
        (a.not_between(1, 2), {"a": {"not_between": [1, 2]}}),
        (a.like("x"), {"a": {"like": "x"}}),
        (a.not_like("x"), {"a": {"not_like": "x"}}),
        (a.ilike("x"), {"a": {"ilike": "x"}}),
        (a.not_ilike("x"), {"a": {"not_ilike": "x"}}),
        (a.glob("x"), {"a": {"glob": "x"}}),
        (a.not_glob("x"), {"a": {"not_glob": "x"}}),
        (a.contains("x"), {"a": {"contains": "x"}}),
        (a.not_contains("x"), {"a": {"not_contains": "x"}}),
        (a.startswith("x"), {"a": {"startswith": "x"}}),
        (a.not_startswith("x"), {"a": {"not_startswith": "x"}}),
        (a.endswith("x"), {"a": {"endswith": "x"}}),
        (a.not_endswith("x"), {"a": {"not_endswith": "x"}}),
        (a.is_null(), {"a": {"is_null": True}}),
        (a.is_not_null(), {"a": {"is_not_null": True}}),
        (a == b, {"a": b}),
        (a < b, {"a": {"lt": b}}),
        (any_of(a == 1, b == 2), any_of({"a": 1}, {"b": 2})),
        (any_of((a == 1) & (b == 2), c == 3), any_of({"a": 1, "b": 2}, {"c": 3})),
        (not_((a == 1) & (b == 2)), not_({"a": 1, "b": 2})),
        (all_of(), {}),
    ],
)
def test_both_forms_are_one_text(expression: Any, dict_form: Any) -> None:
    assert compiled(expression) == compiled(dict_form)


@pytest.mark.parametrize(
    ("where", "sql"),
    [
        ((a == 1) & (b == 2) & (c == 3), f"{A} = ? AND {B} = ? AND {C} = ?"),
        ((a == 1) | (b == 2) | (c == 3), f"{A} = ? OR {B} = ? OR {C} = ?"),
        ((a == 1) & ((b == 2) | (c == 3)), f"{A} = ? AND ({B} = ? OR {C} = ?)"),
        ((a == 1) | ((b == 2) & (c == 3)), f"{A} = ? OR ({B} = ? AND {C} = ?)"),
        ((a == 1) & {"b": 2, "c": 3}, f"{A} = ? AND {B} = ? AND {C} = ?"),
        ({"b": 2} & (a == 1), f"{B} = ? AND {A} = ?"),
        ({"b": 2, "c": 1} | (a == 1), f"({B} = ? AND {C} = ?) OR {A} = ?"),
        (~(a == 1), f"NOT ({A} = ?)"),
        (~~(a == 1), f"NOT (NOT ({A} = ?))"),
        (~((a == 1) | (b == 1)) & (c == 1), f"NOT ({A} = ? OR {B} = ?) AND {C} = ?"),
        (any_of(a == 1), f"{A} = ?"),
        (any_of(all_of(a == 1, b == 1)), f"({A} = ? AND {B} = ?)"),
        (any_of(), "1 = 0"),
        (all_of(), ""),
        (all_of({}, a == 1), f"{A} = ?"),
        (any_of({}, a == 1), f"1 = 1 OR {A} = ?"),
        (all_of(any_of(), a == 1), f"1 = 0 AND {A} = ?"),
        (not_({}), "NOT (1 = 1)"),
        (any_of(a.in_([]), b == 1), f"({A} IS NULL AND 1 = 0) OR {B} = ?"),
    ],
)
def test_how_conditions_are_joined(where: Any, sql: str) -> None:
    assert compiled(where)[0] == sql


ALWAYS: list[Any] = [
    None,
    {},
    all_of(),
    all_of({}, {}),
    any_of({}),
    any_of({}, a == 1),
    not_(any_of()),
    {"a": {"not_in": []}},
    {"a": {"not_in": []}, "b": {"not_in": set()}},
    a.not_in([]),
    a.not_in([]) & b.not_in([]),
    (a == 1) | b.not_in([]),
    all_of(any_of(a == 1, {}), {"b": {"not_in": []}}),
    ~a.in_([]),
    ~(a.in_([]) & (b == 1)),
    ~~a.not_in([]),
    ~any_of(a.in_([]), b.in_([])),
]
NOT_ALWAYS: list[Any] = [
    {"a": 1},
    {"a": {"not_in": [], "in": []}},
    {"a": {"not_in": []}, "b": 1},
    {"a": {"in": []}},
    {"a": {"not_in": [None]}},
    any_of(),
    not_({}),
    any_of(any_of(), a == 1),
    ~(a == 1),
    ~(a.not_in([]) & (b == 1)),
    {"1 = 1": 1},
]


@pytest.mark.parametrize("where", ALWAYS)
def test_what_is_always_true_is_not_let_loose_on_a_table(where: Any) -> None:
    with pytest.raises(ArgumentError, match=r"delete\(\) would affect every row of 't'.*all_rows=True"):
        delete_statement(T, where)
    assert delete_statement(T, where, all_rows=True).sql.startswith('DELETE FROM "t"')


@pytest.mark.parametrize("where", NOT_ALWAYS)
def test_what_is_not_always_true_is(where: Any) -> None:
    assert " WHERE " in delete_statement(T, where).sql


def test_a_condition_that_is_joined_is_never_left_out() -> None:
    # A misspelt column beside an empty list must still reach the database, which will say so.
    assert '"t"."typo"' in compiled({"a": {"in": []}, "typo": 1})[0]
    assert '"t"."typo"' in compiled(any_of({}, {"typo": 1}))[0]
    assert '"t"."typo"' in compiled(a.not_in([]) | (col("typo") == 1))[0]
    assert '"t"."typo"' in compiled({"typo": {"not_in": []}})[0]


def test_json_paths_are_bound_and_bound_again_where_the_column_is_repeated() -> None:
    city = col("data").json("$.address").json("$.city")
    assert compiled(city == "Bern") == ('("t"."data"->>?->>?) = ?', ["$.address", "$.city", "Bern"])
    assert compiled(city.in_(["Bern", None])) == (
        '(("t"."data"->>?->>?) IN (?) OR ("t"."data"->>?->>?) IS NULL)',
        ["$.address", "$.city", "Bern", "$.address", "$.city"],
    )
    sql, bindings = compiled(city.in_([*range(101), a]))
    assert sql == f'(("t"."data"->>?->>?) IN (SELECT +value FROM json_each(?)) OR ("t"."data"->>?->>?) IN ({A}))'
    assert (bindings[:2], bindings[3:]) == (["$.address", "$.city"], ["$.address", "$.city"])
    assert compiled(a == col("data").json("$.n")) == (f'{A} = ("t"."data"->>?)', ["$.n"])
    assert compiled(a.in_([col("data").json("$.n"), 5])) == (f'{A} IN (("t"."data"->>?), ?)', ["$.n", 5])
    assert repr(city) == "col('data').json('$.address').json('$.city')"


@pytest.mark.parametrize("path", ["a.b", "", 5, None])
def test_a_json_path_begins_with_a_dollar(path: Any) -> None:
    with pytest.raises(ArgumentError, match=r"a string that starts with \$"):
        col("data").json(path)


@pytest.mark.parametrize("name", ["", None, 5, b"a"])
def test_a_column_has_a_name(name: Any) -> None:
    with pytest.raises(ArgumentError, match="must be a non-empty string"):
        col(name)


def test_pythons_own_logic_is_refused_with_advice() -> None:
    with pytest.raises(ArgumentError, match=r"use & for and, \| for or, ~ for not.*between"):
        assert 1 < col("a") < 5  # pyright: ignore[reportGeneralTypeIssues]
    for wrong in (
        lambda: (a == 1) and (b == 2),
        lambda: (a == 1) or (b == 2),
        lambda: bool(a == 1),
        lambda: a in [1],
        lambda: any_of(a == 1) and None,
    ):
        with pytest.raises(ArgumentError, match="no truth value"):
            wrong()
    with pytest.raises(ArgumentError, match="Column 'a' has no truth value"):
        bool(a)


def test_only_conditions_are_joined() -> None:
    for wrong in (lambda: any_of([{"a": 1}]), lambda: (a == 1) & 5, lambda: not_("a"), lambda: all_of(None)):  # type: ignore[arg-type, operator]
        with pytest.raises(ArgumentError, match="take dicts and expressions"):
            wrong()
    for bare in (lambda: any_of(a), lambda: (b == 1) & a, lambda: ~a):  # type: ignore[arg-type, operator]
        with pytest.raises((ArgumentError, TypeError)):
            bare()


def test_an_expression_may_be_used_again() -> None:
    where = a.in_(x for x in "ab") & (b == 1)
    assert compiled(where) == compiled(where) == (f"{A} IN (?, ?) AND {B} = ?", ["a", "b", 1])


def test_a_column_is_no_key_of_a_dict() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(a)


def test_very_many_conditions_need_no_recursion() -> None:
    where: Expression = a == 0
    for n in range(1, 3_000):
        where = where | (a == n)
    sql, bindings = compiled(where)
    assert (sql.count(" OR "), len(bindings)) == (2_999, 3_000)


@pytest.mark.parametrize(
    ("truths", "all_", "truth"),
    [
        ([True, True], True, True),
        ([True, None], True, None),
        ([False, None], True, False),
        ([False, False], False, False),
        ([False, None], False, None),
        ([True, None], False, True),
        ([], True, True),
        ([], False, False),
        ([None], True, None),
    ],
)
def test_what_is_known_of_joined_terms(truths: list[bool | None], all_: bool, truth: bool | None) -> None:
    terms = ["x" if t is None else Known("x", t) for t in truths]
    joined = join_terms(terms, all_)
    assert (joined.truth if isinstance(joined, Known) else None) == truth
