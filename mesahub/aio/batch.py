# Made by scripts/asyncify.py of mesahub/batch.py: change that, and run `make aio`.
"""Several writes that go together: collected, then sent as one request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Self, overload

from mesahub._calls.primary_key import given_key
from mesahub.aio._calls.primary_key import AsyncKeys
from mesahub.batch import BatchEntry
from mesahub.errors import ArgumentError
from mesahub.results import ExecResult, R, Row
from mesahub.sql import Bindings, Scope, Statement, delete_statement, insert_statement, insert_text, update_statement
from mesahub.sql.batches import batches

if TYPE_CHECKING:
    from mesahub._models import TypedRows
    from mesahub.aio._calls.executor import AsyncBatchExecutor, AsyncDatabase
    from mesahub.sql.filters import Where

__all__ = ["AsyncBatch", "AsyncBatchTable"]


class _Keyed(NamedTuple):
    """A statement that is compiled when the primary key of its table is known."""

    keys: AsyncKeys
    compile: Callable[[list[str]], Statement]


class AsyncBatch:
    """Writes that are carried out together, all or none. `mesahub.aio.AsyncDatabaseHandle.batch` makes it.

    In an ``async with`` block it collects; at the end of the block it is sent, unless the block raised something.

    Attributes:
        results: one per statement, in their order, after it was sent.
    """

    def __init__(
        self, db: AsyncDatabase[AsyncBatchExecutor], *, idempotent: bool = False, timeout: float | None = None
    ) -> None:
        self._ref = db.name
        self._client = db.client
        self._idempotent = idempotent
        self._timeout = timeout
        self._statements: list[Statement | _Keyed] = []
        self._sent = False
        self.results: list[ExecResult] = []

    def exec(self, sql: str, bindings: Bindings = None) -> None:
        """Add a statement that writes."""
        self.add(self._client.prepare(sql, bindings, "exec"))

    def extend(self, statements: Iterable[BatchEntry]) -> None:
        """Add statements: SQL texts, or pairs of a text and its bindings."""
        if isinstance(statements, (str, bytes, Mapping)) or not isinstance(statements, Iterable):
            raise ArgumentError(f"A batch takes a list of statements, not {type(statements).__name__}.")
        for number, entry in enumerate(statements):
            if isinstance(entry, str):
                self.exec(entry)
            elif isinstance(entry, (tuple, list)) and len(entry) == 2:
                self.exec(entry[0], entry[1])
            else:
                raise ArgumentError(
                    f"Statement {number} must be SQL, or a pair of SQL and its bindings: {entry!r:.60}."
                )

    @overload
    def table(self, table_name: str) -> AsyncBatchTable[Row]: ...
    @overload
    def table(self, table_name: str, model: type[R]) -> AsyncBatchTable[R]: ...
    def table(self, table_name: str, model: type[Any] | None = None) -> AsyncBatchTable[Any]:
        """A table to write to as a part of the batch. ``model``: as for `mesahub.aio.AsyncDatabaseHandle.table`."""
        return AsyncBatchTable(table_name, self, AsyncKeys(table_name, self._ref, self._client), model)

    def add(self, statement: Statement | _Keyed) -> None:
        """Add a compiled statement (`mesahub.sql`)."""
        if self._sent:
            raise ArgumentError("This batch was sent already; make another one.")
        self._statements.append(statement)

    async def run(self) -> list[ExecResult]:
        """Send it. Called at the end of an ``async with`` block.

        Returns:
            One result per statement.
        """
        if self._sent:
            raise ArgumentError("This batch was sent already; make another one.")
        statements: list[Statement] = []
        for entry in self._statements:
            if isinstance(entry, Statement):
                statements.append(entry)
            else:
                statements.append(entry.compile(await entry.keys.for_conflict(None, self._timeout)))
        self._sent = True
        self.results = await self._client.run_batch(
            self._ref, statements, timeout=self._timeout, idempotent=self._idempotent
        )
        return self.results

    def __len__(self) -> int:
        return len(self._statements)

    def __bool__(self) -> bool:
        return True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and not self._sent:
            await self.run()

    def __repr__(self) -> str:
        return f"<AsyncBatch of {len(self._statements)} statements for {self._ref!r}>"


class AsyncBatchTable(Generic[R]):
    """A table within a batch. Arguments are those of `mesahub.aio.AsyncTableHandle`; nothing is sent yet."""

    def __init__(self, table_name: str, batch: AsyncBatch, keys: AsyncKeys, model: type[R] | None = None) -> None:
        self._scope = Scope(table_name)
        self._typed: TypedRows[R] | None = None
        if model is not None:
            from mesahub._models import typed_rows

            self._typed = typed_rows(model, self._scope)
        self._batch = batch
        self._keys = keys

    @overload
    def insert(self: AsyncBatchTable[Row], data: Mapping[str, Any]) -> None: ...
    @overload
    def insert(self, data: R) -> None: ...
    def insert(self, data: Any) -> None:
        """Insert one row."""
        self._batch.add(insert_statement(self._scope, self._dumped(data)))

    def _dumped(self, data: Any) -> Any:
        return data if self._typed is None else self._typed.dump(data)

    def insert_many(
        self,
        rows: Iterable[R] | Iterable[Mapping[str, Any]],
        on_conflict: str | None = None,
        *,
        key: str | Sequence[str] | None = None,
        update: Sequence[str] | None = None,
        where: Where = None,
    ) -> None:
        """Insert rows.

        A key that is not given, for ``on_conflict="update"``, is asked of the database when the batch is sent.
        """
        columns: Sequence[str] | None = ()
        if on_conflict == "update":
            columns = given_key(key, where)
        elif key is not None or update is not None or where is not None:
            raise ArgumentError("key, update and where belong to on_conflict='update'.")
        given: Any = rows if self._typed is None else self._typed.dump_many(rows)
        for part in batches(given, in_order=True, most_rows=2**31, most_bytes=2**62):
            names = part.columns or ("_rowid_",)

            def compile(columns: Sequence[str], names: Sequence[str] = names, rows: Any = part.rows) -> Statement:
                sql = insert_text(self._scope, names, on_conflict=on_conflict, key=columns, update=update, where=where)
                return Statement(sql, [], "insert", True, rows, table=self._scope.name)

            self._add(columns, names, compile)

    def upsert(
        self,
        data: R | Mapping[str, Any],
        key: str | Sequence[str] | None = None,
        update: Sequence[str] | None = None,
        *,
        where: Where = None,
    ) -> None:
        """Insert a row, or change the one that has its key.

        A key that is not given is asked of the database when the batch is sent.
        """
        given = self._dumped(data)
        row: Any = dict(given) if isinstance(given, Mapping) else given

        def compile(columns: Sequence[str]) -> Statement:
            return insert_statement(self._scope, row, on_conflict="update", key=columns, update=update, where=where)

        self._add(given_key(key, where), row, compile)

    def _add(
        self, key: Sequence[str] | None, columns: Iterable[str], compile: Callable[[Sequence[str]], Statement]
    ) -> None:
        # With all columns in place of a key that is not known yet: what is wrong with the rest is said now.
        statement = compile(list(columns) if key is None else key)
        self._batch.add(statement if key is not None else _Keyed(self._keys, compile))

    def update(self, where: Where, set: R | Mapping[str, Any], *, all_rows: bool = False) -> None:
        """Change the rows that match."""
        changes: Any = set if self._typed is None else self._typed.dump(set, changes=True)
        self._batch.add(update_statement(self._scope, where, changes, all_rows=all_rows))

    def delete(self, where: Where, *, all_rows: bool = False) -> None:
        """Delete the rows that match."""
        self._batch.add(delete_statement(self._scope, where, all_rows=all_rows))
