"""Cursors of PEP 249."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, Self

from mesahub._calls.plans.bulk_insert import BulkInsert
from mesahub.database import DatabaseHandle
from mesahub.dbapi import errors
from mesahub.dbapi.errors import translated
from mesahub.dbapi.statements import Kind, kind_of, many
from mesahub.dbapi.types import Description, described
from mesahub.errors import ArgumentError, MesahubError
from mesahub.rows import Rows
from mesahub.sql import Scope, Statement
from mesahub.sql.rewrites.inserts import RowInsert

__all__ = ["Cursor"]

Parameters = Sequence[Any] | Mapping[str, Any]

_CHANGES = frozenset({"insert", "replace", "update", "delete"})
_INSERTS = frozenset({"insert", "replace"})
_BATCH = 100
"""Statements of an ``executemany`` that go in one batch."""


class Owner(Protocol):
    """What a cursor needs of its connection: see `mesahub.dbapi.connection.Connection`."""

    @property
    def handle(self) -> DatabaseHandle: ...
    @property
    def lock(self) -> AbstractContextManager[Any]: ...
    @property
    def waits(self) -> bool: ...
    @property
    def in_transaction(self) -> bool: ...
    def prepared_for(self, kind: Kind) -> tuple[DatabaseHandle, bool]: ...
    def keeps(self, statement: Statement) -> bool: ...
    def writing(self) -> AbstractContextManager[None]: ...
    def cursor(self) -> Cursor: ...
    def commit(self) -> None: ...
    def rollback(self) -> None: ...
    def close(self) -> None: ...


class Cursor:
    """A cursor; `Connection.cursor` makes it. Rows are tuples of values as they are stored: see `DatabaseHandle.rows`.

    Attributes:
        connection: its connection.
        description: of the last result, 7 items per column, of which the name and a type object are set; ``None``
            after a statement without rows.
        rowcount: rows that the last INSERT, UPDATE or DELETE changed; -1 after other statements, or if unknown.
        lastrowid: the rowid of the last inserted row; ``None`` if unknown.
        arraysize: rows that `fetchmany` returns; 1.
    """

    def __init__(self, connection: Owner) -> None:
        self.connection = connection
        self.description: Description | None = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1
        self._rows: list[tuple[Any, ...]] | None = None
        self._at = 0
        self._closed = False

    def execute(self, operation: str, parameters: Parameters = ()) -> Self:
        """Run one statement.

        Args:
            operation: SQL with ``?`` or ``:name``.
            parameters: a sequence, or a mapping for ``:name``, which may hold more than the statement names.
        """
        connection = self._open()
        with connection.lock, translated():
            self._reset()
            kind = kind_of(operation) if isinstance(operation, str) else None
            if kind is None:
                raise ArgumentError(f"operation must be a string, not {type(operation).__name__}.")
            client = connection.handle.client
            # Checked before a transaction begins for it.
            statement = None if kind.control else client.prepare(operation, kind.values(parameters), "exec")
            db, done = connection.prepared_for(kind)
            if not done and statement is not None:
                self._run(connection, db, statement)
        return self

    def _run(self, connection: Owner, db: DatabaseHandle, statement: Statement) -> None:
        if not statement.writes:
            self._result(db.client.run_rows(db.name, statement))
            return
        if statement.returns:
            if connection.waits:
                raise errors.NotSupportedError(
                    "With unit_of_work='batch', RETURNING is not supported: nothing is sent yet."
                )
            with connection.writing():
                rows, affected = db.client.run_returning(db.name, statement)
            self._result(rows)
            self.rowcount = len(rows) if affected is None else affected
            self.lastrowid = None
            return
        if statement.verb == "pragma":
            result = db.client.run_exec(db.name, statement)
        elif connection.keeps(statement):
            return
        else:
            with connection.writing():
                result = db.client.run_exec(db.name, statement)
        if result.columns:
            self._result(Rows(result.columns, [tuple(row.values()) for row in result.rows]))
        elif statement.verb in _CHANGES:
            self.rowcount = -1 if result.rows_affected is None else result.rows_affected
            self.lastrowid = result.last_insert_rowid if statement.verb in _INSERTS else None

    def executemany(self, operation: str, seq_of_parameters: Iterable[Parameters]) -> Self:
        """Run one statement for each set of parameters.

        An ``INSERT ... VALUES (?, ...)`` is sent for all of them together. Other statements go a hundred to a request
        where the engine has batches (all or none of them), else one by one.
        """
        connection = self._open()
        with connection.lock, translated():
            self._reset()
            kind = kind_of(operation)
            insert = many(operation)
            if kind.control:
                raise ArgumentError(f"{operation.split()[0].upper()} cannot be run for many parameters.")
            if insert is not None and not connection.waits:
                db, _ = connection.prepared_for(kind)
                self._insert(connection, db, insert, seq_of_parameters)
                return self
            client = connection.handle.client
            statements = [
                client.prepare(operation, kind.values(parameters), "exec") for parameters in seq_of_parameters
            ]
            if any(not statement.writes for statement in statements):
                raise ArgumentError("executemany() is for statements that write; use execute() to read.")
            if any(statement.returns for statement in statements):
                raise errors.NotSupportedError("executemany() returns no rows; use execute() with RETURNING.")
            if statements:
                db, _ = connection.prepared_for(kind)
                self._run_all(connection, db, statements)
        return self

    def _insert(
        self, connection: Owner, db: DatabaseHandle, insert: RowInsert, parameters: Iterable[Parameters]
    ) -> None:
        names = [f"c{index}" for index in range(insert.width)]
        rows = (dict(zip(names, insert.row(values, number), strict=True)) for number, values in enumerate(parameters))
        # In order: the text may have an ON CONFLICT clause.
        plan = BulkInsert(
            rows, scope=Scope("t"), on_conflict=None, key=(), update=None, returning=False, progress=None,
            capabilities=db.capabilities, sql=insert.sql,
        )  # fmt: skip
        while True:
            try:
                statement = plan.statement()
                if statement is None:
                    break
                with connection.writing():
                    done = db.client.run_exec(db.name, statement)
                plan.accept(done)
            except MesahubError as error:
                if not plan.reject(error):
                    raise
        result = plan.result()
        self.rowcount = result.rows_affected or 0
        self.lastrowid = result.last_insert_rowid

    def _run_all(self, connection: Owner, db: DatabaseHandle, statements: list[Statement]) -> None:
        if connection.waits:
            for statement in statements:
                connection.keeps(statement)
            return
        counts: list[int | None] = []
        together = not connection.in_transaction and db is connection.handle and db.capabilities.batch == "atomic"
        for start in range(0, len(statements), _BATCH):
            part = statements[start : start + _BATCH]
            if together and len(part) > 1:
                try:
                    with connection.writing():
                        results = db.client.run_batch(db.name, part)
                    counts += [result.rows_affected for result in results]
                    continue
                except ArgumentError:
                    together = False  # not for a batch: nothing was sent
            for statement in part:
                with connection.writing():
                    counts.append(db.client.run_exec(db.name, statement).rows_affected)
        known = [count for count in counts if count is not None]
        self.rowcount = sum(known) if len(known) == len(counts) else -1

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row, ``None`` after the last."""
        rows = self._result_rows()
        if self._at >= len(rows):
            return None
        self._at += 1
        return rows[self._at - 1]

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        """The next rows: ``size`` of them, or `arraysize`."""
        rows = self._result_rows()
        count = self.arraysize if size is None else size
        if count < 0:
            count = len(rows)
        found = rows[self._at : self._at + count]
        self._at += len(found)
        return found

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows that are left."""
        rows = self._result_rows()
        at, self._at = self._at, len(rows)
        return rows[at:] if at else list(rows)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self

    def __next__(self) -> tuple[Any, ...]:
        row = self.fetchone()
        if row is None:
            raise StopIteration
        return row

    def close(self) -> None:
        """Close it. May be called twice."""
        self._closed = True
        self._rows = None

    def setinputsizes(self, sizes: Any) -> None:
        """Nothing: values have their own sizes."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Nothing: large values come whole."""

    def _open(self) -> Owner:
        if self._closed:
            raise errors.ProgrammingError("The cursor is closed.")
        self.connection.handle  # noqa: B018 - raises when closed
        return self.connection

    def _reset(self) -> None:
        self.description = None
        self.rowcount = -1
        self._rows = None
        self._at = 0

    def _result(self, rows: Rows) -> None:
        tuples = rows.tuples()
        self._rows = tuples
        if rows.columns:
            self.description = described(rows.columns, tuples)

    def _result_rows(self) -> list[tuple[Any, ...]]:
        self._open()
        if self._rows is None:
            raise errors.ProgrammingError("There is no result to fetch: the last statement returned no rows.")
        return self._rows

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
