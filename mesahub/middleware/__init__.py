"""Layers between the client and the transport.

A middleware is a function ``(request, next) -> response`` that calls ``next(request)`` as often as it
likes. The stack is composed once, when the client is made; outermost first:

1. the user's own, in the order given,
2. retry,
3. those of the user's that are marked by `inside_retry`: they see every single attempt,
4. auth,
5. the transport.

>>> def timed(request, forward):
...     started = time.perf_counter()
...     response = forward(request)
...     print(request.operation, response.status, time.perf_counter() - started)
...     return response
>>> client = MesahubClient(key, url, middleware=[timed])  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mesahub.middleware.base import Handler, Middleware, Target, compose, inside_retry

if TYPE_CHECKING:
    from mesahub.middleware.attempts import Attempt
    from mesahub.middleware.call_hooks import Details, hooks
    from mesahub.middleware.call_logging import logging
    from mesahub.middleware.rate_limiter import rate_limit
    from mesahub.middleware.retry_policy import RetryPolicy
    from mesahub.middleware.telemetry import opentelemetry

__all__ = [
    "Attempt",
    "Details",
    "Handler",
    "Middleware",
    "RetryPolicy",
    "Target",
    "compose",
    "hooks",
    "inside_retry",
    "logging",
    "opentelemetry",
    "rate_limit",
]

# Imported when they are asked for: most clients use none of them.
_LAZY = {
    "Attempt": "attempts",
    "Details": "call_hooks",
    "RetryPolicy": "retry_policy",
    "hooks": "call_hooks",
    "logging": "call_logging",
    "opentelemetry": "telemetry",
    "rate_limit": "rate_limiter",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value
