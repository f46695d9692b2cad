"""Logging without set-up: ``MESAHUB_LOG=info`` or ``MESAHUB_LOG=debug``."""

from __future__ import annotations

import logging as _logging
import sys
from collections.abc import Sequence
from time import perf_counter
from typing import TextIO

from mesahub.errors import ConfigurationError
from mesahub.middleware.base import Handler, Middleware, inside_retry
from mesahub.middleware.call_logging import logger, logging
from mesahub.transport import Request, Response

__all__ = ["with_logging"]

_LEVELS = {"info": _logging.INFO, "debug": _logging.DEBUG}
_OFF = ("", "0", "off", "none", "false")


class _StandardError(_logging.StreamHandler[TextIO]):
    """Writes to what standard error is at the time, unless the application has handlers of its own."""

    def __init__(self) -> None:
        _logging.Handler.__init__(self)
        self.setFormatter(_logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr

    def emit(self, record: _logging.LogRecord) -> None:
        if sys.stderr is not None and not _logging.getLogger().handlers:
            super().emit(record)


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
def _log_attempt(request: Request, forward: Handler) -> Response:
    began = perf_counter()
    try:
        response = forward(request)
    except Exception as error:
        _log(request, type(error).__name__, began)
        raise
    server = f" from {response.server}" if response.server else ""
    _log(request, f"{response.status}{server}", began)
    return response


def _log(request: Request, what: str, began: float) -> None:
    milliseconds = (perf_counter() - began) * 1e3
    logger.debug(
        "%s %s: attempt %d, %s %s -> %s in %.1f ms",
        request.operation,
        request.database or "",
        request.attempt,
        request.method,
        request.path,
        what,
        milliseconds,
    )
