"""What a traceback may show."""

from __future__ import annotations

__all__ = ["forget_frames"]


def forget_frames(error: BaseException) -> None:
    """Drop the tracebacks of an exception and of those before it.

    A traceback that shows local variables (rich, pytest, error trackers) would show those of another library: the
    headers with the key, and the body, many times over. What each exception says is kept.
    """
    each: BaseException | None = error
    seen: set[int] = set()
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        each.__traceback__ = None
        if each.__cause__ is not None and each.__cause__ is not each.__context__:
            forget_frames(each.__cause__)
        each = each.__context__
