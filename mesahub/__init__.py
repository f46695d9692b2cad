"""Python client for MesaHub: SQLite databases over HTTP, in a file, or in a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mesahub.client import MesahubClient, connect
from mesahub.database import DatabaseHandle
from mesahub.errors import (
    AmbiguousResultError,
    ArgumentError,
    AuthenticationError,
    AuthorizationError,
    ConfigurationError,
    ConflictError,
    ConnectionLostError,
    DatabaseBusyError,
    DatabaseInactiveError,
    IntegrityError,
    MesahubError,
    NoSuchColumnError,
    NoSuchTableError,
    NotFoundError,
    NotSentError,
    Outcome,
    RateLimitError,
    RequestTimeoutError,
    RequestTooLargeError,
    ResultError,
    ServerError,
    SQLError,
    SQLSyntaxError,
    TLSError,
    TransactionLostError,
    TransportError,
    TruncatedResultError,
    UnrepresentableResultError,
    UnsupportedError,
    ValidationError,
)
from mesahub.middleware.retry_policy import RetryPolicy
from mesahub.results import ExecResult, FileList, FileRecord, QueryResult
from mesahub.sql import all_of, any_of, col, not_, register_adapter
from mesahub.table import TableHandle
from mesahub.transport import TLSOptions
from mesahub.transport.registry import installed_transports
from mesahub.url import parse_mesahub_url

if TYPE_CHECKING:
    from mesahub import aio as aio
    from mesahub import stored
    from mesahub._calls.client_options import ClientOptions
    from mesahub.copying import copy
    from mesahub.management import MesahubManagementClient
    from mesahub.rows import Rows

__version__ = "2.0.0"

__all__ = [
    # clients and handles
    "MesahubClient",
    "MesahubManagementClient",
    "connect",
    "DatabaseHandle",
    "TableHandle",
    "ClientOptions",
    "parse_mesahub_url",
    "copy",
    # filters and values
    "col",
    "any_of",
    "all_of",
    "not_",
    "register_adapter",
    "stored",
    # results
    "Rows",
    "QueryResult",
    "ExecResult",
    "FileRecord",
    "FileList",
    # how requests travel
    "RetryPolicy",
    "TLSOptions",
    "installed_transports",
    # errors
    "MesahubError",
    "AuthenticationError",
    "AuthorizationError",
    "NotFoundError",
    "RateLimitError",
    "ConflictError",
    "ValidationError",
    "ArgumentError",
    "RequestTooLargeError",
    "UnsupportedError",
    "SQLError",
    "IntegrityError",
    "SQLSyntaxError",
    "NoSuchTableError",
    "NoSuchColumnError",
    "ServerError",
    "DatabaseBusyError",
    "DatabaseInactiveError",
    "ResultError",
    "TruncatedResultError",
    "UnrepresentableResultError",
    "TransactionLostError",
    "TransportError",
    "NotSentError",
    "ConnectionLostError",
    "RequestTimeoutError",
    "AmbiguousResultError",
    "TLSError",
    "ConfigurationError",
    "Outcome",
]

# What most programs never use is imported when it is first asked for.
_LAZY = {
    "ClientOptions": "_calls.client_options",
    "MesahubManagementClient": "management",
    "Rows": "rows",
    "copy": "copying",
    "stored": "stored",
}


if not TYPE_CHECKING:  # or a type checker would take any name for one of ours

    def __getattr__(name: str) -> Any:
        if name not in _LAZY and name != "aio":
            raise AttributeError(f"module 'mesahub' has no attribute {name!r}")
        import importlib

        if name == "aio":  # the import system makes it an attribute
            return importlib.import_module(f"{__name__}.aio")
        module = importlib.import_module(f"{__name__}.{_LAZY[name]}")
        value = getattr(module, name, module)
        globals()[name] = value
        return value
