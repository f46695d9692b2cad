"""Errors out of answers: the class, the fields, and the server's own words."""

from __future__ import annotations

import copy
import inspect
import json
import lzma
import pickle
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

import mesahub
from mesahub import (
    ArgumentError,
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
    RequestTimeoutError,
    ServerError,
    SQLError,
    SQLSyntaxError,
    TransportError,
    ValidationError,
    errors,
)
from mesahub.dialects.mesahub.errors import error_from, raise_for_status
from mesahub.middleware.retry import Attempt
from mesahub.transport import Headers, Response

RECORDED = Path(__file__).resolve().parents[1] / "data" / "transcripts.jsonl.xz"
CLASSES = sorted(
    (thing for thing in vars(errors).values() if isinstance(thing, type) and issubclass(thing, MesahubError)),
    key=lambda cls: cls.__name__,
)


def answer(status: int, body: Any = b"", kind: str = "application/json", **headers: str) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, Headers({"Content-Type": kind, **given}), content)


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (400, ValidationError),
        (401, AuthenticationError),
        (403, AuthorizationError),
        (404, NotFoundError),
        (405, ValidationError),
        (409, ConflictError),
        (413, ValidationError),
        (415, ValidationError),
        (429, RateLimitError),
        (500, ServerError),
        (502, ServerError),
        (503, ServerError),
        (302, MesahubError),
    ],
)
def test_the_status_decides_the_class(status: int, cls: type[MesahubError]) -> None:
    error = error_from(answer(status, {"error": "as the server words it"}), "files.upload")
    assert type(error) is cls
    assert str(error) == "as the server words it"
    assert error.status_code == status
    assert error.code == cls.default_code
    assert error.details["error"] == "as the server words it"


@pytest.mark.parametrize(
    ("body", "code", "details"),
    [
        ({"error": "no such file"}, "NOT_FOUND", {"error": "no such file"}),
        ({"code": "GONE", "message": "no such file"}, "GONE", {"code": "GONE", "message": "no such file"}),
        ({"error": {"code": "GONE", "message": "no such file"}}, "GONE", {"error": {"code": "GONE"}}),
        ({"error": "Gone", "message": "no such file", "code": 7}, "7", {"code": 7}),
    ],
)
def test_old_and_new_shapes(body: dict[str, Any], code: str, details: dict[str, Any]) -> None:
    error = error_from(answer(404, body))
    assert (str(error), error.code) == ("no such file", code)
    for name, value in details.items():
        assert error.details[name] == value or value.items() <= error.details[name].items()


def test_an_answer_made_in_this_process_has_the_same_error() -> None:
    error = error_from(Response(400, payload={"error": "no such table: t"}), "query")
    assert type(error) is NoSuchTableError
    assert str(error) == "no such table: t"


@pytest.mark.parametrize("body", [[], "text", 5, None, {}, {"error": None}, {"message": ""}])
def test_json_without_words(body: Any) -> None:
    error = error_from(answer(500, body), "query")
    assert type(error) is ServerError
    assert "500 Internal Server Error" in str(error)


def test_a_page_of_a_proxy_is_described_and_not_shown() -> None:
    error = error_from(answer(502, b"<html><h1>Bad Gateway</h1></html>", "text/html"), "query")
    assert type(error) is ServerError
    assert "502 Bad Gateway (text/html, 33 bytes)" in str(error)
    assert "<h1>" not in str(error)
    assert "(application/json, 10 bytes)" in str(error_from(answer(500, b'{"error": ')))
    assert "an empty body" in str(error_from(answer(502)))
    assert "unknown status" in str(error_from(answer(599)))


def test_a_database_that_is_not_there_says_how_to_make_one() -> None:
    error = error_from(answer(404, {"error": "Database not found"}), "query")
    assert isinstance(error, NotFoundError)
    assert str(error) == "Database not found"
    assert "mesahub db create" in "".join(error.__notes__)
    assert pickle.loads(pickle.dumps(error)).__notes__ == error.__notes__


def test_plain_text_is_shown() -> None:
    error = error_from(answer(404, b"404 page not found\n", "text/plain; charset=utf-8"), "query")
    assert type(error) is NotFoundError
    assert str(error).startswith("404 page not found")
    assert "route_prefix" in str(error)
    assert str(error_from(answer(503, b"no healthy upstream", "text/plain"))) == "no healthy upstream"


def test_a_redirect_says_where_to_without_a_token() -> None:
    error = error_from(answer(301, b"", Location="https://other.example/v1?token=5ecret"))
    assert "https://other.example/v1" in str(error)
    assert "5ecret" not in str(error)


def test_a_rate_limit_says_how_long() -> None:
    error = error_from(answer(429, {"error": "rate limit exceeded"}, Retry_After="7"), "query")
    assert isinstance(error, RateLimitError)
    assert error.retry_after == 7.0
    assert error.details["retry_after"] == 7.0
    silent = error_from(answer(429, {"error": "rate limit exceeded"}), "query")
    assert isinstance(silent, RateLimitError)
    assert silent.retry_after is None


