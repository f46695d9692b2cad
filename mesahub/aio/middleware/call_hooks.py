# Made by scripts/asyncify.py of mesahub/middleware/call_hooks.py: change that, and run `make aio`.
"""Callbacks around each call."""

from __future__ import annotations

from time import perf_counter

from mesahub._aio.layers import Handler, Middleware
from mesahub._aio.opening import settled
from mesahub.middleware.call_hooks import Callback, Details
from mesahub.transport import AsyncResponse, Request

__all__ = ["hooks"]


def hooks(
    *, before: Callback | None = None, after: Callback | None = None, retry: Callback | None = None
) -> Middleware:
    """A middleware that calls your functions, ``async`` or not.

    A callback that raises ends the call with its error.

    Args:
        before: before each call.
        after: after each call, with its status or error.
        retry: before each retry, with the attempt that failed.

    Example:
        >>> client = AsyncMesahubClient(key, url, middleware=[hooks(after=print)])  # doctest: +SKIP
    """

    async def call(request: Request, forward: Handler) -> AsyncResponse:
        started = perf_counter()
        if before is not None:
            await settled(before(Details(request)))
        try:
            response = await forward(request)
        except Exception as error:
            if after is not None:
                await settled(after(Details(request, error=error, seconds=perf_counter() - started)))
            raise
        if after is not None:
            await settled(after(Details(request, status=response.status, seconds=perf_counter() - started)))
        return response

    if retry is not None:
        told = retry
        call.on_retry = lambda request, attempt: told(Details(request, attempt=attempt))  # type: ignore[attr-defined]
    call.__qualname__ = "hooks"
    return call
