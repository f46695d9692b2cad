"""The exceptions of PEP 249, made from those of mesahub, which stay their causes."""

from __future__ import annotations

import builtins

from mesahub import errors

__all__ = [
    "DataError",
    "DatabaseError",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
    "RollbackWarning",
    "Warning",
    "TRANSLATED",
]


class Warning(builtins.Exception):
    """Important warnings, such as truncated data. (mesahub raises errors instead.)"""


class Error(builtins.Exception):
    """Base of all errors of this module. ``__cause__`` is the `mesahub.MesahubError`, if there is one."""


class InterfaceError(Error):
    """Wrong use of this module: a closed connection or cursor, a bad URL or option."""


class DatabaseError(Error):
    """Base of the errors that concern the database."""


class DataError(DatabaseError):
    """A result cannot be returned, such as one that the server truncated."""


class OperationalError(DatabaseError):
    """The database, the server or the network failed, or the database rejected the statement.

    As in `sqlite3`, that includes a missing table or column.
    """


class IntegrityError(DatabaseError):
    """A constraint failed."""


class InternalError(DatabaseError):
    """The engine took a transaction back by itself."""


class ProgrammingError(DatabaseError):
    """A statement or its values were rejected before anything was sent."""


class NotSupportedError(DatabaseError):
    """The engine cannot do it, such as a rollback where every statement is a transaction of its own."""


class RollbackWarning(UserWarning):
    """A rollback was asked for where every statement takes effect at once."""


# The first that fits counts.
_KINDS: tuple[tuple[type[errors.MesahubError], type[Error]], ...] = (
    (errors.IntegrityError, IntegrityError),
    (errors.ArgumentError, ProgrammingError),
    (errors.SQLError, OperationalError),
    (errors.UnsupportedError, NotSupportedError),
    (errors.ResultError, DataError),
    (errors.TransactionLostError, InternalError),
    (errors.ConfigurationError, InterfaceError),
)


class _Translated:
    """Raises the errors of mesahub as those of PEP 249. (A class: every statement passes through it.)"""

    __slots__ = ()

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, errors.MesahubError):
            raise translation(error) from error


TRANSLATED = _Translated()


def translation(error: errors.MesahubError) -> Error:
    """The error of PEP 249 for an error of mesahub, with its message and notes."""
    kind = next((made for given, made in _KINDS if isinstance(error, given)), OperationalError)
    made = kind(str(error))
    for note in getattr(error, "__notes__", ()):
        made.add_note(note)
    return made
