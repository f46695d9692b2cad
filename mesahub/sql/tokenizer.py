"""A tokenizer for SQLite's SQL, after ``tokenize.c``. Lossless: the tokens' texts joined are the input."""

from __future__ import annotations

import re

Token = tuple[str, str, int]
"""(kind, text, offset). Kinds: ``space``, ``comment``, ``string``, ``name`` (quoted), ``blob``, ``number``,
``parameter``, ``word``, ``semicolon``, ``operator``, ``illegal``."""

# Everything beyond ASCII may stand in a word; so may $, but not at its start, where it begins a parameter.
_CHARACTER = r"[A-Za-z0-9_$\x80-\U0010ffff]"

_TOKEN = re.compile(
    rf"""
    (?P<space>[ \t\n\f\r\ufeff]+)
  | (?P<comment>--[^\n]*\n?|/\*(?!\Z).*?(?:\*/|\Z))
  | (?P<blob>[xX]'[^']*')
  | (?P<word>[A-Za-z_\x80-\U0010ffff]{_CHARACTER}*)
  | (?P<string>'(?:[^']|'')*')
  | (?P<name>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\])
  | (?P<number>0[xX][0-9A-Fa-f_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d[\d_]*)?)
  | (?P<parameter>\?\d*|[$@:\#](?:::)*{_CHARACTER}(?:{_CHARACTER}|::)*(?:\([^\s)]*\))?)
  | (?P<semicolon>;)
  | (?P<operator>->>|->|\|\||<=|<>|<<|>=|>>|==|!=|[-+*/%=<>&|~(),.])
  | (?P<illegal>['"`\[].*|.)
    """,
    re.VERBOSE | re.DOTALL,
)


def tokenize(sql: str) -> list[Token]:
    """Split SQL text into tokens, blanks and comments included.

    >>> [text for kind, text, at in tokenize("SELECT ?1 -- one")]
    ['SELECT', ' ', '?1', ' ', '-- one']
    """
    return [(match.lastgroup or "", match[0], match.start()) for match in _TOKEN.finditer(sql)]


def significant(sql: str) -> list[Token]:
    """The tokens that SQLite's parser sees: without blanks and comments."""
    return [token for token in tokenize(sql) if token[0] not in ("space", "comment")]


def canonical(sql: str) -> str:
    """The text with comments taken out and blanks made one, outside literals and names.

    Two texts with one canonical form mean the same to SQLite; the recorder compares by it.

    >>> canonical("SELECT  'a  b' -- note\\n FROM t;")
    "SELECT 'a  b' FROM t"
    """
    parts: list[str] = []
    gap = False
    for kind, text, _ in tokenize(sql):
        if kind in ("space", "comment"):
            gap = True
            continue
        if gap and parts:
            parts.append(" ")
        gap = False
        parts.append(text)
    while parts and parts[-1] in (";", " "):
        parts.pop()
    return "".join(parts)
