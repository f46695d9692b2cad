"""Infer which columns the parameters, literals and result columns of a statement belong to.

A name is *certain* only where the text leaves no doubt: an item of VALUES under a column list, or a part of a
condition or an assignment that mentions a single column. Everything else is uncertain, and redaction must assume the
worst.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from mesahub.sql.analysis import ParameterNumbers
from mesahub.sql.identifiers import unquote_name
from mesahub.sql.tokenizer import comma_items, significant

__all__ = ["Names", "StatementNames", "names_of"]

_BOUNDARIES = frozenset(
    {
    "WHERE", "AND", "OR", "ON", "HAVING", "SET", "SELECT", "FROM", "WHEN", "THEN", "ELSE", "CASE", "END", "GROUP",
    "ORDER", "BY", "LIMIT", "OFFSET", "RETURNING", "UNION", "EXCEPT", "INTERSECT", "VALUES", "USING", "WINDOW",
    "JOIN", "DO", "UPDATE", "CONFLICT",
    }
)  # fmt: skip
_KEYWORDS = _BOUNDARIES | frozenset(
    {
    "AS", "IN", "IS", "NOT", "NULL", "LIKE", "GLOB", "REGEXP", "MATCH", "BETWEEN", "ESCAPE", "COLLATE", "NOCASE",
    "BINARY", "RTRIM", "DISTINCT", "ALL", "EXISTS", "ASC", "DESC", "INSERT", "REPLACE", "INTO", "DELETE", "WITH",
    "RECURSIVE", "INNER", "LEFT", "RIGHT", "OUTER", "CROSS", "NATURAL", "FULL", "CAST", "TEXT", "INTEGER", "REAL",
    "BLOB", "NUMERIC", "NOTHING", "NULLS", "FIRST", "LAST", "TRUE", "FALSE", "ABORT", "FAIL", "IGNORE", "ROLLBACK",
    "OVER", "PARTITION", "FILTER", "CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME", "DEFAULT", "ISNULL",
    "NOTNULL", "INDEXED",
    }
)  # fmt: skip
_COMPARED = frozenset({"=", "==", "<>", "!=", "<", ">", "<=", ">=", "LIKE", "GLOB", "IS"})
_LITERALS = frozenset({"string", "number", "blob"})

Tokens = list[tuple[str, str, int]]


class Names(NamedTuple):
    """The names by which a value may be known; ``certain`` when it belongs to no other column."""

    names: tuple[str, ...]
    certain: bool


class StatementNames(NamedTuple):
    """What the text of a statement reveals about its values.

    Attributes:
        parameters: for each binding.
        literals: (names, text of the literal) of values that are written into the statement where a column's are.
        mentioned: every name in the statement, also in its string literals (JSON paths), and its parameters' names.
        blind: does it insert rows without saying into which columns?
        results: the names that each result column may come from; ``None`` when that cannot be said.
        has_star: do some of the result columns come from ``*``?
    """

    parameters: tuple[Names, ...]
    literals: tuple[tuple[tuple[str, ...], str], ...]
    mentioned: frozenset[str]
    blind: bool
    results: tuple[tuple[str, ...], ...] | None
    has_star: bool


@lru_cache(maxsize=1024)
def names_of(sql: str) -> StatementNames:
    """Analyze one statement."""
    tokens = [token for token in significant(sql) if token[0] != "semicolon"]
    aliases = _aliases(tokens)
    numbered: dict[int, list[Names]] = {}
    numbers = ParameterNumbers()
    literals = []
    blind = False
    for part, columns in _parts(tokens):
        found = _names(part, aliases) if columns is None else _item_names(part, columns)
        blind |= columns is not None and not columns
        for index, (kind, text, _) in enumerate(part):
            if kind == "parameter":
                number = numbers.of(text)
                own = () if text[0] == "?" else (text[1:],)
                numbered.setdefault(number, []).append(Names((*found.names, *own), found.certain))
            elif kind in _LITERALS and _is_value(part, index, in_values=columns is not None):
                literals.append((found.names, _literal(kind, text)))
    parameters = [_joined(numbered.get(number, [])) for number in range(1, numbers.highest + 1)]
    results, has_star = _results(tokens)
    mentioned = frozenset(name for token in tokens for name in _mentioned(token))
    return StatementNames(tuple(parameters), tuple(literals), mentioned, blind, results, has_star)


def _joined(uses: list[Names]) -> Names:
    return Names(tuple(dict.fromkeys(name for use in uses for name in use.names)), all(use.certain for use in uses))


# --- parts -------------------------------------------------------------------------------------------------


def _parts(tokens: Tokens) -> Iterator[tuple[Tokens, list[str] | None]]:
    """Cut a statement where another column may be meant. With items of VALUES comes the column (none: unknown)."""
    columns = _insert_columns(tokens)
    part: Tokens = []
    depth = 0
    between = False
    index = 0
    while index < len(tokens):
        kind, text, _ = tokens[index]
        word = text.upper() if kind == "word" else text
        if word == "VALUES" and kind == "word" and columns is not None and depth == 0:
            yield part, None
            part = []
            index += 1
            while index < len(tokens) and tokens[index][1] in ("(", ","):
                if tokens[index][1] == "(":
                    items, end = comma_items(tokens, index + 1)
                    index = end + 1
                    for place, item in enumerate(items):
                        yield item, columns[place : place + 1]
                else:
                    index += 1
            continue
        depth += (text == "(") - (text == ")")
        is_end = (kind == "word" and word in _BOUNDARIES) or (text == "," and depth == 0)
        if word == "AND" and between:
            is_end = between = False
        between = between or (kind == "word" and word == "BETWEEN")
        if is_end:
            yield part, None
            # The word stays with what follows it: LIMIT says what its value is.
            part = [tokens[index]] if text != "," else part[:1] if part and _is_limit(part[0]) else []
        else:
            part.append(tokens[index])
        index += 1
    yield part, None


def _item_names(item: Tokens, columns: list[str]) -> Names:
    """Of an item of VALUES: its column's name, and those in it, as of a member of JSON."""
    inner = [name for token in item if token[0] in ("string", "name", "word") for name in _mentioned(token)]
    return Names((*columns, *inner) if len(item) > 1 else tuple(columns), bool(columns))


