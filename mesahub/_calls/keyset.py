"""A table of any size, page by page, each beginning behind the last key of the one before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mesahub.errors import ArgumentError
from mesahub.results import Row
from mesahub.sql import Scope, Statement, compile_where, quote_name
from mesahub.sql.identifiers import column_text
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


class _Pages(NamedTuple):
    """What all pages have in common.

    Attributes:
        head: ``SELECT ... FROM ...``.
        condition: of the filter, in parentheses, or ``""``.
        values: the filter's.
        terms: the order.
        plain: the column of the result that is the key, where its values come back as they are stored.
    """

    head: str
    condition: str
    values: list[Any]
    terms: list[_Term]
    plain: str | None


def pages(
    table: TableHandle,
    where: Where,
    select: Sequence[str] | None,
    order_by: Any,
    key: str | Sequence[str] | None,
    batch_size: int,
    timeout: float | None,
) -> Iterator[Row]:
    """The rows; see `mesahub.TableHandle.iterate`. Arguments are checked before the first row is asked for."""
    if type(batch_size) is not int or not 1 <= batch_size <= MOST:
        raise ArgumentError(f"batch_size must be an integer from 1 to {MOST}, not {batch_size!r}.")
    scope = table._scope
    # Compiled once: a filter may hold an iterator, or a list that changes while the rows are read.
    values: list[Any] = []
    condition = compile_where(where, scope, values)
    chosen = columns_text(scope, select) if select else f"{scope.table}.*"
    plain = None
    if key is None:
        found = table._keys.columns(timeout)
        if not found.distinct:
            raise ArgumentError(
                f"{table.name!r} is a view, which has no key by which to go on. Say which columns tell its rows "
                "apart: iterate(key=['id'])."
            )
        terms = _terms(scope, order_by, found.distinct)
        # An INTEGER key comes back exactly; other values may have been converted, and are asked for as they are stored.
        if found.is_rowid and len(terms) == 1 and (not select or found.distinct[0] in select):
            plain = found.distinct[0]
    else:
        terms = _terms(scope, order_by, table._keys.for_conflict(key, timeout))
    if plain is None:
        for index, term in enumerate(terms):
            # An expression has no declared type, so nothing converts it; a blob would come as base64.
            chosen += (
                f", CASE typeof({term.text}) WHEN 'blob' THEN hex({term.text}) ELSE {term.text} END "
                f"AS {quote_name(f'{_KEY}{index}')}, typeof({term.text}) AS {quote_name(f'{_KEY}{index}_type')}"
            )
    head = f"SELECT {chosen} FROM {scope.table}"
    return _generate(
        table, _Pages(head, f"({condition})" if condition else "", values, terms, plain), batch_size, timeout
    )


def _generate(table: TableHandle, of: _Pages, batch_size: int, timeout: float | None) -> Iterator[Row]:
    names = [f"{_KEY}{index}" for index in range(len(of.terms))]
    order = ", ".join([_order(term) for term in of.terms])
    behind: list[Any] | None = None
    while True:
        bindings = list(of.values)
        conditions = [of.condition] if of.condition else []
        if behind is not None:
            conditions.append(_behind(of.terms, behind, bindings))
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        bindings.append(batch_size)
        statement = Statement(f"{of.head}{where} ORDER BY {order} LIMIT ?", bindings, "select", False)
        rows = table._query(statement, timeout)["rows"]
        if rows:
            last = rows[-1]
            if of.plain is not None:
                behind = [last[of.plain]]
            else:
                behind = [_stored(last[name], last[f"{name}_type"]) for name in names]
                for row in rows:
                    for name in names:
                        del row[name], row[f"{name}_type"]
        yield from rows
        if len(rows) < batch_size:
            return


def _terms(scope: Scope, order_by: Any, key: list[str]) -> list[_Term]:
    if order_by is None:
        order_by = []
    elif isinstance(order_by, str) or not isinstance(order_by, (list, tuple)):
        order_by = [order_by]
    terms = []
    for one in order_by:
        column, direction, nulls = order_of(one)
        descending = direction == "desc"
        # NULL is the smallest value to SQLite, unless it is told otherwise.
        first = nulls == "first" if nulls else not descending
        terms.append(_Term(column, descending, first, column_text(scope, column)))
    named = {term.column for term in terms}
    terms += [_Term(name, False, True, column_text(scope, name)) for name in key if name not in named]
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
