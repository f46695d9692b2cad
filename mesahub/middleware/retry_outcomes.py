"""How a call ends that did not succeed. Imported for the first one."""

from __future__ import annotations

from typing import TypeVar

from mesahub.dialects.base import Dialect
from mesahub.dialects.mesahub.errors import error_from, is_of_the_database
from mesahub.errors import AmbiguousResultError, MesahubError, Outcome, RateLimitError
from mesahub.middleware.attempts import Attempt
from mesahub.middleware.retry_policy import RetriedCall
from mesahub.transport import Request, Response
from mesahub.transport.messages import STATEMENTS

__all__ = ["end", "rate_limited"]

A = TypeVar("A", bound=Response)

_READS = (
    "query", ".list", ".get", ".meta", ".download", ".presign", ".presign_upload", ".export", ".inspect", ".tables"
)  # fmt: skip
"""Ends of the names of operations that change nothing, whatever their method."""


def end(call: RetriedCall, result: A | Exception, dialect: Dialect | None = None) -> A:
    """The last response, or the last error, with what was tried.

    Raises:
        AmbiguousResultError: a write of which an attempt may have run, and that no answer of the database settles.
    """
    tried = tuple(call.attempts)
    if Outcome.MAYBE_RAN in call.outcomes and _writes(call.request) and not _settled(call, result):
        raise _ambiguous(call.request, result, tried, dialect)
    if isinstance(result, Response):
        result.attempts = tried
        return result
    if isinstance(result, MesahubError):
        result.attempts = tried
    raise result


def _writes(request: Request) -> bool:
    return request.method not in ("GET", "HEAD") and not request.operation.endswith(_READS)


def _settled(call: RetriedCall, result: Response | Exception) -> bool:
    """Is the last result the database's own answer? (A refused key, or a wrong certificate, settles nothing.)"""
    if call.outcomes[-1] is not None or not isinstance(result, Response):
        return False
    if call.request.operation not in STATEMENTS:
        return False
    # A dialect has judged every response; a 401, 403 or 404 that ends a call came before any statement ran.
    return result.status in (200, 400, 500) if result.judged else is_of_the_database(result)


def _ambiguous(
    request: Request, result: Response | Exception, tried: tuple[Attempt, ...], dialect: Dialect | None
) -> AmbiguousResultError:
    if isinstance(result, AmbiguousResultError):
        result.attempts = tried
        return result
    if isinstance(result, Response):
        cause: Exception = (dialect.error if dialect is not None else error_from)(result, request.operation)
    else:
        cause = result
    advice = (
        "the call was idempotent, so it may be sent again"
        if request.safe
        else "look before you repeat it; pass idempotent=True on calls that may be sent twice"
    )
    error = AmbiguousResultError.of(
        f"{request.operation} was sent, and it is unknown whether it was carried out ({advice}): {cause}",
        status_code=result.status if isinstance(result, Response) else 0,
        details=cause.details if isinstance(cause, MesahubError) else None,
    )
    error.attempts = tried
    error.__cause__ = cause
    return error


def rate_limited(left: float, asked: float = 0.0) -> RateLimitError:
    """What a call raises that would be sent into the server's window.

    Args:
        left: seconds until the next request may be sent.
        asked: seconds that the server asked for, where that was more than the client waits.
    """
    more = f" (The server asked for {asked:.0f} s; RetryPolicy.max_retry_after caps that.)" if asked else ""
    error = RateLimitError.of(
        f"Rate limited by the server; nothing was sent. Retry in {left:.0f} s.{more}",
        status_code=429,
        details={"retry_after": left},
    )
    error.retry_after = left
    return error
