"""What an asynchronous middleware is, and how a stack of them becomes one handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, cast

from mesahub.errors import ConfigurationError, MesahubError
from mesahub.middleware.base import compose as _compose
from mesahub.middleware.base import name_of
from mesahub.transport import AsyncResponse, Request, Response

__all__ = ["Handler", "Middleware", "checked", "compose"]

Handler = Callable[[Request], Coroutine[Any, Any, AsyncResponse]]
Middleware = Callable[[Request, Handler], Awaitable[Response] | Response]
"""An ``async def``, or a function that does not wait: it returns what ``next(request)`` gave, or a response."""


compose = cast(Callable[[Sequence[Middleware], Handler], Handler], _compose)
"""One handler out of a stack, outermost first: what the layers return is handed on, a response or a coroutine."""


def checked(layer: Any) -> Callable[[Request, Handler], Coroutine[Any, Any, AsyncResponse]]:
    """The user's middleware, named in whatever goes wrong in it.

    Raises:
        ConfigurationError: it is not callable, or one of `mesahub.middleware`, which blocks.
    """
    if not callable(layer):
        raise ConfigurationError(
            f"A middleware is a function async (request, next) -> response, not {type(layer).__name__}."
        )
    name = name_of(layer)
    if str(getattr(layer, "__module__", "")).startswith("mesahub.middleware."):
        raise ConfigurationError(
            f"The middleware {name} of mesahub.middleware is for blocking clients. Take that of the same name from "
            "mesahub.aio.middleware."
        )

    async def call(request: Request, forward: Handler) -> AsyncResponse:
        try:
            response = layer(request, forward)
            if isinstance(response, Awaitable):
                response = await response
        except MesahubError:
            raise
        except Exception as error:
            error.add_note(f"This was raised in the middleware {name}, in {request.operation}.")
            raise
        if isinstance(response, AsyncResponse):
            return response
        if isinstance(response, Response):
            return AsyncResponse.of(response)
        raise ConfigurationError(
            f"The middleware {name} must return the response of next(request), not {type(response).__name__}."
        )

    return call
