"""The answers to a statement, in the server's shape."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from mesahub.errors import Outcome as Delivery
from mesahub.errors import RequestTimeoutError
from mesahub.transport import Response
from mesahub_embedded.engine.errors import RefusedError, TimedOutError
from mesahub_embedded.engine.execution import Alive, Outcome
from mesahub_embedded.engine.rows import UnrepresentableError

__all__ = ["exec_answer", "failure", "query_answer", "rows_answer"]

Answer = dict[str, Any]


class Reads(Protocol):
    """Runs statements that read: an engine, or a session."""

    def query(
        self, sql: str, bindings: Sequence[Any] = (), *, timeout: float | None = None, alive: Alive = None
    ) -> Outcome:
        """See `Engine.query`."""
        ...


class Runs(Protocol):
    """Runs statements that may write: an engine, a script, a session."""

    def execute(
        self, sql: str, bindings: Sequence[Any] = (), *, timeout: float | None = None, alive: Alive = None
    ) -> Outcome:
        """See `Engine.execute`."""
        ...


def query_answer(
    engine: Reads,
    sql: str,
    bindings: Sequence[Any],
    *,
    timeout: float | None = None,
    alive: Callable[[], bool] | None = None,
    wire: bool = False,
    limit: int | None = None,
) -> Answer:
    """Run a statement that reads.

    Args:
        engine: the database.
        sql: one statement.
        bindings: its values.
        timeout: seconds.
        alive: is the caller still there?
        wire: for JSON, else for this process.
        limit: rows at which the answer is cut, and says so (``"truncated": true``).

    Raises:
        RefusedError: the database said no.
        TimedOutError: it took too long.
        UnrepresentableError: a value cannot be shown.
    """
    started = time.perf_counter()
    outcome = engine.query(sql, bindings, timeout=timeout, alive=alive)
    answer = _rows(outcome, wire, limit)
    answer["stat"] = {
        "queryDurationMs": _milliseconds(started),
        "rowsAffected": 0,
        "rowsRead": len(answer["rows"]),
        "rowsWritten": None,
    }
    return answer


def failure(error: RefusedError | UnrepresentableError | TimedOutError, timeout: float | None) -> Response:
    """The response to a statement that failed, as the server answers it.

    Raises:
        RequestTimeoutError: it took longer than ``timeout`` seconds. It changed nothing.
    """
    if isinstance(error, RefusedError):
        return Response(error.status, payload={"error": error.text})
    if isinstance(error, UnrepresentableError):
        # The statement was carried out, and nothing can be shown.
        return Response(200)
    raise RequestTimeoutError(
        f"The statement took longer than {timeout} s: {error}.", outcome=Delivery.NOT_SENT
    ) from None


def exec_answer(
    engine: Runs,
    sql: str,
    bindings: Sequence[Any],
    *,
    timeout: float | None = None,
    alive: Callable[[], bool] | None = None,
    wire: bool = False,
    limit: int | None = None,
) -> Answer:
    """Run a statement that may write. See `query_answer`."""
    started = time.perf_counter()
    outcome = engine.execute(sql, bindings, timeout=timeout, alive=alive)
    return rows_answer(outcome, started, wire=wire, limit=limit)


def rows_answer(outcome: Outcome, started: float, *, wire: bool = False, limit: int | None = None) -> Answer:
    """What a statement that may write gave, in the server's shape."""
    if outcome.plan is None:
        return {
            "lastInsertRowid": outcome.rowid,
            "rowsAffected": outcome.affected,
            "stat": {"queryDurationMs": _milliseconds(started)},
        }
    answer = _rows(outcome, wire, limit)
    answer["stat"] = {"queryDurationMs": _milliseconds(started), "rowsRead": len(answer["rows"])}
    return answer


def _rows(outcome: Outcome, wire: bool, limit: int | None) -> Answer:
    if outcome.plan is None:
        return {"headers": [], "rows": []}
    rows = outcome.rows
    if limit is not None and len(rows) > limit:
        return {
            "headers": outcome.plan.headers,
            "rows": outcome.plan.rows(rows[:limit], wire=wire),
            "truncated": True,
        }
    answer: Answer = {"headers": outcome.plan.headers, "rows": outcome.plan.rows(rows, wire=wire)}
    if limit is None or len(rows) == limit:
        answer["whole"] = True
    if not wire:
        answer["exact"] = True  # a blob is bytes, so that text is never taken for one
    return answer


def _milliseconds(started: float) -> int:
    return int((time.perf_counter() - started) * 1000)
