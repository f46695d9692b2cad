"""Analyze SQL text: its statements, their verbs, whether they write, and their parameters."""

from __future__ import annotations

from mesahub.sql.identifiers import unquote_name
from mesahub.sql.tokenizer import Token, outer_words, significant

MAX_PARAMETER = 32_766
"""SQLite's highest parameter number, with its default build options."""

TRANSACTION = frozenset({"begin", "commit", "end", "rollback", "savepoint", "release"})
ATTACHING = frozenset({"attach", "detach"})
_CHANGES = frozenset({"insert", "replace", "update", "delete"})
_WRITES = _CHANGES | {
    "create", "drop", "alter", "analyze", "reindex", "vacuum", *TRANSACTION, *ATTACHING,
}  # fmt: skip

# PRAGMAs that only read although they take an argument; and those that act without one.
TELLING_PRAGMAS = frozenset(
    {
        "table_info", "table_xinfo", "table_list", "index_info", "index_list", "index_xinfo",
        "foreign_key_list", "foreign_key_check", "integrity_check", "quick_check",
    }
)  # fmt: skip
_DOING = frozenset({"wal_checkpoint", "optimize", "incremental_vacuum", "shrink_memory"})


class Part:
    """One statement of a text.

    Attributes:
        start, end: offsets of its tokens, without its ``;``.
        tokens: its tokens, without whitespace and comments.
        verb: its first word in lower case; for a WITH statement, that of its main part.
        writes: whether it may change anything.
        returns: whether it has its own RETURNING clause.
    """

    __slots__ = ("end", "returns", "start", "tokens", "verb", "writes")

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.start = tokens[0][2]
        self.end = tokens[-1][2] + len(tokens[-1][1])
        self.verb = _verb(tokens)
        self.writes = _does_write(self.verb, tokens)
        self.returns = self.verb in _CHANGES and returning_place(tokens) is not None


class Analysis:
    """The result of `analyze`.

    Attributes:
        parts: the statements that are not empty.
        semicolons: whether there is a ``;`` outside the parts.
        parameters: for each parameter number from 1 on its name without prefix, or ``None``.
        marked: the same with their prefixes, which distinguish ``:a`` from ``@a``.
        highest: the highest parameter number, as SQLite counts them.
        named: whether there are ``:name``, ``@name`` or ``$name``.
        positional: whether there are ``?`` or ``?1``.
    """

    __slots__ = ("highest", "marked", "named", "parameters", "parts", "positional", "semicolons")

    def __init__(self, sql: str) -> None:
        self.parts, self.semicolons = _split(significant(sql))
        self.positional = False
        numbers = ParameterNumbers()
        names: dict[int, str] = {}
        for part in self.parts:
            for kind, text, _ in part.tokens:
                if kind == "parameter":
                    number = numbers.of(text)
                    if text[0] == "?":
                        self.positional = True
                    else:
                        names[number] = text
        self.named = bool(names)
        self.highest = numbers.highest
        self.marked = [names.get(number) for number in range(1, self.highest + 1)]
        self.parameters = [name and name[1:] for name in self.marked]


def parameter_number(text: str) -> int:
    """The number in ``?12``; for more digits than Python parses, a number that is too high."""
    return int(text[1:]) if len(text) < 20 else MAX_PARAMETER + 1


class ParameterNumbers:
    """Numbers the parameters of a statement as SQLite does (https://www.sqlite.org/lang_expr.html#varparam).

    Attributes:
        highest: the highest number so far. Those that SQLite rejects do not count: they must not fill memory.
    """

    def __init__(self) -> None:
        self.highest = 0
        self._named: dict[str, int] = {}

    def of(self, text: str) -> int:
        """The number of the next parameter: of ``?``, ``?12``, or a name with its prefix."""
        if text == "?":
            number = self.highest + 1
        elif text[0] == "?":
            number = parameter_number(text)
            if number > MAX_PARAMETER:
                return number
        else:
            number = self._named.setdefault(text, self.highest + 1)
        self.highest = max(self.highest, number)
        return number


