"""One database: a SQLite file, its connections, and how a statement runs on them.

Readers work side by side, each on a connection of its own that cannot write; writers take turns on one
connection, by a lock between threads and by SQLite's own between processes. Every statement is a transaction:
none is ever left open.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from threading import get_ident
from typing import Any, Literal

from mesahub.errors import ConfigurationError
from mesahub_embedded.engine import forks
from mesahub_embedded.engine.connections import Connection, open_connection
from mesahub_embedded.engine.declared_types import DeclaredTypes
from mesahub_embedded.engine.errors import RefusedError, TimedOutError
from mesahub_embedded.engine.execution import OPEN_TRANSACTION, Alive, Execution, Outcome, refresh_for
from mesahub_embedded.engine.limits import ResultLimits
from mesahub_embedded.engine.rows import Plan

__all__ = ["Engine", "Mode", "Script", "Unchecked"]

Mode = Literal["own", "rwc", "rw", "ro", "memory"]

IDLE_READERS = 8
"""Connections for reading that are kept for the next statement."""

_abandoned: list[Any] = []
"""What a forked child inherited: connections that it may neither use nor close, nor let Python close."""


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
        return self._engine.write_on(self._connection, sql, bindings, timeout, alive)


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
        forks.renew(self)

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
        self._lock = threading.Lock()
        self._reserved_by: int | None = None
        self._readers: list[Connection] = []
        self._types = DeclaredTypes(self._connect)
        self._execution = Execution(self._types, self._limits, alone=self._memory)

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
        plan, rows = self.read(sql, bindings, timeout=timeout, alive=alive)
        return Outcome(plan, rows, 0, None)

    def read(
        self, sql: str, bindings: Sequence[Any] = (), *, timeout: float | None = None, alive: Alive = None
    ) -> tuple[Plan | None, list[tuple[Any, ...]]]:
        """The same, as the columns and the rows alone."""
        if self._memory:
            outcome = self.execute(sql, bindings, timeout=timeout, alive=alive)
            return outcome.plan, outcome.rows
        try:
            connection = self._readers.pop()
        except IndexError:
            connection = self._open_reader()
        connection.begin(timeout, alive)
        try:
            plan = connection.reads.get(sql)
            found = None if plan is None else self._execution.read_again(connection, sql, bindings, plan)
            return found or self._execution.read(connection, sql, bindings)
        except sqlite3.Error as error:
            raise self._execution.refusal(connection, sql, bindings, error, write=False) from None
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
            outcome = self.write_on(connection, sql, bindings, timeout, alive)
            if connection.sqlite.in_transaction:
                raise RefusedError(400, OPEN_TRANSACTION)
            return outcome
        finally:
            self._release_writer(connection)

    def insert_rows(
        self,
        sql: str,
        rows: Sequence[Sequence[Any]],
        *,
        timeout: float | None = None,
        alive: Alive = None,
        unchecked: bool = False,
    ) -> Outcome:
        """Run an INSERT once for each row, all in one transaction. See `execute`.

        Args:
            unchecked: check no foreign keys.
        """
        with self._writing(timeout) as connection:
            if unchecked:
                connection.altered = True
                connection.sqlite.execute("PRAGMA foreign_keys = OFF")
            return self.insert_on(connection, sql, rows, timeout=timeout, alive=alive)

    def insert_on(
        self,
        connection: Connection,
        sql: str,
        rows: Sequence[Sequence[Any]],
        *,
        timeout: float | None = None,
        alive: Alive = None,
    ) -> Outcome:
        """The same on a connection that has a transaction open, or not: all rows or none."""
        connection.begin(timeout, alive)
        try:
            return self._execution.insert_rows(connection, sql, rows)
        finally:
            connection.end()

    # Sessions (see `mesahub_embedded.engine.sessions`)

    def connect_session(self) -> Connection:
        """A connection of a caller's own; a database in memory lends its only one."""
        if self._closed:
            raise _closed()
        if self._memory:
            connection = self._take_writer(None)
            self._reserved_by = get_ident()
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
        refresh_for(connection, sql)
        return self.write_on(connection, sql, bindings, timeout, alive)

    def reserve(self, timeout: float | None) -> None:
        """Keep the other threads of this process from writing, until `unreserve`.

        Raises:
            TimedOutError: they wrote all the time.
        """
        if self._memory:
            return
        self._lock_writer(timeout)
        self._reserved_by = get_ident()

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
                raise RefusedError(400, OPEN_TRANSACTION)

    def clear(self) -> None:
        """Empty the database: no table, no view, nothing is left. Others may have it open meanwhile."""
        with self._writing(None) as connection, closing(sqlite3.connect(":memory:")) as empty:
            empty.backup(connection.sqlite)
            self._execution.forget()

    @contextmanager
    def _writing(self, timeout: float | None) -> Iterator[Connection]:
        connection = self._take_writer(timeout)
        try:
            yield connection
        finally:
            self._release_writer(connection)

    def _take_writer(self, timeout: float | None) -> Connection:
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
        if self._reserved_by is not None and self._reserved_by == get_ident():
            raise ConfigurationError(
                "This thread has a transaction open on this database, and would wait for itself: use the handle that "
                "the transaction gave (with db.transaction() as tx: tx.table(...))."
            )
        if not self._lock.acquire(False) and not self._lock.acquire(timeout=-1 if timeout is None else timeout):
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

    def write_on(
        self, connection: Connection, sql: str, bindings: Sequence[Any], timeout: float | None, alive: Alive
    ) -> Outcome:
        """Run a statement that may write, on a connection that the caller has."""
        connection.begin(timeout, alive)
        try:
            known = connection.writes.get(sql)
            done = None if known is None else self._execution.write_again(connection, sql, bindings, known)
            return done or self._execution.write(connection, sql, bindings)
        except sqlite3.Error as error:
            raise self._execution.refusal(connection, sql, bindings, error, write=True) from None
        finally:
            connection.end()

    def _open_reader(self) -> Connection:
        if self._closed:
            raise _closed()
        connection = self._connect(read_only=True)
        if self._opened is not None:
            self._opened(self)
        return connection

    def _give_back(self, connection: Connection) -> None:
        connection.running = False
        if connection.sqlite.in_transaction:
            connection.sqlite.rollback()
        if self._closed or connection.altered or len(self._readers) >= IDLE_READERS:
            connection.close()
        else:
            self._readers.append(connection)

    def after_fork(self) -> None:
        """In a forked child: begin with connections and locks of its own."""
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
