"""What SQLite makes of values and conditions, written anew in Python from its documentation.

It shares nothing with the compiler: it knows conditions as tuples, not as SQL, dicts or expressions.
"""

from __future__ import annotations

import fnmatch
import re
from typing import Any

COLUMNS = {"id": "INTEGER", "n": "INTEGER", "r": "REAL", "s": "TEXT", "x": "BLOB", "u": "NUMERIC", "b": "BLOB"}
"""Columns of the table, and the affinity of each. (That of a bound value is ``""``: none.)"""
_NUMERIC = ("INTEGER", "REAL", "NUMERIC")
_NUMBER = re.compile(r"[ \t\n\r\f\v]*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?[ \t\n\r\f\v]*")

Row = dict[str, Any]


def stored(value: Any, affinity: str) -> Any:
    """What a column keeps of a value."""
    if isinstance(value, bool):
        value = int(value)
    if affinity == "TEXT":
        return as_text(value) if isinstance(value, (int, float)) else value
    if affinity in _NUMERIC:
        number = as_number(value)
        if affinity == "REAL" and isinstance(number, int):
            return float(number)
        if isinstance(number, float) and affinity != "REAL" and number.is_integer() and abs(number) < 2**63:
            return int(number)
        return number
    return value


def as_number(value: Any) -> Any:
    """The value with numeric affinity: text that is a number in full becomes one."""
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        return value
    try:
        number = int(value)
    except ValueError:
        real = float(value)
        return int(real) if real.is_integer() and abs(real) < 2**63 else real
    return number if -(2**63) <= number < 2**63 else float(number)


def as_text(value: int | float) -> str:
    """A number as SQLite writes it, with 15 digits and always with a point if it is real."""
    if isinstance(value, int):
        return str(value)
    mantissa, e, exponent = f"{value:.15g}".partition("e")
    return mantissa + ("" if "." in mantissa else ".0") + e + exponent


def compared(a: Any, a_affinity: str, b: Any, b_affinity: str) -> tuple[Any, Any]:
    """Both values after the affinity that a comparison applies to them."""
    if a_affinity in _NUMERIC and b_affinity not in _NUMERIC:
        b = as_number(b)
    elif b_affinity in _NUMERIC and a_affinity not in _NUMERIC:
        a = as_number(a)
    elif a_affinity == "TEXT" and b_affinity == "":
        b = as_text(b) if isinstance(b, (int, float)) else b
    elif b_affinity == "TEXT" and a_affinity == "":
        a = as_text(a) if isinstance(a, (int, float)) else a
    return a, b


def rank(value: Any) -> tuple[int, Any]:
    """Where a value stands among all others."""
    if value is None:
        return 0, 0
    if isinstance(value, (int, float)):
        return 1, value
    return (2, value.encode()) if isinstance(value, str) else (3, value)


def compare(row: Row, column: str, sign: str, other: Any) -> bool | None:
    """A comparison: ``None`` where NULL is on a side. ``other`` may be ``("column", name)``."""
    affinity = COLUMNS[column]
    if isinstance(other, tuple):
        value, other_affinity = row[other[1]], COLUMNS[other[1]]
    else:
        value, other_affinity = int(other) if isinstance(other, bool) else other, ""
    a, b = compared(row[column], affinity, value, other_affinity)
    if a is None or b is None:
        return None
    x, y = rank(a), rank(b)
    return {"=": x == y, "!=": x != y, ">": x > y, ">=": x >= y, "<": x < y, "<=": x <= y}[sign]


def and_(*truths: bool | None) -> bool | None:
    return False if False in truths else None if None in truths else True


def or_(*truths: bool | None) -> bool | None:
    return True if True in truths else None if None in truths else False


def not_(truth: bool | None) -> bool | None:
    return None if truth is None else not truth


def like(value: Any, pattern: str, escape: bool = False) -> bool | None:
    """LIKE of a text or a number; ASCII letters match in either case."""
    if value is None:
        return None
    parts, i = [], 0
    while i < len(pattern):
        character = pattern[i]
        if escape and character == "\\":
            i += 1
            parts.append(re.escape(pattern[i]))
        else:
            parts.append({"%": "(?s:.*)", "_": "(?s:.)"}.get(character) or re.escape(character))
        i += 1
    text = str(value)
    folded = re.sub("[A-Z]", lambda m: m[0].lower(), text)
    return re.fullmatch(re.sub("[A-Z]", lambda m: m[0].lower(), "".join(parts)), folded) is not None


def _ascii_lower(text: str) -> str:
    return re.sub("[A-Z]", lambda m: m[0].lower(), text)


def holds(node: Any, row: Row) -> bool | None:
    """Is a condition true of a row?"""
    kind = node[0]
    if kind == "all":
        return and_(*(holds(part, row) for part in node[1]))
    if kind == "any":
        return or_(*(holds(part, row) for part in node[1]))
    if kind == "not":
        return not_(holds(node[1], row))
    _, column, word, value = node
    return _condition(row, column, word, value)


def _condition(row: Row, column: str, word: str, value: Any) -> bool | None:
    stored_value = row[column]
    if word.startswith("not_") and word != "not_in":
        return not_(_condition(row, column, word[4:], value))
    if word in ("eq", "ne") and value is None:
        return (stored_value is None) == (word == "eq")
    if word in _SIGNS:
        return compare(row, column, _SIGNS[word], value)
    if word == "in":
        return or_(*(_is_member(row, column, member) for member in value))
    if word == "not_in":
        known = [member for member in value if member is not None]
        if value and not known:
            return stored_value is not None
        return not_(or_(*(_is_member(row, column, member) for member in known)))
    if word == "between":
        return and_(compare(row, column, ">=", value[0]), compare(row, column, "<=", value[1]))
    if word in ("is_null", "is_not_null"):
        return (stored_value is None) == ((word == "is_null") == bool(value))
    if word in ("like", "ilike"):
        return like(stored_value, value)
    if word == "glob":
        return None if stored_value is None else fnmatch.fnmatchcase(str(stored_value), value)
    if stored_value is None:
        return None
    text, part = _ascii_lower(str(stored_value)), _ascii_lower(value)
    return {"contains": part in text, "startswith": text.startswith(part), "endswith": text.endswith(part)}[word]


_SIGNS = {"eq": "=", "ne": "!=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def _is_member(row: Row, column: str, member: Any) -> bool | None:
    if member is None:
        return row[column] is None
    if isinstance(member, tuple):
        # On the right of IN a column has no affinity.
        a, b = compared(row[column], COLUMNS[column], row[member[1]], "")
        return None if a is None or b is None else rank(a) == rank(b)
    return compare(row, column, "=", member)
