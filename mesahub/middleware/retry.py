"""Tries again where that is safe, and never writes twice.

What became of a request and whether it may be sent twice decide together:

| what became of it | reads, and writes declared idempotent | other writes |
|---|---|---|
| nothing was sent: refused, no such host, no connection free | again | again |
| refused by the server: 429, 503, locked, queue full | again, after Retry-After | again, after Retry-After |
| it may have run: timeout, reset, 502, 504, broken JSON | again | `AmbiguousResultError` |
| an SQL error, 400, 401, 403, 404, TLS, configuration | never | never |
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from time import monotonic, time
from typing import Self

from mesahub._util.frozen import Frozen
from mesahub.errors import (
    ConfigurationError,
    Outcome,
    RequestTimeoutError,
    TLSError,
    TransportError,
)
from mesahub.middleware import Handler, Middleware
from mesahub.transport import Request, Response

_COUNTED = frozenset({"query", "exec"})
"""Operations that the server's rate limit counts; files and administration are free of it."""


class Attempt(Frozen):
    """One attempt of a call; it cannot be changed.

    Attributes:
        number: 1 for the first.
        started: when, in seconds since the epoch.
        seconds: how long it took.
        what: what came of it: ``"HTTP 503"``, ``"NotSentError"``, ...
        message: the error's or the answer's own words, ``""`` where it had none.
        waited: seconds that were waited afterwards, 0.0 when it was the last one.
    """

    __slots__ = ("message", "number", "seconds", "started", "waited", "what")

    number: int
    started: float
    seconds: float
    what: str
    message: str
    waited: float

    def __init__(
        self, number: int, started: float, seconds: float, what: str, message: str = "", waited: float = 0.0
    ) -> None:
        self._set(number=number, started=started, seconds=seconds, what=what, message=message, waited=waited)

    def __repr__(self) -> str:
        said = f" ({self.message})" if self.message else ""
        waited = f", waited {self.waited:.2f} s" if self.waited else ""
        return f"<Attempt {self.number}: {self.what}{said} after {self.seconds:.3f} s{waited}>"


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
        statuses: Collection[int] = frozenset({429, 502, 503, 504}),
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
        # Imported for the first error only.
        from mesahub.dialects.mesahub.errors import is_busy, is_inactive, text_of

        status = response.status
        if status < 400:  # it was handed over as no answer
            return Outcome.MAYBE_RAN
        text = text_of(response)
        if is_busy(text):
            return Outcome.REFUSED
        if status not in self.statuses or is_inactive(status, text):
            return None
        return Outcome.REFUSED if status in (429, 503) else Outcome.MAYBE_RAN

    def decide(
        self,
        number: int,
        result: Response | Exception,
        *,
        safe: bool,
        left: float | None = None,
        random: Callable[[], float],
        now: float,
    ) -> float | None:
        """Whether to send a call again: seconds to wait before, or ``None`` to end it. Pure: it does nothing.

        Args:
            number: of the attempt that failed, 1 for the first.
            result: what it came to: an answer or an error.
            safe: may the request be sent twice (`mesahub.transport.Request.safe`)?
            left: seconds until the call's deadline, ``None`` without one.
            random: gives a number from 0 to 1.
            now: seconds since the epoch, for a Retry-After that is a date.

        Example:
            >>> RetryPolicy().decide(1, NotSentError("refused"), safe=False, random=lambda: 1.0, now=0.0)
            0.05
        """
        outcome = self.outcome_of(result)
        if outcome is None or (outcome is Outcome.MAYBE_RAN and not safe) or number >= self.attempts:
            return None
        throttled = isinstance(result, Response) and result.status == 429
        base = self.throttled_backoff if throttled else self.backoff
        wait: float = random() * min(base * 2.0 ** min(number - 1, 62), self.max_backoff)
        asked = result.retry_after(now) if isinstance(result, Response) else None
        if asked is not None:
            if asked > self.max_retry_after:
                return None
            # All who were told the same second would come back at once, but for the jitter.
            wait = asked + wait * min(1.0, asked)
        elif throttled:
            wait += self.throttle_window
        return None if left is not None and wait >= left else wait


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
    wall: Callable[[], float] = time,
    sleep: Callable[[float], object] | None = None,
    random: Callable[[], float] | None = None,
) -> Middleware:
    """The layer that tries again.

    Args:
        policy: decides.
        closing: set when the client closes; it ends every wait.
        listeners: told of each attempt that will be followed by another one.
        clock: monotonic seconds.
        wall: seconds since the epoch.
        sleep: waits; default: until ``closing`` is set at the latest.
        random: gives a number from 0 to 1.
    """
    full = int(policy.budget * 10)
    state = _State(full)
    pause = sleep or closing.wait

    def retry(request: Request, forward: Handler) -> Response:
        # A call that succeeds at once pays for what stands between here and the first return, and no more.
        began = clock()
        first = request
        if state.quiet_until and request.operation in _COUNTED:
            first = _after_quiet(request)
        if policy.attempt_timeout is not None and (first.timeout is None or policy.attempt_timeout < first.timeout):
            first = first.replace(timeout=policy.attempt_timeout)
        try:
            response = forward(first)
        except TransportError as error:
            return _again(request, forward, error, began)
        if _fine(request, response):
            if state.tenths < full:
                state.tenths += 1
            return response
        return _again(request, forward, response, began)

    def _again(request: Request, forward: Handler, result: Response | Exception, began: float) -> Response:
        # Imported for the first call that does not succeed at once.
        from mesahub.middleware.retry_outcomes import end, what

        # A request that streams has no end in time, only a longest silence.
        deadline = None if request.timeout is None or request.streams else began + request.timeout
        attempts: list[Attempt] = []
        outcomes: list[Outcome | None] = []
        started = began
        while True:
            result = _whole(result)
            now, number = clock(), len(attempts) + 1
            outcomes.append(policy.outcome_of(result))
            _note_throttling(policy, state, request, result, now)
            wait = policy.decide(
                number,
                result,
                safe=request.safe,
                left=None if deadline is None else deadline - now,
                random=random or _random(),
                now=wall(),
            )
            if wait is not None:
                wait = max(wait, _quiet(state, request, now))
                if (deadline is not None and now + wait >= deadline) or closing.is_set() or not _take(state):
                    wait = None
            outcome, message = what(result)
            attempts.append(Attempt(number, wall() - (now - started), now - started, outcome, message, wait or 0.0))
            if wait is None:
                return end(request, result, outcomes, attempts)
            for listener in listeners:
                listener(request, attempts[-1])
            if not _wait(request, wait, deadline):
                return end(request, result, outcomes, attempts)
            started = clock()
            try:
                result = forward(_next(request, policy, deadline, started))
            except TransportError as error:
                result = error
            else:
                if _fine(request, result):
                    return result

    def _wait(request: Request, seconds: float, deadline: float | None) -> bool:
        """Wait; ``False`` when the client was closed, or there is no time left."""
        while seconds > 0:
            pause(seconds)
            if closing.is_set():
                return False
            # Another call may have been refused in the meantime, which began the server's window anew.
            seconds = _quiet(state, request, clock())
            if deadline is not None and clock() + seconds >= deadline:
                return False
        return not closing.is_set()

    def _after_quiet(request: Request) -> Request:
        """Wait until the server's window is over; the request with what is left of its time."""
        left = state.quiet_until - clock()
        waited = 0.0
        if left <= 0:
            with state.lock:
                if state.quiet_until <= clock():
                    state.quiet_until = 0.0
        while left > 0:
            if request.timeout is not None and waited + left >= request.timeout:
                from mesahub.middleware.retry_outcomes import held_back

                raise held_back(left)
            pause(left)
            waited += left
            if closing.is_set():
                raise RequestTimeoutError("The client was closed while the call waited.", outcome=Outcome.NOT_SENT)
            # Another call may have been refused in the meantime, which began the window anew.
            left = state.quiet_until - clock()
        if request.timeout is None or not waited:
            return request
        return request.replace(timeout=request.timeout - waited)

    return retry


