"""What stands between the client and the transport.

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

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mesahub.errors import ConfigurationError, MesahubError
from mesahub.transport import Request, Response

if TYPE_CHECKING:
    from mesahub.middleware.call_hooks import Details, hooks
    from mesahub.middleware.call_logging import logging
    from mesahub.middleware.rate_limiter import rate_limit
    from mesahub.middleware.retry import Attempt, RetryPolicy

__all__ = [
    "Attempt",
    "Details",
    "Handler",
    "Middleware",
    "RetryPolicy",
    "compose",
    "hooks",
    "inside_retry",
    "logging",
    "rate_limit",
]

Handler = Callable[[Request], Response]
Middleware = Callable[[Request, Handler], Response]

# Imported when they are asked for: most clients use none of them.
_LAZY = {
    "Attempt": "retry",
    "Details": "call_hooks",
    "RetryPolicy": "retry",
    "hooks": "call_hooks",
    "logging": "call_logging",
    "rate_limit": "rate_limiter",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value


def compose(middleware: Sequence[Middleware], innermost: Handler) -> Handler:
    """One handler out of a stack, outermost first."""
    handler = innermost
    for layer in reversed(middleware):
        handler = _bind(layer, handler)
    return handler


def _bind(layer: Middleware, handler: Handler) -> Handler:
    def call(request: Request) -> Response:
        return layer(request, handler)

    return call


def checked(layer: Middleware) -> Middleware:
    """The user's middleware, named in whatever goes wrong in it."""
    if not callable(layer):
        raise ConfigurationError(f"A middleware is a function (request, next) -> response, not {type(layer).__name__}.")
    name = _name(layer)

    def call(request: Request, forward: Handler) -> Response:
        try:
            response = layer(request, forward)
        except MesahubError:
            raise
        except Exception as error:
            error.add_note(f"This was raised in the middleware {name}, in {request.operation}.")
            raise
        if not isinstance(response, Response):
            raise ConfigurationError(
                f"The middleware {name} must return the response of next(request), not {type(response).__name__}."
            )
        return response

    return call


def _name(layer: object) -> str:
    return getattr(layer, "__qualname__", None) or type(layer).__qualname__


def listener(layer: Any) -> Callable[[Request, Any], None] | None:
    """What a middleware does before a retry (its attribute ``on_retry``), or ``None``; named in its errors."""
    told = getattr(layer, "on_retry", None)
    if told is None:
        return None

    def tell(request: Request, attempt: Any) -> None:
        try:
            told(request, attempt)
        except MesahubError:
            raise
        except Exception as error:
            error.add_note(f"This was raised in the middleware {_name(layer)}, before a retry of {request.operation}.")
            raise

    return tell


def inside_retry(layer: Middleware) -> Middleware:
    """Place a middleware below retry, so that it sees every attempt instead of every call.

    Args:
        layer: a function ``(request, next) -> response``; it is marked and returned.
    """
    layer.inside_retry = True  # type: ignore[attr-defined]
    return layer
