"""Requests that carry statements to rqlite.

rqlite takes a list of statements, each ``[sql, value, ...]``, and runs all of a request without another's between them.
It loses the rows of a RETURNING clause wherever its own parser does not know the statement (a schema's name, json_each,
a SELECT in brackets, COLLATE): the write is done, and no rows come. That parser looks at the first statement of a text
only, and the rows that come are those of the last. So a statement that it knows, and that does nothing, is put before
each write with RETURNING.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from time import time
from typing import Any

from mesahub._util import json
from mesahub.dialects.mesahub.lowering import lower
from mesahub.dialects.mesahub.statements import ROWID_MARK
from mesahub.sql import Statement
from mesahub.sql.analysis import Analysis
from mesahub.sql.rewrites.json_rows import lower_rows
from mesahub.transport import BodyStream, Request

__all__ = ["FIRST", "TICKETS", "BatchPlan", "Plan", "plan_of"]

TICKETS = "mesahub_tickets"
"""The table that remembers which batches have run."""
FIRST = 3
"""Statements that come before those of a batch, with a ticket or without, so that an answer shows which of them failed.
The last of them takes the ticket."""
_MAKE_TICKETS = f"CREATE TABLE IF NOT EXISTS {TICKETS} (ticket TEXT PRIMARY KEY, made INTEGER NOT NULL) WITHOUT ROWID"
_WEEK = 7 * 86_400
_TEMP_ROWID = ["CREATE TEMP TABLE IF NOT EXISTS mesahub_rowid_mark (id INTEGER PRIMARY KEY)"]
_MARK = [f"INSERT OR REPLACE INTO temp.mesahub_rowid_mark VALUES ({ROWID_MARK})"]
_TEMP_RETURNING = ["CREATE TEMP TABLE IF NOT EXISTS mesahub_returning (id)"]
_KNOWN_RETURNING = "DELETE FROM mesahub_returning WHERE 1 = 0 RETURNING 1; "
_FRESH = ["SELECT 1 FROM sqlite_schema LIMIT 0"]
"""Put before each read. A node's connection for reads learns of a changed schema when a statement runs, and takes the
columns of that statement from the old one: SELECT * would give the names and types of a table that was dropped."""
_UNCHECKED = ["PRAGMA foreign_keys = OFF"]
_CHECKED = ["PRAGMA foreign_keys = ON"]
_COUNTERS = re.compile(r"\b(last_insert_rowid|changes|total_changes)\b", re.IGNORECASE)
_KEPT = 1024
_KEPT_SIZE = 4096


class Plan:
    """What is sent before and after a statement in its request.

    Attributes:
        before, after: statements in the form of the wire.
        returns: the statement is a write whose rows come back.
        marked: the last rowid is known to be the statement's own, or that it made none.
    """

    __slots__ = ("after", "before", "marked", "returns")

    def __init__(self, before: list[list[Any]], after: list[list[Any]], *, returns: bool, marked: bool) -> None:
        self.before = before
        self.after = after
        self.returns = returns
        self.marked = marked

    def wire(self, payload: Mapping[str, Any]) -> list[Any]:
        """The statement of a payload ``{"sql", "bindings"}``, or with ``"rows"``, in the form of the wire."""
        rows = payload.get("rows")
        if rows is None:
            sql, bindings = lower(payload["sql"], payload["bindings"], integers=False)
        else:
            sql, bindings = lower_rows(payload["sql"], rows)
        return [_KNOWN_RETURNING + sql if self.returns else sql, *bindings]

    def encode(self, request: Request) -> tuple[bytes | BodyStream | None, str | None]:
        """The encoder of a request with one statement."""
        return _dumped([*self.before, self.wire(request.payload), *self.after])


_BARE = Plan([], [], returns=False, marked=False)
_READ = Plan([_FRESH], [], returns=False, marked=False)
_RETURNING = Plan([_TEMP_RETURNING], [], returns=True, marked=False)
_INSERT = Plan([_TEMP_ROWID, _MARK], [], returns=False, marked=True)
_plans: dict[tuple[str, bool], Plan] = {}


def plan_of(statement: Statement) -> Plan:
    """What to send around a statement, by its text."""
    if not statement.writes:
        return _READ
    key = (statement.sql, statement.unchecked)
    plan = _plans.get(key)
    if plan is None:
        plan = _plan(statement)
        if len(statement.sql) <= _KEPT_SIZE:
            if len(_plans) >= _KEPT:
                _plans.clear()
            _plans[key] = plan
    return plan


def _plan(statement: Statement) -> Plan:
    if _returns(statement):
        plan = _RETURNING
    elif statement.verb in ("insert", "replace") and not _COUNTERS.search(statement.sql):
        # (The mark would be what last_insert_rowid() gives.)
        plan = _INSERT
    else:
        plan = _BARE
    if not statement.unchecked:
        return plan
    return Plan([_UNCHECKED, *plan.before], [_CHECKED], returns=plan.returns, marked=plan.marked)


def _returns(statement: Statement) -> bool:
    if statement.returns:
        return True
    # The statements of the table API do not say so.
    if "RETURNING" not in statement.sql.upper():
        return False
    return any(part.returns for part in Analysis(statement.sql).parts)


class BatchPlan:
    """What is sent before a batch, and around each of its statements.

    Args:
        statements: what to run, in order.
        ticket: see `mesahub.dialects.base.Dialect.batch`.
    """

    __slots__ = ("first", "plans")

    def __init__(self, statements: Sequence[Statement], ticket: str | None = None) -> None:
        self.plans = [plan_of(statement) for statement in statements]
        if any(_COUNTERS.search(statement.sql) for statement in statements):
            # A mark between an INSERT and another statement's last_insert_rowid() would be what that gives.
            self.plans = [_RETURNING if plan.returns else _BARE for plan in self.plans]
        self.first: list[list[Any]] = [_TEMP_ROWID, _TEMP_RETURNING, _FRESH]
        if ticket is not None:
            # The client's time: the nodes run these statements at different ones.
            made = int(time())
            self.first = [
                [_MAKE_TICKETS],
                [f"DELETE FROM {TICKETS} WHERE made < ?", made - _WEEK],
                [f"INSERT INTO {TICKETS} (ticket, made) VALUES (?, ?)", ticket, made],
            ]

    def encode(self, request: Request) -> tuple[bytes | BodyStream | None, str | None]:
        """The encoder of a request: its payload is ``{"statements": [{"sql", "bindings"}, ...]}``."""
        found = list(self.first)
        for statement, plan in zip(request.payload["statements"], self.plans, strict=True):
            found += [*plan.before, plan.wire(statement), *plan.after]
        return _dumped(found)


def _dumped(statements: list[list[Any]]) -> tuple[bytes, str]:
    return json.dumps(statements), "application/json"
