"""One database: a SQLite file, its connections, and how a statement runs on them.

Readers work side by side, each on a connection of its own that cannot write; writers take turns on one
connection, by a lock between threads and by SQLite's own between processes. Every statement is a transaction:
none is ever left open.
"""

from __future__ import annotations

import os
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from mesahub.errors import ConfigurationError
from mesahub.sql import analyze
from mesahub_embedded.engine.connections import Connection, open_connection
from mesahub_embedded.engine.declared_types import DeclaredTypes
from mesahub_embedded.engine.errors import RefusedError, TimedOutError, fewer_wanted, refusal
from mesahub_embedded.engine.limits import ResultLimits, read_rows
from mesahub_embedded.engine.parameters import bound
from mesahub_embedded.engine.rows import Plan

__all__ = ["Engine", "Mode", "Outcome"]

Mode = Literal["own", "rwc", "rw", "ro", "memory"]

IDLE_READERS = 8
"""Connections for reading that are kept for the next statement."""

_PLANS = 1000
_UPSERT = re.compile(r"\bDO\s+UPDATE\b", re.IGNORECASE)
_CHANGES = frozenset({"INSERT", "REPLACE", "UPDATE", "DELETE", "WITH"})
_PRAGMA = re.compile(r"(?:\s|--[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z))*pragma\b", re.DOTALL | re.IGNORECASE).match
_FIRST_WORD = re.compile(r"(?:\s|--[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z))*([A-Za-z]*)", re.DOTALL)

Alive = Callable[[], bool] | None
"""Asked now and then while a statement runs; ``False`` stops it."""

_OPEN_TRANSACTION = (
    "a transaction was left open and has been rolled back: each request is a transaction of its own. Send "
    "several rows with one statement, or BEGIN and COMMIT in one script."
)
_NOTHING = Plan((), ())
_abandoned: list[Any] = []
"""What a forked child inherited: connections that it may neither use nor close, nor let Python close."""


class Outcome(NamedTuple):
    """What a statement gave.

    Attributes:
        plan: the columns; ``None`` for a statement that has none.
        rows: as SQLite gave them.
        affected: rows inserted, updated or deleted.
        rowid: of the last inserted row, ``None`` when an INSERT inserted none; 0 for other statements.
    """

    plan: Plan | None
    rows: list[tuple[Any, ...]]
    affected: int
    rowid: int | None


class Script:
    """Runs statements on the writing connection, within `Engine.script`."""

    def __init__(self, engine: Engine, connection: Connection) -> None:
        self._engine = engine
        self._connection = connection
        self._before = connection.sqlite.total_changes

    @property
    def changed(self) -> bool:
        """Has a statement changed rows?"""
        return self._connection.sqlite.total_changes != self._before

    def execute(
        self, sql: str, bindings: Sequence[Any] = (), *, timeout: float | None = None, alive: Alive = None
    ) -> Outcome:
        """Run the next statement. See `Engine.execute`."""
        return self._engine._write(self._connection, sql, bindings, timeout, alive)


