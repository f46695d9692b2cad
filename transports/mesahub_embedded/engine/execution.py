"""How one statement runs on a connection, and what is known of the texts that ran before."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from mesahub.sql import analyze
from mesahub_embedded.engine.connections import Connection
from mesahub_embedded.engine.declared_types import DeclaredTypes
from mesahub_embedded.engine.errors import RefusedError, TimedOutError, fewer_wanted, refusal
from mesahub_embedded.engine.limits import ResultLimits, read_rows
from mesahub_embedded.engine.parameters import bound
from mesahub_embedded.engine.rows import Plan

__all__ = ["OPEN_TRANSACTION", "Alive", "Execution", "Outcome", "returns"]

Alive = Callable[[], bool] | None
"""Asked now and then while a statement runs; ``False`` stops it."""

OPEN_TRANSACTION = (
    "a transaction was left open and has been rolled back: each request is a transaction of its own. Send "
    "several rows with one statement, or BEGIN and COMMIT in one script."
)

_KEPT = 1000
_UPSERT = re.compile(r"\bDO\s+UPDATE\b", re.IGNORECASE)
_COUNTING = frozenset({"INSERT", "REPLACE", "UPDATE", "DELETE"})
_CHANGES = _COUNTING | {"WITH"}
_READING = frozenset({"SELECT", "VALUES"})
_DEFINES = frozenset({"CREATE", "ALTER", "DROP"})
_PRAGMA = re.compile(r"(?:\s|--[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z))*pragma\b", re.DOTALL | re.IGNORECASE).match
_FIRST_WORD = re.compile(r"(?:\s|--[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z))*([A-Za-z]*)", re.DOTALL)
_NOTHING = Plan((), ())


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


class Known(NamedTuple):
    """What is known of a text that writes.

    Attributes:
        plan: the columns of its RETURNING clause, if it has one.
        inserts: is it an INSERT?
    """

    plan: Plan | None
    inserts: bool


class Execution:
    """Runs statements on the connections of one database.

    The second time that a text runs on a connection, it goes a short way: nothing about it is found out again. What
    SQLite compiles again (it asks for permission then) is looked at again.

    Args:
        types: the declared types of the database's columns.
        limits: what a result may take.
        alone: the database is in memory, and has one connection.
    """

    def __init__(self, types: DeclaredTypes, limits: ResultLimits | None, *, alone: bool = False) -> None:
        self._types = types
        self._limits = limits
        self._alone = alone
        self._plans: dict[str, Plan] = {}
        self._inserts: set[str] = set()
        self._own_schema: tuple[int, int] | None = None  # where there is one connection: that of its plans
        self._schema = -1  # what of these two is known is of this one

    def read_again(
        self, connection: Connection, sql: str, bindings: Sequence[Any], plan: Plan
    ) -> tuple[Plan, list[tuple[Any, ...]]] | None:
        """Run a statement of ``connection.reads``: its columns and its rows.

        ``None`` where the long way is needed: for another number of values, or text that is not UTF-8.
        """
        connection.compiled = False
        try:
            cursor = connection.cursor.execute(sql, bindings)
            rows = cursor.fetchall()
        except sqlite3.ProgrammingError:
            return None
        except sqlite3.OperationalError as error:
            if not _is_undecodable(error):
                raise
            return None
        if connection.compiled:
            plan = connection.reads[sql] = self._plan(connection, sql, cursor.description)
        return plan, rows

    def read(
        self, connection: Connection, sql: str, bindings: Sequence[Any]
    ) -> tuple[Plan | None, list[tuple[Any, ...]]]:
        """Run any statement that reads."""
        pragma = _PRAGMA(sql)
        if pragma:
            refresh(connection)
        cursor, rows = self._run(connection, sql, bindings)
        if connection.sqlite.in_transaction:
            raise RefusedError(400, OPEN_TRANSACTION)
        if cursor.description is None:
            return None, rows
        plan = self._plan(connection, sql, cursor.description)
        if not pragma and self._is_simple(sql):
            _keep(connection.reads, sql, plan)
        return plan, rows

    def _is_simple(self, sql: str) -> bool:
        """Does the text go to SQLite as it is, with its values in a list, and may all rows be read at once?"""
        return self._limits is None and bound(sql, ()) == (sql, ())

    def write(self, connection: Connection, sql: str, bindings: Sequence[Any]) -> Outcome:
        """Run any statement that may write."""
        plan: Plan | None = connection.reads.get(sql)
        if plan is None:
            return self._write_first(connection, sql, bindings)
        found = self.read_again(connection, sql, bindings, plan)
        return self._write_first(connection, sql, bindings) if found is None else Outcome(*found, 0, 0)

    def write_again(self, connection: Connection, sql: str, bindings: Sequence[Any], known: Known) -> Outcome | None:
        """Run a statement of ``connection.writes``; ``None`` where the long way is needed, and nothing was run."""
        plan, inserts = known
        if inserts and sql not in self._inserts:
            return None
        sqlite = connection.sqlite
        connection.compiled = False
        if plan is not None:
            sqlite.text_factory = _decode
        try:
            cursor = connection.cursor.execute(sql, bindings)
            rows = [] if plan is None else cursor.fetchall()
        except sqlite3.ProgrammingError:
            return None  # another number of values: it has not begun
        finally:
            if plan is not None:
                sqlite.text_factory = str
        affected = cursor.rowcount if plan is None else len(rows)
        rowid = None if inserts else 0
        if inserts and affected > 0:
            rowid = cursor.lastrowid
        if connection.compiled:
            # The schema may be another one: whether it sets the rowid is found out again.
            del connection.writes[sql]
            if plan is not None:
                plan = self._plan(connection, sql, cursor.description)
            if inserts and not (self._is_committed(connection) and sql in self._inserts):
                rowid = None
        return Outcome(plan, rows, affected, rowid)

    def _write_first(self, connection: Connection, sql: str, bindings: Sequence[Any]) -> Outcome:
        match = _FIRST_WORD.match(sql)
        word = match[1].upper() if match else ""
        inserts = word in ("INSERT", "REPLACE", "WITH")
        marked = inserts and sql not in self._inserts
        if marked:
            connection.mark_rowid()
        elif word in _DEFINES:
            self.forget()
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
                    rowid = self._unmarked(connection, sql, rowid)
                elif connection.compiled and not (self._is_committed(connection) and sql in self._inserts):
                    rowid = None  # another process has changed the schema: it may be that of an earlier INSERT
        plan = None
        if cursor.description is not None:
            plan = self._plan(connection, sql, cursor.description)
        elif word == "PRAGMA" and "=" not in sql:
            plan = _NOTHING  # the server takes PRAGMA name(value) for a read
        if word in _COUNTING and (not inserts or sql in self._inserts) and self._is_simple(sql):
            _keep(connection.writes, sql, Known(plan, inserts))
        elif word in _READING and plan is not None and self._is_simple(sql):
            _keep(connection.reads, sql, plan)
        return Outcome(plan, rows, affected, rowid)

    def _unmarked(self, connection: Connection, sql: str, rowid: int | None) -> int | None:
        """The rowid that an INSERT gave after `Connection.mark_rowid`; ``None`` where it gave none."""
        if connection.is_mark(rowid):
            return None
        if not _UPSERT.search(sql) and self._is_committed(connection):
            # This text sets the rowid whenever it inserts: no need to mark it again.
            if len(self._inserts) >= _KEPT:
                self._inserts.clear()
            self._inserts.add(sql)
        return rowid

    def insert_rows(self, connection: Connection, sql: str, rows: Sequence[Sequence[Any]]) -> Outcome:
        """Run an INSERT once for each row: all or none. It is a transaction, or a savepoint of the one that is open."""
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
                raise self.refusal(connection, sql, current, error, write=True) from None
            raise
        return Outcome(plan, returned, affected, None if connection.is_mark(rowid) else rowid)

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
            if tolerant or not _is_undecodable(error):
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
        names = tuple([column[0] for column in description])
        if self._alone:
            return self._plan_alone(connection, sql, names)
        if not self._is_committed(connection):
            plan = Plan(names, self._types.of(sql, len(names), connection))
        else:
            plan = self._plans.get(sql)
            if plan is None or plan.names != names:
                plan = Plan(names, self._types.of(sql, len(names)))
                _keep(self._plans, sql, plan)
        _keep(connection.plans, sql, plan)
        return plan

    def _plan_alone(self, connection: Connection, sql: str, names: tuple[str, ...]) -> Plan:
        """The plan where the only connection is asked for the types, which makes SQLite compile all statements again.

        So what is known stays while the schema is the same. In a transaction it is asked for each time: another one may
        have given its schema the same number, and taken it back.
        """
        if connection.sqlite.in_transaction:
            self._own_schema = None
            plan = Plan(names, self._types.of(sql, len(names), connection))
            _keep(connection.plans, sql, plan)
            return plan
        if self._own_schema is None or connection.schema_versions() != self._own_schema:
            connection.plans.clear()
        known: Plan | None = connection.plans.get(sql)
        if known is None or known.names != names:
            known = Plan(names, self._types.of(sql, len(names), connection))
            self._own_schema = connection.schema_versions()
            _keep(connection.plans, sql, known)
        return known

    def _is_committed(self, connection: Connection) -> bool:
        """Is the schema that a connection sees everybody's? Then what is known is of that schema, or forgotten.

        A transaction may have another one, and the next transaction one of the same number.
        """
        version = connection.schema_version()
        if not self._alone and connection.sqlite.in_transaction and version != self._types.schema_version():
            return False
        if version != self._schema:
            self.forget()
            self._schema = version
        return True

    def forget(self) -> None:
        """Forget what is known of the texts: the schema is another one."""
        self._plans = {}
        self._inserts = set()
        self._schema = -1

    def refusal(
        self, connection: Connection, sql: str, bindings: Sequence[Any], error: sqlite3.Error, *, write: bool
    ) -> BaseException:
        """What to raise for an error of SQLite: what a signal handler raised, a timeout, or what the server answers."""
        if connection.raised is not None:
            return connection.raised
        if connection.missing:
            return RefusedError(400, connection.missing)
        if connection.interrupted:
            return TimedOutError("the statement was interrupted and changed nothing")
        return refusal(connection.sqlite, sql, bindings, error, write=write)


def refresh(connection: Connection) -> None:
    """Have a connection notice another one's changes of the schema, which a PRAGMA does not."""
    connection.sqlite.execute("SELECT 1 FROM main.sqlite_schema LIMIT 1").fetchone()


def refresh_for(connection: Connection, sql: str) -> None:
    """The same, where the statement is a PRAGMA."""
    if _PRAGMA(sql):
        refresh(connection)


def _keep(known: dict[str, Any], sql: str, what: Plan | Known) -> None:
    if len(known) >= _KEPT:
        known.clear()
    known[sql] = what


@lru_cache(maxsize=1000)
def returns(sql: str) -> bool:
    """Has a statement a RETURNING clause?"""
    return any(part.returns for part in analyze(sql).parts)


def _is_undecodable(error: sqlite3.OperationalError) -> bool:
    return str(error).startswith("Could not decode")


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "replace")
