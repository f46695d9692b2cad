"""Pace requests to stay below the server's rate limit."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from mesahub.errors import ConfigurationError, RateLimitError
from mesahub.middleware.base import Handler, Middleware, inside_retry
from mesahub.transport import Request, Response
from mesahub.transport.network import seconds, whole_number


def rate_limit(
    per_minute: int,
    *,
    window: float = 60.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Middleware:
    """A middleware that limits the number of requests in any minute, and delays further ones.

    It runs below retry, so that retries count too; all threads of a client share it, and several clients may
    share one.

    Args:
        per_minute: requests in any ``window``. MesaHub's own limit is 600, on a key.
        window: seconds.
        clock: for tests.
        sleep: for tests.

    Raises:
        ConfigurationError: an argument is wrong.
        RateLimitError: (from a call) its turn would come after its timeout; nothing was sent. ``.retry_after`` says
            in how many seconds it would.

    Example:
        >>> client = MesahubClient(key, url, middleware=[rate_limit(500)])  # doctest: +SKIP
    """
    per_minute = whole_number("per_minute", per_minute)
    window = seconds("window", window)
    if not callable(clock) or not callable(sleep):
        raise ConfigurationError("clock and sleep must be functions.")
    sent: deque[float] = deque(maxlen=per_minute)
    lock = threading.Lock()

    def pace(request: Request, forward: Handler) -> Response:
        with lock:
            now = clock()
            turn = max(sent[0] + window, now) if len(sent) == per_minute else now
            if request.timeout is not None and turn - now >= request.timeout:
                raise _too_late(per_minute, window, turn - now, request.timeout)
            sent.append(turn)
        if turn <= now:
            return forward(request)
        sleep(turn - now)
        if request.timeout is not None and not request.streams:
            # What was waited belongs to the call's time.
            request = request.replace(timeout=request.timeout - (turn - now))
        return forward(request)

    pace.__qualname__ = "rate_limit"
    return inside_retry(pace)


def _too_late(per_minute: int, window: float, left: float, timeout: float) -> RateLimitError:
    error = RateLimitError.of(
        f"rate_limit({per_minute}) reached ({window:g} s window), nothing was sent: this call "
        f"would wait {left:.1f} s, longer than its timeout of {timeout:g} s. Wait, or raise the timeout.",
        status_code=429,
        details={"retry_after": left},
    )
    error.retry_after = left
    return error
