"""The routes of a database: query, exec, files; and those that anybody may ask."""

from __future__ import annotations

import platform
import re
import time
from functools import lru_cache
from typing import Any

from mesahub.sql import analyze
from mesahub_embedded.engine.errors import RefusedError
from mesahub_embedded.engine.execution import Outcome
from mesahub_embedded.engine.results import query_answer
from mesahub_embedded.server.limits import ROW_LIMIT
from mesahub_embedded.server.reply import Reply
from mesahub_embedded.server.request import Request
from mesahub_embedded.server.routes.files import FILE_ROUTES
from mesahub_embedded.server.routes.rest import REST_ROUTES
from mesahub_embedded.server.routing import OPEN, READ, WRITE, Route
from mesahub_embedded.server.scripts import run_script

__all__ = ["ROUTES"]

BINDINGS = 5000
SQL_BYTES = 100_000
_BODY = {"sql": "string", "bindings": "[]interface {}"}
_FORBIDDEN = frozenset(
    {"insert", "update", "delete", "drop", "alter", "create", "attach", "detach", "vacuum", "replace"}
)
_WORD = re.compile(r"(?:\s|--[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z))*([A-Za-z]*)", re.DOTALL)
_SLUG = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
VERSION = "2.0.0-embedded"


def health(request: Request) -> Reply:
    """Liveness."""
    return Reply(
        200,
        {"status": "ok", "uptime_sec": round(request.uptime, 3), "python_version": platform.python_version()},
    )


def version(_: Request) -> Reply:
    """Server version."""
    return Reply(200, {"version": VERSION, "redis": False})


def create_database(request: Request) -> Reply:
    """Create a database."""
    fields = request.json(dict.fromkeys(("name", "slug", "owner", "source", "instance_id", "description"), "string"))
    name, owner = fields.pop("name", ""), fields.pop("owner", "")
    if not name or not owner:
        raise RefusedError(400, "name and owner are required")
    slug = fields.pop("slug", "") or name
    if not _SLUG.fullmatch(slug):
        raise RefusedError(400, "slug must match ^[A-Za-z0-9_-]+$")
    if len(slug) > 255:
        raise RefusedError(500, "failed to create database file: file name too long")
    return Reply(201, request.store.catalog.create_database(slug, name, owner, **fields))


def list_databases(request: Request) -> Reply:
    """All databases that are not deleted."""
    return Reply(200, request.store.catalog.list_databases())


def query(request: Request) -> Reply:
    """Run a statement that reads."""
    text, bindings = _statement(request)
    statements, forbidden = _statements(text)
    if forbidden:
        raise RefusedError(403, "This SQL statement is not allowed on the /query endpoint. Use /exec instead.")
    if len(statements) > 1:
        raise RefusedError(400, "only one statement can be sent to /query")
    bindings = _bound(bindings)
    engine = request.store.engine(request.arguments["slug"])
    return Reply(200, query_answer(engine, statements[0], bindings, **request.running(), wire=True, limit=ROW_LIMIT))


def execute(request: Request) -> Reply:
    """Run statements that write."""
    text, bindings = _statement(request)
    statements, _ = _statements(text)
    bindings = _bound(bindings)
    slug = request.arguments["slug"]
    engine = request.store.engine(slug)

    def answer(word: str, outcome: Outcome, started: float) -> dict[str, Any]:
        return request.counts.answer(slug, word, outcome, started, ROW_LIMIT)

    if len(statements) > 1:
        return Reply(200, run_script(engine, statements, bindings, **request.running(), answer=answer))
    started = time.perf_counter()
    outcome = engine.execute(statements[0], bindings, **request.running())
    return Reply(200, answer(_first_word(statements[0]), outcome, started))


def _first_word(statement: str) -> str:
    match = _WORD.match(statement)
    return match[1].lower() if match else ""


def _statements(text: str) -> tuple[list[str], bool]:
    """The statements of a text, and whether /query refuses the first."""
    # An application has few texts, and sends them often.
    return _analyzed(text) if len(text) < 5000 else _analyzed.__wrapped__(text)


@lru_cache(maxsize=1000)
def _analyzed(text: str) -> tuple[list[str], bool]:
    parts = analyze(text).parts
    if not parts:
        raise RefusedError(400, "sql is required")
    verb = parts[0].tokens[0][1].lower()
    forbidden = verb in _FORBIDDEN or (verb == "pragma" and any(text == "=" for _, text, _ in parts[0].tokens))
    return [text[part.start : part.end] for part in parts], forbidden


def _statement(request: Request) -> tuple[str, list[Any]]:
    body = request.json(_BODY)
    sql = body.get("sql") or ""
    if not sql:
        raise RefusedError(400, "sql is required")
    if len(sql.encode("utf-8", "replace")) > SQL_BYTES:
        raise RefusedError(400, "sql exceeds maximum allowed length")
    return _text(sql), body.get("bindings") or []


def _bound(bindings: list[Any]) -> list[Any]:
    """As the server binds what JSON holds: every number as a double."""
    if len(bindings) > BINDINGS:
        raise RefusedError(400, "too many SQL bindings")
    values = []
    for index, value in enumerate(bindings):
        if type(value) is int:
            value = float(value)
        elif type(value) is str:
            value = _text(value)
        elif isinstance(value, (list, dict)):
            kind = (
                "[]interface {}, a slice of interface" if isinstance(value, list) else "map[string]interface {}, a map"
            )
            raise RefusedError(400, f"sql: converting argument ${index + 1} type: unsupported type {kind}")
        values.append(value)
    return values


def _text(value: str) -> str:
    # A lone surrogate is not valid text: Go's decoder puts U+FFFD in its place.
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


ROUTES = [
    Route("GET", "/api/health", health, OPEN),
    Route("GET", "/api/version", version, OPEN),
    Route("GET", "/api/db", list_databases),
    Route("POST", "/api/db", create_database),
    Route("POST", "/api/db/{slug}/query", query, READ),
    Route("POST", "/api/db/{slug}/exec", execute, WRITE),
    Route("POST", "/v1/query/{slug}", query, READ),
    Route("POST", "/v1/exec/{slug}", execute, WRITE),
    *FILE_ROUTES,
    *REST_ROUTES,
]
