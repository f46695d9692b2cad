"""The form of a statement on the wire.

The server binds every JSON number as a double and knows no blob (``docs/protocol.md``, Bindings). So a
placeholder for an integer becomes ``+CAST(? AS INTEGER)``: exact to 64 bits, and the unary plus takes the
affinity of the CAST away again, so that it compares and stores as a bound integer does. A placeholder for
bytes becomes ``unhex(?)``. Unary operators bind tighter than all others, so neither needs parentheses.

Two special cases: after an operand, the plus would join the two
(``IN (? ?)``), so a placeholder there stays as it is and SQLite says what is wrong; and within UNION, INTERSECT and
EXCEPT, SQLite looks through the plus to find a column's affinity, so a function, ``ifnull``, is used instead.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mesahub.dialects.mesahub.limits import MAX_SQL
from mesahub.errors import ArgumentError
from mesahub.sql.analysis import ParameterNumbers
from mesahub.sql.tokenizer import tokenize

_EXACT = 2**53
_KEPT = 1024
_KEPT_SIZE = 4096
"""Longer texts (and lists of values) are lowered each time: a thousand of them would fill the memory."""

# By text and the types of its values: what to send, and which values must change.
_lowered: dict[tuple[Any, ...], tuple[str, bool, bool]] = {}


def lower(sql: str, bindings: Sequence[Any], *, integers: bool = True) -> tuple[str, Sequence[Any]]:
    """A statement and its values in the form that means the same to the server.

    Args:
        sql: one statement, as `prepare` gives it.
        bindings: ``None``, ``bool``, ``int``, ``float``, ``str`` or ``bytes``, by parameter number.
        integers: change integers, and keep to the longest text that MesaHub's server takes; else only bytes.

    Returns:
        The text, and values that JSON can carry.

    >>> lower("SELECT ? + n FROM t WHERE b = ?", [2**60, b"ab"])
    ('SELECT +CAST(? AS INTEGER) + n FROM t WHERE b = unhex(?)', ['1152921504606846976', '6162'])
    """
    key = (sql, integers, *map(type, bindings))
    known = _lowered.get(key)
    if known is None:
        known = _rewrite(sql, bindings) if integers else _rewrite_blobs(sql, bindings)
        if len(sql) <= _KEPT_SIZE:
            if len(_lowered) >= _KEPT:
                _lowered.clear()
            _lowered[key] = known
    text, changed, blobs = known
    if blobs:
        if not integers:
            return text, [value.hex() if type(value) is bytes else value for value in bindings]
        return text, [_wire(value) for value in bindings]
    if changed:
        for value in bindings:
            if type(value) is int and not -_EXACT <= value <= _EXACT:
                return text, [_wire(value) for value in bindings]
    return text, bindings


def _wire(value: Any) -> Any:
    if type(value) is bytes:
        return value.hex()
    if type(value) is int and not -_EXACT <= value <= _EXACT:
        return str(value)
    return value


# Words that an operand may follow; the second set may also be column names.
_BEFORE_OPERAND = frozenset(
    {
        "select", "distinct", "all", "where", "and", "or", "not", "between", "is", "case", "when", "then", "else", "on",
        "having", "limit", "escape", "returning",
    }
)  # fmt: skip
_OR_A_NAME = frozenset({"by", "offset", "like", "glob", "regexp", "match", "rows", "range", "groups"})
_COMPOUND = frozenset({"union", "intersect", "except"})


def _rewrite_blobs(sql: str, bindings: Sequence[Any]) -> tuple[str, bool, bool]:
    if bytes not in map(type, bindings):
        return sql, False, False
    return _rewrite(sql, [value if type(value) is bytes else None for value in bindings], "")


def _rewrite(sql: str, bindings: Sequence[Any], integer: str = "INTEGER") -> tuple[str, bool, bool]:
    integers = any(type(value) is int for value in bindings)
    blobs = any(type(value) is bytes for value in bindings)
    if not integers and not blobs:
        return sql, False, False
    tokens = tokenize(sql)
    plain, by_function = f"+CAST({{}} AS {integer})", f"ifnull(CAST({{}} AS {integer}),0)"
    if any(kind == "word" and text.lower() in _COMPOUND for kind, text, _ in tokens):
        plain = by_function
    parts: list[str] = []
    numbers = ParameterNumbers()
    before = ""
    expected = earlier = ""
    for kind, text, _ in tokens:
        if kind == "parameter":
            type_ = type(bindings[numbers.of(text) - 1])
            if expected and type_ is int:
                text = (by_function if expected == "name?" else plain).format(text)
            elif expected and type_ is bytes:
                text = f"unhex({text})"
            if before == "word" and text[-1] == ")":  # AND? is two tokens, ANDunhex(?) would be one
                parts.append(" ")
        if kind not in ("space", "comment"):
            word = text.lower() if kind == "word" else ""
            expected = _expects(kind, text, word, earlier)
            earlier = word
        parts.append(text)
        before = kind
    lowered = "".join(parts)
    if integer and (len(lowered) > MAX_SQL or len(lowered.encode()) > MAX_SQL):
        if integers and integer == "INTEGER":
            return _rewrite(sql, bindings, "INT")  # says the same, and 5,000 of them fit
        raise ArgumentError(
            f"With its {len(bindings)} values the statement becomes longer than the {MAX_SQL} bytes that the "
            "server takes. For many rows use table.insert_many(); for a long list, json_each(?)."
        )
    return lowered, integers, blobs


def _expects(kind: str, text: str, word: str, earlier: str) -> str:
    """Must an operand follow this token? ``"yes"``, ``"name?"`` (if it is not a name itself), or ``""``."""
    if kind == "operator":
        return "" if text in (")", ".") else "yes"
    if word in _BEFORE_OPERAND or (word == "from" and earlier == "distinct"):  # IS DISTINCT FROM ?
        return "yes"
    return "name?" if word in _OR_A_NAME else ""


_PARAMETER = r"(\?[0-9]*|[:@$][^\s()]+(?:\([^\s)]*\))?)"
_CHANGED = (
    rf"\+CAST\({_PARAMETER} AS INT(?:EGER)?\)|unhex\({_PARAMETER}\)|ifnull\(CAST\({_PARAMETER} AS INT(?:EGER)?\),0\)"
)


def restore_name(name: str, sql: str = "") -> str:
    """The name that a result column without AS would have had if the text had not been rewritten.

    Args:
        name: as the server gives it.
        sql: the statement as it was written; what appears in it verbatim is kept.

    >>> restore_name("+CAST(? AS INTEGER) + 1")
    '? + 1'
    >>> restore_name("unhex(?)", "SELECT unhex(?)")
    'unhex(?)'
    """
    if name in sql:
        return name
    # The text and not a pattern, so that it is compiled when it is first needed; re keeps it then.
    return re.sub(_CHANGED, lambda found: found[1] or found[2] or found[3], name)
