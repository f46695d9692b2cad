# Made by scripts/asyncify.py of mesahub/middleware/log_environment.py: change that, and run `make aio`.
"""Logging without set-up: ``MESAHUB_LOG=info`` or ``MESAHUB_LOG=debug``."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

from mesahub._aio.layers import Handler, Middleware
from mesahub.aio.middleware.call_logging import logging
from mesahub.errors import ConfigurationError
from mesahub.middleware.base import inside_retry
from mesahub.middleware.call_logging import logger
from mesahub.middleware.log_environment import _LEVELS, _OFF, _log, _StandardError
from mesahub.transport import AsyncResponse, Request

__all__ = ["with_logging"]


def with_logging(middleware: Sequence[Middleware], level: str) -> list[Middleware]:
    """The middleware, with layers that log.

    ``info`` logs each call and each retry, ``debug`` each attempt as well. Bindings are in no line. Lines go to
    standard error, or where the application's own logging sends them.

    Args:
        middleware: that of the client. Its own `logging` layer, if there is one, takes the place of the first.
        level: ``"info"`` or ``"debug"``; ``"off"`` for nothing.

    Raises:
        ConfigurationError: another level.
    """
    chosen = level.strip().lower()
    if chosen in _OFF:
        return list(middleware)
    if chosen not in _LEVELS:
        raise ConfigurationError(f"MESAHUB_LOG must be 'info' or 'debug' (or 'off'), not {level!r:.40}.")
    if not any(isinstance(handler, _StandardError) for handler in logger.handlers):
        logger.addHandler(_StandardError())
    logger.setLevel(min(_LEVELS[chosen], logger.level or _LEVELS[chosen]))
    own = any(getattr(layer, "__qualname__", "") == "logging" for layer in middleware)
    layers = list(middleware) if own else [logging(), *middleware]
    if chosen == "debug":
        layers.append(_log_attempt)
    return layers


@inside_retry
async def _log_attempt(request: Request, forward: Handler) -> AsyncResponse:
    began = perf_counter()
    try:
        response = await forward(request)
    except Exception as error:
        _log(request, type(error).__name__, began)
        raise
    server = f" from {response.server}" if response.server else ""
    _log(request, f"{response.status}{server}", began)
    return response
