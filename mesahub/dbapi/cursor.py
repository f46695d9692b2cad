"""Cursors of PEP 249."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, Self

from mesahub._calls.plans.bulk_insert import BulkInsert
from mesahub.database import DatabaseHandle
from mesahub.dbapi import errors
from mesahub.dbapi.errors import TRANSLATED
from mesahub.dbapi.statements import kind_of, many
from mesahub.dbapi.types import Description, described
from mesahub.dbapi.work import Work
from mesahub.errors import ArgumentError, MesahubError
from mesahub.results import ExecResult
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
    """A connection of PEP 249."""

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

    def __init__(self, connection: Owner, work: Work) -> None:
        self.connection = connection
        self._work = work
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
        work = self._open()
        with work.lock, TRANSLATED:
            self._reset()
            kind = kind_of(operation)
            if kind.control:
                work.control(kind)
            else:
                # Checked before a transaction begins for it.
                statement = work.handle.client.prepare(operation, kind.values(parameters), "exec")
                self._run(work.target(kind), statement)
        return self

    def _run(self, db: DatabaseHandle, statement: Statement) -> None:
        work = self._work
        if not statement.writes:
            self._result(db.client.run_rows(db.name, statement))
            return
        if statement.returns:
            if work.waits:
                raise errors.NotSupportedError(
                    "With unit_of_work='batch', RETURNING is not supported: nothing is sent yet."
                )
            rows, affected = work.write(lambda: db.client.run_returning(db.name, statement))
            self._result(rows)
            self.rowcount = len(rows) if affected is None else affected
            self.lastrowid = None
            return
        if statement.verb == "pragma":
            self._result(db.client.run_returning(db.name, statement)[0])
            return
        if work.waits:
            work.keep(statement)
            return
        result = self._exec(db, statement)
        if statement.verb in _CHANGES:
            self.rowcount = -1 if result.rows_affected is None else result.rows_affected
            self.lastrowid = result.last_insert_rowid if statement.verb in _INSERTS else None

    def executemany(self, operation: str, seq_of_parameters: Iterable[Parameters]) -> Self:
        """Run one statement for each set of parameters.

        An ``INSERT ... VALUES (?, ...)`` is sent for all of them together. Other statements go a hundred to a request
        where the engine has batches (all or none of them), else one by one.
        """
        work = self._open()
        with work.lock, TRANSLATED:
            self._reset()
            kind = kind_of(operation)
            if kind.control:
                raise ArgumentError(f"{operation.split()[0].upper()} cannot be run for many parameters.")
            insert = None if work.waits else many(operation)
            if insert is not None:
                self._insert(work.target(kind), insert, seq_of_parameters)
                return self
            client = work.handle.client
            statements = [
                client.prepare(operation, kind.values(parameters), "exec") for parameters in seq_of_parameters
            ]
            if any(not statement.writes for statement in statements):
                raise ArgumentError("executemany() is for statements that write; use execute() to read.")
            if any(statement.returns for statement in statements):
                raise errors.NotSupportedError("executemany() returns no rows; use execute() with RETURNING.")
            if work.waits:
                for statement in statements:
                    work.keep(statement)
            elif statements:
                self._run_all(work.target(kind), statements)
        return self

    def _insert(self, db: DatabaseHandle, insert: RowInsert, parameters: Iterable[Parameters]) -> None:
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
                plan.accept(self._exec(db, statement))
            except MesahubError as error:
                if not plan.reject(error):
                    raise
        result = plan.result()
        self.rowcount = -1 if result.rows_affected is None else result.rows_affected
        self.lastrowid = result.last_insert_rowid

    def _run_all(self, db: DatabaseHandle, statements: list[Statement]) -> None:
        work = self._work
        counts: list[int | None] = []
        together = db is work.handle and db.capabilities.batch == "atomic"  # not in a session
        for start in range(0, len(statements), _BATCH):
            part = statements[start : start + _BATCH]
            if together and len(part) > 1:
                try:
                    results = self._batch(db, part)
                except ArgumentError:
                    together = False  # not for a batch: nothing was sent
                else:
                    counts += [result.rows_affected for result in results]
                    continue
            counts += [self._exec(db, statement).rows_affected for statement in part]
        known = [count for count in counts if count is not None]
        self.rowcount = sum(known) if len(known) == len(counts) else -1

    def _exec(self, db: DatabaseHandle, statement: Statement) -> ExecResult:
        return self._work.write(lambda: db.client.run_exec(db.name, statement))

    def _batch(self, db: DatabaseHandle, statements: list[Statement]) -> list[ExecResult]:
        return self._work.write(lambda: db.client.run_batch(db.name, statements))

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

    def _open(self) -> Work:
        if self._closed:
            raise errors.ProgrammingError("The cursor is closed.")
        self._work.handle  # noqa: B018 - raises when closed
        return self._work

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
