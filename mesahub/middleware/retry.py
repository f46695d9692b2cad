"""Tries again where that is safe, and never writes twice.

What became of a request and whether it may be sent twice decide together:

| what became of it | reads, and writes declared idempotent | other writes |
|---|---|---|
| nothing was sent: refused, no such host, no connection free | again | again |
| refused by the server: 429, 503, locked, queue full | again, after Retry-After | again, after Retry-After |
| it may have run: timeout, reset, 502, 504 | again | `AmbiguousResultError` |
| an SQL error, 400, 401, 403, 404, TLS, configuration | never | never |
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from time import monotonic, time
from typing import Self

from mesahub._frozen import Frozen
from mesahub.errors import (
    AmbiguousResultError,
    ConfigurationError,
    MesahubError,
    Outcome,
    RateLimitError,
    RequestTimeoutError,
    TLSError,
    TransportError,
)
from mesahub.middleware import Handler, Middleware
from mesahub.transport import Request, Response

_BUSY = ("database is locked", "database table is locked", "queue full", "queue is full", "database is busy")
_INACTIVE = "inactive"


class Attempt:
    """One attempt of a call.

    Attributes:
        number: 1 for the first.
        started: when, in seconds since the epoch.
        seconds: how long it took.
        what: what came of it: ``"HTTP 503"``, ``"NotSentError"``, ...
        waited: seconds that were waited afterwards, 0.0 when it was the last one.
    """

    __slots__ = ("number", "seconds", "started", "waited", "what")

    def __init__(self, number: int, started: float, seconds: float, what: str, waited: float = 0.0) -> None:
        self.number = number
        self.started = started
        self.seconds = seconds
        self.what = what
        self.waited = waited

    def __repr__(self) -> str:
        waited = f", waited {self.waited:.2f} s" if self.waited else ""
        return f"<Attempt {self.number}: {self.what} after {self.seconds:.3f} s{waited}>"


class RetryPolicy(Frozen):
    """When to try again, and how long to wait before: an immutable value.

    Args:
        attempts: how often a call is sent at most, the first time included.
        backoff: seconds; before the n-th retry it waits a random time of up to ``backoff * 2**(n-1)``.
        throttled_backoff: the same after a 429.
        max_backoff: the longest of these waits.
        max_retry_after: seconds; where a server asks to wait longer, the call raises at once, with
            ``.retry_after``. It is never cut short.
        throttle_window: seconds that nothing is sent after a 429 without Retry-After. MesaHub's server starts
            its window of 60 s anew at each request that it refuses, so that a client which keeps trying never gets
            out; until the time is over all calls of the client wait, or raise `RateLimitError` where their timeout
            is shorter. 0 for a server that does not do this.
        attempt_timeout: seconds for one attempt; ``None``: what is left of the call's own ``timeout``.
        budget: retries that a client may make at once; every call that succeeds gives a tenth of one back. So
            an outage is not multiplied by the number of attempts.
        statuses: which answers may be tried again.

    Example:
        >>> RetryPolicy(attempts=5).replace(backoff=0.2).attempts
        5
    """

    __slots__ = (
        "attempt_timeout",
        "attempts",
        "backoff",
        "budget",
        "max_backoff",
        "max_retry_after",
        "statuses",
        "throttle_window",
        "throttled_backoff",
    )

    attempts: int
    backoff: float
    throttled_backoff: float
    max_backoff: float
    max_retry_after: float
    throttle_window: float
    attempt_timeout: float | None
    budget: float
    statuses: frozenset[int]

    def __init__(
        self,
        attempts: int = 3,
        *,
        backoff: float = 0.05,
        throttled_backoff: float = 1.0,
        max_backoff: float = 10.0,
        max_retry_after: float = 60.0,
        throttle_window: float = 60.0,
        attempt_timeout: float | None = None,
        budget: float = 20.0,
        statuses: Sequence[int] | frozenset[int] = frozenset({429, 502, 503, 504}),
    ) -> None:
        if type(attempts) is not int or attempts < 1:
            raise ConfigurationError(f"attempts must be an integer from 1 on, not {attempts!r}.")
        numbers = {
            "backoff": backoff,
            "throttled_backoff": throttled_backoff,
            "max_backoff": max_backoff,
            "max_retry_after": max_retry_after,
            "throttle_window": throttle_window,
            "budget": budget,
        }
        for name, value in numbers.items():
            if not isinstance(value, (int, float)) or not value >= 0:
                raise ConfigurationError(f"{name} must be a number from 0 on, not {value!r}.")
        if attempt_timeout is not None and not attempt_timeout > 0:
            raise ConfigurationError(f"attempt_timeout must be more than 0 seconds, not {attempt_timeout!r}.")
        self._set(attempts=attempts, attempt_timeout=attempt_timeout, statuses=frozenset(statuses), **numbers)

    @classmethod
    def none(cls) -> Self:
        """Never try again, and never hold a call back."""
        return cls(1, throttle_window=0)

    def outcome_of(self, result: Response | Exception) -> Outcome | None:
        """What became of a request, ``None`` where trying again makes no sense."""
        if isinstance(result, Response):
            return self._outcome_of_answer(result)
        if isinstance(result, TLSError) or not isinstance(result, TransportError):
            return None
        return result.outcome

    def _outcome_of_answer(self, response: Response) -> Outcome | None:
        status = response.status
        text = response.read()[:2000].decode("utf-8", "replace").lower() or str(response.payload).lower()
        if any(words in text for words in _BUSY):
            return Outcome.REFUSED
        if status not in self.statuses or (status == 503 and _INACTIVE in text):
            return None
        return Outcome.REFUSED if status in (429, 503) else Outcome.MAYBE_RAN

    def wait(self, retry: int, result: Response | Exception, random: Callable[[], float], now: float) -> float:
        """Seconds to wait before the n-th retry.

        Args:
            retry: 1 for the first.
            result: what the last attempt came to.
            random: gives a number from 0 to 1.
            now: seconds since the epoch, for a Retry-After that is a date.
        """
        status = result.status if isinstance(result, Response) else 0
        base = self.throttled_backoff if status == 429 else self.backoff
        jitter: float = random() * min(base * 2.0 ** min(retry - 1, 62), self.max_backoff)
        if isinstance(result, Response):
            asked = result.retry_after(now)
            if asked is not None:
                return asked + jitter * min(1.0, asked)
            if status == 429:
                return self.throttle_window + jitter
        return jitter


class _State:
    """What the calls of one client share."""

    __slots__ = ("lock", "quiet_until", "tenths")

    def __init__(self, tenths: int) -> None:
        self.lock = threading.Lock()
        self.tenths = tenths
        self.quiet_until = 0.0


def retrying(
    policy: RetryPolicy,
    closing: threading.Event,
    listeners: Sequence[Callable[[Request, Attempt], None]] = (),
    *,
    clock: Callable[[], float] = monotonic,
    sleep: Callable[[float], object] | None = None,
    random: Callable[[], float] | None = None,
) -> Middleware:
    """The layer that tries again.

    Args:
        policy: decides.
        closing: set when the client closes; it ends every wait.
        listeners: told of each attempt that will be followed by another one.
        clock: monotonic seconds.
        sleep: waits; default: until ``closing`` is set at the latest.
        random: gives a number from 0 to 1.
    """
    full = int(policy.budget * 10)
    state = _State(full)
    pause = sleep or closing.wait

    def retry(request: Request, forward: Handler) -> Response:
        if state.quiet_until:
            _keep_quiet(request, state, clock, pause, closing)
        started = clock()
        first = request
        if policy.attempt_timeout is not None and (request.timeout is None or policy.attempt_timeout < request.timeout):
            first = request.replace(timeout=policy.attempt_timeout)
        try:
            response = forward(first)
        except TransportError as error:
            return _again(request, forward, error, started)
        if response.status < 400:
            if state.tenths < full:
                state.tenths += 1
            return response
        return _again(request, forward, response, started)

    def _again(request: Request, forward: Handler, result: Response | Exception, began: float) -> Response:
        # A request that streams has no end in time, only a longest silence.
        deadline = None if request.timeout is None or request.streams else began + request.timeout
        attempts: list[Attempt] = []
        started = began
        while True:
            number = len(attempts) + 1
            now = clock()
            attempt = Attempt(number, time() - (now - started), now - started, _what(result))
            attempts.append(attempt)
            outcome = policy.outcome_of(result)
            may = outcome is not None and (outcome is not Outcome.MAYBE_RAN or request.safe)
            if outcome is Outcome.REFUSED and isinstance(result, Response) and result.status == 429:
                _begin_quiet(policy, state, result, now)
            if not may or number >= policy.attempts or closing.is_set():
                return _end(request, result, outcome, attempts)
            wait = policy.wait(number, result, random or _random(), time())
            asked = result.retry_after() if isinstance(result, Response) else None
            too_long = asked is not None and asked > policy.max_retry_after
            if too_long or (deadline is not None and now + wait >= deadline) or not _take(state):
                return _end(request, result, outcome, attempts)
            attempt.waited = wait
            for listener in listeners:
                listener(request, attempt)
            if wait > 0:
                pause(wait)
            if closing.is_set():
                return _end(request, result, outcome, attempts)
            started = clock()
            try:
                result = forward(_next(request, policy, deadline, started))
            except TransportError as error:
                result = error
            else:
                if result.status < 400:
                    return result

    return retry


def _next(request: Request, policy: RetryPolicy, deadline: float | None, now: float) -> Request:
    limits = [seconds for seconds in (policy.attempt_timeout,) if seconds is not None]
    if deadline is not None:
        limits.append(max(deadline - now, 0.001))
    return request.replace(timeout=min(limits)) if limits else request


def _end(request: Request, result: Response | Exception, outcome: Outcome | None, attempts: list[Attempt]) -> Response:
    """The last answer, or the last error, with what was tried."""
    tried = tuple(attempts)
    ambiguous = outcome is Outcome.MAYBE_RAN and not request.safe
    if isinstance(result, Response):
        result.attempts = tried
        if not ambiguous:
            return result
    error: Exception = result if isinstance(result, Exception) else TransportError(f"HTTP {result.status}")
    if ambiguous and not isinstance(error, AmbiguousResultError):
        said = str(error).rstrip(".")
        raised = AmbiguousResultError.of(
            f"{request.operation} was sent, and it is not known whether it was carried out: {said}. Look before "
            "you repeat it; a call that may be sent twice can say idempotent=True.",
            status_code=result.status if isinstance(result, Response) else 0,
        )
        raised.attempts = tried
        raise raised from (error if isinstance(result, Exception) else None)
    if isinstance(error, MesahubError):
        error.attempts = tried
    raise error


def _what(result: Response | Exception) -> str:
    return f"HTTP {result.status}" if isinstance(result, Response) else type(result).__name__


def _take(state: _State) -> bool:
    with state.lock:
        if state.tenths < 10:
            return False
        state.tenths -= 10
        return True


def _begin_quiet(policy: RetryPolicy, state: _State, response: Response, now: float) -> None:
    asked = response.retry_after()
    seconds = policy.throttle_window if asked is None else asked
    if seconds > 0:
        state.quiet_until = max(state.quiet_until, now + seconds)


def _keep_quiet(
    request: Request,
    state: _State,
    clock: Callable[[], float],
    pause: Callable[[float], object],
    closing: threading.Event,
) -> None:
    left = state.quiet_until - clock()
    if left <= 0:
        state.quiet_until = 0.0
        return
    if request.timeout is not None and left >= request.timeout:
        error = RateLimitError.of(
            f"The server refused a request for being one too many, and would refuse this one too; nothing was sent. "
            f"Try again in {left:.0f} seconds.",
            status_code=429,
            details={"retry_after": left},
        )
        error.retry_after = left
        raise error
    pause(left)
    if closing.is_set():
        raise RequestTimeoutError("The client was closed while the call waited.", outcome=Outcome.NOT_SENT)


def _random() -> Callable[[], float]:
    # Imported at the first retry: it takes as long as a good part of this package.
    from random import random

    return random
