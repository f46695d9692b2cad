"""The time of a call that may need several requests."""

from __future__ import annotations

from time import monotonic
from typing import Any

from mesahub.errors import ArgumentError

_NEVER = 1e9
"""Seconds: sockets take no longer times."""


def checked_timeout(timeout: Any) -> float:
    """A ``timeout`` as a caller gave it.

    Raises:
        ArgumentError: it is not a number of seconds.
    """
    if type(timeout) is not float or not 0 < timeout < _NEVER:
        if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 <= timeout < _NEVER:
            raise ArgumentError(f"timeout must be a number of seconds, 0 or more, not {timeout!r:.100}.")
        return float(timeout)
    return timeout


class Deadline:
    """The end of a call.

    Args:
        timeout: seconds for the whole of it, as the caller gave them; ``None`` for the default.
        default: seconds; ``None`` for no limit.
    """

    __slots__ = ("_end",)

    def __init__(self, timeout: float | None, default: float | None) -> None:
        seconds = default if timeout is None else checked_timeout(timeout)
        self._end = None if seconds is None else monotonic() + seconds

    def left(self) -> float | None:
        """Seconds that are left for the next request, ``None`` for no limit."""
        return None if self._end is None else max(self._end - monotonic(), 0.0)