@pytest.mark.parametrize("status", [400, 500, 503])
@pytest.mark.parametrize("text", ["database is locked", "database table is locked: t", "write queue full"])
def test_a_busy_database(status: int, text: str) -> None:
    assert type(error_from(answer(status, {"error": text}), "exec")) is DatabaseBusyError


def test_busy_and_inactive_and_other_503_are_told_apart() -> None:
    assert type(error_from(answer(503, {"error": "This database is inactive"}))) is DatabaseInactiveError
    assert type(error_from(answer(503, {"error": "shutting down"}))) is ServerError
    locked = error_from(answer(400, {"error": "CHECK constraint failed: note <> 'queue full'"}), "exec")
    assert type(locked) is IntegrityError
    for text in ("the queue is full", "my database is locked", "database is locked by ann"):
        assert type(error_from(answer(400, {"error": text}), "exec")) is SQLError


def test_a_success_raises_nothing() -> None:
    for status in (200, 201, 204, 206):
        raise_for_status(answer(status))
    with pytest.raises(NotFoundError):
        raise_for_status(answer(404))


# What SQLite itself says, in this very version of it.

SCHEMA = """
CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, name TEXT NOT NULL, age INTEGER CHECK (age >= 0));
CREATE TABLE pairs (a, b, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE "a.b, c" ("x.y" UNIQUE);
CREATE TABLE child (parent REFERENCES users (id));
CREATE TABLE strict (n INTEGER) STRICT;
CREATE UNIQUE INDEX "low.er" ON users (lower(name));
INSERT INTO users VALUES (1, 'a@x', 'A', 1);
INSERT INTO pairs VALUES (1, 2);
INSERT INTO "a.b, c" VALUES (1);
CREATE TRIGGER no_deletes BEFORE DELETE ON users BEGIN SELECT RAISE(ABORT, 'keep them, near the syntax error'); END;
"""

FAILING: list[tuple[str, type[MesahubError], dict[str, Any]]] = [
    (
        "INSERT INTO users VALUES (1, 'b@x', 'B', 1)",
        IntegrityError,
        {"kind": "unique", "table": "users", "columns": ("id",)},
    ),
    (
        "INSERT INTO users VALUES (2, 'a@x', 'B', 1)",
        IntegrityError,
        {"kind": "unique", "table": "users", "columns": ("email",)},
    ),
    ("INSERT INTO users VALUES (2, 'b@x', 'a', 1)", IntegrityError, {"kind": "unique", "table": None, "columns": ()}),
    (
        "INSERT INTO users VALUES (2, 'b@x', NULL, 1)",
        IntegrityError,
        {"kind": "not_null", "table": "users", "columns": ("name",)},
    ),
    ("INSERT INTO users VALUES (2, 'b@x', 'B', -1)", IntegrityError, {"kind": "check", "table": None, "columns": ()}),
    ("INSERT INTO child VALUES (9)", IntegrityError, {"kind": "foreign_key", "table": None, "columns": ()}),
    (
        "INSERT INTO pairs VALUES (1, 2)",
        IntegrityError,
        {"kind": "unique", "table": "pairs", "columns": ("a", "b")},
    ),
    (
        "INSERT INTO strict VALUES ('x')",
        IntegrityError,
        {"kind": "datatype", "table": "strict", "columns": ("n",)},
    ),
    # Nothing tells where this table's name ends: better no fields than wrong ones.
    ('INSERT INTO "a.b, c" VALUES (1)', IntegrityError, {"kind": "unique", "table": None, "columns": ()}),
    ("DELETE FROM users", SQLError, {}),
    ("SELECT * FROM nosuch", NoSuchTableError, {}),
    ("DROP VIEW nosuch", NoSuchTableError, {}),
    ("SELECT nosuch FROM users", NoSuchColumnError, {}),
    ("INSERT INTO users (nope) VALUES (1)", NoSuchColumnError, {}),
    ("SELEC 1", SQLSyntaxError, {}),
    ("SELECT (1", SQLSyntaxError, {}),
    ("SELECT 'open", SQLSyntaxError, {}),
    ("SELECT nosuch(1)", SQLError, {}),
    ("CREATE TABLE users (id)", SQLError, {}),
    ("SELECT abs(-9223372036854775808)", SQLError, {}),
    ("SELECT json('{')", SQLError, {}),
]


@pytest.mark.parametrize(("sql", "cls", "fields"), FAILING, ids=[sql for sql, _, _ in FAILING])
def test_what_sqlite_says_decides_the_class(sql: str, cls: type[MesahubError], fields: dict[str, Any]) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.executescript(SCHEMA)
        with pytest.raises(sqlite3.Error) as caught:
            connection.execute(sql).fetchall()
    finally:
        connection.close()
    text = str(caught.value)
    error = error_from(answer(400, {"error": text}), "exec")
    assert type(error) is cls, text
    assert str(error) == text
    assert {name: getattr(error, name) for name in fields} == fields


@pytest.mark.parametrize(
    "text", ["integer overflow", "malformed JSON", "datatype mismatch", "UNIQUE constraint failed: t.a"]
)
def test_a_500_on_a_statement_with_an_sqlite_text_is_an_sql_error(text: str) -> None:
    assert isinstance(error_from(answer(500, {"error": text}), "query"), SQLError)
    assert type(error_from(answer(500, {"error": text}), "files.upload")) is ServerError
    assert type(error_from(answer(500, {"error": "cannot reach the store"}), "query")) is ServerError


