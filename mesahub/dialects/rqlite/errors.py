"""What rqlite's answers stand for, and what became of a request.

There are three layers: the status; an ``error`` next to ``results: []``, with status 200; and the error of each result.
Only the last one can hold words of an application (RAISE in a trigger). A text counts whole; what is not known may have
run.
"""

from __future__ import annotations

import re
from typing import Any

from mesahub.dialects.mesahub.errors import error_from
from mesahub.errors import (
    AuthenticationError,
    MesahubError,
    Outcome,
    RequestTimeoutError,
    ServerError,
    UnrepresentableResultError,
)
from mesahub.transport import Request, Response

__all__ = ["error_of", "outcome_of", "results_of", "top_error"]

_REMOTE = r"node failed to process (?:Execute|Query|Request) on remote node at \S+: "
_NOT_DONE = (
    r"not leader|leader not found|store not open|store not ready|leadership transfer in progress|"
    r"timed out enqueuing operation"
)
_REFUSED = re.compile(rf"(?:{_REMOTE})?(?:{_NOT_DONE})|{_REMOTE}pool get: dial tcp .*")
"""Said before a statement is given to the log: the node is not the leader, or has no connection to it. (A connection
that breaks later is another text.)"""
_STALE = "stale read"
_NO_JSON = re.compile(r"json: .*unsupported value: [+-]?(?:Inf|NaN)")
_LOCKED = re.compile(r"database(?: table)? is locked(?:: .*)?", re.DOTALL)


def top_error(payload: Any) -> str | None:
    """The error of a request as a whole, as rqlite gives it with status 200."""
    text = payload.get("error") if type(payload) is dict else None
    return text if type(text) is str else None


def results_of(payload: Any) -> list[dict[str, Any]] | None:
    """The results of an answer, ``None`` for another shape."""
    results = payload.get("results") if type(payload) is dict else None
    if type(results) is not list or not all(type(result) is dict for result in results):
        return None
    return results


def outcome_of(request: Request, response: Response) -> Outcome | None:
    """See `mesahub.dialects.base.Dialect.outcome`."""
    status = response.status
    if status == 429:
        return Outcome.REFUSED
    if 400 <= status < 500 and status not in (408, 425, 460, 499):
        return None
    if status != 200:
        words = _text(response)
        if status == 500 and _NO_JSON.fullmatch(words):
            return None
        return Outcome.REFUSED if status == 503 and _REFUSED.fullmatch(words) else Outcome.MAYBE_RAN
    payload = _payload(response)
    text = top_error(payload)
    if text is not None:
        refused = _REFUSED.fullmatch(text) or (text == _STALE and request.operation == "query")
        return Outcome.REFUSED if refused and payload.get("results") == [] else Outcome.MAYBE_RAN
    error = _first_error(payload)
    if error is None:
        return Outcome.MAYBE_RAN
    return Outcome.REFUSED if request.safe and _LOCKED.fullmatch(error) else None


def error_of(response: Response, operation: str = "") -> MesahubError:
    """See `mesahub.dialects.base.Dialect.error`."""
    response.read()
    status = response.status
    payload = _payload(response)
    text = top_error(payload)
    if status == 200 and text is not None:
        error: MesahubError = ServerError.of(f"The rqlite node did not answer the request: {text}", status_code=200)
    elif status == 200 and (text := _first_error(payload)) is not None:
        error = _statement_error(text, operation)
    elif status == 401:
        error = AuthenticationError.of(
            "rqlite refused the user or the password, or the user lacks the right for this (401). Give them in the "
            "URL: rqlite://user:password@host:4001/",
            status_code=401,
        )
    elif status == 500 and _NO_JSON.fullmatch(_text(response)):
        did = "The statement was carried out, but its" if operation != "query" else "The"
        error = UnrepresentableResultError.of(
            f"{did} result cannot be decoded: a value is an infinity, which rqlite cannot send. Select "
            "CAST(column AS TEXT), or use db.rows().",
            status_code=500,
        )
    else:
        error = error_from(response, operation)
    error.attempts = response.attempts
    return error


def _statement_error(text: str, operation: str) -> MesahubError:
    if text == "query timeout":
        return RequestTimeoutError("rqlite ended the statement: it took longer than the time given (timeout=).")
    # As other engines answer it: who looks at the status finds the same.
    error = error_from(Response(400, payload={"error": text}), "exec" if operation == "batch" else operation)
    error.details = {"error": text}
    return error


def _first_error(payload: Any) -> str | None:
    for result in results_of(payload) or ():
        text = result.get("error")
        if type(text) is str:
            return text
    return None


def _payload(response: Response) -> Any:
    try:
        return response.payload
    except ValueError:
        return None


def _text(response: Response) -> str:
    return response.content[:500].decode("utf-8", "replace").strip()
