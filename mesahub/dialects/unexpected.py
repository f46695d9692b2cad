"""The error for a response that is not a result."""

from __future__ import annotations

from typing import NoReturn

from mesahub.errors import AmbiguousResultError, ServerError
from mesahub.transport import Response

__all__ = ["raise_unexpected"]


def raise_unexpected(response: Response, operation: str, sender: str) -> NoReturn:
    """Raise for what something else than the engine answered, or an engine that broke off.

    Args:
        response: what came.
        operation: ``"query"`` for a read; anything else may have written.
        sender: what should have answered, for the message: ``"server"``.

    Raises:
        ServerError: of a read.
        AmbiguousResultError: of a write.
    """
    try:
        shown = f"{response.payload!r:.100}"
    except (ValueError, RecursionError):
        shown = f"{response.content[:80]!r}"
    what = f"The {sender}, or a gateway in front of it, returned {response.status} with an unexpected body: {shown}"
    if operation == "query":
        raise ServerError.of(what, status_code=response.status)
    raise AmbiguousResultError.of(
        f"{what}. Check whether the write was carried out before you repeat it.", status_code=response.status
    )
