"""Answers of gateways, through a whole client: reads, writes, idempotent writes, uploads and administration."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mesahub import (
    AmbiguousResultError,
    ConnectionLostError,
    DatabaseBusyError,
    DatabaseInactiveError,
    MesahubClient,
    MesahubError,
    NotSentError,
    RateLimitError,
    RetryPolicy,
    ServerError,
    SQLError,
    ValidationError,
)
from mesahub.dialects.mesahub.dialect import MesahubDialect
from mesahub.middleware import Handler
from mesahub.middleware.retry import retrying
from mesahub.transport import Headers, Request, Response

QUERY = {"headers": [{"name": "a", "originalType": ""}], "rows": [{"a": 1}], "stat": {}}
EXEC = {"rowsAffected": 1, "lastInsertRowid": 1, "stat": {}}
RECORD = {"id": "1", "filename": "a.txt", "slug": "x", "name": "x"}

Answer = tuple[int, Any]


class Gateway:
    """A transport that gives the same answers again and again, and counts what was sent."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers = list(answers)
        self.sent = 0

    def send(self, request: Request) -> Response:
        self.sent += 1
        answer = self.answers.pop(0) if self.answers else (200, _good(request))
        if isinstance(answer, Exception):
            raise answer
        status, body = answer
        kind = "text/html" if isinstance(body, bytes) else "application/json"
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return Response(status, Headers({"Content-Type": kind, "Location": "/elsewhere"}), content)

    def close(self) -> None: ...


def _good(request: Request) -> Any:
    return QUERY if request.operation == "query" else EXEC if request.operation == "exec" else RECORD


Call = Callable[[MesahubClient], Any]
READ: Call = lambda client: client.query("d", "SELECT 1 AS a")  # noqa: E731
WRITE: Call = lambda client: client.exec("d", "UPDATE t SET a = 1")  # noqa: E731
IDEMPOTENT: Call = lambda client: client.exec("d", "UPDATE t SET a = 1", idempotent=True)  # noqa: E731
UPLOAD: Call = lambda client: client.db("d").files.upload(b"x", "a.txt")  # noqa: E731
DELETE: Call = lambda client: client.db("d").files.delete("1")  # noqa: E731
CREATE: Call = lambda client: client.admin.databases.create("x")  # noqa: E731
LIST: Call = lambda client: client.db("d").files.list()  # noqa: E731
WRITES = {"exec": WRITE, "upload": UPLOAD, "delete": DELETE, "create": CREATE}


def run(call: Call, *answers: Answer | Exception) -> tuple[MesahubError | None, int]:
    """What the call raised, and how many requests it took."""
    gateway = Gateway(*answers)
    policy = RetryPolicy(backoff=0, throttled_backoff=0, throttle_window=0)
    with MesahubClient("shk_k", "https://db.example.com", transport=gateway, retry=policy) as client:
        try:
            call(client)
        except MesahubError as error:
            return error, gateway.sent
    return None, gateway.sent


NOT_OURS: dict[str, Answer] = {
    "more than the server's own fields": (503, {"error": "database is locked", "path": "/v1/exec/d", "status": 503}),
    "the message of an API gateway": (503, {"message": "database is locked"}),
    "a gateway's code": (503, {"code": 503, "message": "queue full"}),
    "the text alone": (503, b"This database is inactive"),
    "inactive, in another's form": (503, {"message": "This database is inactive"}),
    "inactive, with more fields": (503, {"error": "This database is inactive", "timestamp": 1}),
    "inactive, in another case": (503, {"error": "THIS DATABASE IS INACTIVE"}),
    "inactive, with another status": (502, {"error": "This database is inactive"}),
    "locked, with another status": (502, {"error": "database is locked"}),
    "a server out of memory": (500, {"error": "out of memory"}),
    "See Other": (303, b""),
    "Not Modified": (304, b""),
    "Client Closed Request": (499, b""),
    "a status of nobody's": (999, b""),
}


@pytest.mark.parametrize("answer", NOT_OURS.values(), ids=NOT_OURS)
def test_retry_sends_no_write_again_that_a_gateway_answered(answer: Answer) -> None:
    assert run(READ, answer) == (None, 2)
    assert run(IDEMPOTENT, answer) == (None, 2)
    for name, call in WRITES.items():
        error, sent = run(call, answer)
        assert (type(error), sent) == (AmbiguousResultError, 1), name


@pytest.mark.parametrize("answer", NOT_OURS.values(), ids=NOT_OURS)
def test_error_class_is_not_taken_from_a_gateways_words(answer: Answer) -> None:
    error, _ = run(READ, *[answer] * 3)
    assert error is not None
    if answer[0] != 502:
        assert not isinstance(error, (DatabaseBusyError, DatabaseInactiveError, SQLError))


