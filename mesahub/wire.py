"""Requests out of statements, results out of responses. Pure: no I/O, the same for every transport.

What the server says and does is written down in ``docs/protocol.md``.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from mesahub import _json
from mesahub.errors import (
    AuthenticationError,
    AuthorizationError,
    ConflictError,
    MesahubError,
    NotFoundError,
    RateLimitError,
    ServerError,
    TruncatedResultError,
    UnrepresentableResultError,
    ValidationError,
)
from mesahub.results import ExecResult, QueryResult, Row
from mesahub.sql import Statement, lower, restore_name
from mesahub.transport import BodyStream, Request, Response
from mesahub.url import encode_segment

__all__ = ["ROW_LIMIT", "Routes", "raise_for_status", "read_exec", "read_query", "statement_request"]

ROW_LIMIT = 100_000
"""Rows at which the server cuts a result, with status 200 and no sign of it."""


class Routes:
    """The paths of a server: ``/v1/...`` behind its front, ``/api/db/...`` on the core itself."""

    __slots__ = ("_cache", "prefix")

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._cache: dict[tuple[str, str], str] = {}

    def database(self, ref: str, what: str) -> str:
        """The path of ``query``, ``exec`` or ``files`` of a database."""
        path = self._cache.get((ref, what))
        if path is None:
            slug = encode_segment(ref)
            path = f"/api/db/{slug}/{what}" if self.prefix == "api" else f"/v1/{what}/{slug}"
            if len(self._cache) < 1024:
                self._cache[ref, what] = path
        return path

    def file(self, ref: str, file_id: str, tail: str = "") -> str:
        """The path of one file."""
        return f"{self.database(ref, 'files')}/{encode_segment(file_id)}{tail}"


def statement_request(
    routes: Routes,
    ref: str,
    operation: str,
    statement: Statement,
    *,
    timeout: float | None,
    idempotent: bool = False,
) -> Request:
    """The request that carries a statement. ``operation`` is ``"query"`` or ``"exec"``."""
    return Request(
        operation,
        "POST",
        routes.database(ref, operation),
        database=ref,
        payload={"sql": statement.sql, "bindings": statement.bindings},
        safe=idempotent or operation == "query",
        timeout=timeout,
        encoder=_encode_statement,
    )


def _encode_statement(request: Request) -> tuple[bytes | BodyStream | None, str | None]:
    sql, bindings = lower(request.payload["sql"], request.payload["bindings"])
    return _json.dumps({"sql": sql, "bindings": bindings}), "application/json"


def read_query(response: Response) -> QueryResult:
    """The rows of a ``query`` answer."""
    if response.status != 200:
        raise_for_status(response)
    answer = _answer(response, "query")
    rows, columns = _rows(answer)
    stat = answer.get("stat")
    result = QueryResult(
        rows=rows,
        columns=columns,
        row_count=len(rows),
        query_duration_ms=stat.get("queryDurationMs") if stat else None,
    )
    if len(rows) == ROW_LIMIT and not answer.get("whole"):
        raise TruncatedResultError(
            f"The server cuts a result at {ROW_LIMIT} rows, and this one has just as many: there may be "
            "more. Ask for less (limit=), or go through the table in pages: table.iterate()."
        )
    return result


def read_exec(statement: Statement, response: Response) -> ExecResult:
    """What an ``exec`` answer says was done.

    The server's counts are those of the connection's last INSERT, UPDATE or DELETE, also after a statement
    that sets none; they are handed on only where this statement sets them.
    """
    if response.status != 200:
        raise_for_status(response)
    answer = _answer(response, "exec")
    stat = answer.get("stat") or {}
    if "headers" in answer or "columns" in answer:
        rows, columns = _rows(answer)
        result = ExecResult(
            rows_affected=len(rows) if statement.writes else 0,
            last_insert_rowid=answer.get("lastInsertRowid"),
            query_duration_ms=stat.get("queryDurationMs"),
            rows=rows,
            columns=columns,
        )
        if len(rows) == ROW_LIMIT and not answer.get("whole"):
            done = "The write was carried out in full, but its" if statement.writes else "The"
            raise TruncatedResultError(
                f"{done} rows came back cut at the server's limit of {ROW_LIMIT}: there may be more."
            )
        return result
    counts = statement.verb in ("insert", "replace", "update", "delete")
    inserts = statement.verb in ("insert", "replace")
    affected = answer.get("rowsAffected")
    if affected is None:
        affected = stat.get("rowsAffected") or 0
    return ExecResult(
        rows_affected=affected if counts else 0,
        last_insert_rowid=answer.get("lastInsertRowid") if inserts else None,
        query_duration_ms=stat.get("queryDurationMs"),
    )


def _answer(response: Response, operation: str) -> dict[str, Any]:
    answer = response.payload
    if isinstance(answer, dict):
        return answer
    if answer is None:
        did = "The statement was carried out, but its" if operation == "exec" else "The"
        raise UnrepresentableResultError(
            f"{did} result cannot be shown: the server answered 200 with an empty body, as it does when a "
            "value is an infinity or a date beyond year 9999. Select CAST(column AS TEXT) instead."
        )
    raise ServerError.of(
        f"The server's answer is no result: {type(answer).__name__} where an object was expected.",
        status_code=response.status,
    )


def _rows(answer: dict[str, Any]) -> tuple[list[Row], list[str]]:
    rows: list[Row] = answer.get("rows") or []
    headers = answer.get("headers")
    if headers is None:
        return rows, answer.get("columns") or []
    columns = []
    for header in headers:
        name = header["name"]
        declared = header.get("originalType")
        if rows and declared:
            convert = _CONVERTERS.get(declared) or _CONVERTERS.get(declared.upper())
            if convert is not None:
                convert(rows, name)
        columns.append(name)
    for index, name in enumerate(columns):
        # An expression without AS is named after its text, and the text was changed on the way out.
        if "CAST(" in name or "unhex(" in name:
            written = restore_name(name)
            if written != name:
                columns[index] = written
                for row in rows:
                    if name in row:
                        row[written] = row.pop(name)
    return rows, columns


def _to_floats(rows: list[Row], name: str) -> None:
    # A whole real has lost its point on the wire: 3.0 came as 3.
    for row in rows:
        if type(row.get(name)) is int:
            row[name] = float(row[name])


def _to_bytes(rows: list[Row], name: str) -> None:
    # A blob came as base64. Text stored in a BLOB column comes as it is, and nothing tells the two apart.
    for row in rows:
        value = row.get(name)
        if type(value) is str:
            try:
                row[name] = base64.b64decode(value, validate=True)
            except (binascii.Error, ValueError):
                continue


_CONVERTERS = {
    "REAL": _to_floats,
    "FLOAT": _to_floats,
    "DOUBLE": _to_floats,
    "DOUBLE PRECISION": _to_floats,
    "BLOB": _to_bytes,
}


def raise_for_status(response: Response) -> None:
    """Raise what the server's answer means, or return when it is a success."""
    if response.status < 300:
        return
    raise error_from(response)


def error_from(response: Response) -> MesahubError:
    """The error that an answer stands for. The server's own words become its message."""
    response.read()
    status = response.status
    try:
        body = response.payload
    except ValueError:
        body = None
    details = body if isinstance(body, dict) else {}
    # Today's servers say {"error": text}; older and newer ones {"code", "message"}.
    text = details.get("message") or details.get("error")
    if isinstance(text, dict):
        text = text.get("message")
    message = str(text) if text else f"HTTP {status}"
    code = details.get("code")
    cls = _BY_STATUS.get(status) or (ServerError if status >= 500 else MesahubError)
    return cls.of(message, code=code, status_code=status, details=details)


_BY_STATUS: dict[int, type[MesahubError]] = {
    400: ValidationError,
    401: AuthenticationError,
    403: AuthorizationError,
    404: NotFoundError,
    409: ConflictError,
    429: RateLimitError,
}
