"""The REST layer over tables: rows by GET, POST, PATCH and DELETE (docs/protocol.md, section 8).

Columns are qualified with their table here. The real server quotes them alone, and SQLite treats a quoted name that
is not a column as text: ``DELETE ...?typo=eq.typo`` empties the table there.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from mesahub.sql import quote_name
from mesahub_embedded.engine.errors import RefusedError
from mesahub_embedded.engine.results import exec_answer, query_answer
from mesahub_embedded.server.reply import Reply
from mesahub_embedded.server.request import Request
from mesahub_embedded.server.routing import READ, Route

__all__ = ["REST_ROUTES"]

DEFAULT_LIMIT = 100
HIGHEST_LIMIT = 1000
_OPERATORS = {"eq": "=", "neq": "!=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "like": "LIKE"}
_RESERVED = frozenset({"select", "order", "limit", "offset"})


def _column(table: str, name: str) -> str:
    return f"{quote_name(table)}.{quote_name(name)}"


def _filters(request: Request) -> tuple[str, list[str]]:
    """``WHERE ...`` and its values, which are the URL's text; ``""`` without a filter."""
    table = request.arguments["table"]
    terms: list[str] = []
    values: list[str] = []
    for name, text in parse_qsl(request.environ.get("QUERY_STRING", ""), keep_blank_values=True):
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


def _number(request: Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise RefusedError(400, f"invalid {name}")
    return int(text)


def _order(request: Request) -> str:
    text = request.query.get("order", "")
    if not text:
        return ""
    terms = []
    for item in text.split(","):
        name, _, direction = item.partition(".")
        if direction not in ("", "asc", "desc"):
            raise RefusedError(400, f'invalid order direction "{direction}" (use asc or desc)')
        terms.append(f"{_column(request.arguments['table'], name)} {direction or 'asc'}")
    return f" ORDER BY {', '.join(terms)}"


def _body(request: Request) -> dict[str, Any]:
    try:
        fields = request.json(None)
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


def find(request: Request) -> Reply:
    """Rows of a table."""
    table = request.arguments["table"]
    selected = [name for name in request.query.get("select", "").split(",") if name and name != "*"]
    columns = ", ".join(_column(table, name) for name in selected) or "*"
    where, values = _filters(request)
    limit = min(_number(request, "limit", DEFAULT_LIMIT), HIGHEST_LIMIT)
    tail = f"{where}{_order(request)} LIMIT {limit} OFFSET {_number(request, 'offset', 0)}"
    sql = f"SELECT {columns} FROM {quote_name(table)}{tail}"
    engine = request.store.engine(request.arguments["slug"])
    answer = query_answer(engine, sql, values, **request.running(), wire=True, limit=HIGHEST_LIMIT + 1)
    stat = answer["stat"]
    answer["stat"] = {"queryDurationMs": stat["queryDurationMs"], "rowsRead": stat["rowsRead"]}
    return Reply(200, answer)


def insert(request: Request) -> Reply:
    """Insert a row."""
    fields = _body(request)
    names = ", ".join(quote_name(name) for name in fields)
    marks = ", ".join("?" * len(fields))
    sql = f"INSERT INTO {quote_name(request.arguments['table'])} ({names}) VALUES ({marks}) RETURNING *"
    engine = request.store.engine(request.arguments["slug"])
    values = list(fields.values())
    answer = exec_answer(engine, sql, values, **request.running(), wire=True, limit=HIGHEST_LIMIT)
    answer["stat"] = {"queryDurationMs": answer["stat"]["queryDurationMs"]}
    return Reply(201, answer)


def update(request: Request) -> Reply:
    """Update matching rows."""
    where, values = _filters(request)
    if not where:
        raise RefusedError(400, "PATCH requires at least one filter query param")
    fields = _body(request)
    sets = ", ".join(f"{quote_name(name)} = ?" for name in fields)
    return _changed(
        request, f"UPDATE {quote_name(request.arguments['table'])} SET {sets}{where}", [*fields.values(), *values]
    )


def delete(request: Request) -> Reply:
    """Delete matching rows."""
    where, values = _filters(request)
    if not where:
        raise RefusedError(400, "DELETE requires at least one filter query param")
    return _changed(request, f"DELETE FROM {quote_name(request.arguments['table'])}{where}", values)


def _changed(request: Request, sql: str, values: list[Any]) -> Reply:
    answer = exec_answer(request.store.engine(request.arguments["slug"]), sql, values, **request.running(), wire=True)
    return Reply(200, {"rowsAffected": answer["rowsAffected"], "stat": answer["stat"]})


_PATH = "/api/db/{slug}/rest/{table}"
# Only /exec takes a key that may write: that is how the real server sees it, and what its users' keys were made for.
REST_ROUTES = [
    Route(method, _PATH, handler, READ, missing="database not found")
    for method, handler in (("GET", find), ("POST", insert), ("PATCH", update), ("DELETE", delete))
]
