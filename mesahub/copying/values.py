"""Values that Python and JSON have no type for, and how they stand in SQL."""

from __future__ import annotations

from typing import Any

__all__ = ["BrokenText", "Infinity", "Row", "literal", "value_term"]

Row = tuple[Any, ...]
"""The values of a row, as they are stored."""


class BrokenText(bytes):
    """A TEXT value that is not UTF-8: its bytes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"BrokenText({bytes(self)!r})"


class Infinity(float):
    """An infinite REAL."""

    __slots__ = ()


def value_term(value: Any) -> tuple[str, list[Any]]:
    """A value as a term of SQL, and what to bind to its parameter, if it has one."""
    if type(value) is BrokenText:
        return "CAST(? AS TEXT)", [bytes(value)]
    if type(value) is Infinity:
        return literal(value), []
    return "?", [value]


def literal(value: Any, encoding: str = "UTF-8") -> str:
    """A value as SQL text, exact in a database of this encoding."""
    if value is None:
        return "NULL"
    if type(value) is BrokenText:
        return f"CAST(X'{value.hex()}' AS TEXT)"
    if type(value) is bytes:
        return f"X'{value.hex()}'"
    if type(value) is str:
        if (
            "\0" in value or "\r" in value
        ):  # SQLite's parser stops at a NUL, and its shell drops a CR at the end of a line
            return f"CAST(X'{value.encode(encoding).hex()}' AS TEXT)"
        return "'" + value.replace("'", "''") + "'"
    if type(value) is Infinity:
        return "9e999" if value > 0 else "-9e999"
    # The smallest integer is read as a negated number that is one too large.
    return "(-9223372036854775807 - 1)" if value == -(2**63) and type(value) is int else repr(value)
