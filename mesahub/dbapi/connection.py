"""Connections of PEP 249."""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeVar, Unpack

import mesahub
from mesahub._util.secret import Secret, SecretDict
from mesahub.database import DatabaseHandle
from mesahub.dbapi import errors
from mesahub.dbapi.cursor import Cursor
from mesahub.dbapi.errors import TRANSLATED
from mesahub.dbapi.work import Work

if TYPE_CHECKING:
    from mesahub._calls.client_options import ConnectOptions

__all__ = ["Connection", "OnRollback", "connect", "connect_with"]

OnRollback = Literal["raise", "warn", "ignore"]
_ON_ROLLBACK = ("raise", "warn", "ignore")
_ISOLATION = ("DEFERRED", "IMMEDIATE", "EXCLUSIVE")


def connect(
    url: str | os.PathLike[str] | None = None,
    *,
    handle: DatabaseHandle | None = None,
    isolation_level: str | None = "DEFERRED",
    on_rollback: OnRollback = "raise",
    unit_of_work: Literal["batch"] | None = None,
    **options: Unpack[ConnectOptions],
) -> Connection:
    """Open a connection in the sense of PEP 249.

    Args:
        url: as `mesahub.connect` takes it; default: ``MESAHUB_URL``.
        handle: an open database to use instead of a URL; it stays open when the connection is closed.
        isolation_level: as in `sqlite3`. ``"DEFERRED"``, ``"IMMEDIATE"`` or ``"EXCLUSIVE"``: the first statement that
            writes begins a transaction, where the engine has interactive transactions (embedded databases, libSQL).
            ``None``: every statement takes effect at once. Unlike there, CREATE and the like begin one too, so that a
            migration that fails leaves nothing.
        on_rollback: what `Connection.rollback` does where every statement takes effect at once: see there.
        unit_of_work: ``"batch"``: keep statements that write until `Connection.commit`, and send them as one atomic
            batch. For engines with batches and without interactive transactions. Until then their counts are unknown
            (-1), reads do not see them, and RETURNING is not supported.
        **options: as `mesahub.connect` takes them.

    Raises:
        InterfaceError: a wrong URL or option.
        NotSupportedError: the engine has no batches.
    """
    if isinstance(url, str):
        url = Secret(url)
    given = SecretDict(options)
    options = {}  # a traceback may show this function's variables
    if handle is not None:
        if url is not None or given:
            raise errors.InterfaceError("Pass a URL and options, or a handle, not both.")
        return connect_with(Connection, handle, isolation_level, on_rollback, unit_of_work)
    with TRANSLATED:
        db = mesahub.connect(url, **given)
    try:
        return connect_with(Connection, db, isolation_level, on_rollback, unit_of_work, owns=True)
    except BaseException:
        db.close()
        raise


C = TypeVar("C", bound="Connection")


def connect_with(
    kind: type[C],
    handle: Any,
    isolation_level: str | None = "DEFERRED",
    on_rollback: OnRollback = "raise",
    unit_of_work: Literal["batch"] | None = None,
    *,
    owns: bool = False,
) -> C:
    """Make a connection of this class on a handle. See `connect`.

    Args:
        owns: close the handle with the connection.
    """
    if on_rollback not in _ON_ROLLBACK:
        raise errors.InterfaceError(f"on_rollback must be 'raise', 'warn' or 'ignore', not {on_rollback!r:.40}.")
    if unit_of_work not in (None, "batch"):
        raise errors.InterfaceError(f"unit_of_work must be 'batch' or None, not {unit_of_work!r:.40}.")
    level = _checked_level(isolation_level)
    with TRANSLATED:
        return kind(handle, level, on_rollback, unit_of_work, owns=owns)


def _checked_level(level: str | None) -> str | None:
    if level is None:
        return None
    text = (level.upper() or "DEFERRED") if isinstance(level, str) else ""
    if text not in _ISOLATION:
        raise errors.InterfaceError(
            f"isolation_level must be one of {', '.join(_ISOLATION)} or None, not {level!r:.40}."
        )
    return text


