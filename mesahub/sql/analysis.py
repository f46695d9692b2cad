"""What a piece of SQL is: how many statements, which verb, does it write, which parameters."""

from __future__ import annotations

from mesahub.sql.tokenizer import Token, significant

MAX_PARAMETER = 32_766
"""SQLite's highest parameter number, as it is usually compiled."""

TRANSACTION = frozenset({"begin", "commit", "end", "rollback", "savepoint", "release"})
ATTACHING = frozenset({"attach", "detach"})
_CHANGES = frozenset({"insert", "replace", "update", "delete"})
_WRITES = _CHANGES | {
    "create", "drop", "alter", "analyze", "reindex", "vacuum", *TRANSACTION, *ATTACHING,
}  # fmt: skip

# PRAGMAs that only report, though they take an argument; and those that do something without one.
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
        start, end: where its tokens begin and end, without its ``;``.
        tokens: its tokens, without blanks and comments.
        verb: its first word in lower case; of a WITH statement, that of its main part.
        writes: may it change anything?
        returns: has it a RETURNING clause of its own?
    """

    __slots__ = ("end", "returns", "start", "tokens", "verb", "writes")

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.start = tokens[0][2]
        self.end = tokens[-1][2] + len(tokens[-1][1])
        self.verb = _verb(tokens)
        self.writes = _does_write(self.verb, tokens)
        self.returns = self.verb in _CHANGES and _has_returning(tokens)


class Analysis:
    """What `analyze` found.

    Attributes:
        parts: the statements that are not empty.
        semicolons: is there any ``;`` outside of them?
        parameters: for each parameter number from 1 on its name without prefix, or ``None``.
        marked: the same with their prefixes, which tell ``:a`` from ``@a``.
        highest: the highest parameter number, as SQLite counts them.
        named: are there ``:name``, ``@name`` or ``$name``?
        positional: are there ``?`` or ``?1``?
    """

    __slots__ = ("highest", "marked", "named", "parameters", "parts", "positional", "semicolons")

    def __init__(self, sql: str) -> None:
        self.parts, self.semicolons = _split(significant(sql))
        self.parameters: list[str | None] = []
        self.named = False
        self.positional = False
        numbers: dict[str, int] = {}
        for part in self.parts:
            for kind, text, _ in part.tokens:
                if kind == "parameter":
                    self._count(text, numbers)
        self.highest = len(self.parameters)
        names = {number: name for name, number in numbers.items()}
        self.marked = [names.get(number) for number in range(1, self.highest + 1)]

    def _count(self, text: str, numbers: dict[str, int]) -> None:
        if text[0] == "?":
            self.positional = True
            wanted = parameter_number(text) if len(text) > 1 else len(self.parameters) + 1
            # A number that SQLite would refuse is left to SQLite, and must not fill memory here.
            if MAX_PARAMETER >= wanted > len(self.parameters):
                self.parameters.extend([None] * (wanted - len(self.parameters)))
        else:
            self.named = True
            if text not in numbers:
                self.parameters.append(text[1:])
                numbers[text] = len(self.parameters)


def parameter_number(text: str) -> int:
    """The number in ``?12``. Of digits without end, which Python refuses to read, just a number that is too high."""
    return int(text[1:]) if len(text) < 20 else MAX_PARAMETER + 1


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
            # A trigger ends with an END that stands right behind a semicolon; that of a CASE never does.
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
    depth = 0
    before = ""
    for kind, text, _ in tokens:
        if text == "(":
            depth += 1
        elif text == ")":
            depth -= 1
        elif depth == 0 and kind == "word" and before == ")":
            # Behind the ")" of a table expression stands "," or AS, or the statement itself.
            word = text.lower()
            if word in _CHANGES or word in ("select", "values"):
                return word
        before = text
    return verb


def _has_returning(tokens: list[Token]) -> bool:
    # RETURNING is a reserved word since SQLite 3.35; as a name it must be quoted, or come after a dot.
    depth = 0
    before = ""
    for kind, text, _ in tokens:
        if text == "(":
            depth += 1
        elif text == ")":
            depth -= 1
        elif depth == 0 and kind == "word" and before != "." and text.lower() == "returning":
            return True
        before = text
    return False


def _does_write(verb: str, tokens: list[Token]) -> bool:
    if verb == "pragma":
        return _pragma_writes(tokens)
    return verb in _WRITES


def _pragma_writes(tokens: list[Token]) -> bool:
    names = [text for kind, text, _ in tokens[1:4] if kind in ("word", "name")]
    has_schema = len(tokens) > 2 and tokens[2][1] == "."
    name = (names[1] if has_schema and len(names) > 1 else names[0] if names else "").strip("\"'`[]").lower()
    marks = {text for _, text, _ in tokens}
    # The server refuses every = on its query route, whatever it would do.
    return name in _DOING or "=" in marks or ("(" in marks and name not in TELLING_PRAGMAS)


def split_script(sql: str) -> list[str]:
    """The statements of a script, without their ``;``; empty ones and comments between them are left out.

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
