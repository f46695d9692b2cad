"""Errors out of responses, and what became of the request: the one place for these rules.

A text counts only whole, in the server's own JSON (``{"error": text}``) and with the status that the server sends it
with (docs/protocol.md, sections 3 to 5): a gateway writes pages and JSON of its own, and an application puts any words
into RAISE() or the name of a constraint. What is not known may have run.
"""

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
    Outcome,
    RateLimitError,
    ServerError,
    SQLError,
    SQLSyntaxError,
    ValidationError,
)
from mesahub.transport import Response
from mesahub.transport.messages import STATEMENTS

__all__ = ["INACTIVE", "error_from", "is_of_the_database", "outcome_of", "raise_for_status", "text_of"]


def raise_for_status(response: Response, operation: str = "") -> None:
    """Raise what the server's answer means, or return when it is a success."""
    if response.status >= 300:
        raise error_from(response, operation)


def error_from(response: Response, operation: str = "") -> MesahubError:
    """The error for a response."""
    response.read()
    status = response.status
    details, code, text = _words(response)
    cls, extra = _class_of(response, operation)
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
    """The server's own words in an answer that was read; ``""`` if there is none, or for other content (HTML)."""
    return _words(response)[2] or ""


def is_of_the_database(response: Response) -> bool:
    """Did a statement reach the database, and is this its word on it? A gateway writes 400 and 500, too."""
    return response.status in (400, 500) and _database_text(response) is not None


def outcome_of(response: Response, operation: str = "", *, safe: bool = False) -> Outcome | None:
    """What became of a request that got this response, which is not a result.

    Args:
        response: its status is 300 or above, or what it holds is not a result.
        operation: that of the request.
        safe: the request may be sent twice.

    Returns:
        ``REFUSED``: the server did not carry it out, and may later. ``MAYBE_RAN``: something in between answered, or
        the server broke down. ``None``: it is the answer; asked again, it would be the same.
    """
    status = response.status
    if status == 429:
        return Outcome.REFUSED
    if status in _REDIRECTS:
        return None
    if 400 <= status < 500 and status not in _UNANSWERED:
        # An application's RAISE(FAIL, 'database is locked') looks the same, and keeps what was written before it.
        return Outcome.REFUSED if safe and _is_busy(status, _own_text(response)) else None
    if status not in (500, 503, 507):
        return Outcome.MAYBE_RAN
    text = _own_text(response)
    if status == 503:
        if text == INACTIVE:
            return None
        return Outcome.REFUSED if _is_busy(status, text) else Outcome.MAYBE_RAN
    if operation not in STATEMENTS:
        return None if text in _REFUSED_FILES else Outcome.MAYBE_RAN
    if _is_busy(status, text):
        # Of INSERT ... RETURNING the server gives a 500, and a trigger may have raised this text.
        return Outcome.REFUSED if operation == "query" else Outcome.MAYBE_RAN
    return None if _is_from_sqlite(_database_text(response), operation) else Outcome.MAYBE_RAN


_REDIRECTS = frozenset({301, 302, 307, 308})
"""The request is to be sent elsewhere, so it was not carried out here. (303 comes after a POST that was.)"""
_UNANSWERED = frozenset({408, 425, 460, 499})
"""Request Timeout, Too Early; and a gateway's words for a client that went away (AWS, nginx)."""
INACTIVE = "This database is inactive"
_REFUSED_FILES = frozenset(
    {
        "conflictMode must be 'replace' or 'error'",
        "folderPath contains invalid characters",
        "metadata field exceeds maximum size",
        "the data folder cannot be read or written",
        "the disk is full",
    }
)
"""With 500 or 507: a file was refused for its form, before it was stored, or could not be stored (`mesahub serve`)."""
_BUSY = re.compile(
    r"database is locked|database table is locked(: .*)?|database schema is locked(: .*)?|(write )?queue (is )?full",
    re.DOTALL,
)
"""A statement was not begun. With 503, which SQL never causes, that is certain."""


def _is_busy(status: int, text: str | None) -> bool:
    return status in (400, 500, 503) and text is not None and _BUSY.fullmatch(text) is not None


def _is_from_sqlite(text: str | None, operation: str) -> bool:
    """Is a 500 SQLite's own word? A statement that reads may be judged by a part of it: asking again does no harm."""
    if not text:
        return False
    if _SQLITE.fullmatch(text) or _INTEGRITY.fullmatch(text) or _DATATYPE.fullmatch(text):
        return True
    return operation == "query" and _SQLITE_PART.search(text) is not None


def _own_text(response: Response) -> str | None:
    """The text of an error in the form that the server alone uses; ``None`` for any other body.

    A gateway's JSON has other fields (path, status, timestamp, request id), or a number for a code.
    """
    body = _object(response)
    text = body.get("error")
    if text is None and type(body.get("code")) is str and body.keys() <= _NEWER:
        text = body.get("message")  # an older or newer server
    elif not body.keys() <= _OWN:
        return None
    return text if type(text) is str else None


_OWN = frozenset({"error", "detail", "statement"})
"""The embedded database adds a detail, or the number of the statement in a batch."""
_NEWER = frozenset({"code", "message", "details"})


