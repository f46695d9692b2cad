"""Statements that are ready to be sent, and the guard that makes them of raw SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mesahub._near import near
from mesahub.errors import ArgumentError
from mesahub.sql.analysis import ATTACHING, TRANSACTION, Analysis, Part
from mesahub.sql.values import adapt

Bindings = Sequence[Any] | Mapping[str, Any] | None
"""Values for the parameters: a list for ``?``, a dict for ``:name``, ``@name`` and ``$name``."""

MAX_SQL_BYTES = 100_000
"""The longest statement that the server takes."""
MAX_BINDINGS = 5_000
"""The most values that the server takes for one statement."""

_KEPT = 1024


class Statement:
    """One statement and its values.

    Attributes:
        sql: its text, with a placeholder for each value.
        bindings: the values, in the order of SQLite's parameter numbers.
        verb: ``"select"``, ``"insert"``, ...: of a WITH statement, that of its main part.
        writes: may it change anything?
        rows: for a bulk INSERT ``... VALUES (?, ?)``, the values of each row; ``bindings`` is empty then.
    """

    __slots__ = ("bindings", "rows", "sql", "verb", "writes")

    def __init__(
        self,
        sql: str,
        bindings: list[Any],
        verb: str,
        writes: bool,
        rows: list[tuple[Any, ...]] | None = None,
    ) -> None:
        self.sql = sql
        self.bindings = bindings
        self.verb = verb
        self.writes = writes
        self.rows = rows

    def __repr__(self) -> str:
        return f"<Statement {self.sql!r}>"


class _Prepared:
    """What is known of a text before its values are."""

    __slots__ = ("highest", "named", "parameters", "positional", "sql", "verb", "writes")

    def __init__(self, sql: str) -> None:
        found = Analysis(sql)
        part = _only_part(found)
        self.sql = _mended(sql, found, part)
        self.verb = part.verb
        self.writes = part.writes
        self.parameters = found.parameters
        self.highest = found.highest
        self.named = found.named
        self.positional = found.positional


_prepared: dict[str, _Prepared] = {}


def prepare(sql: str, bindings: Bindings = None, *, operation: str) -> Statement:
    """Check raw SQL and its values before they are sent.

    The server dies of an empty statement, runs only the last of several, and leaves a transaction that one
    client begins open for all; so none of these leaves this process. What can be mended is mended: in
    ``SELECT 1; -- done`` the end is cut off.

    Args:
        sql: one statement.
        bindings: its values.
        operation: ``"query"`` or ``"exec"``.

    Raises:
        ArgumentError: says why and what to do instead.
    """
    known = _prepared.get(sql) if type(sql) is str else None
    if known is None:
        _check_text(sql)
        known = _Prepared(sql)
        if len(_prepared) >= _KEPT:
            _prepared.clear()
        _prepared[sql] = known
    if known.writes and operation == "query":
        raise ArgumentError(f"This statement writes ({known.verb.upper()}), and query() only reads. Use exec().")
    if not bindings:
        values: list[Any] = []
        if known.highest:
            _refuse_count(known, 0)
    elif isinstance(bindings, Mapping):
        values = [adapt(value) for value in _by_name(known, bindings)]
    elif isinstance(bindings, (str, bytes)) or not isinstance(bindings, Iterable):
        raise ArgumentError(
            f"bindings must be a list for ?, or a dict for :name, not {type(bindings).__name__}"
            + (f": [{bindings!r}]" if isinstance(bindings, str) and len(bindings) < 40 else ".")
        )
    else:
        values = [adapt(value) for value in bindings]
        if len(values) != known.highest:
            _refuse_count(known, len(values))
    if len(values) > MAX_BINDINGS:
        raise ArgumentError(
            f"A statement can have {MAX_BINDINGS} values, and this one has {len(values)}. For many rows use "
            "table.insert_many(); for a long list, WHERE c IN (SELECT value FROM json_each(?)) with json.dumps(list)."
        )
    return Statement(known.sql, values, known.verb, known.writes)


def _check_text(sql: Any) -> None:
    if not isinstance(sql, str):
        raise ArgumentError(f"sql must be a string, not {type(sql).__name__}.")
    if "\0" in sql:
        raise ArgumentError("The SQL text has a NUL character, where SQLite would stop reading. Bind it as a value.")
    try:
        size = len(sql.encode())
    except UnicodeEncodeError:
        raise ArgumentError("The SQL text has a lone surrogate, which cannot be sent. Bind it as bytes.") from None
    if size > MAX_SQL_BYTES:
        raise ArgumentError(
            f"The SQL text has {size} bytes, and the server takes {MAX_SQL_BYTES}. Bind the values with ? instead "
            "of writing them into the text; for many rows use table.insert_many(); for a script, exec_script()."
        )


def _only_part(found: Analysis) -> Part:
    if not found.parts:
        raise ArgumentError("The SQL text has no statement in it, only blanks, comments or semicolons.")
    if len(found.parts) > 1:
        raise ArgumentError(
            f"The SQL text has {len(found.parts)} statements; the server would run only the last one of them, or "
            "stop half way. Send them one by one, or all with exec_script()."
        )
    part = found.parts[0]
    if part.verb in TRANSACTION:
        raise ArgumentError(
            f"{part.verb.upper()} would begin or end a transaction for every client of the database, because the "
            "server has one connection for all. One statement is atomic by itself: insert_many() writes many rows in "
            "one, and INSERT ... ON CONFLICT or WITH ... join what belongs together."
        )
    if part.verb in ATTACHING:
        raise ArgumentError(
            f"{part.verb.upper()} would hold for every client of the database, because the server has one connection "
            "for all. To bring data together use mesahub.copy()."
        )
    for kind, text, _ in part.tokens:
        if kind == "parameter" and text[0] == "?" and text[1:] and not 1 <= int(text[1:]) <= MAX_BINDINGS:
            raise ArgumentError(f"The parameter {text} must have a number from ?1 to ?{MAX_BINDINGS}.")
    return part


def _mended(sql: str, found: Analysis, part: Part) -> str:
    if not found.semicolons:
        return sql
    # Nothing of the text is lost but what stands before or behind the only statement in it.
    leading = sql[: part.start]
    return sql[part.start if ";" in leading else 0 : part.end]


def _by_name(known: _Prepared, bindings: Mapping[str, Any]) -> list[Any]:
    if known.positional:
        raise ArgumentError("The statement has ? parameters: give their values as a list, not as a dict.")
    names = [name or "" for name in known.parameters]
    given = {name[1:] if name[:1] in (":", "@", "$") else name: value for name, value in bindings.items()}
    missing = [name for name in dict.fromkeys(names) if name not in given]
    unknown = [name for name in given if name not in names]
    if missing or unknown:
        raise ArgumentError(
            "The names of the values do not fit the statement's parameters."
            + (f" Without a value: {', '.join(missing)}." if missing else "")
            + (f" Not in the statement: {', '.join(unknown)}.{near(unknown[0], names)}" if unknown else "")
        )
    return [given[name] for name in names]


def _refuse_count(known: _Prepared, given: int) -> None:
    wants = f"{known.highest} value{'' if known.highest == 1 else 's'}"
    if known.named and not known.positional:
        names = ", ".join(dict.fromkeys(str(name) for name in known.parameters))
        raise ArgumentError(f"The statement has {wants} to bind, as a dict with the names {names}; {given} given.")
    raise ArgumentError(f"The statement has {wants} to bind, and {given} {'was' if given == 1 else 'were'} given.")
