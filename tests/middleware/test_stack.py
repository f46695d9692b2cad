"""The stack: its order, auth, and what comes along."""

from __future__ import annotations

import logging as std_logging
from typing import Any

import pytest

from mesahub import ConfigurationError, MesahubClient, MesahubError, NotSentError, RateLimitError, RetryPolicy
from mesahub.middleware import Details, Handler, hooks, inside_retry, logging, rate_limit
from mesahub.transport import Request, Response
from tests.middleware.server import Server

KEY = "shs_very_secret"


def client(server: Server, key: Any = KEY, **options: Any) -> MesahubClient:
    options.setdefault("retry", RetryPolicy(backoff=0))
    return MesahubClient(key, "http://core", transport=server, **options)


def test_the_order_is_yours_then_retry_then_inner_then_auth() -> None:
    seen: list[str] = []

    def outer(request: Request, forward: Handler) -> Response:
        seen.append("outer")
        assert "Authorization" not in request.headers
        return forward(request)

    def second(request: Request, forward: Handler) -> Response:
        seen.append("second")
        return forward(request)

    @inside_retry
    def inner(request: Request, forward: Handler) -> Response:
        seen.append("inner")
        assert "Authorization" not in request.headers
        return forward(request)

    server = Server(NotSentError("x"))
    with client(server, middleware=[outer, inner, second]) as mine:
        mine.query("db", "SELECT 1")
    assert seen == ["outer", "second", "inner", "inner"]
    assert [request.headers["Authorization"] for request in server.sent] == [f"Bearer {KEY}"] * 2


def test_a_middleware_is_named_when_it_goes_wrong() -> None:
    def forgets(request: Request, forward: Handler) -> Any:
        forward(request)

    def breaks(request: Request, forward: Handler) -> Response:
        raise KeyError("x")

    with client(Server(), middleware=[forgets]) as mine, pytest.raises(ConfigurationError, match="forgets"):
        mine.query("db", "SELECT 1")
    with client(Server(), middleware=[breaks]) as mine, pytest.raises(KeyError) as caught:
        mine.query("db", "SELECT 1")
    assert "breaks" in caught.value.__notes__[0]
    with pytest.raises(ConfigurationError, match="function"):
        client(Server(), middleware=["no"])


def test_a_key_from_a_function_is_asked_again_once_after_a_401() -> None:
    keys = iter(["old", "new", "newer"])
    server = Server(200, 401, 200)
    with client(server, lambda: next(keys)) as mine:
        mine.query("db", "SELECT 1")
        mine.query("db", "SELECT 1")
    assert [request.headers["Authorization"] for request in server.sent] == ["Bearer old", "Bearer old", "Bearer new"]


def test_the_same_key_again_is_not_sent_again() -> None:
    from mesahub import AuthenticationError

    server = Server(401, 401)
    with client(server, lambda: KEY) as mine, pytest.raises(AuthenticationError):
        mine.exec("db", "DELETE FROM t")
    assert len(server.sent) == 1


@pytest.mark.parametrize("key", ["with\nbreak", " padded", "ünicode", ""])
def test_a_key_that_cannot_stand_in_a_header_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(ConfigurationError) as caught, client(Server(), lambda: key) as mine:
        mine.query("db", "SELECT 1")
    assert not key.strip() or key not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://example.com", False),
        ("http://93.184.216.34", False),
        ("https://example.com", True),
        ("http://localhost:4004", True),
        ("http://10.1.2.3", True),
        ("http://core", True),
        ("http://core.internal", True),
        ("http://[::1]:4004", True),
        ("http://[2606:2800:220:1::1]", False),
    ],
)
def test_a_key_goes_over_plain_http_only_in_private_networks(url: str, allowed: bool) -> None:
    if allowed:
        MesahubClient(KEY, url).close()
    else:
        with pytest.raises(ConfigurationError, match="allow_insecure"):
            MesahubClient(KEY, url)
        MesahubClient(KEY, url, allow_insecure=True).close()


def test_hooks_are_told_of_calls_and_retries() -> None:
    before: list[Details] = []
    after: list[Details] = []
    retries: list[Details] = []
    layer = hooks(before=before.append, after=after.append, retry=retries.append)
    with client(Server(NotSentError("x"), 200, 403), middleware=[layer]) as mine:
        mine.query("db", "SELECT ? AS secret", ["hidden"])
        with pytest.raises(Exception, match="no"):
            mine.query("db", "SELECT 1")
    assert [d.operation for d in before] == ["query", "query"]
    assert [d.status for d in after] == [200, 403]
    assert [d.attempt.what for d in retries if d.attempt] == ["NotSentError"]
    assert before[0].sql == "SELECT ? AS secret"
    assert "hidden" not in repr(before[0])
    with pytest.raises(AttributeError):
        before[0].status = 5


