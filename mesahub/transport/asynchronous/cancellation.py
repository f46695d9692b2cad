"""What a cancelled call leaves its caller to know."""

from __future__ import annotations

from mesahub.transport.messages import Request

__all__ = ["note_cancelled"]


def note_cancelled(error: BaseException, request: Request, *, ran: bool = False) -> None:
    """Add a note to a ``CancelledError`` of a call that may have changed something. Reads get none.

    Args:
        error: the exception, which passes unchanged otherwise.
        request: what was cancelled, after it may have reached the engine.
        ran: it is certain that it was carried out.
    """
    if not request.safe:
        fate = "was carried out before it could be stopped" if ran else "may have been carried out"
        error.add_note(
            f"mesahub: the call {request.operation!r} was cancelled and {fate}. "
            "Use asyncio.shield() for a write whose outcome must be known."
        )
