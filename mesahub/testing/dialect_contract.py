"""What every dialect must do, as tests without a server: subclass `DialectContract`.

class TestMine(DialectContract):
    urls = ("mine://key@host/database",)
    exchanges = (Exchange("SELECT 1 AS a", {"columns": ["a"], "values": [[1]]}, columns=["a"], rows=[(1,)]),)

    @pytest.fixture
    def dialect(self) -> Dialect:
        return MineDialect({})
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

import pytest

from mesahub.dialects.base import Answer, Capabilities, Dialect
from mesahub.errors import (
    AmbiguousResultError,
    ConfigurationError,
    MesahubError,
    Outcome,
    ServerError,
    UnrepresentableResultError,
)
from mesahub.sql import Statement, prepare
from mesahub.transport import Headers, Request, Response
from mesahub.url import ConnectionURL

__all__ = ["DialectContract", "Exchange"]

_KEY = "T0p-S3cret-Key"
_JSON = Headers({"Content-Type": "application/json"})
_HTML = Headers({"Content-Type": "text/html"})
_VALUES = [
    None,
    True,
    0,
    -1,
    2**53 + 1,
    2**63 - 1,
    -(2**63),
    1.5,
    3.0,
    1e300,
    "",
    "a\0b",
    "ä€😀",
    "'\"\\",
    b"",
    b"\x00\xff",
]

_ODD: list[bytes] = [
    b"<html>", b"{", b"null", b"5", b"true", b'"text"', b"[]", b"[1, 2]", b"{}", b'{"rows": 5}', b'{"results": 5}',
    b'{"results": []}', b'{"results": [5]}', b'{"results": [null]}', b'{"results": [{}]}', b'{"data": {}}',
    b'{"columns": 5, "values": 5}', b'{"cols": 5, "rows": []}', b'{"cols": [], "rows": [5], "changes": 0, "last": 0}',
    b'{"message": "Forbidden"}', b'{"status": "ok"}', b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000,
]  # fmt: skip


class Exchange(NamedTuple):
    """A statement, the engine's answer, and what it means.

    Attributes:
        sql: the statement.
        body: what the engine answered: something that JSON can hold, or bytes.
        columns: the columns that this means; ``None`` for a statement without.
        rows: the rows, as tuples.
        affected, rowid: the counts of a write, ``None`` for "not known".
        raises: the error that it means, in place of these.
        outcome: what became of the request, where the response is not a result.
        status: the HTTP status.
        headers: those that matter.
        bindings: the statement's values.
    """

    sql: str
    body: Any
    columns: list[str] | None = None
    rows: Sequence[tuple[Any, ...]] = ()
    affected: int | None = None
    rowid: int | None = None
    raises: type[MesahubError] | None = None
    outcome: Outcome | None = None
    status: int = 200
    headers: Headers = _JSON
    bindings: Sequence[Any] = ()


READ = prepare("SELECT ? AS a", [1], operation="query")
WRITE = prepare("INSERT INTO t (a) VALUES (?)", [1], operation="exec")


def _content(request: Request) -> bytes:
    content = request.content
    return b"" if content is None else content if isinstance(content, bytes) else b"".join(content)


class DialectContract:
    """Tests of a dialect. Override the fixture `dialect`, and name URLs and exchanges.

    Attributes:
        urls: connection strings with a key, which the dialect's ``parse_url`` takes.
        exchanges: answers of the engine, recorded or written by hand, and what they mean.
        key: a key of the form that the engine takes.
    """

    key: ClassVar[str] = _KEY
    urls: ClassVar[Sequence[str]] = ()
    exchanges: ClassVar[Sequence[Exchange]] = ()

    @pytest.fixture
    def dialect(self) -> Iterator[Dialect]:
        """The dialect."""
        raise NotImplementedError(f"{type(self).__name__} must define a fixture named dialect.")

    def test_dialect_has_a_name_and_capabilities(self, dialect: Dialect) -> None:
        assert dialect.name
        assert isinstance(dialect.capabilities, Capabilities)
        assert dialect.capabilities.engine

    def test_urls_are_parsed(self, dialect: Dialect) -> None:
        for url in self.urls:
            parts: Any = type(dialect)
            target = parts.parse_url(url)
            assert isinstance(target, ConnectionURL)
            assert target.api_url.startswith(("http://", "https://"))
            assert target.database
            assert target.api_key is None or str(target.api_key) not in repr(target)

    def test_a_read_may_be_sent_twice_and_a_write_only_if_it_is_idempotent(self, dialect: Dialect) -> None:
        read = dialect.request("db", "query", READ, timeout=2.5, hints={"consistency": "x"})
        write = dialect.request("db", "exec", WRITE, timeout=None)
        again = dialect.request("db", "exec", WRITE, timeout=None, idempotent=True)
        assert (read.safe, write.safe, again.safe) == (True, False, True)
        assert (read.operation, write.operation, read.timeout) == ("query", "exec", 2.5)
        assert read.path.startswith("/")
        assert dict(read.hints)["consistency"] == "x"

    def test_the_payload_holds_the_statement(self, dialect: Dialect) -> None:
        payload = dialect.request("db", "query", READ, timeout=None).payload
        assert (payload["sql"], list(payload["bindings"])) == (READ.sql, [1])

    @pytest.mark.parametrize("value", _VALUES, ids=repr)
    def test_every_value_can_be_sent(self, dialect: Dialect, value: Any) -> None:
        for sql in ("SELECT ? AS a", "SELECT ?1 AS a, ?1", "SELECT :n AS a"):
            bindings: Any = {"n": value} if ":" in sql else [value]
            statement = prepare(sql, bindings, operation="query")
            assert _content(dialect.request("db", "query", statement, timeout=None))
        rows = Statement("INSERT INTO t (a, b) VALUES (?, ?)", [], "insert", True, [(value, 1), (None, value)])
        assert _content(dialect.request("db", "exec", rows, timeout=None))

    def test_a_database_cannot_leave_its_place_in_the_path(self, dialect: Dialect) -> None:
        try:
            path = dialect.request("a/../b?c#d", "query", READ, timeout=None).path
        except MesahubError:
            return
        assert "/../" not in path
        assert not {"?", "#", " "} & set(path)

    def test_exchanges_mean_what_they_say(self, dialect: Dialect) -> None:
        assert self.exchanges, "the class names no exchange"
        for exchange in self.exchanges:
            operation = "exec" if prepare(exchange.sql, exchange.bindings, operation="exec").writes else "query"
            statement = prepare(exchange.sql, exchange.bindings, operation=operation)
            request = dialect.request("db", operation, statement, timeout=None)
            body = exchange.body if isinstance(exchange.body, bytes) else json.dumps(exchange.body).encode()

            def response(body: bytes = body, exchange: Exchange = exchange) -> Response:
                return Response(exchange.status, exchange.headers, body)

            if exchange.raises is None:
                assert dialect.succeeded(request, response()), exchange
                answer = dialect.answer(operation, statement, response())
                assert isinstance(answer, Answer)
                found = (answer.columns, answer.tuples(), answer.affected, answer.rowid)
                wanted = (exchange.columns, [tuple(row) for row in exchange.rows], exchange.affected, exchange.rowid)
                if operation == "query":
                    found, wanted = (*found[:2], None, None), (*wanted[:2], None, None)
                assert repr(found) == repr(wanted), exchange
            else:
                with pytest.raises(exchange.raises):
                    dialect.answer(operation, statement, response())
                assert dialect.outcome(request, response()) is exchange.outcome, exchange

    @pytest.mark.parametrize("body", _ODD, ids=lambda body: repr(body[:40]))
    def test_a_200_that_is_not_a_result_is_an_error(self, dialect: Dialect, body: bytes) -> None:
        with pytest.raises((ServerError, UnrepresentableResultError)):
            dialect.answer("query", READ, Response(200, _JSON, body))
        with pytest.raises((AmbiguousResultError, UnrepresentableResultError)):
            dialect.answer("exec", WRITE, Response(200, _JSON, body))

    @pytest.mark.parametrize("status", [204, 302, 400, 401, 403, 404, 408, 425, 429, 500, 502, 503, 504, 520, 524, 599])
    @pytest.mark.parametrize(
        "body", [b"", b"<html>", b"{}", b'{"error": {"a": [1]}}', b'{"error": 5}', b"[[]]", b"\xff"]
    )
    def test_other_statuses_are_errors_of_mesahub(self, dialect: Dialect, status: int, body: bytes) -> None:
        for operation, statement in (("query", READ), ("exec", WRITE)):
            with pytest.raises(MesahubError):
                dialect.answer(operation, statement, Response(status, _JSON, body))
            if status >= 400:
                assert isinstance(dialect.error(Response(status, _JSON, body), operation), MesahubError)
                request = dialect.request("db", operation, statement, timeout=None)
                outcome = dialect.outcome(request, Response(status, _JSON, body))
                assert outcome is None or isinstance(outcome, Outcome)

    @pytest.mark.parametrize("status", [408, 425, 500, 502, 503, 504, 520, 524])
    def test_response_of_a_gateway_leaves_a_write_open(self, dialect: Dialect, status: int) -> None:
        request = dialect.request("db", "exec", WRITE, timeout=None)
        page = b"<html><h1>database is locked, leader not found</h1></html>"
        for headers, body in ((_HTML, page), (_JSON, b""), (_JSON, b'{"message": "upstream failed"}')):
            assert not dialect.succeeded(request, Response(status, headers, body))
            assert dialect.outcome(request, Response(status, headers, body)) is Outcome.MAYBE_RAN

    def test_broken_response_to_a_read_can_be_retried(self, dialect: Dialect) -> None:
        request = dialect.request("db", "query", READ, timeout=None)
        assert not dialect.succeeded(request, Response(200, _JSON, b'{"rows": [[1'))
        assert dialect.outcome(request, Response(200, _JSON, b'{"rows": [[1')) is Outcome.MAYBE_RAN

    def test_keys_become_headers_and_appear_in_no_repr(self, dialect: Dialect) -> None:
        headers = dialect.authorize(self.key)
        assert headers
        assert all(isinstance(value, str) for value in headers.values())
        assert self.key not in repr(dialect)
        for wrong in (f"{self.key}\r\nX-Evil: yes", ""):
            made: dict[str, str] = {}
            shown = ""
            try:
                made = dict(dialect.authorize(wrong))
            except ConfigurationError as error:
                shown = "".join(traceback.format_exception_only(error))
            assert self.key not in shown
            assert not any({"\r", "\n"} & set(value) for value in made.values())

    def test_a_batch_is_safe_only_with_a_ticket(self, dialect: Dialect) -> None:
        if dialect.capabilities.batch == "none":
            pytest.skip("this engine has no batches")
        update = prepare("UPDATE t SET a = :a WHERE b = :b", {"a": b"x", "b": 1}, operation="exec")
        rows = Statement("INSERT INTO t (a) VALUES (?)", [], "insert", True, [(1,), ("x",)])
        plain = dialect.batch("db", [WRITE, update, rows], timeout=1.5)
        ticket = dialect.batch("db", [WRITE, update, rows], timeout=None, ticket="abc")
        assert (plain.operation, plain.safe, ticket.safe, plain.timeout) == ("batch", False, True, 1.5)
        assert _content(plain)
        assert b"abc" in _content(ticket)
        for body in _ODD:
            with pytest.raises(MesahubError):
                dialect.batch_answer([WRITE, update, rows], Response(200, _JSON, body))