def test_a_driver_that_appends_its_code() -> None:
    error = error_from(answer(400, {"error": "constraint failed: UNIQUE constraint failed: t.a (2067)"}), "exec")
    assert isinstance(error, IntegrityError)
    assert (error.kind, error.table, error.columns) == ("unique", "t", ("a",))


def test_a_refusal_of_the_request_is_no_sql_error() -> None:
    for text in ("sql is required", "invalid JSON: EOF", "too many SQL bindings", "sql exceeds maximum allowed length"):
        assert type(error_from(answer(400, {"error": text}), "query")) is ValidationError


def test_every_recorded_refusal_keeps_its_words() -> None:
    seen = 0
    with lzma.open(RECORDED, "rt", encoding="utf-8") as lines:
        for line in lines:
            exchange = json.loads(line)
            response, path = exchange["response"], exchange["request"]["path"]
            status, body = response.get("status", 0), response.get("body")
            if status < 400 or not isinstance(body, dict):
                continue
            operation = path.rpartition("/")[2] if path.endswith(("/query", "/exec")) else ""
            error = error_from(Response(status, payload=body), operation)
            assert str(error) == body["error"], exchange["name"]
            assert error.status_code == status
            assert type(error) is not MesahubError, exchange["name"]
            if status == 400 and operation and not body["error"].startswith(("invalid", "sql ", "too many SQL")):
                assert isinstance(error, SQLError), body
            seen += 1
    assert seen > 100


# The classes themselves.


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_an_error_survives_pickling_and_copying_with_all_its_fields(cls: type[MesahubError]) -> None:
    error = cls.of("what it says", code="CODE", status_code=418, details={"error": [1, 2]})
    error.attempts = (Attempt(1, 1.5, 0.25, "HTTP 503", "busy", 0.05), Attempt(2, 2.0, 0.1, "NotSentError"))
    if isinstance(error, TransportError):
        error.outcome = Outcome.REFUSED
    if isinstance(error, IntegrityError):
        error.kind, error.table, error.columns = "unique", "t", ("a", "b")
    if isinstance(error, RateLimitError):
        error.retry_after = 7.0
    error.add_note("a note")
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(error, protocol))
        assert type(again) is cls
        assert str(again) == "what it says"
        assert again.args == error.args
        assert vars(again) == vars(error)
    assert vars(copy.copy(error)) == vars(error)
    assert cls.__name__ in repr(error)


def test_the_constructors_are_those_of_1_x() -> None:
    error = MesahubError("CODE", 418, "text", {"a": 1})
    assert (error.code, error.status_code, str(error), error.details) == ("CODE", 418, "text", {"a": 1})
    assert MesahubError("CODE", 418, "text").details == {}
    for made, code, status, text in (
        (AuthenticationError(), "AUTH_ERROR", 401, "Authentication failed"),
        (AuthorizationError("no"), "AUTHZ_ERROR", 403, "no"),
        (NotFoundError("Database x"), "NOT_FOUND", 404, "Database x not found"),
        (RateLimitError(30), "RATE_LIMIT", 429, "Rate limit exceeded"),
        (ValidationError("bad", {"field": "a"}), "VALIDATION_ERROR", 400, "bad"),
    ):
        assert (made.code, made.status_code, str(made)) == (code, status, text)
    limited = RateLimitError(30)
    assert limited.retry_after == 30
    assert limited.details == {"retry_after": 30}
    assert ValidationError("bad", {"field": "a"}).details == {"field": "a"}
    answered = MesahubError.from_response(418, "teapot", {"code": "TEA", "message": "short and stout"})
    assert (answered.code, answered.status_code, str(answered)) == ("TEA", 418, "short and stout")
    assert answered.details == {"code": "TEA", "message": "short and stout"}
    assert str(MesahubError.from_response(418, "teapot", None)) == "teapot"


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_an_error_can_be_made_without_more_than_a_message(cls: type[MesahubError]) -> None:
    parameters = list(inspect.signature(cls).parameters)
    made = cls("a", 1, "b") if cls is MesahubError else cls("a")  # type: ignore[call-arg]
    assert made.details is not None
    assert made.attempts == ()
    assert parameters
    codes = [other.default_code for other in CLASSES]
    assert codes.count(cls.default_code) == 1


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn: dict[str, str] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^    ([│├└─ ]*)([A-Z]\w+(?:Error))\b", line)
        if found:
            depth = len(found[1]) // 4
            above[depth:] = [found[2]]
            drawn[found[2]] = above[depth - 1] if depth else "Exception"
    assert drawn == {cls.__name__: cls.__bases__[0].__name__ for cls in CLASSES}


def test_python_s_own_names_catch_what_they_should() -> None:
    assert issubclass(ArgumentError, ValueError)
    assert issubclass(mesahub.ConfigurationError, ValueError)
    assert issubclass(RequestTimeoutError, TimeoutError)