def _is_limit(token: tuple[str, str, int]) -> bool:
    return token[0] == "word" and token[1].upper() in ("LIMIT", "OFFSET")


def _insert_columns(tokens: Tokens) -> list[str] | None:
    """The column list of an INSERT, ``[]`` for one without, ``None`` for other statements."""
    words = [text.upper() if kind == "word" else "" for kind, text, _ in tokens]
    if "INTO" not in words or not {"INSERT", "REPLACE"} & set(words):
        return None
    index = words.index("INTO") + 2
    while index < len(tokens) and (tokens[index][1] == "." or words[index] == "AS"):
        index += 2
    if index >= len(tokens) or tokens[index][1] != "(":
        return []
    items, _ = comma_items(tokens, index + 1)
    return [unquote_name(item[0][1]) if item else "" for item in items]


def _names(part: Tokens, aliases: frozenset[str]) -> Names:
    if part and _is_limit(part[0]):
        return Names(("limit",), certain=len(part) == 2)
    columns = [unquote_name(text) for _, text, _ in _columns(part)]
    if "json_each" in {text.lower() for kind, text, _ in part if kind == "word"}:
        columns = [name for name in columns if name.lower() not in ("value", "json_each")]
    paths = [name for token in part if token[0] == "string" for name in _mentioned(token)]
    different = set(columns)
    certain = len(different) == 1 and not different & aliases
    return Names((*dict.fromkeys(columns), *paths), certain)


def _columns(part: Tokens) -> Iterator[tuple[str, str, int]]:
    """Tokens that are columns, rather than keywords, functions, or tables before a dot."""
    for index, token in enumerate(part):
        kind, text, _ = token
        after = part[index + 1][1] if index + 1 < len(part) else ""
        if after in ("(", "."):
            continue
        if kind == "name" or (kind == "word" and text.upper() not in _KEYWORDS):
            yield token


def _aliases(tokens: Tokens) -> frozenset[str]:
    """Aliases, whose meaning is unknown here."""
    found = set()
    for index, (kind, text, _) in enumerate(tokens[1:], 1):
        if kind not in ("word", "name") or (kind == "word" and text.upper() in _KEYWORDS):
            continue
        before_kind, before, _ = tokens[index - 1]
        after_keyword = before_kind == "word" and before.upper() in _KEYWORDS and before.upper() != "END"
        if (
            (before_kind == "word" and before.upper() == "AS")
            or (before_kind in ("word", "name", "string", "number") and not after_keyword)
            or before == ")"
        ):
            found.add(unquote_name(text))
    for index, token in enumerate(tokens):
        # WITH name (columns) AS (...)
        if token[1] == "(" and index and tokens[index - 1][0] in ("word", "name"):
            items, end = comma_items(tokens, index + 1)
            if [text.upper() for _, text, _ in tokens[end + 1 : end + 2]] == ["AS"]:
                found |= {unquote_name(item[0][1]) for item in items if item}
    return frozenset(found)


def _is_value(part: Tokens, index: int, *, in_values: bool) -> bool:
    if in_values:
        return len(part) == 1
    before = part[index - 1][1].upper() if index else ""
    return before in _COMPARED or (before in ("(", ",") and any(text.upper() == "IN" for _, text, _ in part[:index]))


def _literal(kind: str, text: str) -> str:
    if kind == "string":
        return text[1:-1].replace("''", "'")
    return text[2:-1] if kind == "blob" else text


def _mentioned(token: tuple[str, str, int]) -> list[str]:
    kind, text, _ = token
    if kind in ("word", "name"):
        return [unquote_name(text)]
    if kind == "parameter":
        return [text[1:]]
    return re.findall(r"\w+", text) if kind == "string" and len(text) < 200 else []


# --- results -----------------------------------------------------------------------------------------------


def _results(tokens: Tokens) -> tuple[tuple[tuple[str, ...], ...] | None, bool]:
    words = [text.upper() if kind == "word" else "" for kind, text, _ in tokens]
    if "RETURNING" in words:
        start = words.index("RETURNING")
    elif words[:1] == ["SELECT"] and words.count("SELECT") == 1:
        start = 0
    else:
        return None, False
    listed: Tokens = []
    depth = 0
    for index in range(start + 1, len(tokens)):
        text = tokens[index][1]
        depth += (text == "(") - (text == ")")
        if depth == 0 and words[index] in ("FROM", "WHERE", "GROUP", "ORDER", "LIMIT"):
            break
        if words[index] not in ("DISTINCT", "ALL"):
            listed.append(tokens[index])
    items, _ = comma_items(listed, 0)
    has_star = any(item and item[-1][1] == "*" and (len(item) == 1 or item[-2][1] == ".") for item in items)
    return tuple(tuple(name for token in item for name in _mentioned(token)) for item in items), has_star
