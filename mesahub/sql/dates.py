"""Dates as the server shows them: stored text or numbers in, RFC 3339 out."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

ZERO = "0001-01-01T00:00:00Z"
"""What the server returns for text that is not a date."""

# The layouts of go-sqlite3, after a final Z was taken off; an offset only follows seconds. Go takes several blanks for
# one.
_TEXT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:(?:T| +)(\d\d?):(\d\d)(?::(\d\d)(?:[.,](\d+))?([+-]\d\d:\d\d)?)?)?",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_0, _YEAR_1 = -62_167_219_200, -62_135_596_800
"""Unix seconds at which these years begin."""


@lru_cache(maxsize=4096)
def from_text(text: str) -> str:
    """Stored text of a DATE, DATETIME or TIMESTAMP column.

    >>> from_text("2024-01-02 03:04:05"), from_text("2024-01-02"), from_text("soon")
    ('2024-01-02T03:04:05Z', '2024-01-02T00:00:00Z', '0001-01-01T00:00:00Z')
    """
    match = _TEXT.fullmatch(text.removesuffix("Z"))
    if match is None:
        return ZERO
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    hour, minute, second = (hour or "0").zfill(2), minute or "00", second or "00"
    try:
        # Year 0 is a year to the server and none to Python; any leap year can replace it.
        datetime(int(year) or 2000, int(month), int(day), int(hour), int(minute), int(second))
    except ValueError:
        return ZERO
    if offset and (int(offset[1:3]) > 24 or int(offset[4:]) > 59):
        return ZERO
    fraction = (fraction or "")[:9].rstrip("0")
    zone = offset if offset and offset[1:] != "00:00" else "Z"
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}{'.' + fraction if fraction else ''}{zone}"


def from_integer(value: int) -> str | None:
    """A stored integer: unix seconds, beyond 1e12 milliseconds. ``None`` for a year that RFC 3339 has not.

    >>> from_integer(1700000000), from_integer(1700000000123)
    ('2023-11-14T22:13:20Z', '2023-11-14T22:13:20.123Z')
    """
    nanoseconds = value * 10**9
    if abs(value) > 10**12:
        # Go keeps nanoseconds in 64 bits, and lets them run over.
        nanoseconds = (value * 10**6 + 2**63) % 2**64 - 2**63
    seconds, rest = divmod(nanoseconds, 10**9)
    # Year 0 is a year to the server and none to Python; the calendar repeats after 400 years.
    shift = 400 if _YEAR_0 <= seconds < _YEAR_1 else 0
    try:
        moment = _EPOCH + timedelta(seconds=seconds, days=146_097 if shift else 0)
    except OverflowError:
        return None
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{moment.year - shift:04d}{moment:-%m-%dT%H:%M:%S}{fraction}Z"
