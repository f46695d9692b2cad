"""When it is tried again: waits, deadlines, Retry-After and the window of the rate limit."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from mesahub import (
    NotSentError,
    Outcome,
    RateLimitError,
    RequestTimeoutError,
    RetryPolicy,
)
from mesahub.middleware.retry import retrying
from mesahub.transport import Request, Response
from tests.middleware.line import Line, refused


@pytest.mark.parametrize(
    "value",
    [
        "86400", "9" * 400, "١٢", "-5", "1e9", "", " ", "Fri, 31 Dec 9999 23:59:59 GMT",
        "Mon, 00 Foo 0000 99:99:99 GMT",
        "0" * 30 + "86400",
        "Thu, 01 Jan 1970 00:00:00 +9999", "Thu, 01 Jan 99999999999 00:00:00 GMT", "soon", "5, 10", "0x10", "1.5",
    ],
)  # fmt: skip
def test_retry_after_of_any_kind_holds_a_client_back_for_a_minute_at_most(value: str) -> None:
    line = Line(refused(429, **{"Retry-After": value}), policy=RetryPolicy())
    line.call(timeout=30.0)
    line.now += 61
    assert line.call(timeout=30.0).status == 200
    assert len(line.sent) <= 3


def test_a_call_that_is_held_back_says_what_the_server_asked_for() -> None:
    line = Line(refused(429, **{"Retry-After": "86400"}), policy=RetryPolicy())
    assert line.call(timeout=30.0).status == 429
    with pytest.raises(RateLimitError, match=r"Retry in 60 s\. \(The server asked for 86400 s") as caught:
        line.call(timeout=30.0)
    assert caught.value.retry_after == pytest.approx(60.0)


def test_the_waits_grow_and_are_capped() -> None:
    policy = RetryPolicy(8, backoff=1.0, max_backoff=5.0)
    line = Line(*[NotSentError("x")] * 7, policy=policy)
    line.call(timeout=None)
    assert line.waits == [1.0, 2.0, 4.0, 5.0, 5.0, 5.0, 5.0]


def test_the_whole_call_keeps_its_deadline() -> None:
    line = Line(*[NotSentError("x")] * 5, policy=RetryPolicy(5, backoff=4.0), cost=1.0)
    with pytest.raises(NotSentError):
        line.call(timeout=10.0)
    # 1 s, a wait of 4, 1 s, and a wait of 8 would end behind the tenth second.
    assert line.waits == [4.0]
    assert [request.timeout for request in line.sent] == [10.0, 5.0]


def test_an_attempt_has_a_timeout_of_its_own() -> None:
    line = Line(RequestTimeoutError("x"), policy=RetryPolicy(attempt_timeout=2.0))
    line.call(timeout=30.0)
    assert [request.timeout for request in line.sent] == [2.0, 2.0]
    line = Line(policy=RetryPolicy(attempt_timeout=50.0))
    line.call(timeout=30.0)
    assert [request.timeout for request in line.sent] == [30.0]


def test_fail_over_gives_a_read_more_time_with_each_attempt_and_a_write_all_of_it() -> None:
    policy = RetryPolicy.for_failover(5.0)
    line = Line(*[RequestTimeoutError("frozen")] * 3, policy=policy)
    line.call(timeout=30.0)
    assert [request.timeout for request in line.sent] == [2.0, 4.0, 8.0, 16.0]
    line = Line(policy=policy)
    line.call(safe=False, timeout=30.0)
    assert [request.timeout for request in line.sent] == [30.0]
    assert policy.replace(attempts=2).attempt_seconds(2, safe=True) == 4.0
    assert policy.replace(attempt_timeout=None).attempt_seconds(1, safe=True) is None


def test_fail_over_lasts_an_election_within_the_calls_time() -> None:
    line = Line(*[NotSentError("no leader")] * 30, policy=RetryPolicy.for_failover(5.0))
    with pytest.raises(NotSentError):
        line.call(safe=False, timeout=8.0)
    assert 5.0 < sum(line.waits) < 8.0
    assert RetryPolicy.for_failover(0.0) == RetryPolicy()


@pytest.mark.parametrize("safe", [True, False])
def test_retry_after_is_honoured(safe: bool) -> None:
    line = Line(refused(429, **{"Retry-After": "7"}))
    assert line.call(safe=safe).status == 200
    assert line.waits[0] == pytest.approx(8.0)  # and a jitter of up to throttled_backoff


def test_retry_after_may_be_a_date() -> None:
    date = format_datetime(datetime.fromtimestamp(1_700_000_109, UTC), usegmt=True)
    line = Line(refused(503, **{"Retry-After": date}))
    assert line.call().status == 200
    assert line.waits == [pytest.approx(9.05)]


def test_a_longer_retry_after_raises_at_once() -> None:
    for line in (
        Line(refused(429, **{"Retry-After": "3600"}), policy=RetryPolicy(throttle_window=0)),
        Line(refused(503, **{"Retry-After": ["29", "5"][0]}), policy=RetryPolicy(max_retry_after=10)),
    ):
        assert line.call().status in (429, 503)
        assert line.waits == []


def test_a_nonsense_retry_after_is_ignored() -> None:
    line = Line(refused(503, **{"Retry-After": "soon"}))
    assert line.call().status == 200
    assert line.waits == [pytest.approx(0.05)]


def test_the_trap_of_the_rate_limit_is_left() -> None:
    # The server starts its window of 60 s anew at each request that it refuses.
    line = Line(refused(429), policy=RetryPolicy())
    assert line.call(timeout=30.0).status == 429
    assert len(line.sent) == 1
    with pytest.raises(RateLimitError, match="nothing was sent") as caught:
        line.call(timeout=30.0)
    assert caught.value.retry_after == pytest.approx(60.0)
    assert len(line.sent) == 1
    line.now += 50
    assert line.call(timeout=30.0).status == 200  # waits for the ten seconds that are left
    assert line.waits == [pytest.approx(10.0)]


def test_what_was_waited_for_the_window_belongs_to_the_calls_time() -> None:
    line = Line(refused(429), policy=RetryPolicy())
    line.call(timeout=30.0)
    line.now += 50
    line.call(timeout=30.0)
    assert line.sent[-1].timeout == pytest.approx(20.0)
    line.now += 1
    line.call(timeout=30.0)
    assert line.sent[-1].timeout == 30.0


def test_only_what_the_limit_counts_is_held_back() -> None:
    line = Line(refused(429), policy=RetryPolicy())
    line.call(timeout=30.0)
    assert line.call(timeout=30.0, operation="files.list").status == 200
    with pytest.raises(RateLimitError):
        line.call(timeout=30.0)
    line = Line(refused(429), policy=RetryPolicy())
    line.call(timeout=30.0, operation="files.list")
    assert line.call(timeout=30.0).status == 200


def test_a_window_that_another_call_began_anew_is_waited_for_too() -> None:
    """Of two calls that were under way together, the one refused first must not come back in the other's window."""
    now, sent, waits = [100.0], list[float](), list[float]()

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    def call() -> Response:
        return retry(Request("query", "POST", "/", timeout=None), handle)

    def handle(request: Request) -> Response:
        sent.append(now[0])
        if len(sent) == 1:
            # While this one is under way, another is refused, waits, and is refused again at 161.
            call()
            return refused(429)
        return refused(429) if len(sent) in (2, 3) else Response(200)

    retry = retrying(RetryPolicy(), threading.Event(), clock=lambda: now[0], sleep=sleep, random=lambda: 0.0)
    assert call().status == 200
    assert sent[:4] == [100.0, 100.0, 160.0, 220.0]
    assert sent[4] == 280.0


