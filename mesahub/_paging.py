"""A table of any size, page by page, each beginning behind the last key of the one before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mesahub.errors import ArgumentError
from mesahub.results import Row
from mesahub.sql import Scope, Statement, compile_where, quote_name
from mesahub.sql.select import columns_text, order_of

if TYPE_CHECKING:
    from mesahub.sql.filters import Where
    from mesahub.table import TableHandle

MOST = 99_999
"""Rows of a page: at 100,000 the server's answer might be cut."""
_KEY = "_mesahub_key_"


class _Term(NamedTuple):
    column: str
    descending: bool
    nulls_first: bool
    text: str


def pages(
    table: TableHandle,
    where: Where,
    select: Sequence[str] | None,
    order_by: Any,
    batch_size: int,
    timeout: float | None,
) -> Iterator[Row]:
    """The rows; see `mesahub.TableHandle.iterate`. Arguments are checked before the first row is asked for."""
    if type(batch_size) is not int or not 1 <= batch_size <= MOST:
        raise ArgumentError(f"batch_size must be an integer from 1 to {MOST}, not {batch_size!r}.")
    scope = table._scope
    compile_where(where, scope, [])
    columns_text(scope, select)
    key = table.primary_key(timeout=timeout)
    if not key:
        raise ArgumentError(
            f"{table.name!r} is a view, which has no key by which to go on. Use find(limit=, offset=) with an order_by "
            "that tells all rows apart, or iterate over its tables."
        )
    terms = _terms(scope, order_by, [name for name, _ in key])
    # An INTEGER key comes back exactly; other values may have been converted, and are asked for as they are stored.
    plain = (
        len(terms) == 1
        and len(key) == 1
        and key[0][1].upper() == "INTEGER"
        and (not select or key[0][0] in select)
        and (key[0][0] != "rowid")
    )
    return _generate(table, where, select, terms, key[0][0] if plain else None, batch_size, timeout)


def _generate(
    table: TableHandle,
    where: Where,
    select: Sequence[str] | None,
    terms: list[_Term],
    plain: str | None,
    batch_size: int,
    timeout: float | None,
) -> Iterator[Row]:
    scope = table._scope
    head = columns_text(scope, select) if select else f"{scope.table}.*"
    names = [f"{_KEY}{i}" for i in range(len(terms))]
    if plain is None:
        for name, term in zip(names, terms, strict=True):
            # An expression has no declared type, so nothing converts it; a blob would come as base64.
            head += (
                f", CASE typeof({term.text}) WHEN 'blob' THEN hex({term.text}) ELSE {term.text} END "
                f"AS {quote_name(name)}, typeof({term.text}) AS {quote_name(f'{name}_type')}"
            )
    order = ", ".join(_order(term) for term in terms)
    behind: list[Any] | None = None
    while True:
        bindings: list[Any] = []
        conditions = []
        if condition := compile_where(where, scope, bindings):
            conditions.append(f"({condition})")
        if behind is not None:
            conditions.append(_behind(terms, behind, bindings))
        sql = f"SELECT {head} FROM {scope.table}"
        if conditions:
            sql += f" WHERE {' AND '.join(conditions)}"
        bindings.append(batch_size)
        statement = Statement(f"{sql} ORDER BY {order} LIMIT ?", bindings, "select", False)
        rows = table._query(statement, timeout)["rows"]
        if rows:
            last = rows[-1]
            behind = [last[plain]] if plain is not None else [_stored(last[n], last[f"{n}_type"]) for n in names]
        if plain is None:
            for row in rows:
                for name in names:
                    del row[name], row[f"{name}_type"]
        yield from rows
        if len(rows) < batch_size:
            return


def _terms(scope: Scope, order_by: Any, key: list[str]) -> list[_Term]:
    if order_by is None:
        order_by = []
    elif isinstance(order_by, str) or not isinstance(order_by, Sequence):
        order_by = [order_by]
    terms = []
    for one in order_by:
        column, direction, nulls = order_of(one)
        descending = direction == "desc"
        # NULL is the smallest value to SQLite, unless it is told otherwise.
        first = nulls == "first" if nulls else not descending
        terms.append(_Term(column, descending, first, scope[column]))
    named = {term.column for term in terms}
    terms += [_Term(name, False, True, scope[name]) for name in key if name not in named]
    return terms


def _order(term: _Term) -> str:
    usual = term.nulls_first != term.descending
    nulls = "" if usual else f" NULLS {'FIRST' if term.nulls_first else 'LAST'}"
    return f"{term.text}{' DESC' if term.descending else ''}{nulls}"


def _stored(value: Any, kind: str) -> Any:
    if kind == "blob":
        return bytes.fromhex(value)
    return float(value) if kind == "real" else value


def _behind(terms: list[_Term], values: list[Any], bindings: list[Any]) -> str:
    """The condition of the rows behind these values: past the first, or equal in it and past the second, ..."""
    term, value = terms[0], values[0]
    past = _past(term, value, bindings)
    if len(terms) == 1:
        return past
    bindings.append(value)
    inner = _behind(terms[1:], values[1:], bindings)
    return f"({past} OR ({term.text} IS ? AND {inner}))"


def _past(term: _Term, value: Any, bindings: list[Any]) -> str:
    if value is None:
        return f"{term.text} IS NOT NULL" if term.nulls_first else "1 = 0"
    bindings.append(value)
    past = f"{term.text} {'<' if term.descending else '>'} ?"
    return past if term.nulls_first else f"({past} OR {term.text} IS NULL)"
