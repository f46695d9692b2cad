"""A handler with prepared outcomes, on a clock that only waiting moves."""

from __future__ import annotations

import threading
from typing import Any

from mesahub import (
    RetryPolicy,
)
from mesahub.middleware.retry import Attempt, retrying
from mesahub.transport import Headers, Request, Response


class Line:
    """A handler that goes through its outcomes one by one, on a clock that only waiting moves."""

    def __init__(self, *outcomes: Any, policy: RetryPolicy | None = None, cost: float = 0.0) -> None:
        self.outcomes = list(outcomes)
        self.policy = policy or RetryPolicy(throttle_window=0)
        self.now = 100.0
        self.cost = cost
        self.waits: list[float] = []
        self.sent: list[Request] = []
        self.told: list[Attempt] = []
        self.closing = threading.Event()
        self.retry = retrying(
            self.policy,
            self.closing,
            [lambda request, attempt: self.told.append(attempt)],
            clock=lambda: self.now,
            wall=lambda: 1_700_000_000 + self.now,
            sleep=self._sleep,
            random=lambda: 1.0,
        )

    def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def handle(self, request: Request) -> Response:
        self.sent.append(request)
        self.now += self.cost
        outcome = self.outcomes.pop(0) if self.outcomes else Response(200)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome if isinstance(outcome, Response) else Response(outcome)

    def call(self, *, safe: bool = True, timeout: float | None = 30.0, operation: str = "") -> Response:
        name = operation or ("query" if safe else "exec")
        return self.retry(Request(name, "POST", "/", safe=safe, timeout=timeout), self.handle)


def refused(status: int, text: str = "", **headers: str) -> Response:
    return Response(status, Headers(headers), payload={"error": text} if text else None)


def outcome(value: Any) -> Any:
    return refused(*value) if isinstance(value, tuple) else refused(value) if isinstance(value, int) else value
