"""Cassette errors, with the nearest recorded call."""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from mesahub.errors import ConfigurationError

if TYPE_CHECKING:
    from mesahub_recorder.call import Call

Reason = Literal["no_cassette", "never_recorded", "used_up", "other_bindings"]


class CassetteError(ConfigurationError):
    """A cassette cannot be read or written: it is damaged, newer than this version, or would hold a key."""

    default_code = "CASSETTE_ERROR"


class CassetteMissError(ConfigurationError):
    """A call has no recorded answer. No retry can change that.

    Attributes:
        reason: ``"no_cassette"``: the file does not exist; ``"never_recorded"``: no call with this SQL is in it;
            ``"other_bindings"``: it is, with other values; ``"used_up"``: it is, and was asked more often, or at
            another time, than when it was recorded.
    """

    default_code = "CASSETTE_MISS"
    reason: Reason = "never_recorded"


class CassetteDriftError(ConfigurationError):
    """``mode="verify"`` found that the server's answers differ from the recorded ones.

    Attributes:
        drift: a diff for each call that differs.
    """

    default_code = "CASSETTE_DRIFT"
    drift: tuple[str, ...] = ()


def miss(reason: Reason, message: str) -> CassetteMissError:
    """The error for a call without an answer."""
    error = CassetteMissError.of(message)
    error.reason = reason
    return error


def nearest(call: Call, known: Iterable[Call]) -> Call | None:
    """The most similar recorded call."""
    same = [other for other in known if other.operation == call.operation]
    if len(same) > _LOOKED_AT:
        # Comparing strings is slow, so compare only those that share the most words.
        words = _words(call)

        def alike(other: Call) -> float:
            theirs = _words(other)
            return len(words & theirs) / len(words | theirs)

        same = heapq.nlargest(_LOOKED_AT, same, key=alike)
    texts = [other.describe() for other in same]
    found = difflib.get_close_matches(call.describe(), texts, 1, 0.3)
    return same[texts.index(found[0])] if found else None


_LOOKED_AT = 20


def _words(call: Call) -> set[str]:
    values = call.bindings if call.sql is not None else [call.request]
    return {*(call.sql or "").split(), *map(repr, values), str(call.database), call.operation}


_ROWS = 12
_COLUMNS = 160


def described(call: Call) -> str:
    """The call in a few lines."""
    return _fitted(call.describe().splitlines(), _ROWS)


def difference(recorded: Call, asked: Call) -> str:
    """A line-by-line comparison of two calls; of long ones, only the lines that differ."""
    lines = [
        line
        for line in difflib.ndiff(_cut(recorded.describe().splitlines()), _cut(asked.describe().splitlines()))
        if not line.startswith("?")
    ]
    if len(lines) > _ROWS:
        lines = [line for line in lines if line.startswith(("-", "+"))]
    return f"\n- recorded, + asked:\n{_fitted(lines, _ROWS)}"


def _cut(lines: list[str]) -> list[str]:
    return lines if len(lines) <= 200 else [*lines[:200], "..."]


def _fitted(lines: list[str], most: int) -> str:
    shown = [line if len(line) <= _COLUMNS else f"{line[: _COLUMNS - 3]}..." for line in lines[:most]]
    if len(lines) > most:
        shown.append(f"  ... {len(lines) - most} more lines")
    return "\n".join(shown)
