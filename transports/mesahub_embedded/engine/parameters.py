"""Bindings by parameter number, as the server takes them, to what Python's sqlite3 takes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from mesahub.sql import analyze, tokenize
from mesahub.sql.analysis import MAX_PARAMETER, ParameterNumbers

__all__ = ["bound", "nulled"]

_LONG = 10_000
"""Characters from which on a text is not worth its place in the cache."""


def bound(sql: str, bindings: Sequence[Any]) -> tuple[str, Any]:
    """The text and the arguments to execute.

    sqlite3 wants a dict where a parameter has a name (a list is an error from Python 3.14 on), and the server
    fills them all from one list, by number, and ignores what is left over.
    """
    if not (":" in sql or "@" in sql or "$" in sql or "#" in sql):
        return sql, bindings
    text, names = _named(sql) if len(sql) < _LONG else _named.__wrapped__(sql)
    return text, bindings if names is None else dict(zip(names, bindings, strict=False))


@lru_cache(maxsize=1000)
def _named(sql: str) -> tuple[str, tuple[str, ...] | None]:
    analysis = analyze(sql)
    if not analysis.named:
        return sql, None
    names = tuple(name for name in analysis.parameters if name is not None)
    if not analysis.positional and len(set(names)) == len(names):
        return sql, names
    # ":a" and "@a" are two parameters to SQLite and one name to sqlite3; it does not support "?" together with ":a".
    numbers = ParameterNumbers()
    parts = []
    for kind, text, _ in tokenize(sql):
        if kind != "parameter":
            parts.append(text)
            continue
        number = numbers.of(text)
        if number > MAX_PARAMETER:
            return sql, None  # SQLite refuses it
        parts.append(f"?{number}")
    return "".join(parts), None


def nulled(sql: str) -> str:
    """The text with NULL in place of every parameter: a view can have none."""
    if not any(mark in sql for mark in "?:@$#"):
        return sql
    return "".join("NULL" if kind == "parameter" else text for kind, text, _ in tokenize(sql))
