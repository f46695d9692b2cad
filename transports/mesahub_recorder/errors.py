"""What can go wrong with a cassette, said so that it teaches."""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from mesahub.errors import ConfigurationError

if TYPE_CHECKING:
    from mesahub_recorder.interaction import Call

Reason = Literal["no_cassette", "never_recorded", "used_up", "other_bindings"]


class CassetteError(ConfigurationError):
    """A cassette cannot be read or written: it is damaged, newer than this version, or would hold a key."""

    default_code = "CASSETTE_ERROR"


class CassetteMissError(ConfigurationError):
    """A call has no recorded answer. No retry can mend that.

    Attributes:
        reason: ``"no_cassette"``: the file does not exist; ``"never_recorded"``: no call with this SQL is in it;
            ``"other_bindings"``: it is, with other values; ``"used_up"``: it is, and was asked more often, or at
            another time, than when it was recorded.
    """

    default_code = "CASSETTE_MISS"
    reason: Reason = "never_recorded"


class CassetteDriftError(ConfigurationError):
    """``mode="verify"`` found that the server answers otherwise than it did when the cassette was recorded.

    Attributes:
        drift: one text for each call that differs.
    """

    default_code = "CASSETTE_DRIFT"
    drift: tuple[str, ...] = ()


def miss(reason: Reason, message: str) -> CassetteMissError:
    """The error for a call without an answer."""
    error = CassetteMissError.of(message)
    error.reason = reason
    return error


def nearest(call: Call, known: Iterable[Call]) -> Call | None:
    """The recorded call that is most like this one."""
    same = [other for other in known if other.operation == call.operation]
    if len(same) > _LOOKED_AT:
        # Comparing texts is slow: it is done with those that share the most words.
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
    values = call.bindings if call.sql is not None else [call.other]
    return {*(call.sql or "").split(), *map(repr, values), str(call.database), call.operation}


def difference(recorded: Call, asked: Call) -> str:
    """What was recorded and what is asked, line by line."""
    lines = difflib.ndiff(recorded.describe().splitlines(), asked.describe().splitlines())
    shown = "\n".join(line for line in lines if not line.startswith("?"))
    return f"\n- recorded, + asked:\n{shown}"
