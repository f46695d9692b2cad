"""The Python database API, version 2 (PEP 249: https://peps.python.org/pep-0249/).

    import mesahub.dbapi

    with mesahub.dbapi.connect("mh://local/shop") as connection:
        cursor = connection.cursor()
        cursor.execute("INSERT INTO orders (item) VALUES (?)", ["lamp"])

Embedded databases and libSQL have transactions, begun by the first statement that writes. Over MesaHub's HTTP and on
rqlite every statement takes effect at once; see `Connection.rollback` for what that means.
"""

from __future__ import annotations

from mesahub.dbapi import errors
from mesahub.dbapi.connection import Connection, connect
from mesahub.dbapi.cursor import Cursor
from mesahub.dbapi.errors import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    RollbackWarning,
    Warning,
)
from mesahub.dbapi.types import (
    BINARY,
    DATETIME,
    NUMBER,
    ROWID,
    STRING,
    Binary,
    Date,
    DateFromTicks,
    Time,
    TimeFromTicks,
    Timestamp,
    TimestampFromTicks,
)

__all__ = [
    "BINARY", "DATETIME", "NUMBER", "ROWID", "STRING",
    "Binary", "Date", "DateFromTicks", "Time", "TimeFromTicks", "Timestamp", "TimestampFromTicks",
    "Connection", "Cursor", "apilevel", "connect", "errors", "paramstyle", "sqlite_version_info", "threadsafety",
    "DataError", "DatabaseError", "Error", "IntegrityError", "InterfaceError", "InternalError", "NotSupportedError",
    "OperationalError", "ProgrammingError", "RollbackWarning", "Warning",
]  # fmt: skip

apilevel = "2.0"
threadsafety = 2
"""Threads may share the module and connections."""
sqlite_version_info = (3, 40, 0)
"""The least version of SQLite that an engine has: the embedded one has that of Python."""
paramstyle = "qmark"
"""``?``; ``:name`` with a mapping is accepted too."""
