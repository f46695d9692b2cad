"""What is tried again, and what is never."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from typing import Any

import pytest

from mesahub import (
    AmbiguousResultError,
    ConfigurationError,
    ConnectionLostError,
    NotSentError,
    Outcome,
    RequestTimeoutError,
    RetryPolicy,
    ServerError,
    TLSError,
    ValidationError,
)
from mesahub.dialects.base import Dialect
from mesahub.transport import Request, Response
from tests.middleware.line import Line, outcome, refused

NOT_SENT = [NotSentError("refused"), RequestTimeoutError("slow", outcome=Outcome.NOT_SENT)]


REFUSED = [429, (503, "database is locked"), (503, "queue full")]


MAYBE_RAN = [
    ConnectionLostError("reset"),
    RequestTimeoutError("slow"),
    *(408, 425, 460, 499, 500, 501, 502, 503, 504, 505, 507, 520, 521, 522, 523, 524, 525, 526, 527, 530, 598, 599),
    (503, "Service Unavailable"),
    (503, "upstream connect error or disconnect/reset before headers. reset reason: connection termination"),
    (503, "this database is inactive"),
    (503, "The database is locked"),
    (500, "the worker died"),
]


NEVER = [
    TLSError("unknown authority"),
    (400, "no such table: t"),
    (500, "integer overflow"),
    (503, "This database is inactive"),
    401,
    403,
    404,
    407,
    421,
    431,
]


@pytest.mark.parametrize("safe", [True, False])
@pytest.mark.parametrize("value", [*NOT_SENT, *REFUSED], ids=repr)
def test_what_was_not_carried_out_is_tried_again(value: Any, safe: bool) -> None:
    line = Line(outcome(value))
    assert line.call(safe=safe).status == 200
    assert len(line.sent) == 2


@pytest.mark.parametrize("value", MAYBE_RAN, ids=repr)
def test_what_may_have_run_is_tried_again_only_where_that_is_safe(value: Any) -> None:
    assert Line(outcome(value)).call(safe=True).status == 200
    line = Line(outcome(value))
    with pytest.raises(AmbiguousResultError, match="idempotent=True") as caught:
        line.call(safe=False)
    assert len(line.sent) == 1
    assert len(caught.value.attempts) == 1
    if isinstance(value, Exception):
        assert caught.value.__cause__ is value
    else:
        status = value if isinstance(value, int) else value[0]
        assert caught.value.status_code == status
        assert isinstance(caught.value.__cause__, ServerError if status >= 500 else ValidationError)


BODIES = {
    "an nginx page": b"<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head>\r\n</html>",
    "Envoy": b"upstream connect error or disconnect/reset before headers. reset reason: connection failure",
    "HAProxy": b"<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n",
    "AWS": b'{"message": "Service Unavailable"}',
    "another API": b'{"error": {"code": 503, "message": "database is locked"}}',
    "text of ours, quoted": b'{"error": "upstream said: database is locked"}',
    "text of ours, not in our form": b"database is locked",
    "a list": b'["database is locked"]',
    "nothing": b"",
    "half": b'{"error": "database is lo',
}


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_retry_sends_no_write_again_after_a_gateways_answer(status: int, body: bytes) -> None:
    assert Line(Response(status, content=body)).call(safe=True).status == 200
    line = Line(Response(status, content=body))
    with pytest.raises(AmbiguousResultError) as caught:
        line.call(safe=False)
    assert len(line.sent) == 1
    assert caught.value.status_code == status


@pytest.mark.parametrize("text", ["database is locked", "database table is locked: t"])
def test_retry_trusts_a_text_that_a_trigger_may_raise_only_where_that_is_safe(text: str) -> None:
    for status in (400, 500):
        assert Line(refused(status, text)).call(safe=True).status == 200
    line = Line(refused(400, text))
    assert line.call(safe=False).status == 400
    assert len(line.sent) == 1
    line = Line(refused(500, text))
    with pytest.raises(AmbiguousResultError):
        line.call(safe=False)
    assert len(line.sent) == 1


@pytest.mark.parametrize(
    "text",
    [
        "the queue is full",
        "CHECK constraint failed: database is locked",
        "UNIQUE constraint failed: queue full.database is locked",
        "no such table: database is locked",
        "database is locked by ann",
        "sorry, the database is locked",
    ],
)
def test_retry_takes_no_words_of_the_application_for_a_refusal(text: str) -> None:
    for safe in (True, False):
        line = Line(refused(400, text))
        assert line.call(safe=safe).status == 400
        assert len(line.sent) == 1


def test_retry_of_statuses_that_are_left_out_says_that_a_write_may_have_run() -> None:
    policy = RetryPolicy(statuses={429}, throttle_window=0)
    line = Line(503, policy=policy)
    assert line.call(safe=True).status == 503
    with pytest.raises(AmbiguousResultError):
        Line(503, policy=policy).call(safe=False)


@pytest.mark.parametrize("last", [401, 403, 404, TLSError("expired"), (409, "taken")], ids=repr)
@pytest.mark.parametrize("operation", ["exec", "files.upload", "admin.databases.create", "files.delete"])
def test_retry_settles_no_write_by_a_later_refusal(last: Any, operation: str) -> None:
    line = Line(ConnectionLostError("reset"), outcome(last))
    with pytest.raises(AmbiguousResultError) as caught:
        line.call(safe=True, operation=operation)
    assert [attempt.number for attempt in caught.value.attempts] == [1, 2]


@pytest.mark.parametrize("operation", ["query", "files.list", "files.presign", "admin.databases.export"])
def test_retry_raises_the_last_error_of_a_read(operation: str) -> None:
    line = Line(*[ConnectionLostError("reset")] * 3)
    with pytest.raises(ConnectionLostError):
        line.call(safe=True, operation=operation)


def test_response_attempts_are_set_when_a_retry_succeeded() -> None:
    response = Line(503, ConnectionLostError("reset")).call(safe=True)
    assert [attempt.what for attempt in response.attempts] == ["HTTP 503", "ConnectionLostError"]


def test_retry_answers_reads_over_a_flaky_link() -> None:
    """At 40 % broken answers the default budget lasts: 1 - 0.4 ** 3 of the reads are answered."""
    chance = random.Random(5)
    line = Line(policy=RetryPolicy(throttle_window=0))
    answered = 0
    for _ in range(5000):
        line.outcomes = [ConnectionLostError("x") if chance.random() < 0.4 else Response(200) for _ in range(3)]
        with contextlib.suppress(ConnectionLostError):
            answered += line.call(safe=True, timeout=1.0).status == 200
    assert answered / 5000 >= 0.92


def test_the_words_of_a_gateway_land_in_the_error() -> None:
    answer = refused(502, "upstream prematurely closed connection")
    with pytest.raises(AmbiguousResultError, match="upstream prematurely closed connection") as caught:
        Line(answer).call(safe=False)
    assert caught.value.details == {"error": "upstream prematurely closed connection"}
    assert [(tried.what, tried.message) for tried in caught.value.attempts] == [
        ("HTTP 502", "upstream prematurely closed connection")
    ]


@pytest.mark.parametrize("last", [NotSentError("refused"), 503, 429, ConnectionLostError("reset"), 502], ids=repr)
def test_an_idempotent_write_that_may_have_run_is_ambiguous_whatever_came_last(last: Any) -> None:
    line = Line(ConnectionLostError("reset"), outcome(last), policy=RetryPolicy(2, throttle_window=0))
    with pytest.raises(AmbiguousResultError, match="it may be sent again") as caught:
        line.call(safe=True, operation="exec")
    assert len(caught.value.attempts) == 2
    if isinstance(last, Exception):
        assert caught.value.__cause__ is last


def test_what_the_database_says_in_the_end_is_the_result_of_an_idempotent_write() -> None:
    line = Line(ConnectionLostError("reset"), (400, "UNIQUE constraint failed: t.id"))
    line.outcomes[1] = refused(*line.outcomes[1])
    assert line.call(safe=True, operation="exec").status == 400


@pytest.mark.parametrize("body", [b'{"rows": [{"a', b"<html>", b"[]"], ids=repr)
def test_an_answer_that_is_no_result_is_asked_for_again_where_that_is_safe(body: bytes) -> None:
    good = Response(200, content=b'{"rows": []}')
    for operation in ("query", "exec"):
        line = Line(Response(200, content=body), good)
        assert line.call(safe=True, operation=operation) is good
        assert line.waits
    broken = Response(200, content=body)
    assert Line(broken).call(safe=False) is broken, "the wire says that this is ambiguous"
    assert Line(*[broken] * 3).call(safe=True) is broken
    with pytest.raises(AmbiguousResultError, match="with an unexpected body"):
        Line(*[broken] * 3).call(safe=True, operation="exec")


def test_an_empty_answer_is_handed_on() -> None:
    empty = Response(200)
    line = Line(empty)
    assert line.call() is empty
    assert Line(Response(200, content=b"a file")).call(operation="files.download").content == b"a file"


def test_the_body_of_a_refusal_may_break_off() -> None:
    class Breaks:
        def read(self, size: int = -1, /) -> bytes:
            raise ConnectionLostError("reset amid the answer")

        def close(self) -> None: ...

    line = Line(Response(503, stream=Breaks()))
    assert line.call(safe=True).status == 200
    with pytest.raises(AmbiguousResultError, match="amid the answer"):
        Line(Response(503, stream=Breaks())).call(safe=False)


@pytest.mark.parametrize("safe", [True, False])
@pytest.mark.parametrize("value", NEVER, ids=repr)
def test_what_would_come_to_the_same_is_not_tried_again(value: Any, safe: bool) -> None:
    line = Line(outcome(value))
    if isinstance(value, Exception):
        with pytest.raises(type(value)):
            line.call(safe=safe)
    else:
        assert line.call(safe=safe).status >= 400
    assert len(line.sent) == 1
    assert line.waits == []


def test_the_last_real_error_is_raised_with_what_was_tried() -> None:
    errors = [NotSentError("one"), ConnectionLostError("two"), NotSentError("three")]
    line = Line(*errors)
    with pytest.raises(NotSentError, match="three") as caught:
        line.call()
    assert [(a.number, a.what) for a in caught.value.attempts] == [
        (1, "NotSentError"),
        (2, "ConnectionLostError"),
        (3, "NotSentError"),
    ]
    assert caught.value.attempts[0].waited == pytest.approx(0.05)
    assert caught.value.attempts[2].waited == 0.0
    assert [attempt.number for attempt in line.told] == [1, 2]


def test_an_answer_keeps_what_was_tried() -> None:
    line = Line(refused(503), refused(503), refused(503))
    response = line.call()
    assert [attempt.what for attempt in response.attempts] == ["HTTP 503"] * 3


def test_an_outage_is_not_multiplied() -> None:
    line = Line(*[NotSentError("x")] * 100, policy=RetryPolicy(budget=5))
    for _ in range(20):
        with pytest.raises(NotSentError):
            line.call()
    assert len(line.sent) == 20 + 5
    line.outcomes.clear()
    for _ in range(10):
        line.call()
    line.outcomes = [NotSentError("x")]
    assert line.call().status == 200, "ten successes give one retry back"


def test_none_never_tries_again() -> None:
    line = Line(NotSentError("x"), policy=RetryPolicy.none())
    with pytest.raises(NotSentError):
        line.call()
    assert len(line.sent) == 1


def test_statuses_can_be_chosen() -> None:
    line = Line(refused(503), policy=RetryPolicy(statuses={502}))
    assert line.call().status == 503
    assert len(line.sent) == 1


def test_a_policy_is_a_value() -> None:
    policy = RetryPolicy(5, backoff=0.1)
    assert policy == RetryPolicy(5, backoff=0.1)
    assert hash(policy) == hash(RetryPolicy(5, backoff=0.1))
    assert policy.replace(attempts=2).attempts == 2
    assert policy != RetryPolicy(5)
    with pytest.raises(AttributeError):
        policy.attempts = 7


@pytest.mark.parametrize(
    "make",
    [
        lambda: RetryPolicy(0),
        lambda: RetryPolicy(backoff=-1),
        lambda: RetryPolicy(attempt_timeout=0),
        lambda: RetryPolicy(budget="many"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_policy_is_refused(make: Callable[[], RetryPolicy]) -> None:
    with pytest.raises(ConfigurationError):
        make()


class Renamed(Dialect):
    """Of an engine that knows ``/new`` only."""

    def __init__(self) -> None:
        self.judged: list[str] = []

    def instead(self, request: Request, response: Response) -> Request | None:
        return request.replace(path="/new") if request.path == "/" and response.status == 404 else None

    def succeeded(self, request: Request, response: Response) -> bool:
        self.judged.append(request.path)
        return response.status == 200


def test_a_request_in_another_form_is_the_same_attempt_and_keeps_that_form() -> None:
    dialect = Renamed()
    line = Line(refused(404), refused(503), policy=RetryPolicy(throttle_window=0), dialect=dialect)
    assert line.call().status == 200
    assert [(request.path, request.attempt) for request in line.sent] == [("/", 1), ("/new", 1), ("/new", 2)]
    assert dialect.judged == ["/", "/new", "/new"]
    assert [(attempt.number, attempt.what) for attempt in line.told] == [(1, "HTTP 503")]
