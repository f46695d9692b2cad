"""Results out of responses to a statement."""

from __future__ import annotations

from typing import Any

from mesahub.dialects.mesahub.limits import ROW_LIMIT
from mesahub.dialects.mesahub.lowering import restore_name
from mesahub.errors import (
    AmbiguousResultError,
    ServerError,
    TruncatedResultError,
    UnrepresentableResultError,
)
from mesahub.results import ExecResult, QueryResult, Row
from mesahub.sql import Statement
from mesahub.transport import Response

__all__ = ["read_exec", "read_query"]


def read_query(response: Response, limit: int | None = None, sql: str = "") -> QueryResult:
    """The rows of a ``query`` answer. ``limit``: how many were asked for at most; ``sql``: what was asked."""
    if response.status != 200:
        _raise(response, "query")
    answer = _answer(response, "query")
    rows, columns = _rows(answer, sql)
    stat = answer.get("stat")
    result = QueryResult(
        rows=rows,
        columns=columns,
        row_count=len(rows),
        query_duration_ms=stat.get("queryDurationMs") if stat else None,
    )
    if len(rows) == ROW_LIMIT and limit != ROW_LIMIT and not answer.get("whole"):
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
        _raise(response, "exec")
    answer = _answer(response, "exec")
    stat = answer.get("stat") or {}
    if "headers" in answer or "columns" in answer:
        rows, columns = _rows(answer, statement.sql)
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
        last_insert_rowid=answer.get("lastInsertRowid") if inserts and affected else None,
        query_duration_ms=stat.get("queryDurationMs"),
    )


def _raise(response: Response, operation: str) -> None:
    # Imported for the first error only.
    from mesahub.dialects.mesahub.errors import raise_for_status

    raise_for_status(response, operation)


def _answer(response: Response, operation: str) -> dict[str, Any]:
    try:
        answer = response.payload
    except ValueError:
        answer = response.content[:80]
    if isinstance(answer, dict):
        return answer
    if answer is None:
        did = "The statement was carried out, but its" if operation == "exec" else "The"
        raise UnrepresentableResultError(
            f"{did} result cannot be shown: the server answered 200 with an empty body, as it does when a "
            "value is an infinity or a date beyond year 9999. Select CAST(column AS TEXT) instead."
        )
    # Something that is not the server answered, or the server broke off: a write may have been carried out.
    what = f"answered {response.status} with what is no result: {answer!r:.100}"
    if operation == "exec":
        raise AmbiguousResultError.of(
            f"The server, or something before it, {what}. Look whether the write was carried out before you repeat it.",
            status_code=response.status,
        )
    raise ServerError.of(f"The server, or something before it, {what}", status_code=response.status)


def _rows(answer: dict[str, Any], sql: str) -> tuple[list[Row], list[str]]:
    rows: list[Row] = answer.get("rows") or []
    headers = answer.get("headers")
    if headers is None:
        return rows, answer.get("columns") or []
    columns = []
    for header in headers:
        name = header["name"]
        columns.append(name)
        declared = header.get("originalType")
        if declared and declared not in _AS_THEY_COME and rows:
            convert = _CONVERTERS.get(declared.upper())
            if convert is not None:
                convert(rows, name)
    together = "\n".join(columns)
    if "CAST(" in together or "unhex(" in together:
        # An expression without AS is named after its text, and the text was changed on the way out.
        written = [restore_name(name, sql) for name in columns]
        if written != columns:
            # Of several columns with one name, a row has the last one's value.
            sources = dict(zip(written, columns, strict=True))
            rows = [{name: row[source] for name, source in sources.items() if source in row} for row in rows]
            columns = written
    return rows, columns


def _to_floats(rows: list[Row], name: str) -> None:
    # A whole real has lost its point on the wire: 3.0 came as 3.
    for row in rows:
        if type(row.get(name)) is int:
            row[name] = float(row[name])


def _to_bytes(rows: list[Row], name: str) -> None:
    import base64
    import binascii

    # A blob came as base64. Text stored in a BLOB column comes as it is, and nothing tells the two apart.
    for row in rows:
        value = row.get(name)
        if type(value) is str:
            try:
                row[name] = base64.b64decode(value, validate=True)
            except (binascii.Error, ValueError):
                continue


# The commonest of the types that need no look at the converters.
_AS_THEY_COME = frozenset({"TEXT", "INTEGER", "INT", "NUMERIC", "BOOLEAN", "DATETIME", "TIMESTAMP", "DATE"})
_CONVERTERS = {
    "REAL": _to_floats,
    "FLOAT": _to_floats,
    "DOUBLE": _to_floats,
    "DOUBLE PRECISION": _to_floats,
    "BLOB": _to_bytes,
}
