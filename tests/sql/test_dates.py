"""Dates as the real server shows them (docs/protocol.md, section 2 and end)."""

from __future__ import annotations

import pytest

from mesahub.sql.dates import ZERO, from_integer, from_text


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-62_135_596_801, "0000-12-31T23:59:59Z"),
        (-62_135_596_800, "0001-01-01T00:00:00Z"),
        (-62_167_219_200, "0000-01-01T00:00:00Z"),
        (-62_162_121_600, "0000-02-29T00:00:00Z"),
        (-62_167_219_201, None),
        (253_402_300_799, "9999-12-31T23:59:59Z"),
        (253_402_300_800, None),
    ],
)
def test_from_integer_at_the_ends_of_the_calendar(seconds: int, shown: str | None) -> None:
    assert from_integer(seconds) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2023-12-30  23:59:59+23:59", "2023-12-30T23:59:59+23:59"),
        ("2023-12-30    23:59", "2023-12-30T23:59:00Z"),
        ("2023-12-30T 23:59:59", ZERO),
        ("2023-12-30 \t23:59:59", ZERO),
        ("2023-12-30 T23:59:59", ZERO),
        ("2023-12-30T23:59:59Z", "2023-12-30T23:59:59Z"),
    ],
)
def test_from_text_takes_blanks_as_go_does(text: str, shown: str) -> None:
    assert from_text(text) == shown
