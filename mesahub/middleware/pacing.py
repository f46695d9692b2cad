"""Stays under the server's rate limit instead of running into it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from mesahub.errors import NotSentError
from mesahub.middleware import Handler, Middleware, inside_retry
from mesahub.transport import Request, Response


def rate_limit(
    per_minute: int,
    *,
    window: float = 60.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Middleware:
    """A middleware that lets through at most so many requests in any minute, and makes the others wait.

    It stands below retry, so that retries count too; all threads of a client share it, and several clients may
    share one.

    Args:
        per_minute: requests in any ``window``. MesaHub's own limit is 600, on a key.
        window: seconds.
        clock, sleep: for tests.

    Raises:
        NotSentError: (from a call) its turn would come after its timeout.
    """
    if type(per_minute) is not int or per_minute < 1:
        raise ValueError(f"per_minute must be an integer from 1 on, not {per_minute!r}.")
    sent: deque[float] = deque(maxlen=per_minute)
    lock = threading.Lock()

    def pace(request: Request, forward: Handler) -> Response:
        with lock:
            now = clock()
            turn = max(sent[0] + window, now) if len(sent) == per_minute else now
            if request.timeout is not None and turn - now > request.timeout:
                raise NotSentError(
                    f"{per_minute} requests per {window:g} seconds are all taken: the turn of this one would come in "
                    f"{turn - now:.1f} seconds, after its timeout of {request.timeout:g}."
                )
            sent.append(turn)
        if turn > now:
            sleep(turn - now)
        return forward(request)

    return inside_retry(pace)
