# Made by scripts/asyncify.py of mesahub/_calls/table_reader.py: change that, and run `make aio`.
"""The part of a table's API that reads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Generic

from mesahub._calls.deadline import Deadline
from mesahub._calls.primary_key import listed
from mesahub._calls.table_reader import _only
from mesahub.aio._calls.primary_key import AsyncKeys
from mesahub.errors import ArgumentError, NoSuchColumnError
from mesahub.results import QueryResult, R, Row
from mesahub.sql.identifiers import Scope
from mesahub.sql.select import aggregate_statement, count_statement, exists_statement, select_statement

if TYPE_CHECKING:
    from mesahub._calls.plans.keyset import Pages
    from mesahub._models import TypedRows
    from mesahub.aio._calls.executor import AsyncDatabase, AsyncExecutor
    from mesahub.sql.filters import Where
    from mesahub.sql.schema import ColumnInfo, KeyColumns
    from mesahub.sql.select import OrderBy
    from mesahub.sql.statement import Statement

__all__ = ["AsyncTableReader"]


class AsyncTableReader(Generic[R]):
    """The reads of `mesahub.aio.AsyncTableHandle`, which adds the writes."""

    def __init__(self, table_name: str, db: AsyncDatabase[AsyncExecutor], model: type[R] | None = None) -> None:
        self._scope = Scope(table_name)
        self._ref = db.name
        self._client = db.client
        self._keys = AsyncKeys(table_name, db.name, db.client)
        self._typed: TypedRows[R] | None = None
        if model is not None:
            from mesahub._models import typed_rows

            self._typed = typed_rows(model, self._scope)

    @property
    def name(self) -> str:
        """The table's name."""
        return self._scope.name

    async def find(
        self,
        where: Where = None,
        select: Sequence[str] | None = None,
        order_by: OrderBy = None,
        limit: int | None = None,
        offset: int | None = None,
        *,
        distinct: bool = False,
        timeout: float | None = None,
    ) -> list[R]:
        """Return the matching rows.

        Args:
            where: a filter.
            select: the columns; default: all, or those of the table's class.
            order_by: ``["name", "-created_at"]`` (``-`` for descending), or dicts with ``column``,
                ``direction`` (``"asc"``, ``"desc"``) and ``nulls`` (``"first"``, ``"last"``).
            limit: maximum number of rows.
            offset: rows to skip.
            distinct: return each combination of values once.
            timeout: seconds.

        Returns:
            One dict per row, or one instance of the table's class.

        Raises:
            ArgumentError: an argument is invalid; nothing was sent.
            NoSuchTableError, NoSuchColumnError: the table or column does not exist.
            ResultError: a stored value is not one of its field in the table's class.
            TruncatedResultError: there may be more rows than the server's limit of 100,000;
                see `iterate`.

        Example:
            >>> await users.find(where={"age": {"gte": 18}}, order_by=["name"], limit=20)  # doctest: +SKIP
        """
        typed, chosen = self._typed, None
        if typed is not None:
            select = chosen = typed.select(select, distinct=bool(distinct))
        statement = select_statement(self._scope, where, select, order_by, limit, offset, distinct)
        if chosen is not None:
            statement.parse = chosen.parse
        try:
            rows: Any = (await self._client.run_query(self._ref, statement, timeout=timeout, limit=limit))["rows"]
        except NoSuchColumnError as error:
            raise self._explained(error) from error.__cause__
        return rows if typed is None or chosen is None else typed.load(rows, chosen)

    async def find_one(
        self,
        where: Where = None,
        select: Sequence[str] | None = None,
        order_by: OrderBy = None,
        *,
        timeout: float | None = None,
    ) -> R | None:
        """Return the first matching row, or ``None``. Arguments as for `find`.

        Example:
            >>> await users.find_one(where={"email": "alice@example.com"})  # doctest: +SKIP
        """
        rows = await self.find(where, select, order_by, 1, timeout=timeout)
        return rows[0] if rows else None

    async def get(self, key: Any, select: Sequence[str] | None = None, *, timeout: float | None = None) -> R | None:
        """Return the row with this primary key, or ``None``.

        Args:
            key: the value; for a key of several columns a tuple in their order, or a dict.
            select: the columns; default: all.
            timeout: seconds.

        Raises:
            ArgumentError: the table is a view, or its key has other columns.

        Example:
            >>> await users.get(5)  # doctest: +SKIP
            >>> await lines.get({"order_id": 7, "line": 2})  # doctest: +SKIP
        """

        deadline = Deadline(timeout, self._client.timeout)

        async def find(keys: KeyColumns) -> R | None:
            where = self._keys.where([name for name, _ in keys.primary], key)
            return None if where is None else await self.find_one(where, select, timeout=deadline.left())

        return await self._keys.using(find, deadline)

    async def exists(self, where: Where = None, *, timeout: float | None = None) -> bool:
        """Return whether any row matches.

        Example:
            >>> await users.exists(where={"email": "alice@example.com"})  # doctest: +SKIP
        """
        return bool(_only((await self._query(exists_statement(self._scope, where), timeout)).rows, "exists"))

    async def count(self, where: Where = None, *, timeout: float | None = None) -> int:
        """Return the number of matching rows.

        Example:
            >>> await users.count(where={"active": 1})  # doctest: +SKIP
        """
        return int(_only((await self._query(count_statement(self._scope, where), timeout)).rows, "count"))

    async def aggregate(
        self,
        functions: Mapping[str, str | tuple[str, str]],
        where: Where = None,
        *,
        group_by: str | Sequence[str] | None = None,
        having: Where = None,
        order_by: OrderBy = None,
        limit: int | None = None,
        offset: int | None = None,
        timeout: float | None = None,
    ) -> list[Row]:
        """Counts, sums and other aggregates, of all rows or by group.

        Args:
            functions: from the name of a result to ``"count"``, or a pair such as ``("sum", "amount")`` of
                ``count``, ``count_distinct``, ``sum``, ``total``, ``avg``, ``min``, ``max`` and a column.
            where: which rows.
            group_by: one row for each combination of these columns; without it there is one row in all.
            having: which groups, by the names of ``group_by`` and ``functions``.
            order_by: by the same names.
            limit: maximum number of groups.
            offset: groups to skip.

        Returns:
            One dict per group: its columns, and the results.

        Example:
            >>> await orders.aggregate({"n": "count", "sum": ("sum", "total")}, group_by=["customer"])  # doctest: +SKIP
        """
        statement = aggregate_statement(self._scope, functions, where, group_by, having, order_by, limit, offset)
        return (await self._query(statement, timeout)).rows

    def iterate(
        self,
        where: Where = None,
        select: Sequence[str] | None = None,
        order_by: OrderBy = None,
        *,
        key: str | Sequence[str] | None = None,
        batch_size: int | None = None,
        prefetch: int | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[R]:
        """Iterate over all matching rows in pages: memory holds one page at a time, or two.

        Each page starts after the last row of the previous one (keyset pagination, without OFFSET), so concurrent
        inserts and deletes shift nothing: a row that stays is returned exactly once.

        Args:
            where: a filter.
            select: the columns; default: all.
            order_by: the order; rows that are equal in it come by primary key. Default: by primary key.
            key: columns that together are different in every row, in place of the primary key. A view needs it,
                having none.
            batch_size: rows per request, up to 99,999. Default: 1,000, and over a network then as many as make about a
                megabyte.
            prefetch: 1 asks for the next page, in a task, while the loop works on the second row and those that
                follow; its rows are then as old as that. 0 does not. Default: 1 over a network; 0 in process, in
                transactions and sessions (where 1 has no effect), and while a test is recorded or replayed.
            timeout: seconds for each request.

        Raises:
            ArgumentError: it is a view, and no ``key`` was given.

        Example:
            >>> async for user in users.iterate(where={"active": 1}, order_by=["name"]):  # doctest: +SKIP
            ...     print(user["name"])
        """
        from mesahub._calls.plans.keyset import Pages

        ahead = self._client.reads_ahead
        if prefetch is not None:
            if type(prefetch) is not int or prefetch not in (0, 1):
                raise ArgumentError(f"prefetch must be 0 or 1, the pages to ask for in advance, not {prefetch!r:.40}.")
            ahead = ahead if prefetch else False
        if self._typed is not None:
            select = self._typed.select(select)
        pages = Pages(self._scope, where, select, order_by, batch_size, grows=self._client.reads_ahead)
        if key is not None:
            pages.order_by_key(listed(key))
        return (self._rows_ahead if ahead else self._rows_of)(pages, select, timeout)

    async def _order(self, pages: Pages, timeout: float | None) -> None:
        """See to it that pages are ordered by a key: the primary key, unless they are."""
        if not pages.is_ordered:
            columns = await self._keys.columns(timeout)
            pages.order_by_key(columns.distinct, is_rowid=columns.is_rowid)

    async def _rows_of(self, pages: Pages, select: Any, timeout: float | None) -> AsyncIterator[R]:
        await self._order(pages, timeout)
        while pages.more:
            for each in self._page_of(pages.accept(await self._query(pages.statement(), timeout)), select):
                yield each

    async def _rows_ahead(self, pages: Pages, select: Any, timeout: float | None) -> AsyncIterator[R]:
        from mesahub._aio.ahead import Ahead

        following: Ahead[QueryResult] | None = None
        await self._order(pages, timeout)
        try:
            while pages.more:
                result = (
                    await self._query(pages.statement(), timeout) if following is None else await following.result()
                )
                following = None
                rows = self._page_of(pages.accept(result), select)
                for each in rows[:1]:
                    yield each  # whoever takes only the first row of a page asks for no other
                if rows and pages.more:
                    following = Ahead(partial(self._query, pages.statement(), timeout))
                for each in rows[1:]:
                    yield each
        finally:
            if following is not None:
                await following.discard()

    def _page_of(self, rows: list[Row], select: Any) -> list[R]:
        loaded: Any = rows if self._typed is None else self._typed.load(rows, select)
        return loaded  # type: ignore[no-any-return]

    async def primary_key(self, *, timeout: float | None = None) -> list[tuple[str, str]]:
        """(name, declared type) of the columns of the primary key; ``[("rowid", "INTEGER")]`` where none is declared.

        ``[]`` for a view. Read once per handle; create a new handle if the table's key changes.

        Raises:
            NoSuchTableError: there is no such table.
        """
        return (await self._keys.columns(timeout)).primary

    async def columns(self, *, timeout: float | None = None) -> list[ColumnInfo]:
        """The columns, in their order: name, declared type, NOT NULL, default, place in the primary key.

        Raises:
            NoSuchTableError: there is no such table or view.

        Example:
            >>> [column.name for column in await users.columns()]  # doctest: +SKIP
            ['id', 'name', 'email']
        """
        from mesahub.sql.schema import columns_statement, read_columns

        return read_columns(self.name, (await self._query(columns_statement(self.name), timeout)).rows)

    async def _query(self, statement: Statement, timeout: float | None) -> QueryResult:
        try:
            return await self._client.run_query(self._ref, statement, timeout=timeout)
        except NoSuchColumnError as error:
            raise self._explained(error) from error.__cause__

    def _explained(self, error: NoSuchColumnError) -> NoSuchColumnError:
        return error if self._typed is None else self._typed.explained(error)