def analyze(sql: str) -> Analysis:
    """Find the statements and parameters of a text.

    >>> analyze("WITH a AS (SELECT :x) DELETE FROM t WHERE n IN (SELECT * FROM a)").parts[0].verb
    'delete'
    """
    return Analysis(sql)


def _split(tokens: list[Token]) -> tuple[list[Part], bool]:
    parts: list[Part] = []
    current: list[Token] = []
    semicolons = False
    in_trigger = ended = False
    for token in tokens:
        kind, text, _ = token
        if kind == "semicolon" and not (in_trigger and not ended):
            semicolons = True
            if current:
                parts.append(Part(current))
            current = []
            in_trigger = ended = False
            continue
        if in_trigger:
            # A trigger ends with an END right after a semicolon; the END of a CASE never follows one.
            ended = kind == "word" and text.lower() == "end" and current[-1][0] == "semicolon"
        current.append(token)
        if kind == "word" and len(current) <= 6 and text.lower() == "trigger":
            in_trigger = _creates_trigger(current)
    if current:
        while current[-1][0] == "semicolon":  # an unfinished trigger
            current.pop()
        parts.append(Part(current))
    return parts, semicolons


def _creates_trigger(tokens: list[Token]) -> bool:
    words = [text.lower() for kind, text, _ in tokens if kind == "word"]
    if words[:1] == ["explain"]:
        words = words[3:] if words[1:3] == ["query", "plan"] else words[1:]
    return words in (["create", "trigger"], ["create", "temp", "trigger"], ["create", "temporary", "trigger"])


def _verb(tokens: list[Token]) -> str:
    kind, text, _ = tokens[0]
    if kind != "word":
        return ""
    verb = text.lower()
    if verb != "with":
        return verb
    for place, word in outer_words(tokens):
        # The ")" of a table expression is followed by "," or AS, or by the statement itself.
        if tokens[place - 1][1] == ")" and (word in _CHANGES or word in ("select", "values")):
            return word
    return verb


def returning_place(tokens: list[Token]) -> int | None:
    """Where the word RETURNING is that begins the clause."""
    for place, word in outer_words(tokens):
        # It is a reserved word since SQLite 3.35; as a name it must be quoted, or follow a dot.
        if word == "returning" and tokens[place - 1][1] != ".":
            return place
    return None


def _does_write(verb: str, tokens: list[Token]) -> bool:
    if verb == "pragma":
        return _pragma_writes(tokens)
    return verb in _WRITES


def _pragma_writes(tokens: list[Token]) -> bool:
    names = [text for kind, text, _ in tokens[1:4] if kind in ("word", "name")]
    has_schema = len(tokens) > 2 and tokens[2][1] == "."
    name = unquote_name(names[1] if has_schema and len(names) > 1 else names[0] if names else "").lower()
    marks = {text for _, text, _ in tokens}
    # The server rejects every = on its query route, regardless of its effect.
    return name in _DOING or "=" in marks or ("(" in marks and name not in TELLING_PRAGMAS)


def split_script(sql: str) -> list[str]:
    """Split a script into statements, without their ``;``, empty statements and comments between them.

    The body of a CREATE TRIGGER belongs to its statement.

    >>> split_script("CREATE TABLE t (n); -- one\\n;INSERT INTO t VALUES (';')")
    ['CREATE TABLE t (n)', "INSERT INTO t VALUES (';')"]
    """
    return [sql[part.start : part.end] for part in analyze(sql).parts]


def holds_transaction(sql: str) -> bool:
    """Has a script a statement that begins or ends a transaction?

    >>> holds_transaction("BEGIN; DELETE FROM t; COMMIT"), holds_transaction("SELECT 'BEGIN'")
    (True, False)
    """
    return any(part.verb in TRANSACTION for part in analyze(sql).parts)
