# Made by scripts/asyncify.py of mesahub/database.py: change that, and run `make aio`.
"""One database: raw SQL, its tables, its files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, overload

from mesahub._aio.opening import opening
from mesahub.aio._calls.executor import AsyncSender, AsyncSqlExecutor
from mesahub.aio.table import AsyncTableHandle
from mesahub.database import check_database
from mesahub.errors import ArgumentError, MesahubError
from mesahub.results import ExecResult, QueryResult, R, Row
from mesahub.sql import Bindings, Statement, split_script
from mesahub.sql.analysis import holds_transaction

if TYPE_CHECKING:
    from mesahub.aio.admin import AsyncAdmin
    from mesahub.aio.batch import AsyncBatch
    from mesahub.aio.buckets import AsyncBuckets
    from mesahub.aio.files import AsyncFiles
    from mesahub.batch import BatchEntry
    from mesahub.dialects.base import Capabilities
    from mesahub.rows import Rows
    from mesahub.sql.schema import SchemaObject

__all__ = ["AsyncClient", "AsyncDatabaseHandle"]


class AsyncClient(AsyncSqlExecutor, AsyncSender, Protocol):
    """What a database needs of its client; `mesahub.aio.AsyncMesahubClient` is one."""

    @property
    def admin(self) -> AsyncAdmin:
        """See `mesahub.aio.AsyncMesahubClient.admin`."""
        ...

    @property
    def buckets(self) -> AsyncBuckets:
        """See `mesahub.aio.AsyncMesahubClient.buckets`."""
        ...

    def db(self, ref: str) -> AsyncDatabaseHandle:
        """Another database of the client."""
        ...

    @opening
    async def session(self, ref: str) -> AsyncDatabaseHandle:
        """A connection of its own. See `AsyncDatabaseHandle.session`."""
        ...

    async def close(self) -> None:
        """Close the transport."""
        ...


class AsyncDatabaseHandle:
    """One database. Created by `AsyncMesahubClient.db` and `mesahub.aio.connect`."""

    def __init__(self, ref: str, client: AsyncClient, *, owns_client: bool = False) -> None:
        check_database(ref)
        self._ref = ref
        self._client = client
        self._owns_client = owns_client

    @property
    def name(self) -> str:
        """The slug."""
        return self._ref

    @property
    def client(self) -> AsyncClient:
        """The client it belongs to."""
        return self._client

    @property
    def files(self) -> AsyncFiles:
        """The files of the database."""
        self._client.require("files")
        from mesahub.aio.files import AsyncFiles

        return AsyncFiles(self._ref, self._client)

    @property
    def capabilities(self) -> Capabilities:
        """What the engine can do, and its limits. (It may be known better after the first request.)

        >>> db.capabilities.batch  # doctest: +SKIP
        'atomic'
        """
        return self._client.capabilities

    async def query(
        self,
        sql: str,
        bindings: Bindings = None,
        *,
        timeout: float | None = None,
        consistency: str | None = None,
    ) -> QueryResult:
        """Run one statement that reads.

        Args:
            sql: one statement. Writes are rejected; use `exec`.
            bindings: a list for ``?``, a dict for ``:name``, ``@name`` and ``$name``.
            timeout: seconds for this call, instead of the client's.
            consistency: the level of this read, where the engine has levels (``db.capabilities.consistency``).

        Returns:
            ``rows``, ``columns``, ``row_count``, ``query_duration_ms``.

        Raises:
            ArgumentError: rejected before sending; the message says why and what to do.
            SQLError: the database rejected it.
            TruncatedResultError: there may be more rows than the server returns.
        """
        return await self._client.query(self._ref, sql, bindings, timeout=timeout, consistency=consistency)

    @overload
    async def rows(
        self,
        sql: str,
        bindings: Bindings = None,
        *,
        model: None = None,
        timeout: float | None = None,
        consistency: str | None = None,
    ) -> Rows: ...
    @overload
    async def rows(
        self,
        sql: str,
        bindings: Bindings = None,
        *,
        model: type[R],
        timeout: float | None = None,
        consistency: str | None = None,
    ) -> Rows[R]: ...
    async def rows(
        self,
        sql: str,
        bindings: Bindings = None,
        *,
        model: type[Any] | None = None,
        timeout: float | None = None,
        consistency: str | None = None,
    ) -> Rows[Any]:
        """Run one statement that reads, and give its rows exactly as they are stored, on every engine.

        No value is converted by a declared type: a BOOLEAN column gives integers, a date its text, a REAL a ``float``,
        a BLOB ``bytes``. Columns come in SELECT order, those with one name apart. (Bytes of a text that are not UTF-8
        come as U+FFFD.) From a server that loses storage classes, the SELECT is rewritten; its columns are asked for
        first, once per text, in a separate request.

        Args:
            sql: one statement. Writes are rejected; use `exec`.
            bindings: a list for ``?``, a dict for ``:name``, ``@name`` and ``$name``.
            model: a class whose instances the rows are, as for `table`. Columns that it does not have are left out.
            timeout: seconds for this call, instead of the client's.
            consistency: the level of this read, where the engine has levels.

        Returns:
            A sequence of dicts (or of instances) that also has ``columns``, ``tuples()``, ``first()``, ``one()``,
            ``scalar()`` and ``column(name)``.

        Raises:
            ArgumentError, SQLError, TruncatedResultError: as `query`.
            ResultError: the result has no column for a field of the class, or a value that is not one of the field.

        Example:
            >>> for user in await db.rows("SELECT id, name FROM users"):  # doctest: +SKIP
            ...     print(user["name"])
            >>> (await db.rows("SELECT count(*) FROM users")).scalar()  # doctest: +SKIP
        """
        statement = self._client.prepare(sql, bindings, "query")
        if model is None:
            return await self._client.run_rows(self._ref, statement, timeout=timeout, consistency=consistency)
        from mesahub._models import typed_query

        typed = typed_query(model)
        found = await self._client.run_rows(self._ref, statement, timeout=timeout, consistency=consistency)
        return typed.made(found)

    async def exec(
        self,
        sql: str,
        bindings: Bindings = None,
        *,
        timeout: float | None = None,
        idempotent: bool = False,
    ) -> ExecResult:
        """Run one statement that writes.

        Args:
            sql: one statement; a script goes through `exec_script`.
            bindings: a list for ``?``, a dict for ``:name``, ``@name`` and ``$name``.
            timeout: seconds for this call, instead of the client's.
            idempotent: running it twice does no harm, so it may be retried if its response is lost.

        Returns:
            ``rows_affected``, ``last_insert_rowid``, ``query_duration_ms``, and ``rows`` and ``columns`` of
            a RETURNING clause.

        Raises:
            AmbiguousResultError: it may or may not have been carried out.
        """
        return await self._client.exec(self._ref, sql, bindings, timeout=timeout, idempotent=idempotent)

    @overload
    def batch(
        self, statements: None = None, *, idempotent: bool = False, timeout: float | None = None
    ) -> AsyncBatch: ...
    @overload
    def batch(
        self, statements: Iterable[BatchEntry], *, idempotent: bool = False, timeout: float | None = None
    ) -> Coroutine[Any, Any, list[ExecResult]]: ...
    def batch(
        self,
        statements: Iterable[BatchEntry] | None = None,
        *,
        idempotent: bool = False,
        timeout: float | None = None,
    ) -> AsyncBatch | Coroutine[Any, Any, list[ExecResult]]:
        """Run several writes in one request: all of them or none.

        On MesaHub, a batch is one statement that fires a temporary trigger, so it holds INSERT, REPLACE, UPDATE and
        DELETE without WITH, RETURNING, ORDER BY and LIMIT, and its results have no counts. See the guide "Batches and
        transactions".

        Args:
            statements: SQL texts, or pairs of a text and its bindings. Without them, a batch to fill in an ``async with``
                block, which is sent at its end.
            idempotent: it is carried out exactly once, also when an answer is lost and it is sent again: a ticket goes
                into the table ``mesahub_tickets``, which is made when it is first needed; tickets of more than a week
                are removed.
            timeout: seconds for this call, instead of the client's.

        Returns:
            One result per statement; ``rows_affected`` is ``None`` where the engine does not say.

        Raises:
            ArgumentError: a statement cannot be a part of a batch; nothing was sent.
            RequestTooLargeError: a batch cannot be cut.
            UnsupportedError: the engine has no batches.
            SQLError: nothing was changed. ``details["statement"]`` is the number of the statement, from 0, where the
                engine says which it was.
            AmbiguousResultError: the response was lost. See ``idempotent``.

        Example:
            >>> async with db.batch(idempotent=True) as b:  # doctest: +SKIP
            ...     b.exec("UPDATE account SET cents = cents - ? WHERE id = ?", [500, 1])
            ...     b.exec("UPDATE account SET cents = cents + ? WHERE id = ?", [500, 2])
            ...     b.table("log").insert({"note": "moved 500"})
        """
        from mesahub.aio.batch import AsyncBatch

        self._client.require("batch")
        batch = AsyncBatch(self, idempotent=idempotent, timeout=timeout)
        if statements is None:
            return batch
        batch.extend(statements)
        return batch.run()

    async def exec_script(self, sql: str, *, timeout: float | None = None) -> list[ExecResult]:
        """Run a script, statement by statement, each in a request (and a transaction) of its own.

        A script with a statement that would be refused unsent is refused whole. Else it stops at the first error, and
        the statements before it stand. ``error.details["statement"]`` counts from 0. BEGIN and COMMIT are refused, but
        on an engine with transactions: there the script runs in a session of its own.

        Args:
            sql: statements separated by ``;``, CREATE TRIGGER bodies and comments included.
            timeout: seconds for each statement.

        Returns:
            One result per statement.
        """
        if not isinstance(sql, str):
            raise ArgumentError(f"sql must be a string, not {type(sql).__name__}.")
        texts = split_script(sql)
        if self.capabilities.transactions == "interactive" and holds_transaction(sql):
            async with self.session() as session:
                return await session.exec_script(sql, timeout=timeout)
        statements: list[Statement] = []
        results: list[ExecResult] = []
        try:
            # All are looked at before the first is sent.
            for text in texts:
                statements.append(self._client.prepare(text, None, "exec"))
            for statement in statements:
                results.append(await self._client.run_exec(self._ref, statement, timeout=timeout))
        except MesahubError as error:
            done = results if len(statements) == len(texts) else statements
            error.details["statement"] = len(done)
            raise
        return results

    @opening
    async def session(self) -> AsyncDatabaseHandle:
        """Open a connection of its own: a `mesahub.aio.session.AsyncSession`, with ``begin``, ``commit`` and ``rollback``.

        TEMP tables and PRAGMAs last as long as the session. Close it, or use it as an asynchronous context manager.

        Raises:
            UnsupportedError: the engine has no sessions; embedded databases and libSQL have.
        """
        return await self._client.session(self._ref)

    @asynccontextmanager
    async def transaction(
        self, mode: Literal["immediate", "deferred", "read"] = "immediate", *, timeout: float | None = None
    ) -> AsyncIterator[AsyncDatabaseHandle]:
        """A block that is carried out as a whole or not at all, in which reads decide writes.

        Use the handle that it gives: it has the whole API, on a connection of its own. An exception in the block takes
        everything back, and passes through. ``tx.transaction()`` within it is a savepoint. Other threads that write
        wait until it is over, or time out.

        Args:
            mode: ``"immediate"`` waits for the right to write; ``"read"`` sees the state of its beginning throughout,
                and writes nothing; ``"deferred"`` takes what its statements need.
            timeout: seconds for the whole block; then its next statement raises `RequestTimeoutError`.

        Raises:
            UnsupportedError: the engine has no interactive transactions; the message names what it has.
            TransactionLostError: the database took it back by itself (``RAISE(ROLLBACK, ...)``; libSQL also when
                another client waited for 5 seconds to write, and after 10 seconds without a statement).

        Example:
            >>> async with db.transaction() as tx:  # doctest: +SKIP
            ...     account = await tx.table("accounts").get(1)
            ...     if account["cents"] >= 500:
            ...         await tx.table("accounts").update({"id": 1}, {"cents": account["cents"] - 500})
        """
        async with self.session() as session, session.transaction(mode, timeout=timeout) as tx:
            yield tx

    @overload
    def table(self, table_name: str) -> AsyncTableHandle[Row]: ...
    @overload
    def table(self, table_name: str, model: type[R]) -> AsyncTableHandle[R]: ...
    def table(self, table_name: str, model: type[Any] | None = None) -> AsyncTableHandle[Any]:
        """The table (or view) of this name; a name with a dot in it is one name.

        Args:
            table_name: its name.
            model: the class of its rows: a dataclass, a TypedDict, a NamedTuple, or a class of attrs, msgspec or
                pydantic. Reads return instances of it, and writes take them; fields are columns. Types that SQLite
                does not have need an adapter of `mesahub.stored`. Default: rows are dicts.

        Raises:
            ArgumentError: the class has a field that cannot be stored as it is; the message says what to declare.

        Example:
            >>> users = db.table("users", User)  # doctest: +SKIP
            >>> (await users.find(where={"active": 1}))[0].name  # doctest: +SKIP
        """
        return AsyncTableHandle(table_name, self, model)

    async def tables(self, *, views: bool = False, timeout: float | None = None) -> list[str]:
        """The names of the tables, in alphabetical order; without SQLite's own and those that virtual tables keep.

        Args:
            views: list the views too.
            timeout: seconds for this call.
        """
        from mesahub.sql.schema import tables_statement

        result = await self._client.run_query(self._ref, tables_statement(views=views), timeout=timeout)
        return [row["name"] for row in result.rows]

    async def has_table(self, table_name: str, *, timeout: float | None = None) -> bool:
        """Return ``True`` if a table or view has this name; as in SQL, upper and lower case are the same."""
        from mesahub.sql.schema import tables_statement

        statement = tables_statement(views=True, name=table_name)
        return bool((await self._client.run_query(self._ref, statement, timeout=timeout)).rows)

    async def schema(self, table_name: str | None = None, *, timeout: float | None = None) -> list[SchemaObject]:
        """The tables, views, indexes and triggers, in the order in which they were created.

        Args:
            table_name: only this table or view, with its indexes and triggers.
            timeout: seconds for this call.

        Returns:
            Objects with ``type``, ``name``, ``table`` and ``sql``, the statement that creates it. ``[]`` if there is no
            such table.
        """
        from mesahub.sql.schema import read_schema, schema_statement

        result = await self._client.run_query(self._ref, schema_statement(table_name), timeout=timeout)
        return read_schema(result.rows)

    async def close(self) -> None:
        """Close the client, when this handle came from `mesahub.aio.connect`."""
        if self._owns_client:
            await self._client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<AsyncDatabaseHandle {self._ref!r}>"
