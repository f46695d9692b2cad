"""Middleware for asyncio: its order, keys of coroutine functions, and what comes along."""

from __future__ import annotations

import asyncio
import logging as std_logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import mesahub.middleware
from mesahub import AmbiguousResultError, ConfigurationError, MesahubError, NotSentError, RateLimitError, RetryPolicy
from mesahub.aio import AsyncMesahubClient
from mesahub.aio.middleware import Details, Handler, hooks, inside_retry, logging, rate_limit
from mesahub.errors import ConnectionLostError, Outcome, RequestTimeoutError
from mesahub.transport import AsyncResponse, Request, Response

KEY = "shs_very_secret"


class Server:
    """A transport that remembers what it was sent."""

    def __init__(self, *answers: Any, delay: float = 0) -> None:
        self.answers = list(answers)
        self.sent: list[Request] = []
        self.delay = delay
        self.closed = False

    async def send(self, request: Request, /) -> AsyncResponse:
        self.sent.append(request)
        await asyncio.sleep(self.delay)
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, BaseException):
            raise answer
        return AsyncResponse(answer, payload={"headers": [], "rows": []} if answer == 200 else {"error": "no"})

    async def close(self) -> None:
        self.closed = True


def client(server: Server, key: Any = KEY, **options: Any) -> AsyncMesahubClient:
    options.setdefault("retry", RetryPolicy(backoff=0))
    return AsyncMesahubClient(key, "http://core", transport=server, **options)


def run(server: Server, body: Callable[[AsyncMesahubClient], Awaitable[Any]], **options: Any) -> Any:
    async def main() -> Any:
        async with client(server, **options) as mine:
            return await body(mine)

    return asyncio.run(main())


async def select(mine: AsyncMesahubClient) -> Any:
    return await mine.query("db", "SELECT 1")


def test_the_order_is_yours_then_retry_then_inner_then_auth() -> None:
    seen: list[str] = []

    async def outer(request: Request, forward: Handler) -> Response:
        seen.append("outer")
        assert "Authorization" not in request.headers
        return await forward(request)

    def not_waiting(request: Request, forward: Handler) -> Any:
        seen.append("not waiting")
        return forward(request)

    @inside_retry
    async def inner(request: Request, forward: Handler) -> Response:
        seen.append("inner")
        return await forward(request)

    server = Server(NotSentError("x"))
    run(server, select, middleware=[outer, inner, not_waiting])
    assert seen == ["outer", "not waiting", "inner", "inner"]
    assert server.sent[0].headers["Authorization"] == f"Bearer {KEY}"
    assert not server.closed, "an instance is the caller's to close"


def test_a_middleware_may_answer_by_itself() -> None:
    def cached(request: Request, forward: Handler) -> Response:
        return Response(200, payload={"headers": [], "rows": []})

    server = Server()
    assert run(server, select, middleware=[cached]).row_count == 0
    assert server.sent == []


def test_a_middleware_is_named_when_it_goes_wrong() -> None:
    async def breaks(request: Request, forward: Handler) -> Response:
        raise ValueError("mine")

    async def forgets(request: Request, forward: Handler) -> Any:
        await forward(request)

    with pytest.raises(ValueError, match="mine") as raised:
        run(Server(), select, middleware=[breaks])
    assert "breaks" in raised.value.__notes__[0]
    with pytest.raises(ConfigurationError, match=r"forgets must return the response of next\(request\), not NoneType"):
        run(Server(), select, middleware=[forgets])


@pytest.mark.parametrize("name", ["logging", "hooks"])
def test_a_blocking_layer_of_ours_is_refused(name: str) -> None:
    layer = getattr(mesahub.middleware, name)()
    with pytest.raises(ConfigurationError, match=rf"{name} of mesahub.middleware .* mesahub\.aio\.middleware"):
        client(Server(), middleware=[layer])


def test_an_asynchronous_layer_is_refused_by_blocking_clients() -> None:
    with pytest.raises(ConfigurationError, match=r"mesahub\.aio"):
        mesahub.MesahubClient(KEY, "http://core", middleware=[logging()])  # type: ignore[list-item]


def test_a_key_may_come_from_a_coroutine_function_once_for_many_tasks() -> None:
    asked = 0

    async def key() -> str:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.01)
        return f"key{asked}"

    async def body(mine: AsyncMesahubClient) -> None:
        await asyncio.gather(*(select(mine) for _ in range(20)))

    server = Server()
    run(server, body, key=key)
    assert asked == 1
    assert {request.headers["Authorization"] for request in server.sent} == {"Bearer key1"}
    server = Server(401)
    run(server, select, key=key)
    assert [request.headers["Authorization"] for request in server.sent] == ["Bearer key2", "Bearer key3"]


