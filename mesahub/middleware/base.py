"""What a middleware is, and how a stack of them becomes one handler."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from mesahub.dialects.base import Dialect
from mesahub.errors import ConfigurationError, MesahubError
from mesahub.transport import Request, Response

__all__ = ["Handler", "Middleware", "Target", "checked", "compose", "fitted", "inside_retry", "listener"]

Handler = Callable[[Request], Response]
Middleware = Callable[[Request, Handler], Response]
_COROUTINE = 0x80
"""`inspect.CO_COROUTINE`."""
L = TypeVar("L", bound=Callable[..., Any])


class Target:
    """What a client talks to, for middleware that has a function ``for_target``.

    A layer whose attribute ``for_target`` is callable is not called itself: each client calls ``for_target(target)``
    once, and takes the list of layers that it returns in its place.

    Attributes:
        urls: the base URLs of the server, with neither key nor trailing slash; ``()`` in this process.
        dialect: says what a response means (`mesahub.dialects.base.Dialect`).
        in_process: no server is involved.
    """

    __slots__ = ("dialect", "in_process", "urls")

    def __init__(self, urls: Sequence[str], dialect: Dialect, *, in_process: bool) -> None:
        self.urls = tuple(urls)
        self.dialect = dialect
        self.in_process = in_process

    def __repr__(self) -> str:
        return f"<Target {self.dialect.name} at {', '.join(self.urls) or 'no address'}>"


def fitted(middleware: Sequence[Middleware], target: Callable[[], Target]) -> Iterator[Middleware]:
    """The layers of a client: those that have a function ``for_target`` are replaced by what that returns."""
    for layer in middleware:
        for_target: Any = getattr(layer, "for_target", None)
        if for_target is not None:
            yield from for_target(target())
        else:
            yield layer


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
    name = name_of(layer)
    code: Any = getattr(layer, "__code__", None) or getattr(type(layer).__call__, "__code__", None)
    if code is not None and code.co_flags & _COROUTINE:
        raise ConfigurationError(f"The middleware {name} is asynchronous: it is for the clients of mesahub.aio.")

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


def name_of(layer: object) -> str:
    """How errors name a middleware."""
    return getattr(layer, "__qualname__", None) or type(layer).__qualname__


def listener(layer: Any) -> Callable[[Request, Any], object] | None:
    """What a middleware does before a retry (its attribute ``on_retry``), or ``None``; named in its errors."""
    on_retry = getattr(layer, "on_retry", None)
    if on_retry is None:
        return None

    def call(request: Request, attempt: Any) -> object:
        try:
            return on_retry(request, attempt)
        except MesahubError:
            raise
        except Exception as error:
            error.add_note(
                f"This was raised in the middleware {name_of(layer)}, before a retry of {request.operation}."
            )
            raise

    return call


def inside_retry(layer: L) -> L:
    """Place a middleware below retry, so that it sees every attempt instead of every call.

    Args:
        layer: a function ``(request, next) -> response``; it is marked and returned.
    """
    layer.inside_retry = True  # type: ignore[attr-defined]
    return layer
