"""Values by the declared types of their columns, as MesaHub's server shows them: BOOLEAN and dates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["UnshownError", "converter"]

_DATES = frozenset({"DATETIME", "TIMESTAMP", "DATE"})


class UnshownError(Exception):
    """A date beyond year 9999, which RFC 3339 does not have."""


def converter(declared: str) -> Callable[[Any], Any] | None:
    """What converts the values of a column; ``None`` where they stay as they are.

    Args:
        declared: the declared type, in upper case.
    """
    if declared == "BOOLEAN":
        return _boolean
    return _date if declared in _DATES else None


def _boolean(value: Any) -> Any:
    return value > 0 if type(value) is int else value


def _date(value: Any) -> Any:
    # Imported for the first date only.
    from mesahub.sql.dates import from_integer, from_text

    if type(value) is str:
        return from_text(value)
    if type(value) is not int:
        return value
    text = from_integer(value)
    if text is None:
        raise UnshownError
    return text
