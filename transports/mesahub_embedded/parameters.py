"""Bindings by parameter number, as the server takes them, to what Python's sqlite3 takes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from mesahub.sql import tokenize
from mesahub.sql.analysis import MAX_PARAMETER, parameter_number

__all__ = ["bound", "nulled"]

_Names = tuple[tuple[str, int], ...]
_NUMBERED = re.compile(r"\?[0-9]").search
_LONG = 10_000
"""Characters from which on a text is not worth its place in the cache."""


def bound(sql: str, bindings: Sequence[Any]) -> tuple[str, Any]:
    """The text and the arguments to execute.

    sqlite3 wants a dict where a parameter has a name, and ``?1`` is one to it (a list is an error from Python 3.14
    on); the server fills them all from one list, by number, and ignores what is left over.
    """
    if not (":" in sql or "@" in sql or "$" in sql or "#" in sql or _NUMBERED(sql)):
        return sql, bindings
    text, names = _named(sql) if len(sql) < _LONG else _named.__wrapped__(sql)
    if names is None:
        return text, bindings
    given = len(bindings)
    return text, {name: bindings[number - 1] for name, number in names if number <= given}


@lru_cache(maxsize=1000)
def _named(sql: str) -> tuple[str, _Names | None]:
    """The text, and (name without prefix, number) of its parameters; ``None`` where none has a name."""
    tokens = list(tokenize(sql))
    numbers: dict[str, int] = {}
    names: dict[int, set[str]] = {}
    places = []
    highest = 0
    for at, (kind, text, _) in enumerate(tokens):
        if kind == "parameter":
            if text == "?":
                number = highest + 1
            elif text[0] == "?":
                number = parameter_number(text)
            else:
                number = numbers.setdefault(text, highest + 1)
            if not 0 < number <= MAX_PARAMETER:
                return sql, None  # SQLite refuses it
            highest = max(highest, number)
            names.setdefault(number, set()).add(text[1:])
            places.append((at, number))
    if all(found == {""} for found in names.values()):
        return sql, None
    each = [next(iter(found)) for found in names.values() if len(found) == 1]
    if len(set(each)) == len(names) == highest and "" not in each:
        return sql, tuple((next(iter(found)), number) for number, found in names.items())
    # ":a" and "@a" are two parameters to SQLite and one name to sqlite3; "?" beside ":a", and gaps, it cannot do.
    ranks = {number: rank for rank, number in enumerate(sorted(names), 1)}
    parts = [text for _, text, _ in tokens]
    for at, number in places:
        parts[at] = f"?{ranks[number]}"
    return "".join(parts), tuple((str(rank), number) for number, rank in ranks.items())


def nulled(sql: str) -> str:
    """The text with NULL in place of every parameter: a view can have none."""
    if not any(mark in sql for mark in "?:@$#"):
        return sql
    return "".join("NULL" if kind == "parameter" else text for kind, text, _ in tokenize(sql))
