"""A tokenizer for SQLite's SQL, after ``tokenize.c``. Lossless: the tokens' texts joined are the input."""

from __future__ import annotations

import re

Token = tuple[str, str, int]
"""(kind, text, offset). Kinds: ``space``, ``comment``, ``string``, ``name`` (quoted), ``blob``, ``number``,
``parameter``, ``word``, ``semicolon``, ``operator``, ``illegal``."""

# Everything beyond ASCII may stand in a word; so may $, but not at its start, where it begins a parameter.
# Said by what is not allowed: a set with all of Unicode in it takes 10 ms to compile.
_CHARACTER = r"[^\x00-#%-/:-@\[-^`{-\x7f]"
_START = r"[^\x00-@\[-^`{-\x7f]"
_NUMBER = r"(?>0[xX][0-9A-Fa-f_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d[\d_]*)?)"

# A vertical tab is blank to SQLite only behind another blank; a byte order mark is blank where a token may begin.
_GRAMMAR = rf"""
    (?P<space>[ \t\n\f\r][ \t\n\v\f\r]*|\ufeff)
  | (?P<comment>--[^\n]*\n?|/\*(?!\Z).*?(?:\*/|\Z))
  | (?P<blob>[xX]'[^']*')
  | (?P<word>{_START}{_CHARACTER}*)
  | (?P<string>'(?:[^']|'')*')
  | (?P<name>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\])
  | (?P<number>{_NUMBER}(?!{_CHARACTER}))
  | (?P<parameter>\?\d*|[$@:\#](?:::)*{_CHARACTER}(?:{_CHARACTER}|::)*(?:\([^\s)]*\))?)
  | (?P<semicolon>;)
  | (?P<operator>->>|->|\|\||<=|<>|<<|>=|>>|==|!=|[-+*/%=<>&|~(),.])
  | (?P<illegal>['"`\[].*|{_NUMBER}{_CHARACTER}+|.)
    """
_pattern: re.Pattern[str] | None = None


def tokenize(sql: str) -> list[Token]:
    """Split SQL text into tokens, blanks and comments included.

    >>> [text for kind, text, at in tokenize("SELECT ?1 -- one")]
    ['SELECT', ' ', '?1', ' ', '-- one']
    """
    global _pattern
    if _pattern is None:  # compiled when it is first needed: the table API gets by without
        _pattern = re.compile(_GRAMMAR, re.VERBOSE | re.DOTALL | re.ASCII)
    return [(match.lastgroup or "", match[0], match.start()) for match in _pattern.finditer(sql)]


def significant(sql: str) -> list[Token]:
    """The tokens that SQLite's parser sees: without blanks and comments."""
    return [token for token in tokenize(sql) if token[0] not in ("space", "comment")]


def canonical(sql: str) -> str:
    """The text with comments taken out and blanks made one, outside literals and names.

    Two texts with one canonical form mean the same to SQLite, but for the name of a result column without AS, which
    is its expression as it was written. The recorder compares by it.

    >>> canonical("SELECT  'a  b' -- note\\n FROM t;")
    "SELECT 'a  b' FROM t"
    """
    parts: list[str] = []
    gap = False
    for kind, text, _ in tokenize(sql):
        if kind in ("space", "comment"):
            gap = True
            continue
        # To SQLite a vertical tab is a blank behind a blank, and an error behind anything else.
        if gap and parts and text[0] != "\x0b":
            parts.append(" ")
        gap = False
        parts.append(text)
    while parts and parts[-1] in (";", " "):
        parts.pop()
    return "".join(parts)
