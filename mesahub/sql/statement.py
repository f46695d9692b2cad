"""Statements ready to be sent, and the check that creates them from raw SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any

from mesahub._util.suggest import near
from mesahub.errors import ArgumentError
from mesahub.sql.analysis import ATTACHING, TRANSACTION, Analysis, Part, parameter_number
from mesahub.sql.values import adapt

Bindings = Sequence[Any] | Mapping[str, Any] | None
"""Values for the parameters: a list for ``?``, a dict for ``:name``, ``@name`` and ``$name``."""

MAX_SQL_BYTES = 100_000
"""Default maximum size of a statement in bytes: MesaHub's limit."""
MAX_BINDINGS = 5_000
"""Default maximum number of values of a statement."""

_KEPT = 1024
_KEPT_SIZE = 4096
"""Longer texts are analyzed each time: caching a thousand of them would fill the memory."""


class Statement:
    """One statement and its values.

    Attributes:
        sql: its text, with a placeholder for each value.
        bindings: the values, in the order of SQLite's parameter numbers.
        verb: ``"select"``, ``"insert"``, ...: for a WITH statement, that of its main part.
        writes: whether it may change anything.
        returns: whether it is a write with a RETURNING clause.
        with_tables: whether it starts with WITH.
        names: names of the parameters, by number, with their prefixes (``":id"``); ``None`` for those without
            a name, and ``()`` if none has one.
        unchecked: whether foreign keys are not checked while it runs.
        rows: for a bulk INSERT ``... VALUES (?, ?)``, the values of each row; ``bindings`` is empty then.
        table: the table that it is about, where the table API made it; ``None`` for raw SQL.
        parse: for a read: parses the bytes of a long JSON response that holds rows as objects, making of each row what
            the caller wants; raises ``ValueError`` where it cannot. A dialect may use it or not.
    """

    __slots__ = (
        "bindings",
        "names",
        "parse",
        "returns",
        "rows",
        "sql",
        "table",
        "unchecked",
        "verb",
        "with_tables",
        "writes",
    )

    def __init__(
        self,
        sql: str,
        bindings: list[Any],
        verb: str,
        writes: bool,
        rows: list[tuple[Any, ...]] | None = None,
        *,
        returns: bool = False,
        with_tables: bool = False,
        names: Sequence[str | None] = (),
        unchecked: bool = False,
        table: str | None = None,
    ) -> None:
        self.sql = sql
        self.bindings = bindings
        self.verb = verb
        self.writes = writes
        self.rows = rows
        self.returns = returns
        self.with_tables = with_tables
        self.names = names
        self.unchecked = unchecked
        self.table = table
        self.parse: Callable[[bytes], dict[str, Any]] | None = None

    def __repr__(self) -> str:
        return f"<Statement {self.sql!r}>"


class _Prepared:
    """The analysis of a text, independent of its values."""

    __slots__ = ("analysis", "highest", "names", "numbered", "returns", "sql", "verb", "with_tables", "writes")

    def __init__(self, sql: str) -> None:
        self.analysis = Analysis(sql)
        part = _only_part(self.analysis)
        self.sql = _mended(sql, self.analysis, part)
        self.verb = part.verb
        self.writes = part.writes
        self.returns = part.returns
        self.with_tables = part.tokens[0][1].lower() == "with"
        self.highest = self.analysis.highest
        self.numbered = _odd_number(part)
        self.names = self.analysis.marked if self.analysis.named else ()
        # Parts are large, and no longer needed.
        self.analysis.parts = []


_prepared: dict[str, _Prepared] = {}


def prepare(
    sql: str,
    bindings: Bindings = None,
    *,
    operation: str,
    max_sql: int | None = MAX_SQL_BYTES,
    max_bindings: int | None = MAX_BINDINGS,
) -> Statement:
    """Check raw SQL and its values before they are sent.

    The server crashes on an empty statement, runs only the last of several, and keeps a transaction
    that one client begins open for all; so none of these is sent. What can be fixed is fixed: the end of ``SELECT 1;
    -- done`` is removed.

    Args:
        sql: one statement.
        bindings: its values.
        operation: ``"query"`` or ``"exec"``.
        max_sql: maximum bytes of a text that the engine accepts; ``None`` for no limit.
        max_bindings: maximum number of values; ``None`` for no limit.

    Raises:
        ArgumentError: the statement is rejected; says why and what to do instead.
    """
    known = _prepared.get(sql) if type(sql) is str else None
    if known is None:
        _check_text(sql, max_sql)
        sql = str.__str__(sql)  # a subclass may escape text that is joined to it
        known = _Prepared(sql)
        if len(sql) <= _KEPT_SIZE:
            if len(_prepared) >= _KEPT:
                _prepared.clear()
            _prepared[sql] = known
    if known.writes and operation == "query":
        raise ArgumentError(f"This statement writes ({known.verb.upper()}), and query() only reads. Use exec().")
    if bindings is None:
        values: list[Any] = []
    elif type(bindings) is list or type(bindings) is tuple:  # first: checking for a Mapping takes much longer
        values = [adapt(value) for value in bindings]
    elif isinstance(bindings, Mapping):
        values = _by_name(known.analysis, bindings)
    elif isinstance(bindings, (str, bytes, bytearray, Set)) or not isinstance(bindings, Iterable):
        raise ArgumentError(
            f"bindings must be a list for ?, or a dict for :name, not {type(bindings).__name__}"
            + (f": [{bindings!r}]" if isinstance(bindings, str) and len(bindings) < 40 else ".")
        )
    else:
        values = [adapt(value) for value in bindings]
    if max_bindings is not None and known.numbered and not 1 <= parameter_number(known.numbered) <= max_bindings:
        raise ArgumentError(f"The parameter {known.numbered:.30} must have a number from ?1 to ?{max_bindings}.")
    if len(values) != known.highest:
        _refuse_count(known.analysis, len(values))
    if max_bindings is not None and len(values) > max_bindings:
        raise ArgumentError(
            f"A statement can have at most {max_bindings} values, not {len(values)}. For many rows use "
            "table.insert_many(); for a long list, WHERE c IN (SELECT value FROM json_each(?)) with json.dumps(list)."
        )
    return Statement(
        known.sql,
        values,
        known.verb,
        known.writes,
        returns=known.returns,
        with_tables=known.with_tables,
        names=known.names,
    )