@pytest.mark.parametrize("status", [301, 302, 307, 308, 407, 421, 431])
@pytest.mark.parametrize("call", [READ, WRITE, IDEMPOTENT, UPLOAD, DELETE, CREATE])
def test_retry_takes_what_was_not_handed_on_for_an_answer(status: int, call: Call) -> None:
    error, sent = run(call, (status, b""))
    assert sent == 1
    assert error is not None
    assert not isinstance(error, AmbiguousResultError)
    assert error.status_code == status


@pytest.mark.parametrize(
    "last",
    [
        (400, b"<html><h1>400 Bad Request</h1></html>"),
        (400, {"message": "Bad Request"}),
        (400, {"error": "Bad Request"}),
        (302, b""),
        (401, {"error": "Unauthorized"}),
        (503, {"error": "This database is inactive"}),
    ],
    ids=repr,
)
def test_retry_settles_no_write_by_what_is_not_the_databases_answer(last: Answer) -> None:
    error, sent = run(IDEMPOTENT, ConnectionLostError("reset"), last)
    assert (type(error), sent) == (AmbiguousResultError, 2)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_retry_settles_no_write_by_a_refusal_that_a_dialect_has_judged(status: int) -> None:
    answers: list[Response | Exception] = [ConnectionLostError("reset"), Response(status, payload={"error": "no"})]

    def forward(request: Request) -> Response:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    retry = retrying(RetryPolicy(backoff=0), threading.Event(), dialect=MesahubDialect())
    with pytest.raises(AmbiguousResultError):
        retry(Request("exec", "POST", "/", safe=True), forward)


@pytest.mark.parametrize("body", [{"message": "Bad Request"}, {"error": "Bad Request"}, b"Bad Request"], ids=repr)
def test_error_class_of_a_gateways_400_is_no_sql_error(body: Any) -> None:
    error, _ = run(READ, (400, body))
    assert type(error) is ValidationError


def test_retry_takes_a_lock_with_status_500_for_a_write_that_may_have_run() -> None:
    """INSERT ... RETURNING with RAISE(FAIL, 'database is locked') in a trigger: a 500, and rows that stay."""
    answer = (500, {"error": "database is locked"})
    assert run(READ, answer) == (None, 2)
    assert run(IDEMPOTENT, answer) == (None, 2)
    for call in (WRITE, UPLOAD, CREATE):
        error, sent = run(call, answer)
        assert (type(error), sent) == (AmbiguousResultError, 1)


@pytest.mark.parametrize(
    "answer",
    [
        (204, b""),
        (202, b""),
        (206, QUERY),
        (200, {"error": "backend unavailable"}),
        (200, {"error": "backend unavailable", "headers": [], "rows": []}),
        (200, {"rows": 5}),
        (200, {"stat": {}}),
        (200, b"<html>sign in</html>"),
        (200, []),
    ],
    ids=repr,
)
def test_retry_asks_again_for_a_success_that_is_no_result(answer: Answer) -> None:
    assert run(READ, answer) == (None, 2)
    error, sent = run(READ, *[answer] * 3)
    assert (type(error), sent) == (ServerError, 3)
    error, sent = run(WRITE, answer)
    assert (type(error), sent) == (AmbiguousResultError, 1)


@pytest.mark.parametrize(
    "answer", [(200, {"error": "backend unavailable"}), (200, b"<html>sign in</html>"), (200, "ok"), (200, 5)], ids=repr
)
def test_files_and_admin_take_no_success_of_a_gateway_for_an_answer(answer: Answer) -> None:
    for call in (UPLOAD, DELETE, CREATE):
        error, sent = run(call, answer)
        assert (type(error), sent) == (AmbiguousResultError, 1)
    assert run(LIST, answer)[1] == 2
    error, sent = run(LIST, *[answer] * 3)
    assert (type(error), sent) == (ServerError, 3)


@pytest.mark.parametrize("answer", [(200, b""), (204, b""), (200, {"rows": []}), (200, [])], ids=repr)
def test_upload_is_not_reported_as_done_without_a_record(answer: Answer) -> None:
    error, sent = run(UPLOAD, answer)
    assert (type(error), sent) == (AmbiguousResultError, 1)


@pytest.mark.parametrize(
    "failure",
    [ConnectionLostError("reset"), NotSentError("refused"), ServerError.of("502"), RateLimitError.of("wait")],
    ids=repr,
)
def test_idempotent_insert_is_ambiguous_when_the_row_cannot_be_compared(failure: MesahubError, tmp_path: Path) -> None:
    """The key is taken, and the read that would show by which row fails for good."""
    broken = False

    def fail(request: Request, forward: Handler) -> Response:
        if broken and request.operation == "query":
            raise failure
        return forward(request)

    with MesahubClient(transport="embedded", data=tmp_path, middleware=[fail]) as client:
        db = client.db("d")
        db.exec("CREATE TABLE t (id TEXT PRIMARY KEY)")
        table = db.table("t")
        assert table.insert({"id": "x"}, idempotent=True) == {"id": "x"}
        broken = True
        with pytest.raises(AmbiguousResultError, match="idempotent") as caught:
            table.insert({"id": "x"}, idempotent=True)
    assert caught.value.__cause__ is failure
