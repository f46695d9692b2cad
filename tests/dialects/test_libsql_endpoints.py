"""Which address of a libSQL server is asked: without one, and with a clock that the test sets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

import mesahub
from mesahub.dialects.libsql.dialect import LibsqlDialect
from mesahub.dialects.libsql.endpoints import LibsqlEndpoints
from mesahub.errors import ConnectionLostError, NotSentError, Outcome, TransportError
from mesahub.sql import prepare
from mesahub.transport import AsyncResponse, Headers, Request, Response
from mesahub.transport.asynchronous.endpoints import AsyncEndpointsTransport
from mesahub.transport.endpoints import EndpointsTransport

URLS = ("http://p:1", "http://r1:1", "http://r2:1")
JSON = Headers({"Content-Type": "application/json"})
READ = Request("query", "POST", "/v3/pipeline", hints={"consistency": "replica"}, timeout=30.0, safe=True)
WRITE = Request("exec", "POST", "/v3/pipeline", timeout=30.0)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def executed(index: int, *, duration: float = 0.5, looked: float | None = 0.25) -> Response:
    def result(milliseconds: float) -> Any:
        inner = {
            "cols": [{"name": "a", "decltype": None}],
            "rows": [],
            "affected_row_count": 0,
            "last_insert_rowid": None,
            "replication_index": str(index),
            "query_duration_ms": milliseconds,
        }
        return {"type": "ok", "response": {"type": "execute", "result": inner}}

    first = [] if looked is None else [result(looked)]
    results = [*first, result(duration), {"type": "ok", "response": {"type": "close"}}]
    return Response(200, JSON, json.dumps({"baton": None, "base_url": None, "results": results}).encode())


def failed(code: str) -> Response:
    error = {"type": "error", "error": {"message": "no such table: t", "code": code}}
    results = [error, {"type": "ok", "response": {"type": "close"}}]
    return Response(200, JSON, json.dumps({"baton": None, "base_url": None, "results": results}).encode())


def test_only_reads_of_that_level_go_to_a_replica_and_then_to_the_primary() -> None:
    endpoints = LibsqlEndpoints(URLS, start=0)
    assert endpoints.order(READ) == (1, 0)
    assert endpoints.order(WRITE) == (0,)
    assert endpoints.order(READ.replace(hints={"consistency": "primary"})) == (0,)
    assert LibsqlEndpoints(URLS[:1]).order(READ) == (0,)


def test_a_replica_has_a_second() -> None:
    endpoints = LibsqlEndpoints(URLS, start=0)
    assert endpoints.request(1, READ).timeout == 1.0
    assert endpoints.request(0, READ).timeout == 30.0
    assert endpoints.request(1, READ.replace(timeout=0.2)).timeout == 0.2
    assert endpoints.request(1, READ.replace(timeout=None)).timeout == 1.0


def test_a_replica_that_fails_rests_for_longer_each_time() -> None:
    clock = Clock()
    endpoints = LibsqlEndpoints(URLS, clock=clock, start=0)
    error = ConnectionLostError("reset")
    endpoints.failed(1, READ, error)
    assert endpoints.order(READ) == (2, 0)
    endpoints.failed(2, READ, error)
    assert endpoints.order(READ) == (0,)
    clock.now += 1.1
    assert endpoints.order(READ) == (1, 0)
    endpoints.failed(1, READ, error)
    clock.now += 1.1
    assert endpoints.order(READ) == (2, 0)
    endpoints.answered(2, READ, executed(1))
    assert endpoints.order(READ) == (2, 0)


@pytest.mark.parametrize(
    ("result", "goes_on"),
    [
        (executed(5), False),
        (executed(5, looked=0.0), True),  # its columns may be old ones
        (executed(5, looked=0.0, duration=0.0), False),
        (failed("SQLITE_UNKNOWN"), True),
        (Response(404, JSON, b'{"error": "Namespace `x` doesn\'t exist"}'), True),
        (Response(200, JSON, b"<html>"), True),
        (Response(502, JSON, b""), True),
        (NotSentError("refused"), True),
        (ConnectionLostError("reset"), True),
    ],
)
def test_the_primary_has_the_last_word(result: Any, goes_on: bool) -> None:
    assert LibsqlEndpoints(URLS).goes_on(1, READ, result) is goes_on


class Replies:
    def __init__(self, url: str, replies: dict[str, Any], asked: list[Any]) -> None:
        self.url, self.replies, self.asked = url, replies, asked

    def send(self, request: Request) -> Response:
        assert request.timeout is not None
        self.asked.append((self.url, request.timeout <= 1.0))
        reply = self.replies[self.url]
        if isinstance(reply, TransportError):
            raise reply
        return Response(reply.status, reply.headers, reply.content)

    def close(self) -> None:
        pass


class AsyncReplies(Replies):
    async def send(self, request: Request) -> AsyncResponse:  # type: ignore[override]
        return AsyncResponse.of(super().send(request))

    async def close(self) -> None:  # type: ignore[override]
        pass


def send_blocking(request: Request, replies: dict[str, Any], asked: list[Any]) -> Response:
    endpoints = LibsqlEndpoints(URLS[:2])
    return EndpointsTransport(endpoints, lambda url: Replies(url, replies, asked)).send(request)


def send_on_loop(request: Request, replies: dict[str, Any], asked: list[Any]) -> Response:
    endpoints = LibsqlEndpoints(URLS[:2])
    return asyncio.run(AsyncEndpointsTransport(endpoints, lambda url: AsyncReplies(url, replies, asked)).send(request))


Send = Callable[[Request, dict[str, Any], list[Any]], Response]
both = pytest.mark.parametrize("send", [send_blocking, send_on_loop])


@both
@pytest.mark.parametrize("reply", [ConnectionLostError("x"), NotSentError("x"), Response(503, JSON, b""), failed("X")])
def test_a_read_that_a_replica_cannot_answer_is_answered_by_the_primary(send: Send, reply: Any) -> None:
    asked: list[Any] = []
    response = send(READ, {URLS[0]: executed(5), URLS[1]: reply}, asked)
    assert (response.status, response.server) == (200, URLS[0])
    assert asked == [(URLS[1], True), (URLS[0], False)]  # the replica has a second


@both
def test_a_read_that_a_replica_answers_is_not_sent_to_the_primary(send: Send) -> None:
    asked: list[Any] = []
    response = send(READ, {URLS[0]: NotSentError("refused"), URLS[1]: executed(5)}, asked)
    assert (response.server, asked) == (URLS[1], [(URLS[1], True)])


@both
def test_a_write_has_the_primary_only(send: Send) -> None:
    asked: list[Any] = []
    with pytest.raises(NotSentError) as caught:
        send(WRITE, {URLS[0]: NotSentError("refused"), URLS[1]: executed(5)}, asked)
    assert (caught.value.outcome, asked) == (Outcome.NOT_SENT, [(URLS[0], False)])


def indexed(dialect: LibsqlDialect, ref: str = "default") -> Any:
    request = dialect.request(ref, "query", prepare("SELECT a FROM t", operation="query"), timeout=None)
    assert isinstance(request.content, bytes)
    return [entry.get("stmt", {}).get("replication_index") for entry in json.loads(request.content)["requests"]]


def answered(response: Response, server: str) -> Response:
    response.server = server
    return response


def test_a_read_names_the_state_that_it_must_see() -> None:
    dialect = LibsqlDialect()
    dialect.located(URLS)
    endpoints = dialect.endpoints(URLS)
    write = dialect.request("default", "exec", prepare("DELETE FROM t", operation="exec"), timeout=None)
    assert indexed(dialect) == [None, None, None]
    assert dialect.succeeded(write, answered(executed(7, looked=None), URLS[0]))
    assert indexed(dialect) == ["7", "7", None]
    assert indexed(dialect, "other") == [None, None, None]
    # Of an answer that comes late nothing is forgotten.
    assert dialect.succeeded(write, answered(executed(5, looked=None), URLS[0]))
    assert indexed(dialect) == ["7", "7", None]
    assert len(endpoints.order(READ)) == 2


def test_what_a_session_wrote_is_to_be_seen_too() -> None:
    dialect = LibsqlDialect()
    dialect.located(URLS)
    dialect.endpoints(URLS)
    session = dialect.session("default")
    statement = prepare("DELETE FROM t", operation="exec")
    alone = session.request("default", "exec", statement, timeout=None)
    session.received(alone, answered(executed(8, looked=None), URLS[0]))
    assert session.succeeded(alone, answered(executed(8, looked=None), URLS[0]))
    assert indexed(dialect)[0] == "8"
    begin = session.begin("immediate", None)
    inner = {"step_results": [{}], "step_errors": [None], "replication_index": "9"}
    results = [
        {"type": "ok", "response": {"type": "batch", "result": inner}},
        {"type": "ok", "response": {"type": "get_autocommit", "is_autocommit": False}},
    ]
    body = {"baton": "b", "base_url": None, "results": results}
    session.received(begin, answered(Response(200, JSON, json.dumps(body).encode()), URLS[0]))
    assert session.in_transaction
    assert indexed(dialect)[0] == "9"


def test_a_primary_that_counts_from_the_start_again_is_asked_itself_for_a_while() -> None:
    dialect = LibsqlDialect()
    dialect.located(URLS)
    clock = Clock()
    endpoints = dialect.endpoints(URLS)
    assert isinstance(endpoints, LibsqlEndpoints)
    endpoints._clock = clock
    statement = prepare("DELETE FROM t", operation="exec")
    first = dialect.request("default", "exec", statement, timeout=None)
    assert dialect.succeeded(first, answered(executed(700, looked=None), URLS[0]))
    second = dialect.request("default", "exec", statement, timeout=None)
    assert dialect.succeeded(second, answered(executed(4, looked=None), URLS[0]))
    assert indexed(dialect)[0] == "4"
    assert endpoints.order(READ) == (0,)
    clock.now += 31
    assert len(endpoints.order(READ)) == 2


def test_a_url_of_one_host_reads_without_a_state() -> None:
    dialect = LibsqlDialect()
    dialect.located(URLS[:1])
    request = dialect.request("default", "query", prepare("SELECT 1", operation="query"), timeout=None)
    assert isinstance(request.content, bytes)
    assert len(json.loads(request.content)["requests"]) == 2


def test_a_level_that_there_is_not_is_refused() -> None:
    with mesahub.connect("libsql://127.0.0.1:9/") as db, pytest.raises(mesahub.UnsupportedError, match="primary"):
        db.query("SELECT 1", consistency="strong")
