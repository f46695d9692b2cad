"""Python client for MesaHub: SQLite databases behind HTTP, in a file, or in a recording."""

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
    RateLimitError,
    RequestTimeoutError,
    ResultError,
    ServerError,
    SQLError,
    SQLSyntaxError,
    TLSError,
    TransportError,
    TruncatedResultError,
    UnrepresentableResultError,
    ValidationError,
)
from mesahub.results import ExecResult, FileList, FileRecord, QueryResult
from mesahub.table import TableHandle
from mesahub.url import parse_mesahub_url

__version__ = "2.0.0"
