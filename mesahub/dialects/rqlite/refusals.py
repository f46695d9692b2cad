"""Writes that rqlite takes and that do harm there: refused before they are sent, with what to do instead.

rqlite runs each write again on every node. What gives another value each time leaves nodes that differ, without a word.
"""

from __future__ import annotations

from mesahub.errors import UnsupportedError
from mesahub.sql import Statement
from mesahub.sql.tokenizer import Token, comma_items, significant

__all__ = ["check_write"]

_RANDOM = frozenset({"random", "randomblob"})
_NOW = frozenset({"current_timestamp", "current_date", "current_time"})
_DATES = frozenset({"date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff"})
_NOT_FIXED = frozenset({"now", "localtime", "utc"})
_SUBSECOND = frozenset({"subsec", "subsecond"})
_STORED = frozenset({"insert", "replace", "update", "delete", "create", "alter"})
"""Statements whose functions decide what is stored: now, or when a default or a trigger runs."""
_PERSISTENT = frozenset({"user_version", "application_id", "optimize", "incremental_vacuum"})
_KEPT = 1024
_KEPT_SIZE = 4096

_harmless: dict[str, bool] = {}
"""By text: has it a date function whose argument may be a value?"""


def check_write(statement: Statement, *, deterministic: bool = True) -> None:
    """Raise `UnsupportedError` for a write that rqlite would carry out otherwise than it says.

    Args:
        statement: the statement.
        deterministic: refuse what gives another value on each node.
    """
    dated = _harmless.get(statement.sql)
    if dated is None:
        tokens = significant(statement.sql)
        _check_scope(statement.verb, tokens)
        dated = False
        if statement.verb in _STORED:
            found, dated = _varying(tokens)
            if found and deterministic:
                raise _diverges(found)
            if not found and len(statement.sql) <= _KEPT_SIZE:
                if len(_harmless) >= _KEPT:
                    _harmless.clear()
                _harmless[statement.sql] = dated
    if dated and deterministic:
        for value in statement.bindings:
            if type(value) is str and value.strip().lower() in _NOT_FIXED | _SUBSECOND:
                raise _diverges(f"the value {value!r} for a date function")


def _diverges(found: str) -> UnsupportedError:
    return UnsupportedError.of(
        f"rqlite runs a write again on each node, so {found} would store another value on each of them. Compute it in "
        "Python and bind it with ?; of a column's default or a trigger, leave it out and give the value with each "
        "INSERT. (nondeterministic='allow', in the URL or as an option, sends such statements.)"
    )


def _check_scope(verb: str, tokens: list[Token]) -> None:
    words = [text.lower() for _, text, _ in tokens[:6]]
    if verb == "pragma":
        name = next((word for word in reversed(_until(words[1:4], "(", "=")) if word != "."), "")
        if name.strip("\"'`[]") not in _PERSISTENT:
            raise UnsupportedError.of(
                f"PRAGMA {name} would be set for all clients of the rqlite cluster, or for none: its nodes share one "
                "connection for writes, and have others for reads. Set it when rqlited is started (such as with -fk); "
                "PRAGMA user_version and application_id are stored, and can be set."
            )
    elif verb == "create" and words[1:2] and words[1] in ("temp", "temporary"):
        raise UnsupportedError.of(
            "rqlite has no TEMP tables of one's own: they would be shared by all clients, and its reads do not see "
            "them. Use WITH name AS (SELECT ...), or an ordinary table that you drop."
        )
    elif verb == "vacuum" and "into" in words:
        raise UnsupportedError.of(
            "VACUUM INTO would write a file on each node of the rqlite cluster. To copy a database use mesahub.copy()."
        )


def _until(words: list[str], *ends: str) -> list[str]:
    for position, word in enumerate(words):
        if word in ends:
            return words[:position]
    return words


def _varying(tokens: list[Token]) -> tuple[str, bool]:
    """What gives another value each time, ``""`` for nothing; and whether there are date functions with arguments."""
    dated = False
    for position, (kind, text, _) in enumerate(tokens):
        word = text.strip('"`[]').lower() if kind in ("word", "name") else ""
        before = tokens[position - 1][1] if position else ""
        if kind == "word" and word in _NOW and before != ".":
            return text.upper(), dated
        if not word or position + 1 >= len(tokens) or tokens[position + 1][1] != "(" or before == ".":
            continue
        if word in _RANDOM:
            return f"{word}()", dated
        if word in _DATES and not _names_columns(tokens, position):
            dated = True
            if _is_now(word, _arguments(tokens, position + 2)):
                return f"{word}() of the present time, or of the place", dated
    return "", dated


def _names_columns(tokens: list[Token], position: int) -> bool:
    """Is the name before the brackets a table's, as in INSERT INTO date (a)?"""
    before = tokens[position - 1][1].lower() if position else ""
    return before in ("into", "table", "references", "exists", "on")


def _arguments(tokens: list[Token], start: int) -> list[list[Token]]:
    items, _ = comma_items(tokens, start)
    return items if items != [[]] else []


def _is_now(function: str, arguments: list[list[Token]]) -> bool:
    literals = [
        argument[0][1].strip("'\"").strip().lower()
        if len(argument) == 1 and argument[0][0] in ("string", "name")
        else ""
        for argument in arguments
    ]
    values = literals[1:] if function == "strftime" else literals
    return not values or values[0] in _SUBSECOND or any(literal in _NOT_FIXED for literal in values)
