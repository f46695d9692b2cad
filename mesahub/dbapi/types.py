"""Type objects and constructors of PEP 249."""

from __future__ import annotations

import datetime
import time as _time
from collections.abc import Sequence
from typing import Any

__all__ = [
    "BINARY", "DATETIME", "NUMBER", "ROWID", "STRING", "Binary", "Date", "DateFromTicks", "Time", "TimeFromTicks",
    "Timestamp", "TimestampFromTicks", "described",
]  # fmt: skip

Description = tuple[tuple[str, "TypeObject", None, None, None, None, None], ...]


class TypeObject:
    """What ``description`` says of a column's type. SQLite has types of values, not of columns.

    Args:
        name: for its repr.
        kinds: it is equal to the type objects that share one of these with it.
    """

    __slots__ = ("_kinds", "_name")

    def __init__(self, name: str, *kinds: str) -> None:
        self._name = name
        self._kinds = frozenset(kinds or (name,))

    def __eq__(self, other: object) -> bool:
        return bool(self._kinds & other._kinds) if isinstance(other, TypeObject) else NotImplemented

    def __hash__(self) -> int:
        return 0  # equality overlaps

    def __repr__(self) -> str:
        return f"mesahub.dbapi.{self._name}"


STRING = TypeObject("STRING")
BINARY = TypeObject("BINARY")
NUMBER = TypeObject("NUMBER")
DATETIME = TypeObject("DATETIME", "STRING")
"""Dates are stored as text."""
ROWID = TypeObject("ROWID", "NUMBER")
ANY = TypeObject("ANY", "STRING", "BINARY", "NUMBER", "DATETIME")
"""A column without a value, or with values of several types."""

Date = datetime.date
Time = datetime.time
Timestamp = datetime.datetime
Binary = memoryview

_OF = {str: STRING, bytes: BINARY, int: NUMBER, float: NUMBER}


def DateFromTicks(ticks: float) -> datetime.date:  # noqa: N802
    """The local date at this time in seconds since the epoch."""
    return datetime.date(*_time.localtime(ticks)[:3])


def TimeFromTicks(ticks: float) -> datetime.time:  # noqa: N802
    """The local time of day at this time in seconds since the epoch."""
    return datetime.time(*_time.localtime(ticks)[3:6])


def TimestampFromTicks(ticks: float) -> datetime.datetime:  # noqa: N802
    """The local date and time at this time in seconds since the epoch."""
    return datetime.datetime(*_time.localtime(ticks)[:6])


def described(columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> Description:
    """The ``description`` of a result: names, and type objects by the first row's values."""
    first = rows[0] if rows else (None,) * len(columns)
    return tuple(
        [
            (name, _OF.get(type(value), ANY), None, None, None, None, None)
            for name, value in zip(columns, first, strict=True)
        ]
    )