def test_a_patient_call_waits_for_the_window() -> None:
    line = Line(refused(429), policy=RetryPolicy())
    assert line.call(timeout=None).status == 200
    assert line.waits == [pytest.approx(61.0)]


def test_no_retry_when_the_client_closes() -> None:
    line = Line(NotSentError("x"), NotSentError("y"))
    line.closing.set()
    with pytest.raises(NotSentError, match="x"):
        line.call()
    assert len(line.sent) == 1


def test_closing_ends_a_wait() -> None:
    closing = threading.Event()
    retry = retrying(RetryPolicy(backoff=60.0, max_backoff=60.0), closing, random=lambda: 1.0)

    def fail(request: Request) -> Response:
        threading.Timer(0.05, closing.set).start()
        raise NotSentError("x")

    with pytest.raises(NotSentError):
        retry(Request("query", "POST", "/", safe=True), fail)


def test_closing_ends_the_wait_for_the_window() -> None:
    line = Line(refused(429), policy=RetryPolicy())
    line.call(timeout=30.0)
    line.now += 50
    line.closing.set()
    with pytest.raises(RequestTimeoutError, match="closed") as caught:
        line.call(timeout=30.0)
    assert caught.value.outcome is Outcome.NOT_SENT
    assert len(line.sent) == 1


def test_a_window_that_grows_past_the_deadline_ends_the_call_with_its_own_answer() -> None:
    now, sent = [100.0], list[float]()

    def sleep(seconds: float) -> None:
        now[0] += seconds
        if len(sent) == 1:
            # Another call is refused while this one waits.
            sent.append(now[0])
            retry(Request("query", "POST", "/", timeout=1.0), lambda request: refused(429, **{"Retry-After": "50"}))

    def handle(request: Request) -> Response:
        sent.append(now[0])
        return refused(429, **{"Retry-After": "5"})

    retry = retrying(RetryPolicy(), threading.Event(), clock=lambda: now[0], sleep=sleep, random=lambda: 0.0)
    answer = retry(Request("query", "POST", "/", timeout=30.0), handle)
    assert answer.status == 429
    assert answer.retry_after() == 5.0
    assert len(answer.attempts) == 1
    assert len(sent) == 2