class Unchecked:
    """Runs statements of an engine without a check of foreign keys."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def execute(
        self, sql: str, bindings: Sequence[Any] = (), *, timeout: float | None = None, alive: Alive = None
    ) -> Outcome:
        """See `Engine.execute`."""
        return self._engine.execute(sql, bindings, timeout=timeout, alive=alive, unchecked=True)


class Engine:
    """A database file, opened for many threads.

    Args:
        path: the file; made when it is not there.
        busy: seconds to wait for a lock that another process holds.
        opened: called after a connection opens, so that an owner of many databases can let others `rest`.
        limits: what a result may take; default: no limits.
        mode: ``"own"``: made when it is not there, and kept in WAL mode. Of a file that is somebody else's, whose
            journal mode stays: ``"rwc"`` makes it when it is not there, ``"rw"`` does not, ``"ro"`` only reads.
            ``"memory"``: no file, one connection for all.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        busy: float = 5.0,
        opened: Callable[[Engine], None] | None = None,
        limits: ResultLimits | None = None,
        mode: Mode = "own",
    ) -> None:
        self._path = path
        self._busy = busy
        self._opened = opened
        self._limits = limits
        self._closed = False
        self._writer: Connection | None = None
        self._mode = mode
        self._memory = mode == "memory"
        self._start()
        self._writer = self._connect(read_only=mode == "ro")

    def _connect(self, *, read_only: bool = False) -> Connection:
        mode = self._mode
        return open_connection(
            ":memory:" if mode == "memory" else self._path,
            self._busy,
            read_only=read_only or mode == "ro",
            limits=self._limits,
            in_place=mode != "own",
            create=mode in ("own", "rwc", "memory"),
        )

    def _start(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._reserved_by: int | None = None
        self._readers: list[Connection] = []
        self._types = DeclaredTypes(self._connect)
        self._plans: dict[str, Plan] = {}
        self._inserts: dict[str, bool] = {}
        self._schema = -1

    def query(
        self, sql: str, bindings: Sequence[Any] = (), *, timeout: float | None = None, alive: Alive = None
    ) -> Outcome:
        """Run one statement that reads.

        Args:
            sql: one statement.
            bindings: its values, by parameter number.
            timeout: seconds until it is interrupted.
            alive: asked now and then; ``False`` interrupts it too.

        Raises:
            RefusedError: SQLite said no.
            TimedOutError: it took too long; nothing was changed.
        """
        if self._pid != os.getpid():
            self._forked()
        if self._memory:
            return self.execute(sql, bindings, timeout=timeout, alive=alive)
        try:
            connection = self._readers.pop()
        except IndexError:
            connection = self._open_reader()
        connection.begin(timeout, alive)
        try:
            if _PRAGMA(sql):
                # A PRAGMA looks into the schema that the connection knows; only a statement that reads notices a newer.
                connection.sqlite.execute("SELECT 1 FROM main.sqlite_schema LIMIT 1").fetchone()
            cursor, rows = self._run(connection, sql, bindings)
            if connection.sqlite.in_transaction:
                raise RefusedError(400, _OPEN_TRANSACTION)
            plan = None
            if cursor.description is not None:
                plan = self._plan(connection, sql, cursor.description)
            return Outcome(plan, rows, 0, None)
        except sqlite3.Error as error:
            raise self._refusal(connection, sql, bindings, error, write=False) from None
        finally:
            self._give_back(connection)

    def execute(
        self,
        sql: str,
        bindings: Sequence[Any] = (),
        *,
        timeout: float | None = None,
        alive: Alive = None,
        unchecked: bool = False,
    ) -> Outcome:
        """Run one statement that may write, in a transaction of its own. See `query`.

        Args:
            unchecked: check no foreign keys.
        """
        connection = self._take_writer(timeout)
        try:
            if unchecked:
                connection.altered = True
                connection.sqlite.execute("PRAGMA foreign_keys = OFF")
            outcome = self._write(connection, sql, bindings, timeout, alive)
            if connection.sqlite.in_transaction:
                raise RefusedError(400, _OPEN_TRANSACTION)
            return outcome
        finally:
            self._release_writer(connection)

    def insert_rows(
        self, sql: str, rows: Sequence[Sequence[Any]], *, timeout: float | None = None, unchecked: bool = False
    ) -> Outcome:
        """Run an INSERT once for each row, all in one transaction. See `execute`.

        Args:
            unchecked: check no foreign keys.
        """
        with self._writing(timeout) as connection:
            if unchecked:
                connection.altered = True
                connection.sqlite.execute("PRAGMA foreign_keys = OFF")
            return self.insert_on(connection, sql, rows, timeout=timeout)

    def insert_on(
        self, connection: Connection, sql: str, rows: Sequence[Sequence[Any]], *, timeout: float | None = None
    ) -> Outcome:
        """The same on a connection that has a transaction open, or not: all rows or none."""
        connection.begin(timeout, None)
        sqlite = connection.sqlite
        open_ = sqlite.in_transaction
        current: Sequence[Any] = rows[0] if rows else ()
        try:
            sqlite.execute("SAVEPOINT mesahub_rows" if open_ else "BEGIN IMMEDIATE")
            connection.mark_rowid()
            plan, returned, affected = None, [], 0
            if not returns(sql):
                affected = max(sqlite.executemany(sql, rows).rowcount, 0)
            else:
                for current in rows:
                    cursor, more = self._run(connection, sql, current, tolerant=True)
                    returned += more
                    if plan is None:
                        plan = self._plan(connection, sql, cursor.description)
            rowid = connection.last_rowid()
            sqlite.execute("RELEASE mesahub_rows" if open_ else "COMMIT")
        except BaseException as error:
            if sqlite.in_transaction:
                sqlite.execute("ROLLBACK TO mesahub_rows" if open_ else "ROLLBACK")
                if open_:
                    sqlite.execute("RELEASE mesahub_rows")
            if isinstance(error, sqlite3.Error):
                raise self._refusal(connection, sql, current, error, write=True) from None
            raise
        finally:
            connection.end()
        return Outcome(plan, returned, affected, None if connection.is_mark(rowid) else rowid)

    # Sessions (see `mesahub_embedded.engine.sessions`)

    def connect_session(self) -> Connection:
        """A connection of a caller's own; a database in memory lends its only one."""
        if self._closed:
            raise _closed()
        if self._pid != os.getpid():
            self._forked()
        if self._memory:
            connection = self._take_writer(None)
            self._reserved_by = threading.get_ident()
            return connection
        return self._connect()

    def close_session(self, connection: Connection) -> None:
        """Take such a connection back."""
        if self._memory:
            self._reserved_by = None
            self._release_writer(connection)
        else:
            connection.close()

    def run_on(
        self, connection: Connection, sql: str, bindings: Sequence[Any], *, timeout: float | None, alive: Alive
    ) -> Outcome:
        """Run one statement on such a connection."""
        if _PRAGMA(sql):
            connection.sqlite.execute("SELECT 1 FROM main.sqlite_schema LIMIT 1").fetchone()
        return self._write(connection, sql, bindings, timeout, alive)

    def reserve(self, timeout: float | None) -> None:
        """Keep the other threads of this process from writing, until `unreserve`.

        Raises:
            TimedOutError: they wrote all the time.
        """
        if self._memory:
            return
        self._lock_writer(timeout)
        self._reserved_by = threading.get_ident()

    def unreserve(self) -> None:
        """Let the others write again."""
        if not self._memory:
            self._reserved_by = None
            self._lock.release()

    @contextmanager
    def script(self, timeout: float | None = None) -> Iterator[Script]:
        """Run several statements on one connection, with no others between them; they may BEGIN and COMMIT.

        Args:
            timeout: seconds to wait for the other statements that write.

        Raises:
            RefusedError: a transaction is still open at the end; it was rolled back.
        """
        with self._writing(timeout) as connection:
            yield Script(self, connection)
            if connection.sqlite.in_transaction:
                raise RefusedError(400, _OPEN_TRANSACTION)

    def clear(self) -> None:
        """Empty the database: no table, no view, nothing is left. Others may have it open meanwhile."""
        with self._writing(None) as connection, closing(sqlite3.connect(":memory:")) as empty:
            empty.backup(connection.sqlite)

    @contextmanager
    def _writing(self, timeout: float | None) -> Iterator[Connection]:
        connection = self._take_writer(timeout)
        try:
            yield connection
        finally:
            self._release_writer(connection)

    def _take_writer(self, timeout: float | None) -> Connection:
        if self._pid != os.getpid():
            self._forked()
        self._lock_writer(timeout)
        try:
            if self._closed:
                raise _closed()
            if self._writer is None:
                self._writer = self._connect()
                if self._opened is not None:
                    self._opened(self)
            return self._writer
        except BaseException:
            self._lock.release()
            raise

    def _lock_writer(self, timeout: float | None) -> None:
        if self._reserved_by == threading.get_ident():
            raise ConfigurationError(
                "This thread has a transaction open on this database, and would wait for itself: use the handle that "
                "the transaction gave (with db.transaction() as tx: tx.table(...))."
            )
        if not self._lock.acquire(timeout=-1 if timeout is None else timeout):
            raise TimedOutError("other statements were writing to this database all the time")

    def _release_writer(self, connection: Connection) -> None:
        try:
            if connection.sqlite.in_transaction:
                connection.sqlite.rollback()
            if connection.altered and not self._memory:
                # What a request left with the connection ends with the request: the next one gets another.
                self._writer = None
                connection.close()
        finally:
            self._lock.release()

    def _write(
        self, connection: Connection, sql: str, bindings: Sequence[Any], timeout: float | None, alive: Alive
    ) -> Outcome:
        connection.begin(timeout, alive)
        try:
            return self._execute(connection, sql, bindings)
        except sqlite3.Error as error:
            raise self._refusal(connection, sql, bindings, error, write=True) from None
        finally:
            connection.end()

    def _execute(self, connection: Connection, sql: str, bindings: Sequence[Any]) -> Outcome:
        match = _FIRST_WORD.match(sql)
        word = match[1].upper() if match else ""
        inserts = word in ("INSERT", "REPLACE", "WITH")
        marked = inserts and not self._inserts.get(sql)
        if marked:
            connection.mark_rowid()
        before = connection.sqlite.total_changes
        cursor, rows = self._run(connection, sql, bindings, tolerant=word in _CHANGES)
        affected = 0
        rowid = None if inserts else 0
        if word in _CHANGES:
            affected = cursor.rowcount
            if affected < 0:
                changed = connection.sqlite.total_changes != before
                affected = connection.changes() if changed else 0
            if inserts and affected > 0:
                rowid = cursor.lastrowid if word != "WITH" else connection.last_rowid()
                if marked:
                    if connection.is_mark(rowid):
                        rowid = None
                    elif not _UPSERT.search(sql):
                        # This text sets the rowid whenever it inserts: no need to mark it again.
                        if len(self._inserts) >= _PLANS:
                            self._inserts.clear()
                        self._inserts[sql] = True
        plan = None
        if cursor.description is not None:
            plan = self._plan(connection, sql, cursor.description)
        elif word == "PRAGMA" and "=" not in sql:
            plan = _NOTHING  # the server takes PRAGMA name(value) for a read
        return Outcome(plan, rows, affected, rowid)

    def _run(
        self, connection: Connection, sql: str, bindings: Sequence[Any], *, tolerant: bool = False
    ) -> tuple[sqlite3.Cursor, list[tuple[Any, ...]]]:
        text, values = bound(sql, bindings)
        connection.compiled = False
        if tolerant:
            # Rows of RETURNING are read once and for all: a read can be repeated, a write can not.
            connection.sqlite.text_factory = _decode
        try:
            try:
                cursor = connection.sqlite.execute(text, values)
            except sqlite3.ProgrammingError as error:
                wanted = fewer_wanted(error)
                if wanted is None:
                    raise
                cursor = connection.sqlite.execute(*bound(sql, bindings[:wanted]))
            if cursor.description is None:
                return cursor, []
            return cursor, cursor.fetchall() if self._limits is None else read_rows(cursor, self._limits)
        except sqlite3.OperationalError as error:
            if tolerant or not str(error).startswith("Could not decode"):
                raise
            connection.sqlite.text_factory = _decode
            cursor = connection.sqlite.execute(text, values)
            return cursor, cursor.fetchall() if self._limits is None else read_rows(cursor, self._limits)
        finally:
            if connection.sqlite.text_factory is not str:
                connection.sqlite.text_factory = str

    def _plan(self, connection: Connection, sql: str, description: Any) -> Plan:
        plan: Plan | None = connection.plans.get(sql)
        if plan is not None and not connection.compiled:
            return plan
        schema = connection.schema_version()
        if schema != self._schema:
            self._plans = {}
            self._inserts = {}
            self._schema = schema
        plan = self._plans.get(sql)
        if plan is None or len(plan.names) != len(description):
            names = tuple([column[0] for column in description])
            plan = Plan(names, self._types.of(sql, len(names)))
            if len(self._plans) >= _PLANS:
                self._plans = {}
            self._plans[sql] = plan
        if len(connection.plans) >= _PLANS:
            connection.plans.clear()
        connection.plans[sql] = plan
        return plan

    def _refusal(
        self,
        connection: Connection,
        sql: str,
        bindings: Sequence[Any],
        error: sqlite3.Error,
        *,
        write: bool,
    ) -> BaseException:
        if connection.raised is not None:
            return connection.raised
        if connection.missing:
            return RefusedError(400, connection.missing)
        if connection.interrupted:
            return TimedOutError("the statement was interrupted and changed nothing")
        return refusal(connection.sqlite, sql, bindings, error, write=write)

    def _open_reader(self) -> Connection:
        if self._closed:
            raise _closed()
        connection = self._connect(read_only=True)
        if self._opened is not None:
            self._opened(self)
        return connection

    def _give_back(self, connection: Connection) -> None:
        connection.end()
        if connection.sqlite.in_transaction:
            connection.sqlite.rollback()
        if self._closed or connection.altered or len(self._readers) >= IDLE_READERS:
            connection.close()
        else:
            self._readers.append(connection)

    def _forked(self) -> None:
        _abandoned.append((self._readers, self._writer, self._types, self._lock))
        self._writer = None
        self._start()

    def rest(self) -> None:
        """Close idle connections. The next statement opens it again: a folder may hold more databases than a process
        may have files open."""
        while self._readers:
            try:
                self._readers.pop().close()
            except IndexError:
                break
        self._types.close()
        if self._lock.acquire(blocking=False):
            try:
                writer, self._writer = self._writer, None
                if writer is not None:
                    writer.close()
            finally:
                self._lock.release()

    def close(self) -> None:
        """Close all connections. Statements that run are waited for. May be called twice."""
        if self._pid != os.getpid():
            return
        self._closed = True
        with self._lock:
            writer, self._writer = self._writer, None
        self._types.close()
        while self._readers:
            try:
                self._readers.pop().close()
            except IndexError:
                break
        # The last one to close folds the write-ahead log into the file.
        if writer is not None:
            writer.close()


def _closed() -> ConfigurationError:
    return ConfigurationError("The database was closed: make a new client.")


@lru_cache(maxsize=1000)
def returns(sql: str) -> bool:
    """Has a statement a RETURNING clause?"""
    return any(part.returns for part in analyze(sql).parts)


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "replace")
