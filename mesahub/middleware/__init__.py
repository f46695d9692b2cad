"""What stands between the client and the transport.

A middleware is a function ``(request, next) -> response`` that calls ``next(request)`` as often as it
likes. The stack is composed once, when the client is made; outermost first: the user's own, retry, auth,
then the transport.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mesahub.transport import Request, Response

__all__ = ["Handler", "Middleware", "compose"]

Handler = Callable[[Request], Response]
Middleware = Callable[[Request, Handler], Response]


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
