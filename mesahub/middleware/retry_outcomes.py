"""How a call ends that did not succeed. Imported for the first one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesahub.dialects.mesahub.errors import error_from, text_of
from mesahub.errors import AmbiguousResultError, MesahubError, Outcome, RateLimitError
from mesahub.transport import Request, Response

if TYPE_CHECKING:
    from mesahub.middleware.retry import Attempt

__all__ = ["end", "held_back", "what"]


def end(
    request: Request, result: Response | Exception, outcomes: list[Outcome | None], attempts: list[Attempt]
) -> Response:
    """The last answer, or the last error, with what was tried."""
    tried = tuple(attempts)
    # An earlier attempt of an idempotent write may have run, and then the last one was refused: that is no "no".
    writes = not request.safe or request.operation == "exec"
    if writes and Outcome.MAYBE_RAN in outcomes and outcomes[-1] is not None:
        raise _ambiguous(request, result, tried)
    if isinstance(result, Response):
        result.attempts = tried
        return result
    if isinstance(result, MesahubError):
        result.attempts = tried
    raise result


def _ambiguous(request: Request, result: Response | Exception, tried: tuple[Attempt, ...]) -> AmbiguousResultError:
    if isinstance(result, AmbiguousResultError):
        result.attempts = tried
        return result
    if isinstance(result, Response):
        cause: Exception = error_from(result, request.operation)
    else:
        cause = result
    advice = (
        "it said idempotent=True, so it may be sent again"
        if request.safe
        else "look before you repeat it; a call that may be sent twice can say idempotent=True"
    )
    error = AmbiguousResultError.of(
        f"{request.operation} was sent, and it is not known whether it was carried out ({advice}): {cause}",
        status_code=result.status if isinstance(result, Response) else 0,
        details=cause.details if isinstance(cause, MesahubError) else None,
    )
    error.attempts = tried
    error.__cause__ = cause
    return error


def what(result: Response | Exception) -> tuple[str, str]:
    """What an attempt came to, and its words: see `Attempt`."""
    if isinstance(result, Response):
        return f"HTTP {result.status}", text_of(result)
    return type(result).__name__, str(result)


def held_back(left: float) -> RateLimitError:
    """What a call gets that would be sent into the server's window."""
    error = RateLimitError.of(
        "The server refused a request for being one too many, and would refuse this one too; nothing was sent. "
        f"Try again in {left:.0f} seconds.",
        status_code=429,
        details={"retry_after": left},
    )
    error.retry_after = left
    return error
