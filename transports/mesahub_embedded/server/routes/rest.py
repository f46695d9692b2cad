"""The REST layer over tables: rows by GET, POST, PATCH and DELETE (docs/protocol.md, section 8).

Columns are qualified with their table here. The real server quotes them alone, and SQLite takes a quoted name that
is no column for text: ``DELETE ...?typo=eq.typo`` empties the table there.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from mesahub_embedded.engine.errors import RefusedError
from mesahub_embedded.engine.results import exec_answer, query_answer
from mesahub_embedded.server.routing import DATABASE, Call, Reply, Route

__all__ = ["REST_ROUTES"]

DEFAULT_LIMIT = 100
HIGHEST_LIMIT = 1000
_OPERATORS = {"eq": "=", "neq": "!=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "like": "LIKE"}
_RESERVED = frozenset({"select", "order", "limit", "offset"})


def _quoted(name: str) -> str:
    """A name as SQL text."""
    return '"' + name.replace('"', '""') + '"'


def _column(table: str, name: str) -> str:
    return f"{_quoted(table)}.{_quoted(name)}"


def _filters(call: Call) -> tuple[str, list[str]]:
    """``WHERE ...`` and its values, which are text, as they stand in the URL; ``""`` without a filter."""
    table = call.arguments["table"]
    terms: list[str] = []
    values: list[str] = []
    for name, text in parse_qsl(call.environ.get("QUERY_STRING", ""), keep_blank_values=True):
        if name in _RESERVED:
            continue
        column = _column(table, name)
        word, dot, value = text.partition(".")
        if text == "is.null":
            terms.append(f"{column} IS NULL")
        elif text == "not.null":
            terms.append(f"{column} IS NOT NULL")
        else:
            known = dot and word in _OPERATORS
            terms.append(f"{column} {_OPERATORS[word] if known else '='} ?")
            values.append(value if known else text)
    return (f" WHERE {' AND '.join(terms)}" if terms else ""), values


def _number(call: Call, name: str, default: int) -> int:
    text = call.query.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit():
        raise RefusedError(400, f"invalid {name}")
    return int(text)


def _order(call: Call) -> str:
    text = call.query.get("order", "")
    if not text:
        return ""
    terms = []
    for item in text.split(","):
        name, _, direction = item.partition(".")
        if direction not in ("", "asc", "desc"):
            raise RefusedError(400, f'invalid order direction "{direction}" (use asc or desc)')
        terms.append(f"{_column(call.arguments['table'], name)} {direction or 'asc'}")
    return f" ORDER BY {', '.join(terms)}"


def _body(call: Call) -> dict[str, Any]:
    try:
        fields = call.json(None)
    except RefusedError:
        raise RefusedError(400, "invalid JSON body") from None
    if not fields:
        raise RefusedError(400, "body must contain at least one field")
    for name, value in fields.items():
        if isinstance(value, (list, dict)):
            raise RefusedError(400, f"the value of {name!r} must be text, a number, true, false or null")
        if type(value) is int:
            fields[name] = float(value)  # as the server binds what JSON holds
    return fields


def find(call: Call) -> Reply:
    """Rows of a table."""
    table = call.arguments["table"]
    selected = [name for name in call.query.get("select", "").split(",") if name and name != "*"]
    columns = ", ".join(_column(table, name) for name in selected) or "*"
    where, values = _filters(call)
    limit = min(_number(call, "limit", DEFAULT_LIMIT), HIGHEST_LIMIT)
    tail = f"{where}{_order(call)} LIMIT {limit} OFFSET {_number(call, 'offset', 0)}"
    sql = f"SELECT {columns} FROM {_quoted(table)}{tail}"
    answer = query_answer(call.store.engine(call.arguments["slug"]), sql, values, wire=True, limit=HIGHEST_LIMIT + 1)
    stat = answer["stat"]
    answer["stat"] = {"queryDurationMs": stat["queryDurationMs"], "rowsRead": stat["rowsRead"]}
    return Reply(200, answer)


def insert(call: Call) -> Reply:
    """One row more."""
    fields = _body(call)
    names = ", ".join(_quoted(name) for name in fields)
    marks = ", ".join("?" * len(fields))
    sql = f"INSERT INTO {_quoted(call.arguments['table'])} ({names}) VALUES ({marks}) RETURNING *"
    answer = exec_answer(
        call.store.engine(call.arguments["slug"]), sql, list(fields.values()), wire=True, limit=HIGHEST_LIMIT
    )
    answer["stat"] = {"queryDurationMs": answer["stat"]["queryDurationMs"]}
    return Reply(201, answer)


def update(call: Call) -> Reply:
    """Other values in the rows that the filters choose."""
    where, values = _filters(call)
    if not where:
        raise RefusedError(400, "PATCH requires at least one filter query param")
    fields = _body(call)
    sets = ", ".join(f"{_quoted(name)} = ?" for name in fields)
    return _changed(call, f"UPDATE {_quoted(call.arguments['table'])} SET {sets}{where}", [*fields.values(), *values])


def delete(call: Call) -> Reply:
    """The rows that the filters choose, away."""
    where, values = _filters(call)
    if not where:
        raise RefusedError(400, "DELETE requires at least one filter query param")
    return _changed(call, f"DELETE FROM {_quoted(call.arguments['table'])}{where}", values)


def _changed(call: Call, sql: str, values: list[Any]) -> Reply:
    answer = exec_answer(call.store.engine(call.arguments["slug"]), sql, values, wire=True)
    return Reply(200, {"rowsAffected": answer["rowsAffected"], "stat": answer["stat"]})


_PATH = "/api/db/{slug}/rest/{table}"
REST_ROUTES = [
    Route("GET", _PATH, find, DATABASE),
    Route("POST", _PATH, insert, DATABASE),
    Route("PATCH", _PATH, update, DATABASE),
    Route("DELETE", _PATH, delete, DATABASE),
]
