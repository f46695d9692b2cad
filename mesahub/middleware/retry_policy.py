"""When to try again: a pure policy, and what the calls of one client share. Nothing here waits or sends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from typing import Self, TypeVar

from mesahub._util.frozen import Frozen
from mesahub.errors import ConfigurationError, Outcome, TLSError, TransportError
from mesahub.middleware.attempts import Attempt
from mesahub.transport import Request, Response
from mesahub.transport.messages import STATEMENTS

__all__ = ["RETRIED_STATUSES", "RetriedCall", "RetryPolicy", "RetryState"]

A = TypeVar("A", bound=Response)

RETRIED_STATUSES = frozenset({408, 425, 429, *range(500, 600)})
"""Statuses after which a read is tried again: the server, or a gateway in front of it, may do better in a moment."""


class RetryPolicy(Frozen):
    """When to try again, and how long to wait before: an immutable value.

    Args:
        attempts: how often a call is sent at most, the first time included.
        backoff: seconds; before the n-th retry it waits a random time of up to ``backoff * 2**(n-1)``.
        throttled_backoff: the same after a 429.
        max_backoff: the longest of these waits.
        max_retry_after: seconds; where a server asks to wait longer, the call raises at once, with
            ``.retry_after``. Nor is a client held back longer than this after a 429, whatever the server asked.
        throttle_window: seconds that nothing is sent after a 429 without Retry-After. MesaHub's server starts
            its window of 60 s again at each request that it rejects, so that a client which keeps trying never gets
            out; until the time is over all calls of the client wait, or raise `RateLimitError` where their timeout
            is shorter. 0 for a server that does not do this.
        attempt_timeout: seconds for one attempt; ``None``: what is left of the call's own ``timeout``.
        budget: retries that a client may make at once. A call that succeeds gives its own retries back, and a fifth of
            one more (the proportion that botocore's standard mode has): a flaky network never uses the budget up, and
            an outage is not multiplied by the number of attempts.
        statuses: which answers may be tried again: by default 408, 425, 429 and all from 500 on. What became of the
            request is decided apart from that: a write that got another 5xx is an `AmbiguousResultError` all the same.

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
        statuses: Collection[int] = RETRIED_STATUSES,
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
            if not isinstance(value, (int, float)) or isinstance(value, bool) or not value >= 0:
                raise ConfigurationError(f"{name} must be a number from 0 on, not {value!r:.100}.")
        if attempt_timeout is not None and not (type(attempt_timeout) in (int, float) and attempt_timeout > 0):
            raise ConfigurationError(f"attempt_timeout must be more than 0 seconds, not {attempt_timeout!r:.100}.")
        if not isinstance(statuses, Collection) or not all(type(status) is int for status in statuses):
            raise ConfigurationError("statuses must be a collection of HTTP statuses, such as {429, 503}.")
        self._set(attempts=attempts, attempt_timeout=attempt_timeout, statuses=frozenset(statuses), **numbers)

    @classmethod
    def none(cls) -> Self:
        """Never try again, and never hold a call back."""
        return cls(1, throttle_window=0)

    @classmethod
    def for_failover(cls, seconds: float) -> RetryPolicy:
        """The policy for a cluster that needs this many seconds to elect another leader; the default one for 0.0.

        It tries until the call's own time is over. A leader that is frozen answers no one: a call that may be sent
        twice is given 2 seconds at first, and twice as long with each attempt, so that slow statements end as well. A
        write has the call's whole time: to give it up would not say whether it was carried out.
        """
        if not seconds:
            return cls()
        return _FailoverPolicy(40, backoff=0.1, max_backoff=1.0, attempt_timeout=2.0, budget=10_000.0)

    def attempt_seconds(self, number: int, *, safe: bool) -> float | None:  # noqa: ARG002
        """Seconds for an attempt, 1 for the first; ``None`` for what is left of the call's time."""
        return self.attempt_timeout

    def outcome_of(self, result: Response | Exception, operation: str = "", *, safe: bool = False) -> Outcome | None:
        """What became of a request, ``None`` where the result is final.

        Args:
            result: a response that is not a success, or an error.
            operation: that of the request.
            safe: the request may be sent twice.
        """
        if isinstance(result, Response):
            if result.judged or result.outcome is not None:  # a dialect knows better
                return result.outcome
            # Imported for the first error only.
            from mesahub.dialects.mesahub.errors import outcome_of

            return outcome_of(result, operation, safe=safe)
        if isinstance(result, TLSError) or not isinstance(result, TransportError):
            return None
        return result.outcome

    def decide(
        self,
        number: int,
        result: Response | Exception,
        *,
        safe: bool,
        operation: str = "",
        left: float | None = None,
        random: Callable[[], float],
        now: float,
    ) -> float | None:
        """Whether to send a call again: seconds to wait before, or ``None`` to end it. Pure: it does nothing.

        Args:
            number: of the attempt that failed, 1 for the first.
            result: what it came to: an answer or an error.
            safe: the request may be sent twice (`mesahub.transport.Request.safe`).
            operation: that of the request.
            left: seconds until the call's deadline, ``None`` without one.
            random: gives a number from 0 to 1.
            now: seconds since the epoch, for a Retry-After that is a date.

        Example:
            >>> RetryPolicy().decide(1, NotSentError("refused"), safe=False, random=lambda: 1.0, now=0.0)
            0.05
        """
        outcome = self.outcome_of(result, operation, safe=safe)
        if outcome is None or (outcome is Outcome.MAYBE_RAN and not safe) or number >= self.attempts:
            return None
        if isinstance(result, Response) and result.status in RETRIED_STATUSES - self.statuses:
            return None
        throttled = isinstance(result, Response) and result.status == 429
        base = self.throttled_backoff if throttled else self.backoff
        wait: float = random() * min(base * 2.0 ** min(number - 1, 62), self.max_backoff)
        asked = result.retry_after(now) if isinstance(result, Response) else None
        if asked is not None:
            if asked > self.max_retry_after:
                return None
            # Without the jitter, all clients that got the same second would come back at once.
            wait = asked + wait * min(1.0, asked)
        elif throttled:
            wait += self.throttle_window
        return None if left is not None and wait >= left else wait


class _FailoverPolicy(RetryPolicy):
    """That of `RetryPolicy.for_failover`."""

    __slots__ = RetryPolicy.__slots__

    def attempt_seconds(self, number: int, *, safe: bool) -> float | None:
        """See `RetryPolicy.attempt_seconds`."""
        if self.attempt_timeout is None or not safe:
            return None
        return self.attempt_timeout * 2.0 ** min(number - 1, 62)


class RetryState:
    """What the calls of one client share: the budget of retries, and the server's window after a 429.

    Attributes:
        quiet_until: monotonic seconds until which nothing is sent; 0.0 for no window.
        asked: seconds that the server asked for, where that is more than is waited.
    """

    __slots__ = ("_full", "_lock", "asked", "fifths", "quiet_until")

    def __init__(self, budget: float) -> None:
        self._lock = threading.Lock()
        self._full = int(budget * 5)
        self.fifths = self._full
        self.quiet_until = 0.0
        self.asked = 0.0

    def take(self) -> bool:
        """Take one retry from the budget; ``False`` when it is used up."""
        with self._lock:
            if self.fifths < 5:
                return False
            self.fifths -= 5
            return True

    def succeeded(self, retries: int = 0) -> None:
        """Note a call that succeeded after this many retries."""
        if self.fifths < self._full:
            with self._lock:
                self.fifths = min(self.fifths + 5 * retries + 1, self._full)

    def hold(self, until: float, asked: float) -> None:
        """Send nothing until then."""
        with self._lock:
            if until > self.quiet_until:
                self.quiet_until, self.asked = until, asked

    def quiet(self, operation: str, now: float) -> float:
        """Seconds until the server's window is over, 0.0 for what its limit does not count."""
        if not self.quiet_until or operation not in STATEMENTS:
            return 0.0
        left = self.quiet_until - now
        if left <= 0:
            with self._lock:
                if self.quiet_until <= now:
                    self.quiet_until = self.asked = 0.0
            return 0.0
        return left


class RetriedCall:
    """One call after its first attempt did not succeed. The loop around it sends and waits.

    Attributes:
        request: the request.
        deadline: monotonic seconds, ``None`` without one. (A request that streams has none, only a longest silence.)
        attempts: what was tried.
        outcomes: what became of each.
    """

    __slots__ = ("_policy", "_retries", "_state", "attempts", "deadline", "outcomes", "request")

    def __init__(self, policy: RetryPolicy, state: RetryState, request: Request, began: float) -> None:
        self._policy = policy
        self._state = state
        self._retries = 0
        self.request = request
        self.deadline = None if request.timeout is None or request.streams else began + request.timeout
        self.attempts: list[Attempt] = []
        self.outcomes: list[Outcome | None] = []

    def failed(
        self,
        result: Response | Exception,
        *,
        started: float,
        now: float,
        wall: float,
        random: Callable[[], float],
        closing: bool,
    ) -> float | None:
        """Note an attempt that did not succeed. Seconds to wait before the next; ``None`` to end the call.

        Args:
            result: a response, read to its end, or an error.
            started, now: monotonic seconds when the attempt began, and ended.
            wall: seconds since the epoch.
            random: gives a number from 0 to 1.
            closing: the client closes: nothing is sent any more.
        """
        request, policy, state = self.request, self._policy, self._state
        number = len(self.attempts) + 1
        self.outcomes.append(policy.outcome_of(result, request.operation, safe=request.safe))
        self._note_throttling(result, now, wall)
        wait = policy.decide(
            number,
            result,
            safe=request.safe,
            operation=request.operation,
            left=None if self.deadline is None else self.deadline - now,
            random=random,
            now=wall,
        )
        if wait is not None:
            wait = max(wait, state.quiet(request.operation, now))
            if (self.deadline is not None and now + wait >= self.deadline) or closing or not state.take():
                wait = None
            else:
                self._retries += 1
        what, message = _summary(result)
        self.attempts.append(Attempt(number, wall - (now - started), now - started, what, message, wait or 0.0))
        return wait

    def succeeded(self, response: A) -> A:
        """Note that the last attempt succeeded; the response, with what was tried before."""
        self._state.succeeded(self._retries)
        response.attempts = tuple(self.attempts)
        return response

    def next_request(self, now: float) -> Request:
        """The request of the next attempt, with the time that is left for it."""
        number = len(self.attempts) + 1
        seconds = self._policy.attempt_seconds(number, safe=self.request.safe)
        limits = [] if seconds is None else [seconds]
        if self.deadline is not None:
            limits.append(max(self.deadline - now, 0.001))
        timeout = min(limits) if limits else self.request.timeout
        return self.request.replace(timeout=timeout, attempt=number)

    def _note_throttling(self, result: Response | Exception, now: float, wall: float) -> None:
        if not isinstance(result, Response) or result.status != 429 or self.request.operation not in STATEMENTS:
            return
        policy = self._policy
        asked = result.retry_after(wall)
        # A clock that is wrong, or a server that errs, must not silence a client for a day.
        seconds = policy.throttle_window if asked is None else min(asked, policy.max_retry_after)
        if seconds > 0:
            self._state.hold(now + seconds, asked if asked is not None and asked > seconds else 0.0)


def _summary(result: Response | Exception) -> tuple[str, str]:
    if isinstance(result, Response):
        from mesahub.dialects.mesahub.errors import text_of

        return f"HTTP {result.status}", text_of(result)
    return type(result).__name__, str(result)