def _check_text(sql: Any, most: int | None) -> None:
    if not isinstance(sql, str):
        raise ArgumentError(f"sql must be a string, not {type(sql).__name__}.")
    if "\0" in sql:
        raise ArgumentError(
            "The SQL text contains a NUL character, where SQLite would stop reading. Bind it as a value."
        )
    try:
        size = len(sql.encode())
    except UnicodeEncodeError:
        raise ArgumentError("The SQL text contains a lone surrogate, which cannot be sent. Bind it as bytes.") from None
    if most is not None and size > most:
        raise ArgumentError(
            f"The SQL text has {size} bytes; the server accepts {most}. Bind the values with ? instead "
            "of writing them into the text; for many rows use table.insert_many(); for a script, exec_script()."
        )


def _only_part(found: Analysis) -> Part:
    if not found.parts:
        raise ArgumentError("The SQL text contains no statement, only whitespace, comments or semicolons.")
    if len(found.parts) > 1:
        raise ArgumentError(
            f"The SQL text has {len(found.parts)} statements; the server would run only the last one of them, or "
            "stop halfway. Send them one by one, or all with exec_script()."
        )
    part = found.parts[0]
    if part.verb in TRANSACTION:
        raise ArgumentError(
            f"{part.verb.upper()} would begin or end a transaction for every client of the database, because the "
            "server has one connection for all. A single statement is atomic: insert_many() writes many rows in "
            "one, INSERT ... ON CONFLICT and WITH ... combine steps, and batch() runs several writes."
        )
    if part.verb in ATTACHING:
        raise ArgumentError(
            f"{part.verb.upper()} would affect every client of the database, because the server has one connection "
            "for all. To combine data, use mesahub.copy()."
        )
    return part


def _odd_number(part: Part) -> str | None:
    """The parameter ``?NNN`` that is most likely to be out of range."""
    numbered = [text for kind, text, _ in part.tokens if kind == "parameter" and text[0] == "?" and text[1:]]
    if not numbered:
        return None
    return min(numbered, key=lambda text: (parameter_number(text) != 0, -parameter_number(text)))


def _mended(sql: str, found: Analysis, part: Part) -> str:
    if not found.semicolons:
        return sql
    # Only what comes before or after the single statement is removed.
    leading = sql[: part.start]
    return sql[part.start if ";" in leading else 0 : part.end]


def _by_name(found: Analysis, bindings: Mapping[str, Any]) -> list[Any]:
    if found.positional:
        raise ArgumentError("The statement has ? parameters; pass their values as a list, not as a dict.")
    values: list[Any] = []
    used: set[Any] = set()
    missing: list[str] = []
    for marked, name in zip(found.marked, found.parameters, strict=True):
        key: Any = marked if marked in bindings else name
        if key in bindings:
            values.append(adapt(bindings[key]))
            used.add(key)
        elif name and name not in missing:
            missing.append(name)
    unknown = [name for name in bindings if name not in used]
    if missing or unknown:
        names = [name for name in found.parameters if name]
        raise ArgumentError(
            "The names of the values do not match the statement's parameters."
            + (f" Without a value: {', '.join(missing)}." if missing else "")
            + (f" Not in the statement: {', '.join(map(str, unknown))}.{near(unknown[0], names)}" if unknown else "")
        )
    return values


def _refuse_count(found: Analysis, given: int) -> None:
    wants = f"{found.highest} value{'' if found.highest == 1 else 's'}"
    if found.named and not found.positional:
        names = ", ".join(dict.fromkeys(str(name) for name in found.parameters))
        raise ArgumentError(f"The statement has {wants} to bind, as a dict with the names {names}; {given} given.")
    raise ArgumentError(f"The statement has {wants} to bind, and {given} {'was' if given == 1 else 'were'} given.")
