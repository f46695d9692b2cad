# Made by scripts/asyncify.py of mesahub/_calls/table_loader.py: change that, and run `make aio`.
"""The part of a table's API that loads any number of rows."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack, overload

from mesahub._aio.rows import insert_in_parts
from mesahub._calls.table_loader import InsertOptions, LoadOptions
from mesahub.aio._calls.table_reader import AsyncTableReader
from mesahub.errors import ArgumentError, MesahubError, NoSuchColumnError
from mesahub.results import ExecResult, R, Row

if TYPE_CHECKING:
    from mesahub._calls.plans.bulk_insert import BulkInsert
    from mesahub.sql.filters import Where
    from mesahub.sql.statement import Statement
    from mesahub.sql.write import Returning

__all__ = ["AsyncTableLoader"]


class AsyncTableLoader(AsyncTableReader[R]):
    """The writes of many rows of `mesahub.aio.AsyncTableHandle`, which adds those of one."""

    @overload
    async def insert_many(
        self: AsyncTableLoader[Row],
        rows: Iterable[Mapping[str, Any]] | AsyncIterable[Mapping[str, Any]],
        on_conflict: str | None = None,
        **options: Unpack[InsertOptions],
    ) -> ExecResult: ...
    @overload
    async def insert_many(
        self, rows: Iterable[R] | AsyncIterable[R], on_conflict: str | None = None, **options: Unpack[InsertOptions]
    ) -> ExecResult[R]: ...
    async def insert_many(
        self,
        rows: Any,
        on_conflict: str | None = None,
        *,
        key: str | Sequence[str] | None = None,
        update: Sequence[str] | None = None,
        where: Where = None,
        create: bool = False,
        alter: bool = False,
        returning: Returning = None,
        progress: Callable[[int, int | None], object] | None = None,
        idempotent: bool = False,
        in_flight: int = 1,
        timeout: float | None = None,
    ) -> ExecResult[Any]:
        """Insert any number of rows, in as few requests as the server's limits allow.

        Each request is one statement, so its rows go in together or not at all.

        Args:
            rows: any iterable, asynchronous or not, of dicts, or of instances of the table's class, read as it goes; a data frame of pandas
                or polars; a table of pyarrow. A column that a row does not name gets its default.
                Rows with different columns are grouped; only ``on_conflict`` keeps the order.
            on_conflict: ``None`` raises, ``"ignore"`` keeps, ``"replace"`` replaces, ``"update"`` updates the old row.
            key: for ``"update"``: the columns that are unique together; default: the primary key.
            update: for ``"update"``: the columns to change; default: all that are given but the key.
            where: for ``"update"``: as for `upsert`.
            create: create the table if it does not exist: columns and types of the first 1,000 rows (a column with
                values of several types gets none), ``key`` as primary key.
            alter: add columns that rows name and the table does not have. Both are done as the rows go, so rows and
                columns before a wrong row may be in.
            returning: ``True`` or columns: the stored rows come in ``result.rows``.
            progress: called with (rows done, rows in all or ``None``) after each request.
            idempotent: running it twice does no harm, so it may be retried if a response is lost. It needs an
                ``on_conflict`` (and rows with a unique key); ``rows_affected`` is what the last sending did.
            in_flight: 2 sends the next request, in a task, before the answer to one has come: for rows whose order
                does not matter, without ``on_conflict`` and ``alter``. It has no effect in process and in sessions.
                When a request fails, the one after it may have run.
            timeout: seconds for each request.

        Returns:
            ``rows_affected`` of all requests together; with ``returning`` also ``rows``.

        Raises:
            ArgumentError: names the row (from 0) and the column. Rows are looked at as they are read, so requests
                before it may have been sent.
            MesahubError: of the request that failed. ``error.details["rows_inserted"]`` says how many rows are in
                for certain, and for an `AmbiguousResultError` ``details["rows_in_doubt"]`` how many may be.

        Example:
            >>> await logs.insert_many([{"msg": "started"}, {"msg": "done"}], on_conflict="ignore")  # doctest: +SKIP
        """
        from mesahub._calls.plans.bulk_insert import BulkInsert

        if in_flight != 1 or type(in_flight) is not int:
            in_flight = self._in_flight(in_flight, on_conflict, alter)
        if isinstance(rows, AsyncIterable):
            return await insert_in_parts(
                self.insert_many, rows, on_conflict, key=key, update=update, where=where, create=create,
                alter=alter, returning=returning, progress=progress, idempotent=idempotent,
                in_flight=in_flight, timeout=timeout,
            )  # fmt: skip
        if self._typed is not None:
            rows, returning = self._typed.dump_many(rows), self._typed.returning(returning)
        if create:
            rows = await self._create_for(rows, key, timeout)
        columns: Sequence[str] = ()
        if on_conflict == "update":
            columns = await self._keys.for_conflict(key, timeout, where)
        elif update is not None or where is not None or not (key is None or create):
            raise ArgumentError("key, update and where belong to on_conflict='update'.")
        if idempotent and on_conflict is None:
            raise ArgumentError("Rows that are sent twice are stored twice or fail: idempotent needs an on_conflict.")
        plan = BulkInsert(
            rows, scope=self._scope, on_conflict=on_conflict, key=columns, update=update, where=where,
            returning=returning, progress=progress, capabilities=self._client.capabilities, in_flight=in_flight,
        )  # fmt: skip
        await self._run_plan(plan, alter, in_flight, timeout, idempotent)
        return self._loaded(plan.result(), returning)

    def _in_flight(self, wanted: Any, on_conflict: str | None, alter: bool) -> int:
        from mesahub._calls.in_flight import checked_in_flight

        wanted = checked_in_flight(wanted, in_order=on_conflict is not None, alter=alter)
        return int(wanted) if self._client.reads_ahead else 1

    async def _run_plan(
        self, plan: BulkInsert, alter: bool, in_flight: int, timeout: float | None, idempotent: bool
    ) -> None:
        if in_flight > 1:
            from mesahub.aio._calls.in_flight import run_in_flight

            await run_in_flight(plan, lambda statement: self._run(statement, timeout, idempotent), in_flight)
            return
        known: set[str] | None = None
        while True:
            try:
                statement = plan.statement()
                if statement is None:
                    return
                if alter:
                    known = await self._add_missing(plan, known, timeout)
                plan.accept(await self._run(statement, timeout, idempotent))
            except BaseException as error:
                if not plan.reject(error):
                    raise

    async def _create_for(
        self, rows: Iterable[Mapping[str, Any]], key: str | Sequence[str] | None, timeout: float | None
    ) -> Iterable[Mapping[str, Any]]:
        """Create the table for these rows, if it does not exist; gives all rows."""
        from mesahub._calls.plans.table_shape import create_statement, first_rows

        sample, rows = first_rows(rows)
        if sample:
            await self._run(create_statement(self.name, sample, key), timeout, True)
        return rows

    async def _add_missing(self, plan: BulkInsert, known: set[str] | None, timeout: float | None) -> set[str]:
        """Add the columns of the next statement that the table does not have; gives all columns, folded."""
        from mesahub._calls.plans.table_shape import folded, missing_columns

        known = folded(await self.columns(timeout=timeout)) if known is None else known
        for name, statement in missing_columns(self.name, plan.columns, plan.values, known):
            try:
                await self._run(statement, timeout, False)
            except MesahubError:
                # Its answer was lost, or someone else was faster: the column may be there.
                if name not in folded(await self.columns(timeout=timeout)):
                    raise
            known.add(name)
        return known

    @overload
    async def upsert_many(
        self: AsyncTableLoader[Row],
        rows: Iterable[Mapping[str, Any]] | AsyncIterable[Mapping[str, Any]],
        key: str | Sequence[str] | None = None,
        update: Sequence[str] | None = None,
        **options: Unpack[LoadOptions],
    ) -> ExecResult: ...
    @overload
    async def upsert_many(
        self,
        rows: Iterable[R] | AsyncIterable[R],
        key: str | Sequence[str] | None = None,
        update: Sequence[str] | None = None,
        **options: Unpack[LoadOptions],
    ) -> ExecResult[R]: ...
    async def upsert_many(
        self,
        rows: Any,
        key: str | Sequence[str] | None = None,
        update: Sequence[str] | None = None,
        *,
        where: Where = None,
        create: bool = False,
        alter: bool = False,
        returning: Returning = None,
        progress: Callable[[int, int | None], object] | None = None,
        idempotent: bool = False,
        timeout: float | None = None,
    ) -> ExecResult[Any]:
        """`upsert` of any number of rows: `insert_many` with ``on_conflict="update"``.

        Example:
            >>> await stock.upsert_many(({"sku": sku, "left": n} for sku, n in counted), key="sku")  # doctest: +SKIP
        """
        return await self.insert_many(
            rows,
            "update",
            key=key,
            update=update,
            where=where,
            create=create,
            alter=alter,
            returning=returning,
            progress=progress,
            idempotent=idempotent,
            timeout=timeout,
        )

    async def _run(
        self, statement: Statement, timeout: float | None, idempotent: bool, returning: Any = None
    ) -> ExecResult[Any]:
        """Run a write. ``returning``: as `TypedRows.returning` gave it, for rows of the table's class."""
        try:
            result = await self._client.run_exec(self._ref, statement, timeout=timeout, idempotent=idempotent)
        except NoSuchColumnError as error:
            raise self._explained(error) from error.__cause__
        return result if self._typed is None else self._loaded(result, returning)

    def _loaded(self, result: ExecResult[Any], returning: Any) -> ExecResult[R]:
        """The result of a write, with the rows of its RETURNING clause as those of the table's class."""
        if self._typed is not None and returning and result.rows:
            result["rows"] = self._typed.load(result.rows, returning, written=True)
        return result
