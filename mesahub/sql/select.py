"""Statements that read a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mesahub._util.suggest import near
from mesahub.errors import ArgumentError
from mesahub.sql.filters import Operand, compile_where
from mesahub.sql.identifiers import Scope, column_text, quote_name
from mesahub.sql.statement import Statement

if TYPE_CHECKING:
    from typing import TypeAlias

    from mesahub.sql.expressions import Column
    from mesahub.sql.filters import Where

    OrderBy: TypeAlias = str | Sequence[str | Mapping[str, str] | Column] | None

AGGREGATES = {
    "count": "count({})",
    "count_distinct": "count(DISTINCT {})",
    "sum": "sum({})",
    "total": "total({})",
    "avg": "avg({})",
    "min": "min({})",
    "max": "max({})",
}


def select_statement(
    scope: Scope,
    where: Where = None,
    select: Sequence[str] | None = None,
    order_by: OrderBy = None,
    limit: int | None = None,
    offset: int | None = None,
    distinct: bool = False,
) -> Statement:
    """``SELECT ... FROM table WHERE ... ORDER BY ... LIMIT ... OFFSET ...``."""
    bindings: list[Any] = []
    columns = columns_text(scope, select) if select else "*"
    sql = f"SELECT {'DISTINCT ' if distinct else ''}{columns} FROM {scope.table}"
    if where is not None and (condition := compile_where(where, scope, bindings)):
        sql += f" WHERE {condition}"
    if order_by is not None:
        sql += order_text(scope, order_by, bindings)
    if limit is not None or offset is not None:
        sql += limit_text(limit, offset, bindings)
    return Statement(sql, bindings, "select", False, table=scope.name)


def count_statement(scope: Scope, where: Where) -> Statement:
    """``SELECT count(*)``."""
    bindings: list[Any] = []
    condition = compile_where(where, scope, bindings)
    sql = f'SELECT count(*) AS "count" FROM {scope.table}' + (f" WHERE {condition}" if condition else "")
    return Statement(sql, bindings, "select", False, table=scope.name)


def exists_statement(scope: Scope, where: Where) -> Statement:
    """``SELECT EXISTS (...)``."""
    bindings: list[Any] = []
    condition = compile_where(where, scope, bindings)
    inner = f"SELECT 1 FROM {scope.table}" + (f" WHERE {condition}" if condition else "")
    return Statement(f'SELECT EXISTS ({inner}) AS "exists"', bindings, "select", False, table=scope.name)


def aggregate_statement(
    scope: Scope,
    functions: Mapping[str, str | tuple[str, str]],
    where: Where = None,
    group_by: str | Sequence[str] | None = None,
    having: Where = None,
    order_by: OrderBy = None,
    limit: int | None = None,
    offset: int | None = None,
) -> Statement:
    """``SELECT groups, functions FROM table WHERE ... GROUP BY ... HAVING ... ORDER BY ...``."""
    if not isinstance(functions, Mapping) or not functions:
        raise ArgumentError("aggregate() takes a dict of names to functions: {'n': 'count', 'oldest': ('max', 'age')}.")
    if group_by is None or isinstance(group_by, str):
        groups = [] if group_by is None else [group_by]
    elif isinstance(group_by, (list, tuple)):
        groups = list(group_by)
    else:
        raise ArgumentError(f"group_by must be a column or a list of columns, not {group_by!r}.")
    results = _Results(scope)
    terms = []
    for group in groups:
        text = column_text(scope, group)
        dict.__setitem__(results, group, text)
        terms.append(text)
    for name, function in functions.items():
        if name in results:
            raise ArgumentError(f"Duplicate name {name!r} in aggregate().")
        text = _function(scope, name, function)
        dict.__setitem__(results, name, text)
        terms.append(f"{text} AS {quote_name(name)}")
    bindings: list[Any] = []
    sql = f"SELECT {', '.join(terms)} FROM {scope.table}"
    if condition := compile_where(where, scope, bindings):
        sql += f" WHERE {condition}"
    if groups:
        sql += f" GROUP BY {', '.join(scope[group] for group in groups)}"
    if condition := compile_where(having, results, bindings):
        sql += f" HAVING {condition}"
    if order_by is not None:
        sql += order_text(results, order_by, bindings)
    if limit is not None or offset is not None:
        sql += limit_text(limit, offset, bindings)
    return Statement(sql, bindings, "select", False, table=scope.name)


class _Results(Scope):
    """The names available to HAVING and ORDER BY of an aggregate: its groups and functions."""

    __slots__ = ()

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope.name)

    def __missing__(self, name: str) -> str:
        raise ArgumentError(
            f"{name!r} is neither a group nor a function of this aggregate(); these are {', '.join(self)}."
            f"{near(name, self)}"
        )


def _function(scope: Scope, name: str, function: Any) -> str:
    if isinstance(function, str) and function == "count":
        return "count(*)"
    pair = isinstance(function, (tuple, list)) and len(function) == 2
    word = function[0] if pair else function
    if pair and isinstance(word, str) and word in AGGREGATES:
        return AGGREGATES[word].format(column_text(scope, function[1]))
    hint = "" if isinstance(word, str) and word in AGGREGATES else near(word, AGGREGATES)
    raise ArgumentError(
        f"The function of {name!r} must be 'count' or a pair such as ('sum', 'amount'), not {function!r}.{hint} "
        f"The functions are {', '.join(AGGREGATES)}."
    )


class Selected(list[str]):
    """The columns of a SELECT or RETURNING as expressions.

    Attributes:
        text: their SQL.
    """

    __slots__ = ("text",)

    def __init__(self, text: str, columns: Iterable[str]) -> None:
        super().__init__(columns)
        self.text = text

    def __contains__(self, name: object) -> bool:
        return False  # none of the columns is selected as it is


def checked_columns(select: Any) -> Iterable[Any]:
    """The columns of ``select``, as the caller gave them; a single name, or what has no order, is an error."""
    if isinstance(select, (str, bytes, Mapping, set, frozenset)) or not isinstance(select, Iterable):
        raise ArgumentError(f"select must be a list of columns, such as ['id', 'name'], not {select!r:.60}.")
    return select


def columns_text(scope: Scope, select: Any) -> str:
    """Return the columns of a SELECT or RETURNING."""
    if isinstance(select, Selected):
        return select.text
    if type(select) is not list:
        select = checked_columns(select)
    try:
        return ", ".join([scope[name] for name in select]) or "*"
    except TypeError:  # an element is not hashable
        raise ArgumentError(f"select must be a list of column names, not {select!r}.") from None


def order_text(scope: Scope, order_by: Any, bindings: list[Any]) -> str:
    """`` ORDER BY ...``, or nothing."""
    if type(order_by) is not list and isinstance(order_by, (str, Mapping, Operand)):
        order_by = [order_by]
    elif not isinstance(order_by, (list, tuple)):
        raise ArgumentError(f"order_by must be a list, such as ['name', '-created_at'], not {order_by!r}.")
    terms = ", ".join([_order_term(scope, term, bindings) for term in order_by])
    return f" ORDER BY {terms}" if terms else ""


_DIRECTIONS = {"asc": "", "desc": " DESC"}
_NULLS = {"first": " NULLS FIRST", "last": " NULLS LAST"}


def order_of(term: Any) -> tuple[Any, str, str | None]:
    """(column, direction, nulls) of one term of ``order_by``."""
    if isinstance(term, str):
        return (term[1:], "desc", None) if term[:1] == "-" else (term, "asc", None)
    if not isinstance(term, Mapping) or "column" not in term:
        raise ArgumentError(
            "A term of order_by must be a name, '-name' for descending, or {'column': name, 'direction': 'asc' or "
            "'desc', "
            f"'nulls': 'first' or 'last'}}, not {term!r}."
        )
    direction = term.get("direction", "asc")
    nulls = term.get("nulls")
    unknown = [key for key in term if key not in ("column", "direction", "nulls")]
    if unknown:
        raise ArgumentError(f"Unknown key {unknown[0]!r} in order_by; the keys are column, direction, nulls.")
    lowered = direction.lower() if isinstance(direction, str) else direction
    if not isinstance(lowered, str) or lowered not in _DIRECTIONS:
        raise ArgumentError(f"The direction of {term['column']!r} must be 'asc' or 'desc', not {direction!r}.")
    if nulls is not None and not (isinstance(nulls, str) and nulls in _NULLS):
        raise ArgumentError(f"The nulls of {term['column']!r} must be 'first' or 'last', not {nulls!r}.")
    return term["column"], lowered, nulls


def _order_term(scope: Scope, term: Any, bindings: list[Any]) -> str:
    if type(term) is dict and len(term) == 2:
        # The common case, in as few steps as possible; errors are reported below.
        direction = term.get("direction")
        column = term.get("column")
        if type(direction) is str and direction in _DIRECTIONS and type(column) is str:
            return scope[column] + _DIRECTIONS[direction]
    if isinstance(term, Operand):
        return term.operand(scope, bindings)
    name, direction, nulls = order_of(term)
    text = name.operand(scope, bindings) if isinstance(name, Operand) else column_text(scope, name)
    return text + _DIRECTIONS[direction] + (_NULLS[nulls] if nulls else "")


_MOST = 2**63


def limit_text(limit: Any, offset: Any, bindings: list[Any]) -> str:
    """`` LIMIT ? OFFSET ?``."""
    if type(limit) is int and 0 <= limit < _MOST:
        if offset is None:
            bindings.append(limit)
            return " LIMIT ?"
        if type(offset) is int and 0 <= offset < _MOST:
            bindings += (limit, offset)
            return " LIMIT ? OFFSET ?"
    # SQLite has no OFFSET without LIMIT; -1 means no limit.
    bindings.append(-1 if limit is None else _count("limit", limit))
    if offset is None:
        return " LIMIT ?"
    bindings.append(_count("offset", offset))
    return " LIMIT ? OFFSET ?"


def _count(what: str, number: Any) -> int:
    """Convert a number of rows; text and integral floats are accepted, as in mesahub 1.x."""
    value = number
    if isinstance(number, str):
        digits = number.strip()
        value = int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 20 else None
    elif isinstance(number, float):
        value = int(number) if number.is_integer() else None
    elif isinstance(number, int):
        value = None if isinstance(number, bool) else int.__index__(number)
    elif hasattr(number, "__index__"):  # such as numpy's
        with suppress(Exception):
            value = number.__index__()
    if type(value) is not int or not 0 <= value < _MOST:
        raise ArgumentError(f"{what} must be an integer of 0 or more, not {number!r:.100}.")
    return value
