"""What a libSQL server's answers stand for, and what became of a request.

The error of a statement has a code: one of the server's own (``SQL_PARSE_ERROR``), or SQLite's (``SQLITE_CONSTRAINT``),
with which an application may have put any words into RAISE(). So the code decides, not the words. Of a request as a
whole only texts that are known, whole, are taken for the server's; what is not known may have run.
"""

from __future__ import annotations

import re
from typing import Any

from mesahub.dialects.libsql.responses import Failure, failures_of, payload_of, results_of
from mesahub.dialects.mesahub.errors import error_from
from mesahub.errors import (
    AuthenticationError,
    DatabaseBusyError,
    MesahubError,
    Outcome,
    ResultError,
    SQLError,
    SQLSyntaxError,
    TransactionLostError,
    UnrepresentableResultError,
)
from mesahub.transport import Response

__all__ = [
    "TOO_LARGE",
    "error_of",
    "failure_error",
    "failures_in",
    "is_not_utf8",
    "is_stream_gone",
    "is_without_database",
    "is_without_path",
    "is_without_streams",
    "outcome_of",
]

TOO_LARGE = "RESPONSE_TOO_LARGE"
_REFUSED = frozenset({"SQLITE_BUSY", "SQLITE_LOCKED", "TRANSACTION_BUSY", "TRANSACTION_TIMEOUT"})
"""A statement was not begun, or its transaction was taken back."""
_UNKNOWN = frozenset({"SQLITE_INTERNAL", "SQLITE_IOERR", "SQLITE_NOMEM", "SQLITE_INTERRUPT", "SQLITE_ABORT"})
"""The server may have broken down while it committed."""
_NOT_UTF8 = re.compile(r"(?:invalid|incomplete) utf-8 .*")
_NO_DATABASE = re.compile(r"Namespace `.*` doesn't exist")
_NO_STREAMS = re.compile(
    r"Internal Server Error: Failed to parse pipeline request: unknown variant `close`, expected `execute` or `batch`.*"
)
"""tursodb's."""
_NUMBERED = re.compile(r" \(\d+\)$")
_GONE = frozenset({"Received an invalid baton", "Received a baton that has already been used"})
_PREFIXES = (
    "SQLite error: ",
    "SQLite input error: ",
    "SQL input error: ",
    "SQL string could not be parsed: ",
    "Runtime error: ",
    "Parse error: ",
)
_OFFSET = re.compile(r" \(at offset \d+\)$")
_PLAIN_SYNTAX = re.compile(r"near .*: syntax error")


def failures_in(response: Response) -> list[Failure] | None:
    """The errors of an answer's statements; ``None`` for an answer of another shape."""
    results = results_of(payload_of(response)) if response.status == 200 else None
    if results is None:
        return None
    try:
        return failures_of(results)
    except (TypeError, KeyError, AttributeError):
        return None


def outcome_of(response: Response) -> Outcome | None:
    """See `mesahub.dialects.base.Dialect.outcome`."""
    status = response.status
    if status == 429:
        return Outcome.REFUSED
    if status == 200:
        failures = failures_in(response)
        if not failures:
            return Outcome.MAYBE_RAN
        code = failures[0].code
        if code in _REFUSED:
            return Outcome.REFUSED
        return Outcome.MAYBE_RAN if code in _UNKNOWN else None
    if 400 <= status < 500 and status not in (408, 425, 460, 499):
        return None
    # (A write whose rows come back was put between BEGIN and COMMIT, and was taken back.)
    return None if is_not_utf8(response) else Outcome.MAYBE_RAN


def is_not_utf8(response: Response) -> bool:
    """Could the server not make JSON of a text that is not UTF-8? It closed the stream, and took back what was open."""
    if response.status != 500:
        return False
    payload = payload_of(response)
    if type(payload) is not dict or payload.keys() != {"error"} or type(payload["error"]) is not str:
        return False
    return _NOT_UTF8.fullmatch(payload["error"]) is not None


