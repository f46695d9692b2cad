"""A line per request, without anything secret: no query (it may hold a token), no key but its id."""

from __future__ import annotations

import logging
import time
from datetime import datetime

from mesahub_embedded.server.request import Request

__all__ = ["log_request", "write_access_log"]

logger = logging.getLogger("mesahub.server.access")
logger.propagate = False
"""The log of an application's own server: INFO when it is written somewhere."""


def log_request(request: Request, status: int, length: int | None, started: float) -> None:
    """Log an answered request in the Common Log Format, with its milliseconds at the end.

    The user is ``admin``, the id of an API key, or ``-``.
    """
    if not logger.isEnabledFor(logging.INFO):
        return
    user = "admin" if request.admin else request.key["id"] if request.key else "-"
    moment = datetime.now().astimezone().strftime("%d/%b/%Y:%H:%M:%S %z")
    path = request.path.encode("ascii", "backslashreplace").decode().replace('"', "%22")
    if not path.isprintable():
        path = ascii(path)[1:-1]
    logger.info(
        '%s - %s [%s] "%s %s" %d %s %.1f',
        request.environ.get("REMOTE_ADDR") or "-",
        user,
        moment,
        request.method,
        path,
        status,
        "-" if length is None else length,
        (time.perf_counter() - started) * 1000,
    )


def write_access_log(file: str) -> logging.Handler:
    """Write the access log to a file, or to standard error (``-``). Returns the handler, to be closed at the end."""
    handler = logging.StreamHandler() if file == "-" else logging.FileHandler(file, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    return handler