def test_an_error_reaches_the_hook() -> None:
    after: list[Details] = []
    options: dict[str, Any] = {"middleware": [hooks(after=after.append)], "retry": RetryPolicy.none()}
    with client(Server(NotSentError("x")), **options) as mine, pytest.raises(NotSentError):
        mine.query("db", "SELECT 1")
    assert isinstance(after[0].error, NotSentError)


def test_logging_shows_no_key_and_values_only_when_asked(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(std_logging.INFO, "mesahub")
    with client(Server(NotSentError("x")), middleware=[logging()]) as mine:
        mine.query("db", "SELECT ?\n  AS a", ["hidden"])
    with client(Server(), middleware=[logging(bindings=True)]) as mine:
        mine.query("db", "SELECT ?", ["shown"])
    lines = [record.getMessage() for record in caplog.records]
    assert "attempt 1 failed (NotSentError)" in lines[0]
    assert lines[1].startswith("query db 'SELECT ? AS a' -> 200 in ")
    assert "['shown']" in lines[2]
    assert not [line for line in lines if KEY in line or "hidden" in line]


def test_pacing_spreads_requests_over_the_minute() -> None:
    now = [0.0]
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    layer = rate_limit(3, clock=lambda: now[0], sleep=sleep)
    with client(Server(), middleware=[layer], timeout=None) as mine:
        for _ in range(5):
            mine.query("db", "SELECT 1")
            now[0] += 1
    assert waits == [57.0]
    server = Server()
    with client(server, middleware=[layer], timeout=60.0) as mine:
        now[0] = 61.5
        mine.query("db", "SELECT 1")
        with pytest.raises(RateLimitError, match=r"rate_limit\(3\) reached") as caught:
            mine.query("db", "SELECT 1", timeout=1.0)
        assert caught.value.retry_after == pytest.approx(58.0)
        mine.query("db", "SELECT 1")
    assert [request.timeout for request in server.sent] == [pytest.approx(59.5), pytest.approx(2.0)]
    with pytest.raises(ValueError, match="per_minute"):
        rate_limit(0)


def test_a_failing_callback_is_named() -> None:
    def fails(details: Details) -> None:
        raise LookupError("x")

    for layer, when in ((hooks(before=fails), "in query"), (hooks(retry=fails), "before a retry of query")):
        with (
            client(Server(NotSentError("x")), middleware=[layer]) as mine,
            pytest.raises(LookupError) as caught,
        ):
            mine.query("db", "SELECT 1")
        assert caught.value.__notes__[0] == f"This was raised in the middleware hooks, {when}."


def test_a_failing_key_function_is_named() -> None:
    def vault() -> str:
        raise ConnectionError("the vault is sealed")

    with client(Server(), vault) as mine, pytest.raises(ConnectionError) as caught:
        mine.query("db", "SELECT 1")
    assert "api_key" in caught.value.__notes__[0]


@pytest.mark.parametrize("path", ["http://evil.example/", "@evil.example/v1/query/db", ".evil.example/"])
@pytest.mark.parametrize("key", [KEY, lambda: KEY], ids=["static", "function"])
def test_the_key_goes_with_no_request_that_would_reach_another_host(path: str, key: Any) -> None:
    @inside_retry
    def astray(request: Request, forward: Handler) -> Response:
        return forward(request.replace(path=path))

    server = Server()
    with client(server, key, middleware=[astray]) as mine, pytest.raises(ConfigurationError, match="begin with '/'"):
        mine.query("db", "SELECT 1")
    assert server.sent == []


def test_errors_of_the_server_are_logged_as_errors(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(std_logging.INFO, "mesahub")
    with client(Server(500, 400), middleware=[logging()], retry=RetryPolicy.none()) as mine:
        for _ in range(2):
            with pytest.raises(MesahubError):
                mine.query("db", "SELECT 1")
    assert [(record.levelname, "-> 500" in record.getMessage()) for record in caplog.records] == [
        ("ERROR", True),
        ("INFO", False),
    ]
