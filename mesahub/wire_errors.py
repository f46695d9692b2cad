"""Errors out of answers: the server's own words become the message, and SQLite's decide the class."""

from __future__ import annotations

import re
from typing import Any

from mesahub.errors import (
    AuthenticationError,
    AuthorizationError,
    ConflictError,
    DatabaseBusyError,
    DatabaseInactiveError,
    IntegrityError,
    MesahubError,
    NoSuchColumnError,
    NoSuchTableError,
    NotFoundError,
    RateLimitError,
    ServerError,
    SQLError,
    SQLSyntaxError,
    ValidationError,
)
from mesahub.transport import Response

__all__ = ["error_from", "raise_for_status"]

STATEMENTS = ("query", "exec")


def raise_for_status(response: Response, operation: str = "") -> None:
    """Raise what the server's answer means, or return when it is a success."""
    if response.status >= 300:
        raise error_from(response, operation)


def error_from(response: Response, operation: str = "") -> MesahubError:
    """The error that an answer stands for."""
    response.read()
    status = response.status
    try:
        body = response.payload
    except ValueError:
        body = None
    details, code, text = _words(body)
    cls, extra = _class_of(status, text or "", operation)
    message = text or _unnamed(status, response)
    error = cls.of(message, code=code, status_code=status, details=details)
    for name, value in extra.items():
        setattr(error, name, value)
    if isinstance(error, RateLimitError):
        error.retry_after = response.retry_after()
        error.details.setdefault("retry_after", error.retry_after)
    error.attempts = response.attempts
    return error


def _words(body: Any) -> tuple[dict[str, Any], str | None, str | None]:
    """(details, code, message): today ``{"error": text}``, elsewhere ``{"code", "message"}``, also within "error"."""
    if not isinstance(body, dict):
        return {}, None, None
    inner = body.get("error")
    said = inner if isinstance(inner, dict) else body
    text = said.get("message") or (inner if isinstance(inner, str) else None)
    code = said.get("code")
    return dict(body), str(code) if code else None, str(text) if text else None


def _unnamed(status: int, response: Response) -> str:
    kind = response.headers.get("content-type") or "no content type"
    from http import HTTPStatus

    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "unknown status"
    what = "an empty body" if not response.content else f"{kind}, {len(response.content)} bytes"
    return f"The server, or something before it, answered {status} {phrase} ({what}) without saying why"


_INTEGRITY = re.compile(r"(UNIQUE|NOT NULL|CHECK|FOREIGN KEY|PRIMARY KEY) constraint failed(?:: (.*))?", re.DOTALL)
_NO_TABLE = re.compile(r"no such (?:table|view): ")
_NO_COLUMN = re.compile(r"no such column: |has no column named ")
_SYNTAX = re.compile(r"syntax error|incomplete input|unrecognized token|unterminated|unknown operator")
# What else SQLite says while it works on a statement. On /query such an error comes as a 500.
_SQLITE = re.compile(
    r"no such (function|index|module|collation)|integer overflow|malformed JSON|bad JSON|datatype mismatch|"
    r"ambiguous column|wrong number of arguments|misuse of|not enough args|values for \d+ columns|"
    r"already exists|cannot |may not|string or blob too big|too many|parser stack|string too|"
    r"cannot store .* value in|constraint failed|out of range|is not a function|"
    r"LIKE or GLOB pattern|do not have the same number|ON CONFLICT clause|duplicate column|circular|recursive"
)
_BUSY = re.compile(r"(database|table) is locked|queue (is )?full")


def _class_of(status: int, text: str, operation: str) -> tuple[type[MesahubError], dict[str, Any]]:
    if _BUSY.search(text):
        return DatabaseBusyError, {}
    if status == 503 and "inactive" in text:
        return DatabaseInactiveError, {}
    if operation in STATEMENTS and status in (400, 500) and text:
        found = _INTEGRITY.search(text)
        if found:
            return IntegrityError, _constraint(found[1], found[2] or "")
        for pattern, named in (
            (_NO_TABLE, NoSuchTableError),
            (_NO_COLUMN, NoSuchColumnError),
            (_SYNTAX, SQLSyntaxError),
        ):
            if pattern.search(text):
                return named, {}
        if not text.startswith(("invalid JSON", "sql is required", "sql exceeds", "too many SQL bindings")) and (
            status == 400 or _SQLITE.search(text)
        ):
            return SQLError, {}
    cls = _BY_STATUS.get(status)
    if cls is None:
        cls = ServerError if status >= 500 else ValidationError if 400 <= status < 500 else MesahubError
    return cls, {}


def _constraint(kind: str, rest: str) -> dict[str, Any]:
    words = kind.lower().replace(" ", "_")
    fields: dict[str, Any] = {"kind": words, "table": None, "columns": ()}
    if words in ("unique", "not_null", "primary_key") and "." in rest:
        # "t.a, t.b"; a table's name may hold dots, so the columns' common beginning counts.
        parts = rest.split(", ")
        table = parts[0].rpartition(".")[0]
        if all(part.startswith(f"{table}.") for part in parts):
            fields["table"] = table
            fields["columns"] = tuple(part[len(table) + 1 :] for part in parts)
    return fields


_BY_STATUS: dict[int, type[MesahubError]] = {
    400: ValidationError,
    401: AuthenticationError,
    403: AuthorizationError,
    404: NotFoundError,
    409: ConflictError,
    429: RateLimitError,
}
