"""The responses to a statement in this process: no JSON, and no dict in the shape of JSON, is made.

Whoever looks at `Response.payload`, such as a middleware or the recorder, gets what the server would answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any, Protocol

from mesahub.transport import Response
from mesahub.transport.answers import Answer
from mesahub_embedded.engine.execution import Alive, Outcome
from mesahub_embedded.engine.rows import Plan

__all__ = ["exec_response", "insert_response", "query_response"]

Tuples = list[tuple[Any, ...]]


class Reads(Protocol):
    """Runs statements that read: an engine, or a session."""

    def read(
        self, sql: str, bindings: Sequence[Any] = (), *, timeout: float | None = None, alive: Alive = None
    ) -> tuple[Plan | None, Tuples]:
        """See `Engine.read`."""
        ...


class Runs(Protocol):
    """Runs statements that may write: an engine, a session."""

    def execute(
        self, sql: str, bindings: Sequence[Any] = (), *, timeout: float | None = None, alive: Alive = None
    ) -> Outcome:
        """See `Engine.execute`."""
        ...


class Inserts(Protocol):
    """Inserts many rows: an engine, a session."""

    def insert_rows(
        self,
        sql: str,
        rows: Sequence[Sequence[Any]],
        *,
        timeout: float | None = None,
        alive: Alive = None,
        unchecked: bool = False,
    ) -> Outcome:
        """See `Engine.insert_rows`."""
        ...


def query_response(engine: Reads, payload: Mapping[str, Any], timeout: float | None, alive: Alive) -> Response:
    """Run a statement that reads.

    Args:
        engine: the database.
        payload: ``{"sql", "bindings"}``; with ``"exact"`` the rows are tuples of what SQLite gives.
        timeout: seconds.
        alive: asked now and then whether to go on.

    Raises:
        RefusedError: the database said no.
        TimedOutError: it took too long.
        UnrepresentableError: a value cannot be shown.
    """
    started = perf_counter()
    plan, rows = engine.read(payload["sql"], payload["bindings"], timeout=timeout, alive=alive)
    response = Response(200)
    response.answer = _RowsAnswer(plan, rows, "exact" in payload, started, True)
    return response


def exec_response(engine: Runs, payload: Mapping[str, Any], timeout: float | None, alive: Alive) -> Response:
    """Run a statement that may write. See `query_response`."""
    started = perf_counter()
    outcome = engine.execute(payload["sql"], payload["bindings"], timeout=timeout, alive=alive)
    return _response(outcome, started, exact="exact" in payload)


def insert_response(engine: Inserts, payload: Mapping[str, Any], timeout: float | None, alive: Alive) -> Response:
    """Insert all ``payload["rows"]`` or none, bound as they are."""
    started = perf_counter()
    unchecked = payload.get("unchecked", False)
    rows = payload["rows"]
    outcome = engine.insert_rows(payload["sql"], rows, timeout=timeout, alive=alive, unchecked=unchecked)
    return _response(outcome, started)


def _response(outcome: Outcome, started: float, *, exact: bool = False) -> Response:
    plan, rows, affected, rowid = outcome
    response = Response(200)
    if plan is None:
        response.answer = _CountsAnswer(affected, rowid, started)
    else:
        response.answer = _RowsAnswer(plan, rows, exact, started, False)
    return response


class _RowsAnswer(Answer):
    __slots__ = ("_plan", "_reads")

    def __init__(self, plan: Plan | None, rows: Tuples, exact: bool, started: float, reads: bool) -> None:
        # Not by way of Answer's: this is on the way of every find.
        self._plan = plan
        self._reads = reads
        self.columns = [] if plan is None else list(plan.names)
        self.rows: list[Any] = rows if exact or plan is None else plan.rows(rows, wire=False)
        self.named = not exact
        self.exact = exact
        self.whole = True
        self.affected = self.rowid = None
        self.declared = ()
        self.duration = int((perf_counter() - started) * 1000)

    def payload(self) -> dict[str, Any]:
        stat: dict[str, Any] = {"queryDurationMs": self.duration, "rowsRead": len(self.rows)}
        if self._reads:
            stat |= {"rowsAffected": 0, "rowsWritten": None}
        payload = {
            "headers": [] if self._plan is None else self._plan.headers,
            "rows": self.rows,
            "whole": True,
            "exact": True,  # a blob is bytes, so that text is never taken for one
            "stat": stat,
        }
        return payload | {"tuples": True} if self.exact else payload


class _CountsAnswer(Answer):
    __slots__ = ()

    def __init__(self, affected: int, rowid: int | None, started: float) -> None:
        duration = int((perf_counter() - started) * 1000)
        super().__init__(None, [], affected=affected, rowid=rowid, whole=True, duration=duration)

    def payload(self) -> dict[str, Any]:
        return {
            "lastInsertRowid": self.rowid,
            "rowsAffected": self.affected,
            "stat": {"queryDurationMs": self.duration},
        }
