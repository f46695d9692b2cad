"""libSQL's dialect without a server: on exchanges that were recorded with sqld 0.24.32, and some made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mesahub import (
    AuthenticationError,
    ConfigurationError,
    DatabaseBusyError,
    IntegrityError,
    MesahubError,
    NoSuchTableError,
    NotFoundError,
    SQLError,
    SQLSyntaxError,
    UnrepresentableResultError,
    UnsupportedError,
)
from mesahub.dialects.base import Dialect
from mesahub.dialects.libsql.dialect import LibsqlDialect
from mesahub.errors import ArgumentError, Outcome, RequestTooLargeError
from mesahub.sql import Statement, prepare
from mesahub.testing.dialect_contract import DialectContract, Exchange
from mesahub.transport import Headers, Request, Response

JSON = Headers({"Content-Type": "application/json"})
EXCHANGES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "libsql" / "exchanges.json").read_text("utf-8")
)
CLOSED = {"type": "ok", "response": {"type": "close"}}


def result(cols: list[tuple[str, str | None]], rows: list[list[Any]], affected: int = 0, rowid: Any = None) -> Any:
    return {
        "cols": [{"name": name, "decltype": declared} for name, declared in cols],
        "rows": rows,
        "affected_row_count": affected,
        "last_insert_rowid": rowid,
        "replication_index": "7",
        "rows_read": 1,
        "rows_written": 0,
        "query_duration_ms": 0.065,
    }


def executed(inner: Any) -> Any:
    one = {"type": "ok", "response": {"type": "execute", "result": inner}}
    return {"baton": None, "base_url": None, "results": [one, CLOSED]}


def failed(message: str, code: str) -> Any:
    one = {"type": "error", "error": {"message": message, "code": code}}
    return {"baton": None, "base_url": None, "results": [one, CLOSED]}


def batch(results: list[Any], errors: list[Any] | None = None) -> Any:
    inner = {"step_results": results, "step_errors": errors or [None] * len(results), "replication_index": "4"}
    one = {"type": "ok", "response": {"type": "batch", "result": inner}}
    return {"baton": None, "base_url": None, "results": [one, CLOSED]}


def error(message: str, code: str) -> Any:
    return {"message": message, "code": code}


NONE = result([], [])
I5 = {"type": "integer", "value": "5"}


class TestLibsql(DialectContract):
    urls = (
        "libsql://T0p@primary:8080,replica/shop",
        "libsql://T0p@shop-me.turso.example",
        "libsql://shop-me.turso.example?authToken=T0p",
    )
    exchanges = (
        Exchange("SELECT 1", {"error": "Namespace `x` doesn't exist"}, status=404, raises=NotFoundError),
        Exchange(
            "SELECT 1 AS a, 2.5, x'00ff', NULL, 'x' AS a",
            executed(
                result(
                    [("a", None), ("2.5", None), ("x'00ff'", None), ("NULL", None), ("a", "TEXT")],
                    [
                        [
                            {"type": "integer", "value": "9223372036854775807"},
                            {"type": "float", "value": 2.5},
                            {"type": "blob", "base64": "AP8"},
                            {"type": "null"},
                            {"type": "text", "value": "x\0"},
                        ]
                    ],
                )
            ),
            columns=["a", "2.5", "x'00ff'", "NULL", "a"],
            rows=[(2**63 - 1, 2.5, b"\x00\xff", None, "x\0")],
        ),
        Exchange("INSERT INTO t VALUES (1)", executed(result([], [], 1, "9")), affected=1, rowid=9),
        Exchange("INSERT INTO w VALUES (1)", executed(result([], [], 1, "0")), affected=1),
        Exchange("INSERT OR IGNORE INTO t VALUES (1)", executed(result([], [], 0, "9")), affected=0),
        Exchange("UPDATE t SET a = 1", executed(result([], [], 2, None)), affected=2),
        Exchange("CREATE TABLE t (a)", executed(NONE), affected=0),
        Exchange(
            "UPDATE t SET a = 5 RETURNING a",
            batch([NONE, result([("a", "INTEGER")], [[I5], [I5]], 2), NONE, None]),
            columns=["a"],
            rows=[(5,), (5,)],
            affected=2,
        ),
        Exchange("SELECT 1", failed("SQLite error: no such table: t", "SQLITE_UNKNOWN"), raises=NoSuchTableError),
        Exchange(
            "INSERT INTO t VALUES (1)",
            failed("SQLite error: UNIQUE constraint failed: t.a", "SQLITE_CONSTRAINT"),
            raises=IntegrityError,
        ),
        Exchange(
            "SELECT 1",
            failed("SQL string could not be parsed: syntax error around L1:6: `SELEC`", "SQL_PARSE_ERROR"),
            raises=SQLSyntaxError,
        ),
        Exchange(
            "INSERT INTO t VALUES (1)",
            failed("SQLite error: database is locked", "SQLITE_BUSY"),
            raises=DatabaseBusyError,
            outcome=Outcome.REFUSED,
        ),
        Exchange(
            "INSERT INTO t VALUES (1)",
            failed("Transaction timed out", "TRANSACTION_TIMEOUT"),
            raises=DatabaseBusyError,
            outcome=Outcome.REFUSED,
        ),
        Exchange(
            # An application's words: RAISE(FAIL, ...) in a trigger.
            "INSERT INTO t VALUES (1)",
            failed("SQLite error: Transaction timed out", "SQLITE_CONSTRAINT"),
            raises=SQLError,
        ),
        Exchange(
            "INSERT INTO t VALUES (1)",
            failed("SQLite error: disk I/O error", "SQLITE_IOERR"),
            raises=SQLError,
            outcome=Outcome.MAYBE_RAN,
        ),
        Exchange(
            "INSERT INTO t VALUES (1) RETURNING a",
            batch(
                [NONE, None, None, NONE],
                [None, error("SQLite error: UNIQUE constraint failed: t.a", "SQLITE_CONSTRAINT"), None, None],
            ),
            raises=IntegrityError,
        ),
        Exchange(
            # COMMIT: a deferred foreign key.
            "INSERT INTO t VALUES (1) RETURNING a",
            batch(
                [NONE, result([("a", "")], [[I5]], 1), None, NONE],
                [None, None, error("SQLite error: FOREIGN KEY constraint failed", "SQLITE_CONSTRAINT"), None],
            ),
            raises=IntegrityError,
        ),
        Exchange(
            # Nothing was committed, and nothing says why.
            "INSERT INTO t VALUES (1) RETURNING a",
            batch([NONE, result([("a", "")], [[I5]], 1), None, NONE]),
            raises=MesahubError,
            outcome=Outcome.MAYBE_RAN,
        ),
        Exchange(
            "SELECT a FROM t",
            {"error": "invalid utf-8 sequence of 1 bytes from index 0"},
            status=500,
            raises=UnrepresentableResultError,
        ),
        Exchange(
            "INSERT INTO t VALUES (1) RETURNING a",
            {"error": "invalid utf-8 sequence of 1 bytes from index 0"},
            status=500,
            raises=SQLError,
        ),
        Exchange(
            "SELECT 1",
            {"error": "Internal Error: `invalid utf-8`"},
            status=500,
            raises=MesahubError,
            outcome=Outcome.MAYBE_RAN,
        ),
        Exchange("SELECT 1", {"error": "Unauthorized"}, status=401, raises=AuthenticationError),
    )

    @pytest.fixture
    def dialect(self) -> Dialect:
        return LibsqlDialect()


def request_of(sql: str, bindings: Any = (), operation: str = "exec", **options: Any) -> tuple[Request, Statement]:
    statement = prepare(sql, bindings or None, operation=operation)
    return LibsqlDialect().request("default", operation, statement, **{"timeout": 30.0, **options}), statement


def sent(request: Request) -> Any:
    assert isinstance(request.content, bytes)
    return json.loads(request.content)


def plain(value: Any) -> Any:
    return bytes.fromhex(value["hex"]) if type(value) is dict else value


@pytest.mark.parametrize("exchange", EXCHANGES, ids=[exchange["what"] for exchange in EXCHANGES])
def test_a_recorded_exchange(exchange: dict[str, Any]) -> None:
    bindings = exchange["bindings"]
    values = bindings if type(bindings) is dict else [plain(value) for value in bindings]
    request, statement = request_of(exchange["sql"], values, exchange["operation"])
    assert (request.path, sent(request)) == (exchange["path"], exchange["sends"])
    headers = Headers({"Content-Type": exchange["type"]})
    response = Response(exchange["status"], headers, exchange["content"].encode())
    dialect = LibsqlDialect()
    assert dialect.succeeded(request, response) is exchange["succeeded"]
    if "raises" in exchange:
        assert dialect.outcome(request, response) is None
        with pytest.raises(MesahubError) as caught:
            dialect.answer(exchange["operation"], statement, response)
        assert (type(caught.value).__name__, str(caught.value)) == (exchange["raises"], exchange["says"])
        return
    answer, gives = dialect.answer(exchange["operation"], statement, response), exchange["gives"]
    assert answer.columns == gives["columns"]
    assert repr(answer.tuples()) == repr([tuple(plain(value) for value in row) for row in gives["rows"]])
    assert (answer.affected, answer.rowid, answer.lossy) == (gives["affected"], gives["rowid"], gives["lossy"])


@pytest.mark.parametrize(
    ("value", "typed"),
    [
        (None, {"type": "null"}),
        (True, {"type": "integer", "value": "1"}),
        (-(2**63), {"type": "integer", "value": "-9223372036854775808"}),
        (3.0, {"type": "float", "value": 3.0}),
        ("a\0b", {"type": "text", "value": "a\0b"}),
        (b"\x00\xff", {"type": "blob", "base64": "AP8="}),
    ],
)
def test_a_value_travels_with_its_class(value: Any, typed: Any) -> None:
    request, _ = request_of("SELECT ?", [value], "query")
    assert sent(request)["requests"] == [
        {"type": "execute", "stmt": {"sql": "SELECT ?", "args": [typed]}},
        {"type": "close"},
    ]


def test_names_travel() -> None:
    request, _ = request_of("SELECT :a, @b, :a", {"a": 1, "b": None}, "query")
    assert sent(request)["requests"][0]["stmt"]["named_args"] == [
        {"name": ":a", "value": {"type": "integer", "value": "1"}},
        {"name": "@b", "value": {"type": "null"}},
    ]


def test_names_beside_numbers_become_numbers() -> None:
    request, _ = request_of("SELECT ?2, :a, ':a', ? -- :b", [1, 2, 3, 4], "query")
    stmt = sent(request)["requests"][0]["stmt"]
    assert stmt["sql"].startswith("SELECT ?2, ?3, ':a', ?4")
    assert [value["value"] for value in stmt["args"]] == ["1", "2", "3", "4"]


def test_a_write_that_returns_rows_is_committed_only_with_an_answer() -> None:
    request, _ = request_of("INSERT INTO t VALUES (?) RETURNING a", [1])
    steps = sent(request)["requests"][0]["batch"]["steps"]
    assert [step["stmt"]["sql"].split()[0] for step in steps] == ["BEGIN", "INSERT", "COMMIT", "ROLLBACK"]
    assert [step.get("condition", {}).get("type") for step in steps] == [None, "ok", "ok", "and"]


@pytest.mark.parametrize("value", ["x" * 5_000_001, "é" * 2_500_001, b"x" * 5_000_001])
def test_a_value_that_is_too_large_is_refused_unsent(value: Any) -> None:
    request, _ = request_of("INSERT INTO t VALUES (?)", [value])
    with pytest.raises(RequestTooLargeError, match="5,000,00"):
        request.encoded()
    request, _ = request_of("INSERT INTO t VALUES (?)", [value[:-1]])
    assert request.encoded()[0]


def test_rows_that_are_too_large_for_one_value_are_refused_and_one_row_is_bound() -> None:
    rows = [("x" * 3_000_000,), (b"y" * 4_000_000,)]
    statement = Statement("INSERT INTO t (a) VALUES (?)", [], "insert", True, rows)
    with pytest.raises(RequestTooLargeError):
        LibsqlDialect().request("default", "exec", statement, timeout=None).encoded()
    one = Statement("INSERT INTO t (a) VALUES (?)", [], "insert", True, rows[1:])
    stmt = sent(LibsqlDialect().request("default", "exec", one, timeout=None))["requests"][0]["stmt"]
    assert stmt["sql"] == "INSERT INTO t (a) VALUES (?)"


def test_a_database_is_named_by_the_host() -> None:
    dialect = LibsqlDialect()
    dialect.located(["http://10.0.0.1:8080"])
    statement = prepare("SELECT 1", operation="query")
    assert dialect.request("shop", "query", statement, timeout=None).authority == "shop.10.0.0.1:8080"
    assert dialect.request("default", "query", statement, timeout=None).authority is None
    for name in ("a.b", "a/b", "a b", "a:1", "-a", "a\r\nX: 1", "x" * 64):
        with pytest.raises(ArgumentError, match="label"):
            dialect.request(name, "query", statement, timeout=None)


@pytest.mark.parametrize(
    ("url", "api_url", "database", "key"),
    [
        ("libsql://tok@a:1,b/shop", "http://a:1", "shop", "tok"),
        ("libsql://shop-me.turso.example", "https://shop-me.turso.example:443", "default", None),
        ("libsql://shop-me.turso.example?authToken=tok", "https://shop-me.turso.example:443", "default", "tok"),
        ("mh+libsql://127.0.0.1/x", "http://127.0.0.1:8080", "x", None),
    ],
)
def test_urls(url: str, api_url: str, database: str, key: str | None) -> None:
    target = LibsqlDialect.parse_url(url)
    assert (target.api_url, target.database, target.api_key) == (api_url, database, key)


def test_two_tokens_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="two tokens") as caught:
        LibsqlDialect.parse_url("libsql://s3cret@a/x?authToken=t0ken")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("option", [{"hrana": "4"}, {"replica_patience": "0"}, {"replica_patience": "x"}])
def test_options_are_checked(option: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(option))):
        LibsqlDialect(option)


def test_a_setting_that_ends_with_its_request_is_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"db\.session"):
        request_of("PRAGMA main.foreign_keys = OFF")
    assert request_of("PRAGMA main.user_version = 5")[0].path == "/v3/pipeline"


TOO_LARGE = Response(200, JSON, json.dumps(failed("Response is too large", "RESPONSE_TOO_LARGE")).encode())


def test_a_large_answer_is_asked_for_by_cursor() -> None:
    dialect = LibsqlDialect()
    statement = prepare("SELECT a FROM t", operation="query")
    request = dialect.request("default", "query", statement, timeout=None)
    other = dialect.instead(request, TOO_LARGE)
    assert other is not None
    assert (other.path, sent(other)) == ("/v3/cursor", {"batch": {"steps": [{"stmt": {"sql": "SELECT a FROM t"}}]}})
    assert dialect.instead(other, TOO_LARGE) is None
    lines = [
        {"baton": "x", "base_url": None},
        {"type": "step_begin", "step": 0, "cols": [{"name": "a", "decltype": "TEXT"}]},
        {"type": "row", "row": [{"type": "text", "value": "\n"}]},
        {"type": "row", "row": [I5]},
        {"type": "step_end", "affected_row_count": 0, "last_insert_rowid": None},
        {"type": "replication_index", "replication_index": 7},
    ]

    def answer(lines: list[Any]) -> Response:
        return Response(200, Headers({}), "".join(json.dumps(line) + "\n" for line in lines).encode())

    assert dialect.succeeded(other, answer(lines))
    assert dialect.answer("query", statement, answer(lines)).rows == [("\n",), (5,)]
    broken = [lines[:4], lines[:1], [lines[0], *lines[2:]], [*lines[:2], lines[1], *lines[2:]], [*lines[:3], 5]]
    for some in broken:
        with pytest.raises(MesahubError):
            dialect.answer("query", statement, answer(some))


def test_a_server_of_hrana_2_is_spoken_to_in_that() -> None:
    dialect = LibsqlDialect()
    statement = prepare("SELECT a FROM t", operation="query")
    request = dialect.request("default", "query", statement, timeout=None)
    other = dialect.instead(request, Response(404, Headers({})))
    assert other is not None
    assert (other.path, other.content) == ("/v2/pipeline", request.content)
    assert dialect.instead(other, Response(404, Headers({}))) is None
    # Only its answer shows that it was not something else that knew no such path.
    assert dialect.request("default", "query", statement, timeout=None).path == "/v3/pipeline"
    assert dialect.succeeded(other, Response(200, JSON, json.dumps(executed(result([("a", None)], []))).encode()))
    assert dialect.request("default", "query", statement, timeout=None).path == "/v2/pipeline"
    assert dialect.capabilities.transactions == "none"


def test_a_server_without_streams_is_asked_to_close_none() -> None:
    # tursodb --sync-server 0.7.0
    dialect = LibsqlDialect()
    statement = prepare("INSERT INTO t VALUES (1)", operation="exec")
    text = Headers({"Content-Type": "text/plain"})
    request = dialect.request("default", "exec", statement, timeout=None)
    second = dialect.instead(request, Response(404, text, b"Not Found"))
    assert second is not None
    refused = (
        b"Internal Server Error: Failed to parse pipeline request: unknown variant `close`, expected `execute` or "
        b"`batch` at line 1 column 80"
    )
    third = dialect.instead(second, Response(500, text, refused))
    assert third is not None
    assert [each["type"] for each in sent(third)["requests"]] == ["execute"]
    assert dialect.instead(third, Response(500, text, refused)) is None
    one = {"type": "ok", "response": {"type": "execute", "result": {**NONE, "replication_index": None}}}
    response = Response(200, JSON, json.dumps({"baton": None, "base_url": None, "results": [one]}).encode())
    assert dialect.succeeded(third, response)
    assert dialect.answer("exec", statement, response).affected is None
    assert (dialect.capabilities.counts, dialect.capabilities.transactions) == (False, "none")
    batch = dialect.batch("default", [statement], timeout=None)
    assert [each["type"] for each in sent(batch)["requests"]] == ["batch"]
    error = {"message": "Runtime error: UNIQUE constraint failed: t.a (19)", "code": "EXECUTE_ERROR"}
    failed = {"baton": None, "base_url": None, "results": [{"type": "error", "error": error}]}
    with pytest.raises(IntegrityError, match=r"failed: t\.a$"):
        dialect.answer("exec", statement, Response(200, JSON, json.dumps(failed).encode()))
    # It has no replicas, whatever the URL says, so a read is sent alone.
    dialect.endpoints(["http://a", "http://b"])
    read = dialect.request("default", "query", prepare("SELECT a FROM t", operation="query"), timeout=None)
    assert sent(read) == {"requests": [{"type": "execute", "stmt": {"sql": "SELECT a FROM t"}}]}


def test_a_page_in_the_place_of_a_server_changes_no_version() -> None:
    dialect = LibsqlDialect()
    request = dialect.request("default", "query", prepare("SELECT 1", operation="query"), timeout=None)
    assert dialect.instead(request, Response(404, Headers({"Content-Type": "text/html"}), b"<html>404</html>")) is None
    gone = Response(404, JSON, b'{"error": "Namespace `x` doesn\'t exist"}')
    assert dialect.instead(request, gone) is None


@pytest.mark.parametrize(
    "value",
    [
        {"type": "integer", "value": "x"}, {"type": "integer", "value": "1_0"}, {"type": "integer", "value": 1.5},
        {"type": "integer"}, {"type": "text", "value": 5}, {"type": "float", "value": "1"}, {"type": "new"}, {}, 5,
        {"type": "blob", "base64": "!"}, {"type": "blob", "base64": 5}, None, [], {"type": ["x"]},
    ],
)  # fmt: skip
def test_what_is_not_a_value_is_no_result(value: Any) -> None:
    statement = prepare("SELECT 1 AS a", operation="query")
    response = Response(200, JSON, json.dumps(executed(result([("a", None)], [[value]]))).encode())
    with pytest.raises(MesahubError, match="unexpected body"):
        LibsqlDialect().answer("query", statement, response)


def test_an_infinity_is_lost_and_says_so() -> None:
    statement = prepare("SELECT 1 AS a", operation="query")
    lost = [[{"type": "float", "value": None}]]
    answer = LibsqlDialect().answer(
        "query", statement, Response(200, JSON, json.dumps(executed(result([("a", None)], lost))).encode())
    )
    assert answer.lossy
    with pytest.raises(UnrepresentableResultError, match="rows"):
        answer.dicts()


def test_booleans_and_dates_are_converted_in_dicts_and_not_in_tuples() -> None:
    statement = prepare("SELECT 1 AS a", operation="query")
    row = [{"type": "integer", "value": "1"}, {"type": "text", "value": "2020-01-02"}]
    content = json.dumps(executed(result([("b", "boolean"), ("d", "DATE")], [row]))).encode()
    answer = LibsqlDialect().answer("query", statement, Response(200, JSON, content))
    assert answer.dicts() == [{"b": True, "d": "2020-01-02T00:00:00Z"}]
    assert answer.tuples() == [(1, "2020-01-02")]


def test_a_database_that_has_answered_is_looked_for_again() -> None:
    # A server that ends, or has just begun, says so of each.
    dialect = LibsqlDialect()
    request = dialect.request("shop", "exec", prepare("DELETE FROM t", operation="exec"), timeout=None)
    gone = Response(404, JSON, b'{"error": "Namespace `shop` doesn\'t exist"}')
    assert dialect.outcome(request, gone) is None
    assert dialect.succeeded(request, Response(200, JSON, json.dumps(executed(NONE)).encode()))
    assert dialect.outcome(request, gone) is Outcome.REFUSED
    assert dialect.outcome(request, Response(404, JSON, b'{"error": "no such route"}')) is None
