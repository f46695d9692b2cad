"""SQL text without the values that are written into it, for traces."""

from __future__ import annotations

from mesahub.sql.tokenizer import tokenize

__all__ = ["without_values"]

_BEFORE_NAMES = frozenset({"from", "join", "into", "update", "table", "view", "index", "trigger", "as", "exists"})


def without_values(sql: str, *, names: bool = False) -> str:
    """The text with ``?`` in place of each literal, without comments, with single spaces.

    SQLite takes ``"text"`` for a string where no column has that name. So only such names in double quotes stay that
    can be nothing else: those next to a dot, and those after FROM, JOIN, INTO and the like.

    Args:
        sql: a statement.
        names: what is in double quotes are names, and stays.

    >>> without_values("SELECT * FROM \\"t\\" WHERE a = 'x' AND b = \\"y\\" -- note")
    'SELECT * FROM "t" WHERE a = ? AND b = ?'
    """
    parts: list[str] = []
    gap, last, pragma = False, "", False
    tokens = tokenize(sql)
    for place, (kind, text, _) in enumerate(tokens):
        if kind in ("space", "comment"):
            gap = bool(parts)
            continue
        word = text.lower() if kind == "word" else text
        if not parts:
            pragma = word == "pragma"
        hidden = kind in ("string", "blob", "number", "illegal") or (pragma and last in ("=", "-", "+"))
        if kind == "name" and text[0] == '"' and not names:
            hidden = not _is_name(last, tokens, place)
        if gap:
            parts.append(" ")
        gap, last = False, word
        parts.append("?" if hidden else text)
    return "".join(parts).rstrip("; ")


def _is_name(last: str, tokens: list[tuple[str, str, int]], place: int) -> bool:
    if last == "." or last in _BEFORE_NAMES:
        return True
    following = next((text for kind, text, _ in tokens[place + 1 :] if kind not in ("space", "comment")), "")
    return following == "."
