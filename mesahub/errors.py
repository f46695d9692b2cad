"""Every error a public call of mesahub raises.

    MesahubError                       code, status_code, details, attempts
    ├── AuthenticationError            401: no key, or not a valid one
    ├── AuthorizationError             403: the key may not do this
    ├── NotFoundError                  404: no such database, file, bucket or key
    ├── RateLimitError                 429: .retry_after (seconds or None)
    ├── ConflictError                  409: the name is taken
    ├── ValidationError                400: the server refuses the request
    │   ├── ArgumentError              refused here, before anything is sent (also a ValueError)
    │   │   └── RequestTooLargeError   more bytes than the engine takes in a request
    │   └── SQLError                   the database said no; SQLite's message verbatim
    │       ├── IntegrityError         .kind, .table, .columns
    │       ├── SQLSyntaxError
    │       ├── NoSuchTableError
    │       └── NoSuchColumnError
    ├── UnsupportedError               the engine cannot do it; nothing was sent
    ├── ServerError                    5xx
    │   ├── DatabaseBusyError          locked, or the write queue is full (503: nothing was done)
    │   └── DatabaseInactiveError      switched off by its owner
    ├── ResultError                    the call was carried out, its result cannot be handed over whole
    │   ├── TruncatedResultError       the server cut the answer at 100,000 rows
    │   └── UnrepresentableResultError the answer holds an infinity or a date beyond year 9999
    ├── TransactionLostError           the database took a transaction back; nothing of it is stored
    ├── TransportError                 no answer: .outcome says what became of the request
    │   ├── NotSentError               nothing left this machine
    │   ├── ConnectionLostError        it was sent, no trustworthy answer came back
    │   ├── RequestTimeoutError        the time given ran out (also a TimeoutError)
    │   ├── AmbiguousResultError       a write that may or may not have happened
    │   └── TLSError                   the server cannot be trusted; retrying does not help
    └── ConfigurationError             unknown transport, missing extra, bad URL (also a ValueError)

A transport may raise `NotSentError`, `ConnectionLostError`, `RequestTimeoutError`, `TLSError` and
`ConfigurationError`, nothing else (see `mesahub.transport`).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Any, Self


class Outcome(enum.Enum):
    """What became of a request that got no answer."""

    NOT_SENT = "not_sent"
    """Nothing left this machine: it is safe to send again, whatever it was."""
    REFUSED = "refused"
    """The server answered that it did not carry it out (429, 503, locked)."""
    MAYBE_RAN = "maybe_ran"
    """It was sent and no trustworthy answer came back: it may have been carried out."""


class MesahubError(Exception):
    """Base of all errors of this package.

    Attributes:
        code: a short constant for programs, as the server gave it or as the class has it.
        status_code: the HTTP status, 0 where no answer came.
        details: what the server sent besides the message; ``{}`` if nothing.
        attempts: what was tried before this was raised, oldest first (see `mesahub.middleware.retry`).
    """

    default_code = "UNKNOWN_ERROR"

    def __init__(self, code: str, status_code: int, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status_code = status_code
        self.details: dict[str, Any] = details or {}
        self.attempts: tuple[Any, ...] = ()

    @classmethod
    def of(
        cls,
        message: str,
        *,
        code: str | None = None,
        status_code: int = 0,
        details: dict[str, Any] | None = None,
    ) -> Self:
        """Make an error of exactly this class with the message unchanged.

        The public constructors differ from class to class (as they did in mesahub 1.x); this one is
        the same for all.
        """
        error = cls.__new__(cls, message)
        MesahubError.__init__(error, code or cls.default_code, status_code, message, details)
        return error

    @classmethod
    def from_response(cls, status_code: int, status_text: str, body: dict[str, Any] | None) -> Self:
        """Make an error of an answer's parts, as mesahub 1.x had it.

        Args:
            status_code: the HTTP status.
            status_text: the message, where the body has none.
            body: the answer's JSON: ``{"error": text}`` or ``{"code", "message"}``; or ``None``.
        """
        data = body or {}
        said = data.get("message") or data.get("error")
        message = said if isinstance(said, str) else status_text
        return cls.of(message, code=data.get("code") or "UNKNOWN_ERROR", status_code=status_code, details=data)

    def __reduce__(self) -> tuple[Callable[..., MesahubError], tuple[Any, ...]]:
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(cls: type[MesahubError], args: tuple[Any, ...], state: Mapping[str, Any]) -> MesahubError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class AuthenticationError(MesahubError):
    """The server does not know the key (401)."""

    default_code = "AUTH_ERROR"

    def __init__(self, message: str = "Authentication failed") -> None:
        super().__init__(self.default_code, 401, message)


class AuthorizationError(MesahubError):
    """The key is valid and may not do this (403)."""

    default_code = "AUTHZ_ERROR"

    def __init__(self, message: str = "Insufficient permissions") -> None:
        super().__init__(self.default_code, 403, message)


class NotFoundError(MesahubError):
    """No such database, file, bucket, key or row (404)."""

    default_code = "NOT_FOUND"

    def __init__(self, resource: str) -> None:
        super().__init__(self.default_code, 404, f"{resource} not found")


class RateLimitError(MesahubError):
    """Too many requests (429).

    Attributes:
        retry_after: seconds the server asks to wait, ``None`` when it does not say.
    """

    default_code = "RATE_LIMIT"
    retry_after: float | None = None

    def __init__(self, retry_after: float | None = None) -> None:
        super().__init__(self.default_code, 429, "Rate limit exceeded", {"retry_after": retry_after})
        self.retry_after = retry_after


class ConflictError(MesahubError):
    """The name is already taken (409)."""

    default_code = "CONFLICT"

    def __init__(self, message: str = "Already exists", details: dict[str, Any] | None = None) -> None:
        super().__init__(self.default_code, 409, message, details)


class ValidationError(MesahubError):
    """The request is not acceptable (400)."""

    default_code = "VALIDATION_ERROR"

    def __init__(self, message: str = "Validation failed", details: dict[str, Any] | None = None) -> None:
        super().__init__(self.default_code, 400, message, details)


class ArgumentError(ValidationError, ValueError):
    """An argument was refused before anything was sent. ``status_code`` is 400 as in mesahub 1.x."""

    default_code = "INVALID_ARGUMENT"


class RequestTooLargeError(ArgumentError):
    """The request has more bytes than the engine takes. Nothing was sent; send less at once."""

    default_code = "BODY_TOO_LARGE"


class UnsupportedError(MesahubError):
    """The engine cannot do this; the message says which ones can. Nothing was sent."""

    default_code = "UNSUPPORTED"

    def __init__(self, message: str = "Not supported by this engine") -> None:
        super().__init__(self.default_code, 0, message)


class SQLError(ValidationError):
    """The database refused the statement; the message is SQLite's own."""

    default_code = "SQL_ERROR"