def _next(request: Request, policy: RetryPolicy, deadline: float | None, now: float) -> Request:
    limits = [seconds for seconds in (policy.attempt_timeout,) if seconds is not None]
    if deadline is not None:
        limits.append(max(deadline - now, 0.001))
    return request.replace(timeout=min(limits)) if limits else request


def _fine(request: Request, response: Response) -> bool:
    """Is this an answer to hand on? Broken JSON, or a page in its place, is one only where nobody may ask again."""
    if response.status >= 400:
        return False
    if not request.safe or request.operation not in _COUNTED:
        return True
    try:
        # Parsed here or later, once in any case. An empty body has a meaning of its own.
        return type(response.payload) is dict or not response.content
    except ValueError:
        return False


def _whole(result: Response | Exception) -> Response | Exception:
    """An answer of which the body was read, or the error that this came to."""
    if isinstance(result, Response):
        try:
            result.read()
        except TransportError as error:
            return error
    return result


def _take(state: _State) -> bool:
    with state.lock:
        if state.tenths < 10:
            return False
        state.tenths -= 10
        return True


def _note_throttling(
    policy: RetryPolicy, state: _State, request: Request, result: Response | Exception, now: float
) -> None:
    if not isinstance(result, Response) or result.status != 429 or request.operation not in _COUNTED:
        return
    asked = result.retry_after()
    seconds = policy.throttle_window if asked is None else asked
    if seconds > 0:
        with state.lock:
            state.quiet_until = max(state.quiet_until, now + seconds)


def _quiet(state: _State, request: Request, now: float) -> float:
    """Seconds until the server's window is over, 0.0 for what its limit does not count."""
    if not state.quiet_until or request.operation not in _COUNTED:
        return 0.0
    return max(state.quiet_until - now, 0.0)


def _random() -> Callable[[], float]:
    # Imported at the first retry: it takes as long as a good part of this package.
    from random import random

    return random
