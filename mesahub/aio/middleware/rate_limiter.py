# Made by scripts/asyncify.py of mesahub/middleware/rate_limiter.py: change that, and run `make aio`.
"""Pace requests to stay below the server's rate limit."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable

from mesahub._aio.layers import Handler, Middleware
from mesahub.errors import ConfigurationError
from mesahub.middleware.base import inside_retry
from mesahub.middleware.rate_limiter import _too_late
from mesahub.transport import AsyncResponse, Request
from mesahub.transport.network import seconds, whole_number

__all__ = ["rate_limit"]


def rate_limit(
    per_minute: int,
    *,
    window: float = 60.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> Middleware:
    """A middleware that limits the number of requests in any minute, and delays further ones.

    It runs below retry, so that retries count too; all tasks of a client share it, and several clients may
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
        >>> client = AsyncMesahubClient(key, url, middleware=[rate_limit(500)])  # doctest: +SKIP
    """
    per_minute = whole_number("per_minute", per_minute)
    window = seconds("window", window)
    if not callable(clock) or not callable(sleep):
        raise ConfigurationError("clock and sleep must be functions.")
    sent: deque[float] = deque(maxlen=per_minute)
    lock = threading.Lock()

    async def pace(request: Request, forward: Handler) -> AsyncResponse:
        with lock:
            now = clock()
            turn = max(sent[0] + window, now) if len(sent) == per_minute else now
            if request.timeout is not None and turn - now >= request.timeout:
                raise _too_late(per_minute, window, turn - now, request.timeout)
            sent.append(turn)
        if turn <= now:
            return await forward(request)
        await sleep(turn - now)
        if request.timeout is not None and not request.streams:
            # What was waited belongs to the call's time.
            request = request.replace(timeout=request.timeout - (turn - now))
        return await forward(request)

    pace.__qualname__ = "rate_limit"
    return inside_retry(pace)
