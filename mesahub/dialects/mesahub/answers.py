"""Results out of responses to a statement.

A 200 is a result only if it has the shape of one (docs/protocol.md, section 1): a gateway, a captive portal or another
API may answer JSON as well.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, NoReturn

from mesahub._util.json import LONG
from mesahub.dialects.base import Answer
from mesahub.dialects.mesahub.limits import ROW_LIMIT
from mesahub.dialects.mesahub.lowering import restore_name
from mesahub.dialects.mesahub.statements import COUNTED, ROWID_MARK
from mesahub.dialects.unexpected import raise_unexpected
from mesahub.errors import UnrepresentableResultError
from mesahub.results import Row
from mesahub.sql import Statement
from mesahub.transport import Request, Response
from mesahub.transport.messages import STATEMENTS

__all__ = ["is_result", "read_answer"]


def read_answer(operation: str, statement: Statement, response: Response) -> Answer:
    """What a response to ``query`` or ``exec`` says.

    The server's counts are those of the connection's last INSERT, UPDATE or DELETE, whoever made it, also after a
    statement that sets none. They are handed on where this statement sets them; what cannot be known is ``None``.

    Raises:
        MesahubError: what the server said.
        ServerError, AmbiguousResultError: the response is not a result, of a read or of a write.
        UnrepresentableResultError: the result cannot be shown.
    """
    known = response.answer
    if known is not None:
        return known if operation == "query" else _settled(statement, known)
    if response.status != 200:
        _raise(response, operation)
    answer = _answer(response, operation)
    try:
        if operation == "query":
            if answer.get("tuples"):
                return _stored(answer)
            rows, columns = _rows(answer, statement.sql)
            return Answer(columns, rows, named=True, whole=answer.get("whole", False), duration=_duration(answer))
        if "headers" in answer or "columns" in answer:
            return _returned(statement, answer)
        return _counts(statement, answer)
    except _NOT_A_RESULT:
        raise_unexpected(response, operation, "server")


def _settled(statement: Statement, answer: Answer) -> Answer:
    """What a transport without a wire says of a statement that may write, by the rules of `_returned` and `_counts`."""
    if answer.columns is None:
        if statement.verb not in _CHANGES:
            answer.affected = 0
        if not answer.affected or statement.with_tables or statement.verb not in _INSERTS:
            answer.rowid = None
    else:
        answer.affected = len(answer.rows) if statement.verb in _CHANGES else 0
    return answer


def _stored(answer: dict[str, Any]) -> Answer:
    """Rows as they are stored, from a transport that has them so."""
    columns = [header["name"] for header in answer["headers"]]
    return Answer(columns, answer["rows"], exact=True, whole=True, duration=_duration(answer))


def _returned(statement: Statement, answer: dict[str, Any]) -> Answer:
    if answer.get("tuples"):
        return _settled(statement, _stored(answer))
    rows, columns = _rows(answer, statement.sql)
    whole = len(rows) != ROW_LIMIT or answer.get("whole", False)
    changes = statement.verb in _CHANGES
    if columns == [COUNTED]:
        # One row for each that was changed, asked for because the server counts nothing here.
        return _result(len(rows) if whole else None, None, answer)
    affected: int | None = len(rows) if changes else 0
    if changes and not columns:
        affected = None  # WITH ... INSERT: the server says nothing
    rowid = _number(answer["lastInsertRowid"]) if answer.get("lastInsertRowid") is not None else None
    return Answer(columns, rows, named=True, affected=affected, rowid=rowid, whole=whole, duration=_duration(answer))


def _counts(statement: Statement, answer: dict[str, Any]) -> Answer:
    affected = answer.get("rowsAffected")
    if affected is None:
        affected = answer["stat"]["rowsAffected"]  # an older server
    affected = _number(affected)
    if statement.verb not in _CHANGES:
        return _result(0, None, answer)
    rowid = answer.get("lastInsertRowid")
    if rowid is not None and _number(rowid) == ROWID_MARK:
        rowid = None
    # Of WITH ... INSERT the server gives no rowid, so no transport does.
    inserts = statement.verb in _INSERTS and not statement.with_tables
    return _result(affected, rowid if inserts and affected else None, answer)


def _result(affected: int | None, rowid: int | None, answer: dict[str, Any]) -> Answer:
    return Answer(None, [], affected=affected, rowid=rowid, whole=True, duration=_duration(answer))


_INSERTS = frozenset({"insert", "replace"})
_CHANGES = _INSERTS | {"update", "delete"}
_NOT_A_RESULT = (TypeError, ValueError, KeyError, AttributeError, IndexError, OverflowError)
"""What reading another shape raises."""


def is_result(request: Request, response: Response) -> bool:
    """Is this a response to hand on? Broken JSON, or a page in its place, is one only where nothing may ask again."""
    if response.answer is not None:
        return True
    if response.status >= 300:
        return False
    if request.operation not in STATEMENTS:
        return _is_file_or_record(request, response)
    if not request.safe:
        return True
    if response.status != 200:
        return False
    try:
        if len(response.content) >= LONG and request.payload.get("parse") is not None:
            with suppress(ValueError):  # then it is parsed as usual
                response.payload = request.payload["parse"](response.content)
        # Parsed here or later, once in any case. An empty body has a meaning of its own.
        payload = response.payload
    except ValueError:
        return False
    if type(payload) is not dict:
        # A batch has no value that cannot be shown.
        return payload is None and not response.content and request.operation != "batch"
    if payload.get("error") is not None:
        return False
    if "rows" in payload:
        return payload["rows"] is None or type(payload["rows"]) is list
    return request.operation != "query" and ("rowsAffected" in payload or "stat" in payload)


def _is_file_or_record(request: Request, response: Response) -> bool:
    """Whether this is the response to a call without SQL: a file, or JSON that is not an error."""
    if response.stream is not None or (request.streams and not request.uploads):
        return True
    if request.operation.endswith(".download"):
        return True
    try:
        payload = response.payload
    except ValueError:
        return False
    if type(payload) is dict:
        uploaded = not request.operation.endswith(".upload") or "id" in payload or "ID" in payload
        return payload.get("error") is None and uploaded
    if request.operation.endswith((".upload", ".create")):
        return False
    return payload is None or type(payload) is list


def _raise(response: Response, operation: str) -> NoReturn:
    # Imported for the first error only.
    from mesahub.dialects.mesahub.errors import error_from

    if 200 <= response.status < 300:
        response.read()
        raise_unexpected(response, operation, "server")
    raise error_from(response, operation)


def _answer(response: Response, operation: str) -> dict[str, Any]:
    try:
        answer = response.payload
    except ValueError:
        answer = False
    if isinstance(answer, dict) and answer.get("error") is None:
        return answer
    if answer is not None or response.content.strip():
        raise_unexpected(response, operation, "server")
    did = "The statement was carried out, but its" if operation == "exec" else "The"
    raise UnrepresentableResultError(
        f"{did} result cannot be decoded: the server returned 200 with an empty body, as it does when a "
        "value is an infinity or a date beyond year 9999. Select CAST(column AS TEXT) instead."
    )


def _rows(answer: dict[str, Any], sql: str) -> tuple[list[Row], list[str]]:
    """Rows and column names. Raises one of `_NOT_A_RESULT` for another shape."""
    rows: list[Row] | None = answer["rows"]
    headers = answer.get("headers")
    if rows is None:
        rows = []
    elif type(rows) is not list or not ("made" in answer or _DICT.issuperset(map(type, rows))):
        raise ValueError("rows")
    if headers is None:
        columns = answer["columns"]
        if type(columns) is not list or not _STR.issuperset(map(type, columns)):
            raise ValueError("columns")
        return rows, columns
    if type(headers) is not list:
        raise ValueError("headers")
    if "made" in answer:
        columns = [header["name"] for header in headers]
        if columns != answer["made"]:
            raise ValueError("columns of another query")
        return rows, columns
    columns = []
    stored = answer.get("exact")
    for header in headers:
        name = header["name"]
        columns.append(name)
        declared = header.get("originalType")
        if declared and declared not in _AS_THEY_COME and rows:
            convert = _CONVERTERS.get(declared.upper())
            if convert is not None and not (stored and convert is _to_bytes):
                convert(rows, name)
    together = "\n".join(columns)
    if rows and not rows[0].keys() == set(columns):
        raise ValueError("columns that differ from the rows'")
    if "CAST(" in together or "unhex(" in together:
        # An expression without AS is named after its text, and the text was changed on the way out.
        written = [restore_name(name, sql) for name in columns]
        if written != columns:
            # Of several columns with one name, a row has the last one's value.
            sources = dict(zip(written, columns, strict=True))
            rows = [{name: row[source] for name, source in sources.items() if source in row} for row in rows]
            columns = written
    return rows, columns


_DICT = frozenset({dict})
_STR = frozenset({str})


def _number(value: Any) -> int:
    if type(value) is not int:
        raise TypeError("a count")
    return value


def _duration(answer: dict[str, Any]) -> float | None:
    stat = answer.get("stat")
    if type(stat) is not dict:
        return None
    duration = stat.get("queryDurationMs")
    return duration if type(duration) in (int, float) else None


def _to_floats(rows: list[Row], name: str) -> None:
    # A whole real has lost its point on the wire: 3.0 came as 3.
    for row in rows:
        if type(row.get(name)) is int:
            row[name] = float(row[name])


def _to_bytes(rows: list[Row], name: str) -> None:
    import base64
    import binascii

    # A blob came as base64. Text stored in a BLOB column comes as it is, and cannot be distinguished from it.
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
