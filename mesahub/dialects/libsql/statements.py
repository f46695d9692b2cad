"""Requests that carry statements to a libSQL server.

A stream is a connection of the server's. A request for one statement opens one and closes it again. A write whose rows
come back is put between BEGIN and COMMIT, which is carried out only after the server has made an answer of them: an
answer that it cannot send (more than 10 MB, text that is not UTF-8) so leaves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from time import time
from typing import Any, Self

from mesahub._util import json
from mesahub.dialects.libsql.values import MAX_VALUE, typed
from mesahub.errors import RequestTooLargeError
from mesahub.sql import Statement
from mesahub.sql.rewrites.json_rows import lower_rows
from mesahub.sql.tokenizer import significant
from mesahub.transport import BodyStream, Request

__all__ = [
    "CLOSE", "NOT_AUTOCOMMIT", "TICKETS", "BatchEncoder", "Encoder", "Plan", "StatementEncoder", "dumped",
    "place_of_batch", "plan_of", "stmt_of",
]  # fmt: skip

TICKETS = "mesahub_tickets"
"""The table that remembers which batches have run."""
CLOSE = {"type": "close"}
NOT_AUTOCOMMIT = {"type": "not", "cond": {"type": "is_autocommit"}}
_BEGIN = {"sql": "BEGIN IMMEDIATE"}
_COMMIT = {"sql": "COMMIT"}
_ROLLBACK = {"sql": "ROLLBACK"}
_UNCHECKED = {"sql": "PRAGMA foreign_keys = OFF"}
_FRESH = {"sql": "SELECT 1 FROM sqlite_schema LIMIT 0"}
"""Put before a read at a replica. Its connections learn of a changed schema when a statement runs, and take the columns
of that statement from the old one: SELECT * would give the columns that the table had before."""
_MAKE_TICKETS = f"CREATE TABLE IF NOT EXISTS {TICKETS} (ticket TEXT PRIMARY KEY, made INTEGER NOT NULL) WITHOUT ROWID"
_WEEK = 7 * 86_400
_CHANGES = frozenset({"insert", "replace", "update", "delete"})

Content = tuple[bytes | BodyStream | None, str | None]


def dumped(body: Any) -> Content:
    """A body as an encoder gives it."""
    return json.dumps(body), "application/json"


def stmt_of(payload: Mapping[str, Any], names: Sequence[str | None]) -> dict[str, Any]:
    """The statement of a payload ``{"sql", "bindings"}``, or with ``"rows"``.

    Args:
        payload: the statement.
        names: of its parameters; see `mesahub.sql.Statement`.

    Raises:
        RequestTooLargeError: a value is too large, or there are too many rows.
    """
    rows = payload.get("rows")
    sql: str = payload["sql"]
    bindings: Sequence[Any] = payload["bindings"]
    if rows is not None:
        sql, bindings = _rows_in_one(sql, rows)
    stmt: dict[str, Any] = {"sql": sql}
    if bindings and names:
        if None in names:
            stmt["sql"] = _numbered(sql, names)
            stmt["args"] = [typed(value) for value in bindings]
        else:
            stmt["named_args"] = [
                {"name": name, "value": typed(value)} for name, value in zip(names, bindings, strict=True)
            ]
    elif bindings:
        stmt["args"] = [typed(value) for value in bindings]
    return stmt


def _rows_in_one(sql: str, rows: Sequence[Sequence[Any]]) -> tuple[str, Sequence[Any]]:
    if len(rows) == 1:
        return sql, rows[0]
    lowered, bindings = lower_rows(sql, rows)
    text: str = bindings[0]
    if len(text) > MAX_VALUE // 4 and len(text.encode()) > MAX_VALUE:
        raise RequestTooLargeError.of(
            f"{len(rows):,} rows are one JSON text of {len(text.encode()):,} bytes, and the libSQL server takes "
            f"{MAX_VALUE:,} in one value. Nothing was sent; insert fewer rows at once."
        )
    return lowered, bindings


def _numbered(sql: str, names: Sequence[str | None]) -> str:
    """The text with ``?2`` for ``:name``. (The server takes numbers or names, and not both.)"""
    places = {name: number for number, name in enumerate(names, 1) if name is not None}
    pieces: list[str] = []
    end = 0
    highest = 0
    for kind, text, start in significant(sql):
        if kind != "parameter":
            continue
        if text == "?":
            highest += 1
            number = highest
        elif text[0] == "?":
            number = int(text[1:])
        else:
            number = places[text]
        highest = max(highest, number)
        pieces += [sql[end:start], f"?{number}"]
        end = start + len(text)
    return "".join([*pieces, sql[end:]])


def _in_order(stmts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Steps of which each is carried out only if the one before it was."""
    steps: list[dict[str, Any]] = [{"stmt": stmt} for stmt in stmts]
    for number, step in enumerate(steps[1:]):
        step["condition"] = {"type": "ok", "step": number}
    return steps


