"""What a connection has begun: its session, writes that wait for a commit, and writes that have taken effect."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from mesahub.dbapi import errors
from mesahub.dbapi.statements import Kind
from mesahub.errors import AmbiguousResultError, MesahubError
from mesahub.sql import Statement

if TYPE_CHECKING:
    from mesahub.database import DatabaseHandle
    from mesahub.session import Session

__all__ = ["Work"]

T = TypeVar("T")


class Work:
    """Decides on which handle a statement runs, and knows what a rollback can take back.

    Args:
        handle: the database.
        level: see `mesahub.dbapi.connect`; ``None`` begins no transaction.
        batches: keep writes for one batch, where the engine has no interactive transactions.

    Attributes:
        lock: held while a statement runs.
        level: as given; may be set.
    """

    def __init__(self, handle: DatabaseHandle, level: str | None, *, batches: bool) -> None:
        self.lock = threading.RLock()
        self.level = level
        self._handle: DatabaseHandle | None = handle
        self._session: Session | None = None
        self._written = 0
        self._pending: list[Statement] | None = None
        if batches and not self.is_interactive:
            handle.client.require("batch")
            self._pending = []

    @property
    def handle(self) -> DatabaseHandle:
        """The database. Raises `InterfaceError` when the connection is closed."""
        if self._handle is None:
            raise errors.InterfaceError("The connection is closed.")
        return self._handle

    @property
    def is_open(self) -> bool:
        """Has the connection not been closed?"""
        return self._handle is not None

    @property
    def is_interactive(self) -> bool:
        """Has the engine interactive transactions? (It may be known only after the first request.)"""
        return self.handle.capabilities.transactions == "interactive"

    @property
    def in_transaction(self) -> bool:
        """Is a transaction open, or are there writes that wait for a commit?"""
        return bool(self._pending) or (self._session is not None and self._session.in_transaction)

    @property
    def waits(self) -> bool:
        """Do writes wait for a commit?"""
        return self._pending is not None

    def control(self, kind: Kind) -> None:
        """Run a statement that begins or ends a transaction or savepoint."""
        if not self.is_interactive:
            if kind.control != "commit" and (kind.control != "begin" or self._pending is None):
                raise errors.NotSupportedError(
                    f"{kind.sql.split()[0].upper()} is not supported: the engine has no interactive transactions. For "
                    "several writes at once, use db.batch(), or connect(..., unit_of_work='batch')."
                )
            self.commit()
            return
        if kind.control == "commit":
            self.commit()
        elif kind.control == "rollback":
            self.rollback()
        elif kind.control == "begin":
            self._opened().begin("immediate" if kind.mode == "immediate" else "deferred")
        else:
            session = self.target(kind)
            session.client.run_exec(session.name, Statement(kind.sql, [], "savepoint", True))

    def target(self, kind: Kind) -> DatabaseHandle:
        """The handle on which a statement of this kind runs; a transaction begins for it where it must."""
        if not self.is_interactive:
            return self.handle
        session = self._opened()
        if kind.begins and self.level is not None and not session.in_transaction:
            session.begin("immediate")
        return session

    def _opened(self) -> Session:
        session = self._session
        if session is None:
            opened: Any = self.handle.session()
            session = self._session = opened
        return session

    def keep(self, statement: Statement) -> None:
        """Add a write to those that wait for a commit."""
        assert self._pending is not None
        self._pending.append(statement)

    def write(self, run: Callable[[], T]) -> T:
        """Run a statement that writes, and count it, unless it is certain that it changed nothing."""
        try:
            result = run()
        except MesahubError as error:
            self._written += isinstance(error, AmbiguousResultError)
            raise
        except BaseException:
            self._written += 1
            raise
        self._written += 1
        return result

    def commit(self) -> None:
        """Commit the open transaction; send what waits."""
        handle = self.handle
        self._written = 0
        if self._pending:
            pending, self._pending = self._pending, []
            handle.client.run_batch(handle.name, pending)
        elif self._session is not None:
            self._session.commit()

    def rollback(self) -> int:
        """Take back what can be; returns the number of statements that have taken effect and cannot be."""
        self.handle  # noqa: B018 - raises when closed
        written, self._written = self._written, 0
        if self._session is not None:
            self._session.rollback()
            return 0
        if self._pending is not None:
            self._pending = []
        return written

    def detach(self) -> tuple[DatabaseHandle | None, Session | None]:
        """End without a request; returns the handle and the session, which the caller must close."""
        detached = self._handle, self._session
        self._handle = self._session = self._pending = None
        return detached
