"""A tokenizer for SQLite's SQL, after ``tokenize.c``. Lossless: the tokens' texts joined are the input."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

Token = tuple[str, str, int]
"""(kind, text, offset). Kinds: ``space``, ``comment``, ``string``, ``name`` (quoted), ``blob``, ``number``,
``parameter``, ``word``, ``semicolon``, ``operator``, ``illegal``."""

# A word may contain any non-ASCII character, and $ except at its start, where it begins a parameter.
# Defined by the excluded characters: a set that contains all of Unicode takes 10 ms to compile.
_CHARACTER = r"[^\x00-#%-/:-@\[-^`{-\x7f]"
_START = r"[^\x00-@\[-^`{-\x7f]"
_NUMBER = r"(?>0[xX][0-9A-Fa-f_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d[\d_]*)?)"

# SQLite treats a vertical tab as whitespace only after other whitespace, and a byte order mark wherever a token may
# begin.
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
    """Split SQL text into tokens, including whitespace and comments.

    Examples:
        >>> [text for kind, text, at in tokenize("SELECT ?1 -- one")]
        ['SELECT', ' ', '?1', ' ', '-- one']
    """
    global _pattern
    if _pattern is None:  # compiled on first use: the table API does not need it
        _pattern = re.compile(_GRAMMAR, re.VERBOSE | re.DOTALL | re.ASCII)
    return [(match.lastgroup or "", match[0], match.start()) for match in _pattern.finditer(sql)]


def significant(sql: str) -> list[Token]:
    """Return the tokens that SQLite's parser sees, without whitespace and comments."""
    return [token for token in tokenize(sql) if token[0] not in ("space", "comment")]


def outer_words(tokens: Sequence[Token]) -> Iterator[tuple[int, str]]:
    """The words outside of parentheses, in lower case, each with its place among the tokens.

    >>> list(outer_words(significant("SELECT (a) FROM t")))
    [(0, 'select'), (4, 'from'), (5, 't')]
    """
    depth = 0
    for place, (kind, text, _) in enumerate(tokens):
        if text == "(":
            depth += 1
        elif text == ")":
            depth -= 1
        elif depth == 0 and kind == "word":
            yield place, text.lower()


def comma_items(tokens: Sequence[Token], start: int) -> tuple[list[list[Token]], int]:
    """What is between commas from ``start`` on, and where that ends: at a ``)`` of more, or after the last token.

    >>> items, end = comma_items(significant("f(a, g(b, c)) + 1"), 2)
    >>> [[text for _, text, _ in item] for item in items], end
    ([['a'], ['g', '(', 'b', ',', 'c', ')']], 10)
    """
    items: list[list[Token]] = [[]]
    depth = 0
    for place in range(start, len(tokens)):
        text = tokens[place][1]
        depth += (text == "(") - (text == ")")
        if depth < 0:
            return items, place
        if text == "," and depth == 0:
            items.append([])
        else:
            items[-1].append(tokens[place])
    return items, len(tokens)


def canonical(sql: str) -> str:
    """Return the text without comments and with single spaces, outside literals and names.

    Two texts with the same canonical form mean the same to SQLite, except for the names of result columns without AS,
    which are their expressions as written. The recorder compares canonical forms.

    >>> canonical("SELECT  'a  b' -- note\\n FROM t;")
    "SELECT 'a  b' FROM t"
    """
    parts: list[str] = []
    gap = False
    for kind, text, _ in tokenize(sql):
        if kind in ("space", "comment"):
            gap = True
            continue
        # SQLite treats a vertical tab as whitespace after whitespace, and as an error after anything else.
        if gap and parts and text[0] != "\x0b":
            parts.append(" ")
        gap = False
        parts.append(text)
    while parts and parts[-1] in (";", " "):
        parts.pop()
    return "".join(parts)
