"""Keyset pagination: a table of any size, page by page, each starting after the last key of the one before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mesahub.errors import ArgumentError
from mesahub.results import QueryResult, Row
from mesahub.sql import Scope as TableScope
from mesahub.sql import Statement, compile_where, quote_name
from mesahub.sql.identifiers import column_text
from mesahub.sql.select import columns_text, order_of

if TYPE_CHECKING:
    from mesahub.sql.filters import Where
    from mesahub.sql.select import OrderBy

MAX_PAGE = 99_999
"""Rows of a page: at 100,000 the server's answer might be cut."""
_KEY = "_mesahub_key_"
_FIRST_PAGE = 1000
_PAGE_BYTES = 1_000_000
_LEAST, _MOST = 100, 50_000
_SAMPLE = 20


class _Term(NamedTuple):
    column: str
    descending: bool
    nulls_first: bool
    text: str


class Pages:
    """The plan of `mesahub.TableHandle.iterate`: the statement of each page. It does no I/O.

    Args:
        scope: the table.
        where: a filter; compiled once, since it may hold an iterator, or a list that changes while rows are read.
        select: the columns; ``None`` for all.
        order_by: the order, before the key.
        batch_size: rows per page; default: 1,000.
        grows: from the second page on, take as many rows as make about a megabyte, where no ``batch_size`` is given.

    Raises:
        ArgumentError: an argument is invalid.

    Attributes:
        more: whether there is another page.
        is_ordered: whether `order_by_key` was called.
    """

    __slots__ = (
        "_batch_size", "_chosen", "_condition", "_grows", "_last", "_order_by", "_plain", "_prefix", "_scope",
        "_select", "_terms", "_values", "is_ordered", "more",
    )  # fmt: skip

    def __init__(
        self,
        scope: TableScope,
        where: Where,
        select: Sequence[str] | None,
        order_by: OrderBy,
        batch_size: int | None = None,
        *,
        grows: bool = False,
    ) -> None:
        self._grows = grows and batch_size is None
        if batch_size is None:
            batch_size = _FIRST_PAGE
        if type(batch_size) is not int or not 1 <= batch_size <= MAX_PAGE:
            raise ArgumentError(f"batch_size must be an integer from 1 to {MAX_PAGE}, not {batch_size!r}.")
        self._scope = scope
        self._batch_size = batch_size
        self._values: list[Any] = []
        condition = compile_where(where, scope, self._values)
        self._condition = f"({condition})" if condition else ""
        self._select = select
        self._chosen = columns_text(scope, select) if select else f"{scope.table}.*"
        self._order_by = order_by
        self._terms: list[_Term] = _terms(scope, order_by, [])
        self._plain: str | None = None
        self._prefix = _KEY
        self._last: list[Any] | None = None
        self.more = True
        self.is_ordered = False

    def order_by_key(self, columns: Sequence[str], *, is_rowid: bool = False) -> None:
        """Say by which columns pages continue.

        Args:
            columns: together they are different in every row.
            is_rowid: it is the one column that is declared INTEGER PRIMARY KEY.

        Raises:
            ArgumentError: there are none: it is a view.
        """
        if not columns:
            raise ArgumentError(
                f"{self._scope.name!r} is a view, which has no key to paginate by; pass columns that are unique "
                "together: iterate(key=['id'])."
            )
        self._terms = _terms(self._scope, self._order_by, columns)
        self.is_ordered = True
        # An INTEGER key comes back exactly; other values may have been converted, and are asked for as they are stored.
        if is_rowid and len(self._terms) == 1 and (not self._select or columns[0] in self._select):
            self._plain = columns[0]

    def _key_names(self) -> list[tuple[str, str]]:
        """The names of the key's values and of their types."""
        if self._plain is not None:
            return []
        return [(f"{self._prefix}{index}", f"{self._prefix}{index}_type") for index in range(len(self._terms))]

    def _are_doubled(self, columns: list[str]) -> bool:
        return any(columns.count(name) > 1 for pair in self._key_names() for name in pair)

    def statement(self) -> Statement:
        """The SELECT of the next page."""
        chosen = self._chosen
        for term, (name, kind) in zip(self._terms, self._key_names(), strict=False):
            # An expression has no declared type, so nothing converts it; a blob would come as base64.
            chosen += (
                f", CASE typeof({term.text}) WHEN 'blob' THEN hex({term.text}) ELSE {term.text} END "
                f"AS {quote_name(name)}, typeof({term.text}) AS {quote_name(kind)}"
            )
        bindings = list(self._values)
        conditions = [self._condition] if self._condition else []
        if self._last is not None:
            conditions.append(_after(self._terms, self._last, bindings))
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        order = ", ".join([_order(term) for term in self._terms])
        bindings.append(self._batch_size)
        sql = f"SELECT {chosen} FROM {self._scope.table}{where} ORDER BY {order} LIMIT ?"
        return Statement(sql, bindings, "select", False, table=self._scope.name)

    def accept(self, result: QueryResult) -> list[Row]:
        """Take the result of a page: its rows, without the key's own columns."""
        rows, keys = result.rows, self._key_names()
        taken = set(result.columns)
        if keys and len(taken) != len(result.columns) and self._are_doubled(result.columns):
            # The table has columns of these names: the page is asked for again, under other names.
            while any(taken.intersection(pair) for pair in self._key_names()):
                self._prefix = f"_{self._prefix}"
            return []
        if rows:
            last = rows[-1]
            if self._plain is not None:
                self._last = [last[self._plain]]
            else:
                self._last = [_stored(last[name], last[kind]) for name, kind in keys]
                for row in rows:
                    for name, kind in keys:
                        del row[name], row[kind]
        self.more = len(rows) == self._batch_size
        if self.more and self._grows:
            self._batch_size = _fitting(rows)
        return rows


def _fitting(rows: list[Row]) -> int:
    """How many rows such as these make about a megabyte."""
    sample = rows[:: len(rows) // _SAMPLE or 1]
    size = sum(len(repr(list(row.values()))) for row in sample) / len(sample)
    return max(_LEAST, min(int(_PAGE_BYTES / size), _MOST))


def _terms(scope: TableScope, order_by: OrderBy, key: Sequence[str]) -> list[_Term]:
    given: Any = order_by
    if given is None:
        given = []
    elif isinstance(given, str) or not isinstance(given, (list, tuple)):
        given = [given]
    terms = []
    for entry in given:
        column, direction, nulls = order_of(entry)
        descending = direction == "desc"
        # NULL is the smallest value to SQLite unless NULLS FIRST or LAST says otherwise.
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


def _after(terms: list[_Term], values: list[Any], bindings: list[Any]) -> str:
    """The condition of the rows after these values: past the first, or equal in it and past the second, ..."""
    term, value = terms[0], values[0]
    past = _past(term, value, bindings)
    if len(terms) == 1:
        return past
    bindings.append(value)
    inner = _after(terms[1:], values[1:], bindings)
    return f"({past} OR ({term.text} IS ? AND {inner}))"


def _past(term: _Term, value: Any, bindings: list[Any]) -> str:
    if value is None:
        return f"{term.text} IS NOT NULL" if term.nulls_first else "1 = 0"
    bindings.append(value)
    past = f"{term.text} {'<' if term.descending else '>'} ?"
    return past if term.nulls_first else f"({past} OR {term.text} IS NULL)"