def _all_or_none(before: list[Mapping[str, Any]], stmts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    steps = _in_order([*before, _BEGIN, *stmts, _COMMIT])
    began, committed = {"type": "ok", "step": len(before)}, {"type": "ok", "step": len(steps) - 1}
    undo = {"type": "and", "conds": [began, {"type": "not", "cond": committed}]}
    return [*steps, {"condition": undo, "stmt": _ROLLBACK}]


class Plan:
    """What is sent around a statement.

    Attributes:
        guarded: it is put between BEGIN and COMMIT.
        unchecked: foreign keys are not checked.
        index: the number of the statement among the steps of a batch; 0 for a statement that is sent alone.
        steps: how many steps there are; 0 for a statement that is sent alone.
    """

    __slots__ = ("guarded", "index", "steps", "unchecked")

    def __init__(self, *, guarded: bool, unchecked: bool) -> None:
        self.guarded = guarded
        self.unchecked = unchecked
        self.index = int(guarded) + int(unchecked)
        self.steps = self.index + (3 if guarded else 1) if self.index else 0

    def steps_of(self, stmt: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The steps of a batch."""
        before: list[Mapping[str, Any]] = [_UNCHECKED] if self.unchecked else []
        return _all_or_none(before, [stmt]) if self.guarded else _in_order([*before, stmt])


_PLANS = {
    (guarded, unchecked): Plan(guarded=guarded, unchecked=unchecked)
    for guarded in (False, True)
    for unchecked in (False, True)
}


def plan_of(statement: Statement) -> Plan:
    """What to send around a statement."""
    # More texts hold the word than clauses of that name: those are guarded without need.
    guarded = statement.verb in _CHANGES and (statement.returns or "RETURNING" in statement.sql.upper())
    return _PLANS[guarded, statement.unchecked]


class Encoder:
    """The encoder of a request that has a stream to itself.

    Args:
        seen: the state of the database that the client knows of when the request is made.
        closes: the stream is closed at the end; ``False`` for a server that has no streams.
    """

    __slots__ = ("_cursor", "closes", "seen")

    def __init__(self, seen: int, *, closes: bool) -> None:
        self.seen = seen
        self.closes = closes
        self._cursor = False

    def __call__(self, request: Request) -> Content:
        raise NotImplementedError

    def for_cursor(self) -> Self:
        """The encoder of the same for the cursor endpoint of the primary, which has no longest answer."""
        other = copy(self)
        other._cursor = True
        return other

    def for_no_stream(self) -> Self:
        """The encoder of the same for a server without streams."""
        other = copy(self)
        other.closes = False
        return other

    def _batch(self, steps: list[dict[str, Any]]) -> Content:
        batch = {"steps": steps}
        return dumped({"batch": batch}) if self._cursor else self._pipeline([{"type": "batch", "batch": batch}])

    def _pipeline(self, requests: list[Any]) -> Content:
        return dumped({"requests": [*requests, CLOSE] if self.closes else requests})


class StatementEncoder(Encoder):
    """The encoder of a request with one statement.

    Args:
        plan: what is sent around it.
        names: see `stmt_of`.
        index: for a read that a replica may answer: the state of the database that it must have reached, 0 for any.
        seen, closes: see `Encoder`.
    """

    __slots__ = ("_index", "_names", "_plan")

    def __init__(
        self, plan: Plan, names: Sequence[str | None], index: int | None = None, *, seen: int = 0, closes: bool = True
    ) -> None:
        super().__init__(seen, closes=closes)
        self._plan = plan
        self._names = names
        self._index = index

    def __call__(self, request: Request) -> Content:
        stmt = stmt_of(request.payload, self._names)
        if self._cursor or (self._plan.steps and self._index is None):
            return self._batch(self._plan.steps_of(stmt))
        stmts = [stmt]
        # (A server without streams has no replicas.)
        if self._index is not None and self.closes:
            stmts = [_FRESH, stmt]
            if self._index:
                stmts = [{**each, "replication_index": str(self._index)} for each in stmts]
        return self._pipeline([{"type": "execute", "stmt": each} for each in stmts])


class BatchEncoder(Encoder):
    """The encoder of a request with several statements, all or none.

    Args:
        statements: what to run, in order.
        ticket: see `mesahub.dialects.base.Dialect.batch`.
        seen, closes: see `Encoder`.
    """

    __slots__ = ("_statements", "_ticket")

    def __init__(
        self, statements: Sequence[Statement], ticket: str | None = None, *, seen: int = 0, closes: bool = True
    ) -> None:
        super().__init__(seen, closes=closes)
        self._statements = statements
        self._ticket = ticket

    def __call__(self, request: Request) -> Content:
        payload: Sequence[Mapping[str, Any]] = request.payload["statements"]
        stmts = [stmt_of(each, statement.names) for each, statement in zip(payload, self._statements, strict=True)]
        before: list[Mapping[str, Any]] = [_UNCHECKED] if _unchecked(self._statements) else []
        return self._batch(_all_or_none(before, [*_first(self._ticket), *stmts]))


def place_of_batch(statements: Sequence[Statement]) -> tuple[int, int]:
    """The number of the first of the caller's statements among the steps, and how many steps there are.

    The step before it takes the ticket.
    """
    first = int(_unchecked(statements)) + 1 + _FIRST
    return first, first + len(statements) + 2


def _unchecked(statements: Sequence[Statement]) -> bool:
    return any(statement.unchecked for statement in statements)


_FIRST = 3
"""Statements before the caller's, with a ticket or without, so that an answer shows which failed."""


def _first(ticket: str | None) -> list[Mapping[str, Any]]:
    if ticket is None:
        return [{"sql": "SELECT 1"}] * _FIRST
    made = int(time())
    return [
        {"sql": _MAKE_TICKETS},
        {"sql": f"DELETE FROM {TICKETS} WHERE made < ?", "args": [typed(made - _WEEK)]},
        {"sql": f"INSERT INTO {TICKETS} (ticket, made) VALUES (?, ?)", "args": [typed(ticket), typed(made)]},
    ]