def test_a_plain_key_function_is_asked_again_after_a_401() -> None:
    keys = iter(["old", "new"])
    server = Server(401)
    run(server, select, key=lambda: next(keys))
    assert [request.headers["Authorization"] for request in server.sent] == ["Bearer old", "Bearer new"]


def test_a_failing_key_function_is_named() -> None:
    async def key() -> str:
        raise OSError("no vault")

    with pytest.raises(OSError, match="no vault") as raised:
        run(Server(), select, key=key)
    assert "api_key" in raised.value.__notes__[0]


def test_callbacks_may_wait() -> None:
    seen: list[str] = []

    async def before(details: Details) -> None:
        await asyncio.sleep(0)
        seen.append(f"before {details.operation}")

    async def retried(details: Details) -> None:
        await asyncio.sleep(0)
        seen.append(f"retry {details.attempt.number if details.attempt else None}")

    def after(details: Details) -> None:
        seen.append(f"after {details.status or type(details.error).__name__}")

    run(Server(503), select, middleware=[hooks(before=before, after=after, retry=retried)])
    assert seen == ["before query", "retry 1", "after 200"]
    seen.clear()
    with pytest.raises(MesahubError):
        run(Server(400), select, middleware=[hooks(after=after)])
    assert seen == ["after 400"]


def test_calls_and_retries_are_logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    with caplog.at_level(std_logging.DEBUG, "mesahub"):
        run(Server(503), select, middleware=[logging()])
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert KEY not in caplog.text
    caplog.clear()
    monkeypatch.setenv("MESAHUB_LOG", "debug")
    logger = std_logging.getLogger("mesahub")
    monkeypatch.setattr(logger, "handlers", list(logger.handlers))
    monkeypatch.setattr(logger, "level", logger.level)
    run(Server(503), select)
    assert "attempt 2, POST" in caplog.text
    assert "-> 200" in caplog.text


def test_requests_are_paced() -> None:
    waits: list[float] = []
    now = [0.0]

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    layer = rate_limit(2, clock=lambda: now[0], sleep=sleep)

    async def body(mine: AsyncMesahubClient) -> None:
        for _ in range(3):
            await select(mine)
        with pytest.raises(RateLimitError, match="nothing was sent"):
            await mine.query("db", "SELECT 1", timeout=1)

    server = Server()
    run(server, body, middleware=[layer], timeout=100)
    assert waits == [60.0]
    assert len(server.sent) == 3


def test_closing_ends_the_wait_between_attempts() -> None:
    async def main() -> None:
        mine = client(Server(*[503] * 5), retry=RetryPolicy(backoff=20, max_backoff=20))
        task = asyncio.create_task(select(mine))
        while not mine._stack._closing._waiting and not task.done():
            await asyncio.sleep(0.001)
        assert not task.done()
        await mine.close()
        with pytest.raises(MesahubError):
            await asyncio.wait_for(task, 10)

    asyncio.run(main())


def test_a_cancelled_call_raises_cancelled_error_and_is_not_sent_again() -> None:
    async def main() -> None:
        server = Server(delay=10)
        mine = client(server)
        task = asyncio.create_task(mine.exec("db", "DELETE FROM t"))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(server.sent) == 1
        slow = client(Server(*[503] * 5), retry=RetryPolicy(backoff=20, max_backoff=20))
        task = asyncio.create_task(select(slow))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not slow._stack._closing._waiting

    asyncio.run(main())


@pytest.mark.parametrize(
    "lost", [ConnectionLostError("reset"), RequestTimeoutError("late", outcome=Outcome.MAYBE_RAN), 502]
)
def test_a_write_whose_answer_was_lost_is_ambiguous(lost: Any) -> None:
    server = Server(lost)

    async def body(mine: AsyncMesahubClient) -> None:
        with pytest.raises(AmbiguousResultError):
            await mine.exec("db", "DELETE FROM t")

    run(server, body)
    assert len(server.sent) == 1


def test_no_address_of_several_answers() -> None:
    async def main() -> Any:
        async with AsyncMesahubClient(
            KEY, ["http://127.0.0.1:9", "http://127.0.0.1:10"], retry=RetryPolicy.none()
        ) as mine:
            with pytest.raises(NotSentError):
                await select(mine)

    asyncio.run(main())
