# Made by scripts/asyncify.py of mesahub/middleware/call_logging.py: change that, and run `make aio`.
"""One line per call, and one per retry, to the logger ``mesahub``."""

from __future__ import annotations

import logging as _logging
from time import perf_counter

from mesahub._aio.layers import Handler, Middleware
from mesahub.middleware.attempts import Attempt
from mesahub.middleware.call_logging import logger
from mesahub.transport import AsyncResponse, Request

__all__ = ["logging"]


def logging(*, level: int = _logging.INFO, retry_level: int = _logging.WARNING, bindings: bool = False) -> Middleware:
    """A middleware that logs. A key is in no line; values are only where they are asked for.

    Args:
        level: of the line per call; a call that got no answer, or one of 500 and more, is logged as ERROR.
        retry_level: of the line per retry.
        bindings: show the values of statements too.

    Example:
        >>> client = AsyncMesahubClient(key, url, middleware=[logging()])  # doctest: +SKIP
    """

    def describe(request: Request) -> str:
        payload = request.payload if isinstance(request.payload, dict) else {}
        text = f"{request.operation} {request.database or request.path}"
        if "sql" in payload:
            text += f" {' '.join(payload['sql'].split())!r}"
            if bindings:
                text += f" {payload.get('rows') or payload.get('bindings')!r}"
        return text

    async def call(request: Request, forward: Handler) -> AsyncResponse:
        started = perf_counter()
        try:
            response = await forward(request)
        except Exception as error:
            logger.error(
                "%s -> %s in %.1f ms",
                describe(request),
                type(error).__name__,
                (perf_counter() - started) * 1e3,
            )
            raise
        grade = level if response.status < 500 else _logging.ERROR
        if logger.isEnabledFor(grade):
            milliseconds = (perf_counter() - started) * 1e3
            logger.log(grade, "%s -> %d in %.1f ms", describe(request), response.status, milliseconds)
        return response

    def on_retry(request: Request, attempt: Attempt) -> None:
        logger.log(
            retry_level,
            "%s: attempt %d failed (%s), again in %.2f s",
            describe(request),
            attempt.number,
            attempt.what,
            attempt.waited,
        )

    call.on_retry = on_retry  # type: ignore[attr-defined]
    call.__qualname__ = "logging"
    return call