def is_without_database(response: Response) -> bool:
    """Does the server say that it has no such database? Nothing was carried out."""
    payload = payload_of(response) if response.status == 404 else None
    if type(payload) is not dict or payload.keys() != {"error"} or type(payload["error"]) is not str:
        return False
    return _NO_DATABASE.fullmatch(payload["error"]) is not None


def is_without_path(response: Response) -> bool:
    """Does the server not know this version of the protocol? Nothing was carried out."""
    return response.status == 404 and response.content.strip() in (b"", b"Not Found")


def is_without_streams(response: Response) -> bool:
    """Has the server no streams to close? It has read the request, and carried nothing out."""
    return (
        response.status == 500 and _NO_STREAMS.fullmatch(response.content[:500].decode("utf-8", "replace")) is not None
    )


def is_stream_gone(response: Response) -> bool:
    """Does the server no longer know the stream? Nothing was carried out."""
    if response.status != 400:
        return False
    payload = payload_of(response)
    if type(payload) is dict:
        return payload.get("code") == "STREAM_EXPIRED"
    return response.content[:200].decode("utf-8", "replace").strip() in _GONE


def error_of(response: Response, operation: str = "") -> MesahubError:
    """See `mesahub.dialects.base.Dialect.error`."""
    response.read()
    failures = failures_in(response)
    if failures:
        error = failure_error(failures[0], operation)
    elif is_not_utf8(response):
        what = "a text in its result is not UTF-8, which the libSQL server cannot send. Select CAST(column AS BLOB)."
        if operation == "query":
            error = UnrepresentableResultError.of(f"The query has no answer: {what}", status_code=500)
        else:
            error = SQLError.of(f"The write was taken back: {what}", status_code=500)
    elif is_stream_gone(response):
        error = TransactionLostError(
            "The libSQL server has forgotten the session, as it does after 10 seconds without a request; what was not "
            "committed is not stored."
        )
    elif response.status == 401:
        error = AuthenticationError.of(
            "The libSQL server refused the token, or wants one (401). Give it in the URL: libsql://token@host/database",
            status_code=401,
        )
    else:
        error = error_from(response, operation)
    error.attempts = response.attempts
    return error


def failure_error(failure: Failure, operation: str) -> MesahubError:
    """The error for that of a statement."""
    text, code = failure.text, failure.code
    plain = _OFFSET.sub("", _without_prefix(text))
    if code in ("EXECUTE_ERROR", "PREPARE_ERROR", "BATCH_STEP_ERROR"):  # tursodb's
        plain = _NUMBERED.sub("", plain)
    details: dict[str, Any] = {"error": text, "code": code}
    if code == TOO_LARGE:
        what = "more bytes than the libSQL server sends at once (--max-response-size, 10 MB by default)"
        if operation == "query":
            error: MesahubError = ResultError.of(
                f"The result has {what}. Ask for less (limit=), or go through the table in pages: table.iterate()."
            )
        else:
            error = SQLError.of(f"The write was taken back: the rows that it returns have {what}.")
    elif code in _REFUSED:
        error = DatabaseBusyError.of(plain)
    elif code == "SQL_PARSE_ERROR" and plain.startswith("unsupported statement"):
        error = SQLError.of(f"{plain[:200]} (libSQL servers do not take this statement)")
    elif code == "SQL_PARSE_ERROR" or (code == "SQL_INPUT_ERROR" and _PLAIN_SYNTAX.fullmatch(plain)):
        error = SQLSyntaxError.of(plain)
    else:
        # As other engines answer it: who looks at the status finds the same.
        said = Response(400, payload={"error": plain})
        error = error_from(said, "exec" if operation == "batch" else operation)
        if not isinstance(error, SQLError):
            error = SQLError.of(plain)
    error.status_code = error.status_code or 400
    error.details = details
    return error


def _without_prefix(text: str) -> str:
    for prefix in _PREFIXES:
        if text.startswith(prefix):
            return text[len(prefix) :]
    return text
