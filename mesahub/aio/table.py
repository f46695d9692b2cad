# Made by scripts/asyncify.py of mesahub/table.py: change that, and run `make aio`.
"""The table API: reads, writes and bulk loading without SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from mesahub._calls.deadline import Deadline
from mesahub.aio._calls.table_loader import AsyncTableLoader
from mesahub.errors import RateLimitError, ServerError, SQLError, TransportError
from mesahub.results import ExecResult, R, Row
from mesahub.sql.write import delete_statement, insert_statement, update_statement
from mesahub.table import _at_least_one

if TYPE_CHECKING:
    from mesahub.sql.filters import Where
    from mesahub.sql.schema import KeyColumns
    from mesahub.sql.write import Returning

__all__ = ["AsyncTableHandle"]


class AsyncTableHandle(AsyncTableLoader[R]):
    """A table or view of a database. Created by `AsyncDatabaseHandle.table`.

    Rows are dicts, or instances of the class that `AsyncDatabaseHandle.table` was given: then ``AsyncTableHandle[User]`` takes
    and returns instances of ``User``, and its reads ask for the columns of ``User`` alone.

    A ``where`` is a dict, an expression (`mesahub.col`), or ``None`` for all rows. Every call
    takes ``timeout``: seconds for this call, in place of the client's.
    """

    @overload
    async def insert(
        self: AsyncTableHandle[Row],
        data: Mapping[str, Any],
        *,
        returning: Returning = True,
        idempotent: bool = False,
        timeout: float | None = None,
    ) -> Row: ...
    @overload
    async def insert(
        self, data: R, *, returning: Returning = True, idempotent: bool = False, timeout: float | None = None
    ) -> R: ...
    async def insert(
        self, data: Any, *, returning: Returning = True, idempotent: bool = False, timeout: float | None = None
    ) -> Any:
        """Insert one row.

        Args:
            data: from column to value, or an instance of the table's class; the other columns get their defaults.
            returning: the columns to return; default: all.
            idempotent: the row carries its own primary key (made by the client, such as a UUID), so the call may
                be sent again when its answer was lost: it is an INSERT ... ON CONFLICT DO NOTHING, and a row with
                that key whose columns hold what ``data`` says is this one.
            timeout: seconds.

        Returns:
            The stored row.

        Raises:
            IntegrityError: a constraint failed; with ``idempotent`` also when another row has the key.
            AmbiguousResultError: the response was lost. See ``idempotent``.

        Example:
            >>> (await users.insert({"name": "Bob", "email": "bob@example.com"}))["id"]  # doctest: +SKIP
            >>> await payments.insert({"id": str(uuid.uuid4()), "cents": 500}, idempotent=True)  # doctest: +SKIP
        """
        returning = _at_least_one(returning)
        if self._typed is not None:
            data, returning = self._typed.dump(data), self._typed.returning(returning)
        if idempotent:
            return await self._insert_idempotently(data, returning, timeout)
        rows = (
            await self._run(insert_statement(self._scope, data, returning=returning), timeout, False, returning)
        ).rows
        if not rows:
            raise SQLError.of(f"The row was not inserted: a trigger of {self.name!r} ignored it.", status_code=400)
        return rows[0]

    async def _insert_idempotently(self, data: Mapping[str, Any], returning: Returning, timeout: float | None) -> R:
        deadline = Deadline(timeout, self._client.timeout)

        async def insert(keys: KeyColumns) -> tuple[list[str], list[R]]:
            key = self._keys.made_by_client(keys, data)
            statement = insert_statement(self._scope, data, key=key, returning=returning)
            return key, (await self._run(statement, deadline.left(), True, returning)).rows

        key, rows = await self._keys.using(insert, deadline)
        if rows:
            return rows[0]
        # The row is there: from an earlier try of this very call, or somebody else's.
        select = None if isinstance(returning, bool) or returning == "*" else returning
        where = {name: {"eq": value} for name, value in data.items()}
        try:
            same = await self.find_one(where, select, timeout=deadline.left())
        except (TransportError, ServerError, RateLimitError) as error:
            raise self._keys.unsettled(error) from error
        if same is None:
            raise self._keys.taken(key)
        return same

    @overload
    async def upsert(
        self: AsyncTableHandle[Row],
        data: Mapping[str, Any],
        key: str | Sequence[str] | None = None,
        update: Sequence[str] | None = None,
        *,
        where: Where = None,
        returning: Returning = True,
        idempotent: bool = False,
        timeout: float | None = None,
    ) -> Row | None: ...
    @overload
    async def upsert(
        self,
        data: R,
        key: str | Sequence[str] | None = None,
        update: Sequence[str] | None = None,
        *,
        where: Where = None,
        returning: Returning = True,
        idempotent: bool = False,
        timeout: float | None = None,
    ) -> R | None: ...
    async def upsert(
        self,
        data: Any,
        key: str | Sequence[str] | None = None,
        update: Sequence[str] | None = None,
        *,
        where: Where = None,
        returning: Returning = True,
        idempotent: bool = False,
        timeout: float | None = None,
    ) -> Any:
        """Insert a row, or update the one with its key (ON CONFLICT DO UPDATE).

        Args:
            data: from column to value, or an instance of the table's class. It has the key's columns, and each column
                that is NOT NULL without a default: SQLite looks at those first, also where it will change a row.
            key: the columns of a unique constraint; default: the primary key.
            update: the columns to change; default: all that are given but the key. ``[]`` changes nothing.
            where: the condition of a partial unique index on ``key``, with the same terms in the same order as in its
                CREATE INDEX, such as ``{"deleted": 0}``.
            returning: the columns to return; default: all.
            idempotent: it may be sent again when its answer was lost (true unless triggers count).
            timeout: seconds.

        Returns:
            The row as it is stored; ``None`` when it was there and nothing was to be changed.

        Raises:
            ArgumentError: the table has no primary key, or the row does not name the whole key.

        Example:
            >>> await users.upsert({"email": "bob@example.com", "name": "Bob"}, key="email")  # doctest: +SKIP
        """

        returning = _at_least_one(returning)
        if self._typed is not None:
            data, returning = self._typed.dump(data), self._typed.returning(returning)
        deadline = Deadline(timeout, self._client.timeout)

        async def insert(columns: Sequence[str]) -> list[R]:
            statement = insert_statement(
                self._scope, data, on_conflict="update", key=columns, update=update, where=where, returning=returning
            )
            return (await self._run(statement, deadline.left(), idempotent, returning)).rows

        if key is None and where is None:
            rows = await self._keys.using(lambda keys: insert(self._keys.primary(keys)), deadline)
        else:
            rows = await insert(await self._keys.for_conflict(key, timeout, where))
        return rows[0] if rows else None

    async def update(
        self,
        where: Where,
        set: R | Mapping[str, Any],
        *,
        all_rows: bool = False,
        returning: Returning = None,
        idempotent: bool = False,
        timeout: float | None = None,
    ) -> ExecResult[R]:
        """Update the matching rows.

        Args:
            where: a filter.
            set: from column to new value; ``col("other")`` takes it from another column. Or an instance of the table's
                class: all of its columns.
            all_rows: required if the filter is empty or always true.
            returning: ``True`` or columns: the changed rows come in ``result.rows``.
            idempotent: running it twice does no harm, so it may be retried if its response is lost.
            timeout: seconds.

        Returns:
            ``rows_affected``.

        Raises:
            ArgumentError: the filter is empty or always true, and ``all_rows=True`` was not passed.

        Example:
            >>> await users.update(where={"id": 5}, set={"name": "Robert"})  # doctest: +SKIP
        """
        changes: Any = set
        if self._typed is not None:
            changes, returning = self._typed.dump(set, changes=True), self._typed.returning(returning)
        statement = update_statement(self._scope, where, changes, all_rows=all_rows, returning=returning)
        return await self._run(statement, timeout, idempotent, returning)

    async def delete(
        self,
        where: Where,
        *,
        all_rows: bool = False,
        returning: Returning = None,
        idempotent: bool = False,
        timeout: float | None = None,
    ) -> ExecResult[R]:
        """Delete the matching rows. Arguments as for `update`.

        Example:
            >>> (await sessions.delete(where={"expires_at": {"lt": "2026-01-01"}})).rows_affected  # doctest: +SKIP
        """
        if self._typed is not None:
            returning = self._typed.returning(returning)
        statement = delete_statement(self._scope, where, all_rows=all_rows, returning=returning)
        return await self._run(statement, timeout, idempotent, returning)

    def __repr__(self) -> str:
        return f"<AsyncTableHandle {self.name!r} of {self._ref!r}>"
