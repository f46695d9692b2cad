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

__all__ = ["error_from", "is_busy", "is_inactive", "raise_for_status", "text_of"]

STATEMENTS = ("query", "exec")


def raise_for_status(response: Response, operation: str = "") -> None:
    """Raise what the server's answer means, or return when it is a success."""
    if response.status >= 300:
        raise error_from(response, operation)


def error_from(response: Response, operation: str = "") -> MesahubError:
    """The error that an answer stands for."""
    response.read()
    status = response.status
    details, code, text = _words(response)
    cls, extra = _class_of(status, text or "", operation)
    error = cls.of(text or _unnamed(status, response), code=code, status_code=status, details=details)
    for name, value in extra.items():
        setattr(error, name, value)
    if isinstance(error, RateLimitError):
        error.retry_after = response.retry_after()
        error.details.setdefault("retry_after", error.retry_after)
    if operation in STATEMENTS and text == "Database not found":
        error.add_note(
            "A database is named by the last part of the URL. With an admin token one is made by "
            "client.admin.databases.create(name), or by: mesahub db create NAME"
        )
    error.attempts = response.attempts
    return error


def text_of(response: Response) -> str:
    """The server's own words in an answer that was read; ``""`` for none, and for what is no message (HTML)."""
    return _words(response)[2] or ""


def is_busy(text: str) -> bool:
    """Does this say that a statement was not begun, because the database is locked or the queue of writes full?"""
    return _BUSY.search(text) is not None and _INTEGRITY.match(text) is None


def is_inactive(status: int, text: str) -> bool:
    """Does this say that the database is switched off?"""
    return status == 503 and "inactive" in text.lower()


def _words(response: Response) -> tuple[dict[str, Any], str | None, str | None]:
    """(details, code, message): today ``{"error": text}``, elsewhere ``{"code", "message"}``, also within "error"."""
    try:
        body = response.payload
    except ValueError:
        return {}, None, _plain_text(response)
    if not isinstance(body, dict):
        return {}, None, None
    inner = body.get("error")
    said = inner if isinstance(inner, dict) else body
    text = said.get("message") or (inner if isinstance(inner, str) else None)
    code = said.get("code")
    return dict(body), str(code) if code else None, str(text) if text else None


def _plain_text(response: Response) -> str | None:
    kind = response.headers.get("content-type") or ""
    if not kind.startswith("text/plain"):
        return None
    text = " ".join(response.content[:500].decode("utf-8", "replace").split())
    if response.status == 404 and text == "404 page not found":
        # What the server says of a path that it does not have, whatever the database.
        text += " (the server has no such path: are api_url and route_prefix right?)"
    return text or None


def _unnamed(status: int, response: Response) -> str:
    from http import HTTPStatus

    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "unknown status"
    kind = response.headers.get("content-type") or "no content type"
    what = "an empty body" if not response.content else f"{kind}, {len(response.content)} bytes"
    said = f"The server, or something before it, answered {status} {phrase} ({what}) "
    said += "with what is no result" if status < 300 else "without saying why"
    location = response.headers.get("location")
    if 300 <= status < 400 and location:
        # Without what follows "?", which may be a token.
        said += f". It points to {location.partition('?')[0]}: no redirect is followed, give that host as api_url"
    return said


_INTEGRITY = re.compile(
    r"(UNIQUE|NOT NULL|CHECK|FOREIGN KEY|PRIMARY KEY) constraint failed(?:: (.*?))?(?: \(\d+\))?$", re.DOTALL
)
# Of a STRICT table: SQLite counts this among the constraints, too.
_DATATYPE = re.compile(r"cannot store \w+ value in \w+ column (.*)\.(.*)", re.DOTALL)
_NO_TABLE = re.compile(r"no such (?:table|view): ")
_NO_COLUMN = re.compile(r"no such column: |has no column named ")
_SYNTAX = re.compile(r'near ".*": syntax error|incomplete input|unrecognized token', re.DOTALL)
# What SQLite says while a statement runs. On /query such an error comes as a 500, as a fault of the server would.
_SQLITE = re.compile(
    r"no such (function|index|module|collation)|integer overflow|malformed JSON|bad JSON|JSON path|JSON cannot hold|"
    r"datatype mismatch|ambiguous column|wrong number of arguments|misuse of|not enough args|values for \d+ columns|"
    r"string or blob too big|constraint failed|out of range|is not a function|pattern too complex|"
    r"ESCAPE expression|too many (SQL variables|terms|columns|arguments|levels)|argument to \w+\(\)|recursive"
)
_BUSY = re.compile(r"(database|table|schema) is locked|queue (is )?full")


def _class_of(status: int, text: str, operation: str) -> tuple[type[MesahubError], dict[str, Any]]:
    if is_busy(text):
        return DatabaseBusyError, {}
    if is_inactive(status, text):
        return DatabaseInactiveError, {}
    if operation in STATEMENTS and status in (400, 500) and text:
        found = _INTEGRITY.search(text)
        if found:
            return IntegrityError, _constraint(found[1], found[2] or "")
        found = _DATATYPE.match(text)
        if found:
            return IntegrityError, {"kind": "datatype", "table": found[1], "columns": (found[2],)}
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
    if words in ("unique", "not_null", "primary_key") and "." in rest and not rest.startswith("index '"):
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