def _database_text(response: Response) -> str | None:
    """The text of an error that the server can have said of a statement, in any of its forms; else ``None``."""
    body = _object(response)
    inner = body.get("error")
    said = inner if type(inner) is dict else body
    if not said.keys() <= _OWN | _NEWER or not said.keys() & {"error", "code"}:
        return None
    text = said.get("message") or said.get("error")
    if type(text) is not str or text == _phrase(response.status):
        return None
    return text


def _object(response: Response) -> dict[str, Any]:
    """The body, where it is a JSON object; else ``{}``."""
    try:
        body = response.payload
    except ValueError:
        return {}
    return body if type(body) is dict else {}


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
    kind = response.headers.get("content-type") or "no content type"
    what = "an empty body" if not response.content else f"{kind}, {len(response.content)} bytes"
    said = f"The server, or something before it, answered {status} {_phrase(status)} ({what}) "
    said += "with an unexpected body" if status < 300 else "without saying why"
    location = response.headers.get("location")
    if 300 <= status < 400 and location:
        # Without what follows "?", which may be a token.
        said += f". It points to {location.partition('?')[0]}: no redirect is followed, give that host as api_url"
    return said


def _phrase(status: int) -> str:
    from http import HTTPStatus

    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "unknown status"


_INTEGRITY = re.compile(
    r"(?:constraint failed: )?"
    r"(UNIQUE|NOT NULL|CHECK|FOREIGN KEY|PRIMARY KEY) constraint failed(?:: (.*?))?(?: \(\d+\))?",
    re.DOTALL,
)
# Of a STRICT table: SQLite counts this among the constraints, too.
_DATATYPE = re.compile(r"cannot store \w+ value in \w+ column (.*)\.(.*)", re.DOTALL)
_NO_TABLE = re.compile(r"no such (?:table|view): .*", re.DOTALL)
_NO_COLUMN = re.compile(r"no such column: .*|table .* has no column named .*", re.DOTALL)
_SYNTAX = re.compile(r'near ".*": syntax error|incomplete input|unrecognized token: .*', re.DOTALL)
# What SQLite says while a statement runs, whole. On /query such an error is a 500, as a fault of the server would be.
_SQLITE = re.compile(
    r"no such (?:table|view|column|function|index|module|collation sequence): .*|integer overflow|malformed JSON|"
    r"bad JSON path: .*|JSON path error near .*|JSON cannot hold BLOB values|datatype mismatch|"
    r"string or blob too big|constraint failed|LIKE or GLOB pattern too complex|"
    r"ESCAPE expression must be a single character|too many levels of trigger recursion|"
    r"wrong number of arguments to function .*\(\)|misuse of (?:aggregate|window function).*|"
    r"(?:first |second )?argument (?:to|of) \w+(?:\(\))? must be .*|not enough args to execute query: want \d+ got \d+|"
    r"database or disk is full|disk I/O error|attempt to write a readonly database|unable to open database file|"
    r"database disk image is malformed|file is not a database|SQL logic error|"
    r"fts[345]: .*|malformed MATCH expression: .*|near \".*\": syntax error|table .* already exists",
    re.DOTALL,
)
_SQLITE_PART = re.compile(
    r"no such (function|index|module|collation)|integer overflow|malformed JSON|bad JSON|JSON path|JSON cannot hold|"
    r"datatype mismatch|ambiguous column|wrong number of arguments|misuse of|not enough args|values for \d+ columns|"
    r"string or blob too big|constraint failed|out of range|is not a function|pattern too complex|"
    r"ESCAPE expression|too many (SQL variables|terms|columns|arguments|levels)|argument to \w+\(\)|recursive"
)
# What the server says of a request before SQLite sees it.
_OF_THE_REQUEST = ("invalid JSON", "sql is required", "sql exceeds maximum allowed length", "too many SQL bindings")


def _class_of(response: Response, operation: str) -> tuple[type[MesahubError], dict[str, Any]]:
    status, own = response.status, _own_text(response)
    if _is_busy(status, own):
        return DatabaseBusyError, {}
    if status == 503 and own == INACTIVE:
        return DatabaseInactiveError, {}
    text = _database_text(response) if operation in STATEMENTS and status in (400, 500) else None
    if text:
        match = _INTEGRITY.fullmatch(text)
        if match:
            return IntegrityError, _constraint(match[1], match[2] or "")
        match = _DATATYPE.fullmatch(text)
        if match:
            return IntegrityError, {"kind": "datatype", "table": match[1], "columns": (match[2],)}
        for pattern, cls in (
            (_NO_TABLE, NoSuchTableError),
            (_NO_COLUMN, NoSuchColumnError),
            (_SYNTAX, SQLSyntaxError),
        ):
            if pattern.fullmatch(text):
                return cls, {}
        if not text.startswith(_OF_THE_REQUEST) and (status == 400 or _is_from_sqlite(text, operation)):
            return SQLError, {}
    by_status = _BY_STATUS.get(status)
    if by_status is None:
        by_status = ServerError if status >= 500 else ValidationError if 400 <= status < 500 else MesahubError
    return by_status, {}


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