class Connection:
    """A connection; `connect` makes it. Threads may share it: its statements run one after another.

    In a ``with`` block, as in `sqlite3`: commit at its end, roll back on an exception; the connection stays open.

    Attributes:
        isolation_level: see `connect`; may be set.
    """

    Warning: ClassVar = errors.Warning
    Error: ClassVar = errors.Error
    InterfaceError: ClassVar = errors.InterfaceError
    DatabaseError: ClassVar = errors.DatabaseError
    DataError: ClassVar = errors.DataError
    OperationalError: ClassVar = errors.OperationalError
    IntegrityError: ClassVar = errors.IntegrityError
    InternalError: ClassVar = errors.InternalError
    ProgrammingError: ClassVar = errors.ProgrammingError
    NotSupportedError: ClassVar = errors.NotSupportedError

    def __init__(
        self,
        handle: DatabaseHandle,
        isolation_level: str | None,
        on_rollback: OnRollback,
        unit_of_work: Literal["batch"] | None,
        *,
        owns: bool,
    ) -> None:
        self._work = Work(handle, isolation_level, batches=unit_of_work == "batch")
        self._on_rollback = on_rollback
        self._owns = owns

    @property
    def handle(self) -> DatabaseHandle:
        """The database: its whole API, outside of this connection's transactions."""
        return self._work.handle

    @property
    def isolation_level(self) -> str | None:
        """See `connect`."""
        return self._work.level

    @isolation_level.setter
    def isolation_level(self, level: str | None) -> None:
        self._work.level = _checked_level(level)

    @property
    def in_transaction(self) -> bool:
        """Is a transaction open, or are there writes that wait for `commit`?"""
        return self._work.in_transaction

    def cursor(self) -> Cursor:
        """A new cursor."""
        return self._cursor(Cursor)

    def _cursor(self, kind: type[Cursor]) -> Cursor:
        self.handle  # noqa: B018 - raises when closed
        return kind(self, self._work)

    def commit(self) -> None:
        """Commit the open transaction; send what waits. Nothing where every statement takes effect at once.

        Raises:
            IntegrityError: a deferred constraint failed; the transaction stays open.
        """
        with self._work.lock, TRANSLATED:
            self._work.commit()

    def rollback(self) -> None:
        """Take back what was written since the last commit.

        Where every statement takes effect at once, nothing can be taken back. If something was written since the last
        `commit`, then with ``on_rollback="raise"`` an exception that is being handled gets a note that says so, and a
        `RollbackWarning` is emitted; without one, `NotSupportedError` is raised. ``"warn"`` warns in both cases,
        ``"ignore"`` does nothing, as does an ``isolation_level`` of ``None``, which asks for exactly that.
        """
        with self._work.lock, TRANSLATED:
            written = self._work.rollback()
            if written and self._on_rollback != "ignore" and self.isolation_level is not None:
                self._cannot_roll_back(written)

    def _cannot_roll_back(self, written: int) -> None:
        counted = "1 statement that wrote has" if written == 1 else f"{written} statements that wrote have"
        said = f"{counted} taken effect and cannot be rolled back: this engine has no interactive transactions"
        error = self._error_in_flight()
        if error is not None:
            error.add_note(said)
            with suppress(errors.RollbackWarning):  # warnings may be errors, which must not replace this one
                warnings.warn(said, errors.RollbackWarning, stacklevel=3)
            return
        if self._on_rollback == "raise":
            raise errors.NotSupportedError(f"{said}. Use db.batch() for several writes at once, or on_rollback='warn'.")
        warnings.warn(said, errors.RollbackWarning, stacklevel=3)

    def _error_in_flight(self) -> BaseException | None:
        return sys.exc_info()[1]

    def close(self) -> None:
        """Roll back what is open, and close the connection. May be called twice."""
        with self._work.lock, TRANSLATED:
            handle, session = self._work.detach()
            try:
                if session is not None:
                    session.close()
            finally:
                if handle is not None and self._owns:
                    handle.close()

    def detached(self) -> Any:
        """Close without a rollback, and give the session, which the caller must then close; ``None`` if none is open.

        For whoever can do nothing that waits, such as a pool that drops a connection outside of its event loop.
        """
        return self._work.detach()[1]

    def __enter__(self) -> Self:
        self.handle  # noqa: B018 - raises when closed
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.commit()
        else:
            self.rollback()

    def __repr__(self) -> str:
        name = repr(self.handle.name) if self._work.is_open else "closed"
        return f"<mesahub.dbapi.Connection {name}>"
