# Made by scripts/asyncify.py of mesahub/middleware/retry.py: change that, and run `make aio`.
"""Retry where that is safe, and never write twice.

What became of a request and whether it may be sent twice decide together:

| what became of it | reads, and writes declared idempotent | other writes |
|---|---|---|
| nothing was sent: refused, no such host, no connection free | again | again |
| refused by the server: 429; 503 in its own words | again, after Retry-After | again, after Retry-After |
| it may have run: timeout, reset, 408, 425, any other 5xx, broken JSON | again | `AmbiguousResultError` |
| an SQL error, 400, 401, 403, 404, TLS, configuration | never | never |
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from time import monotonic, time

from mesahub._aio.layers import Handler, Middleware
from mesahub._aio.opening import settled
from mesahub._aio.waiting import Closing
from mesahub.dialects.base import Dialect
from mesahub.dialects.mesahub.answers import is_result
from mesahub.errors import Outcome, RequestTimeoutError, TransportError
from mesahub.middleware.attempts import Attempt
from mesahub.middleware.retry import _random
from mesahub.middleware.retry_policy import RetriedCall, RetryPolicy, RetryState
from mesahub.transport import AsyncResponse, Request
from mesahub.transport.messages import STATEMENTS

__all__ = ["retrying"]


def retrying(
    policy: RetryPolicy,
    closing: Closing,
    listeners: Sequence[Callable[[Request, Attempt], object]] = (),
    *,
    dialect: Dialect | None = None,
    clock: Callable[[], float] = monotonic,
    wall: Callable[[], float] = time,
    sleep: Callable[[float], Awaitable[object]] | None = None,
    random: Callable[[], float] | None = None,
) -> Middleware:
    """The layer that retries.

    Args:
        policy: decides.
        closing: set when the client closes; it ends every wait.
        listeners: called with each attempt that will be followed by another one.
        dialect: says what a response means; ``None`` for MesaHub's.
        clock: monotonic seconds.
        wall: seconds since the epoch.
        sleep: waits; default: until ``closing`` is set at the latest.
        random: gives a number from 0 to 1.
    """
    return _RetryLoop(policy, closing, listeners, dialect, clock, wall, sleep or closing.wait, random).send


class _RetryLoop:
    """Sends and waits. What is decided is decided by `RetriedCall` and `RetryPolicy`, which do neither."""

    __slots__ = (
        "_clock",
        "_closing",
        "_dialect",
        "_full",
        "_listeners",
        "_pause",
        "_policy",
        "_random",
        "_state",
        "_succeeded",
        "_wall",
    )  # fmt: skip

    def __init__(
        self,
        policy: RetryPolicy,
        closing: Closing,
        listeners: Sequence[Callable[[Request, Attempt], object]],
        dialect: Dialect | None,
        clock: Callable[[], float],
        wall: Callable[[], float],
        pause: Callable[[float], Awaitable[object]],
        random: Callable[[], float] | None,
    ) -> None:
        self._policy = policy
        self._state = RetryState(policy.budget)
        self._full = self._state.fifths
        self._closing = closing
        self._listeners = listeners
        self._dialect = dialect
        self._succeeded = is_result if dialect is None else dialect.succeeded
        self._clock = clock
        self._wall = wall
        self._pause = pause
        self._random = random

    async def send(self, request: Request, forward: Handler) -> AsyncResponse:
        """Send a request, again where that is safe."""
        # A call that succeeds immediately runs only the code from here to the first return.
        began = self._clock()
        first, state, policy = request, self._state, self._policy
        if state.quiet_until and request.operation in STATEMENTS:
            first = await self._after_window(request)
        if policy.attempt_timeout is not None:
            seconds = policy.attempt_seconds(1, safe=request.safe)
            if seconds is not None and (first.timeout is None or seconds < first.timeout):
                first = first.replace(timeout=seconds)
        try:
            response = await forward(first)
        except TransportError as error:
            return await self._again(request, forward, error, began)
        if self._succeeded(request, response):
            if state.fifths < self._full:
                state.succeeded()
            return response
        return await self._again(request, forward, response, began)

    async def _again(
        self, request: Request, forward: Handler, result: AsyncResponse | Exception, began: float
    ) -> AsyncResponse:
        # Imported for the first call that does not succeed at once.
        from mesahub.middleware.retry_outcomes import end

        call = RetriedCall(self._policy, self._state, request, began)
        started = began
        while True:
            result = await _read_whole(result)
            other = self._instead(call, result)
            if other is not None:
                call.request = other  # the same attempt goes on
            else:
                seconds = self._judge(call, result, started)
                if seconds is None:
                    return end(call, result, self._dialect)
                for listener in self._listeners:
                    await settled(listener(request, call.attempts[-1]))
                if not await self._wait(call, seconds):
                    return end(call, result, self._dialect)
                started = self._clock()
            try:
                response = await forward(call.next_request(self._clock()))
            except TransportError as error:
                result = error
            else:
                if self._succeeded(call.request, response):
                    return call.succeeded(response)
                result = response

    def _instead(self, call: RetriedCall, result: AsyncResponse | Exception) -> Request | None:
        """The same call in another form, where the engine does not take this one."""
        if self._dialect is None or not isinstance(result, AsyncResponse):
            return None
        return self._dialect.instead(call.request, result)

    def _judge(self, call: RetriedCall, result: AsyncResponse | Exception, started: float) -> float | None:
        """Note what an attempt came to. Seconds to wait before the next one; ``None`` to end the call."""
        if self._dialect is not None and isinstance(result, AsyncResponse):
            result.outcome = self._dialect.outcome(call.request, result)
            result.judged = True
        return call.failed(
            result,
            started=started,
            now=self._clock(),
            wall=self._wall(),
            random=self._random or _random(),
            closing=self._closing.is_set(),
        )

    async def _wait(self, call: RetriedCall, seconds: float) -> bool:
        """Wait; ``False`` when the client was closed, or there is no time left."""
        while seconds > 0:
            await self._pause(seconds)
            if self._closing.is_set():
                return False
            # Another call may have been refused in the meantime, which began the server's window again.
            seconds = self._state.quiet(call.request.operation, self._clock())
            if call.deadline is not None and self._clock() + seconds >= call.deadline:
                return False
        return not self._closing.is_set()

    async def _after_window(self, request: Request) -> Request:
        """Wait until the server's window is over; the request with what is left of its time."""
        state = self._state
        left = state.quiet(request.operation, self._clock())
        waited = 0.0
        while left > 0:
            if request.timeout is not None and waited + left >= request.timeout:
                from mesahub.middleware.retry_outcomes import rate_limited

                raise rate_limited(left, state.asked)
            await self._pause(left)
            waited += left
            if self._closing.is_set():
                raise RequestTimeoutError("The client was closed while the call waited.", outcome=Outcome.NOT_SENT)
            # Another call may have been refused in the meantime, which began the window again.
            left = state.quiet(request.operation, self._clock())
        if request.timeout is None or not waited:
            return request
        return request.replace(timeout=request.timeout - waited)


async def _read_whole(result: AsyncResponse | Exception) -> AsyncResponse | Exception:
    """A response whose body was read, or the error that this came to."""
    if isinstance(result, AsyncResponse):
        try:
            await result.aread()
        except TransportError as error:
            return error
    return result
