"""A handler with prepared outcomes, on a clock that only waiting moves."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

from mesahub import RetryPolicy
from mesahub.aio.middleware.retry import retrying as async_retrying
from mesahub.dialects.base import Dialect
from mesahub.middleware.retry import Attempt, retrying
from mesahub.transport import AsyncDownloadStream, AsyncResponse, Headers, Request, Response


class Line:
    """A handler that goes through its outcomes one by one, on a clock that only waiting moves.

    Attributes:
        waiting: ``"asyncio"`` asks the twin of the retry layer for asyncio instead.
    """

    waiting: ClassVar[str] = "blocking"

    def __init__(
        self, *outcomes: Any, policy: RetryPolicy | None = None, cost: float = 0.0, dialect: Dialect | None = None
    ) -> None:
        self.outcomes = list(outcomes)
        self.policy = policy or RetryPolicy(throttle_window=0)
        self.now = 100.0
        self.cost = cost
        self.waits: list[float] = []
        self.sent: list[Request] = []
        self.told: list[Attempt] = []
        self.given: dict[int, tuple[Response, AsyncResponse]] = {}
        self.closing = threading.Event()
        self._is_async = self.waiting == "asyncio"
        make: Any = async_retrying if self._is_async else retrying
        self.retry: Any = make(
            self.policy,
            self.closing,
            [lambda request, attempt: self.told.append(attempt)],
            dialect=dialect,
            clock=lambda: self.now,
            wall=lambda: 1_700_000_000 + self.now,
            sleep=self._asleep if self._is_async else self._sleep,
            random=lambda: 1.0,
        )

    def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    async def _asleep(self, seconds: float) -> None:
        self._sleep(seconds)

    async def ahandle(self, request: Request) -> AsyncResponse:
        """`handle` for asyncio."""
        response = self.handle(request)
        stream: Any = response.stream
        made = AsyncResponse.of(response, None if stream is None else AsyncStream(stream))
        self.given[id(made)] = response, made
        return made

    def handle(self, request: Request) -> Response:
        self.sent.append(request)
        self.now += self.cost
        outcome = self.outcomes.pop(0) if self.outcomes else Response(200)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome if isinstance(outcome, Response) else Response(outcome)

    def call(self, *, safe: bool = True, timeout: float | None = 30.0, operation: str = "") -> Response:
        name = operation or ("query" if safe else "exec")
        request = Request(name, "POST", "/", safe=safe, timeout=timeout)
        if not self._is_async:
            response: Response = self.retry(request, self.handle)
            return response
        made = driven(self.retry(request, self.ahandle))
        response, _ = self.given.get(id(made), (made, made))
        response.attempts = made.attempts
        return response


class AsyncStream(AsyncDownloadStream):
    """A stream that is there."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def read(self, size: int = -1, /) -> bytes:
        read: bytes = self._stream.read(size)
        return read

    async def close(self) -> None:
        self._stream.close()


def driven(coroutine: Any) -> Any:
    """What a coroutine returns that never waits for anything."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waited")


def refused(status: int, text: str = "", **headers: str) -> Response:
    return Response(status, Headers(headers), payload={"error": text} if text else None)


def outcome(value: Any) -> Any:
    return refused(*value) if isinstance(value, tuple) else refused(value) if isinstance(value, int) else value