class IntegrityError(SQLError):
    """A constraint failed.

    Attributes:
        kind: ``"unique"``, ``"not_null"``, ``"check"``, ``"foreign_key"``, ``"primary_key"`` or ``"datatype"`` (of a
            STRICT table); ``None`` when the message does not say. A primary key that is taken is ``"unique"``.
        table: the table, where the message names it.
        columns: its columns, where the message names them; for a CHECK, ``()``.
    """

    default_code = "INTEGRITY_ERROR"
    kind: str | None = None
    table: str | None = None
    columns: tuple[str, ...] = ()


class SQLSyntaxError(SQLError):
    """The statement cannot be parsed."""

    default_code = "SQL_SYNTAX_ERROR"


class NoSuchTableError(SQLError):
    """The statement names a table that is not there."""

    default_code = "NO_SUCH_TABLE"


class NoSuchColumnError(SQLError):
    """The statement names a column that is not there."""

    default_code = "NO_SUCH_COLUMN"


class ServerError(MesahubError):
    """The server failed (5xx)."""

    default_code = "SERVER_ERROR"

    def __init__(
        self, message: str = "Server error", status_code: int = 500, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(self.default_code, status_code, message, details)


class DatabaseBusyError(ServerError):
    """The database is locked or its write queue is full.

    With status 503 the statement was not carried out. With 400 that is SQLite's text, which RAISE() in a trigger can
    say, too: RAISE(FAIL, ...) keeps the rows that were written before it.
    """

    default_code = "DATABASE_BUSY"


class DatabaseInactiveError(ServerError):
    """The database is switched off (503); waiting does not help, its owner must activate it."""

    default_code = "DATABASE_INACTIVE"


class ResultError(MesahubError):
    """The call was carried out, and its result cannot be handed over whole."""

    default_code = "RESULT_ERROR"

    def __init__(self, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(self.default_code, 200, message, details)


class TruncatedResultError(ResultError):
    """The server cut the result at its limit of 100,000 rows."""

    default_code = "TRUNCATED_RESULT"


class UnrepresentableResultError(ResultError):
    """The result holds a value that the server cannot write as JSON."""

    default_code = "UNREPRESENTABLE_RESULT"


class TransportError(MesahubError):
    """No answer came.

    Attributes:
        outcome: what became of the request.
    """

    default_code = "TRANSPORT_ERROR"
    outcome: Outcome = Outcome.MAYBE_RAN

    def __init__(self, message: str = "", *, outcome: Outcome | None = None) -> None:
        super().__init__(self.default_code, 0, message)
        if outcome is not None:
            self.outcome = outcome


class NotSentError(TransportError):
    """Nothing left this machine: refused, no such host, no route, no free connection in time."""

    default_code = "NOT_SENT"
    outcome = Outcome.NOT_SENT


class ConnectionLostError(TransportError):
    """The request was sent, in whole or in part, and no trustworthy answer came back."""

    default_code = "CONNECTION_LOST"


class RequestTimeoutError(TransportError, TimeoutError):
    """The time given ran out. ``outcome`` is ``MAYBE_RAN`` once a byte was sent."""

    default_code = "TIMEOUT"


class AmbiguousResultError(TransportError):
    """A write was sent and may or may not have been carried out. Look before you repeat it.

    ``__cause__`` is what happened. Say ``idempotent=True`` on a call that may be sent twice, and it
    is retried instead.
    """

    default_code = "AMBIGUOUS_RESULT"


class TransactionLostError(MesahubError):
    """The database took a transaction back by itself, or forgot it; nothing of it is stored."""

    default_code = "TRANSACTION_LOST"

    def __init__(self, message: str) -> None:
        super().__init__(self.default_code, 0, message)


class TLSError(TransportError):
    """The TLS handshake failed: unknown authority, wrong host, expired certificate."""

    default_code = "TLS_ERROR"
    outcome = Outcome.NOT_SENT


class ConfigurationError(MesahubError, ValueError):
    """Something about the set-up is wrong; the message says what to install or change."""

    default_code = "CONFIGURATION_ERROR"

    def __init__(self, message: str) -> None:
        super().__init__(self.default_code, 0, message)
