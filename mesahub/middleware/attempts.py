"""What was tried: one value per attempt of a call."""

from __future__ import annotations

from mesahub._util.frozen import Frozen

__all__ = ["Attempt"]


class Attempt(Frozen):
    """One attempt of a call; it cannot be changed.

    Attributes:
        number: 1 for the first.
        started: when, in seconds since the epoch.
        seconds: how long it took.
        what: what came of it: ``"HTTP 503"``, ``"NotSentError"``, ...
        message: the error's or the answer's own words, ``""`` where it had none.
        waited: seconds that were waited afterwards, 0.0 when it was the last one.
    """

    __slots__ = ("message", "number", "seconds", "started", "waited", "what")

    number: int
    started: float
    seconds: float
    what: str
    message: str
    waited: float

    def __init__(
        self, number: int, started: float, seconds: float, what: str, message: str = "", waited: float = 0.0
    ) -> None:
        self._set(number=number, started=started, seconds=seconds, what=what, message=message, waited=waited)

    def __repr__(self) -> str:
        said = f" ({self.message})" if self.message else ""
        waited = f", waited {self.waited:.2f} s" if self.waited else ""
        return f"<Attempt {self.number}: {self.what}{said} after {self.seconds:.3f} s{waited}>"
