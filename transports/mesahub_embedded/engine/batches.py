"""Several statements in one transaction: all of them or none."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from mesahub.transport import Response
from mesahub_embedded.engine.engine import Engine, Script
from mesahub_embedded.engine.errors import RefusedError, TimedOutError
from mesahub_embedded.engine.execution import Alive
from mesahub_embedded.engine.results import Answer, rows_answer

__all__ = ["batch_response"]

_TICKETS = (
    "CREATE TABLE IF NOT EXISTS mesahub_tickets (ticket TEXT PRIMARY KEY, made INTEGER NOT NULL) WITHOUT ROWID",
    "DELETE FROM mesahub_tickets WHERE made < CAST(strftime('%s', 'now') AS INTEGER) - 604800",
)
_TAKE = "INSERT OR IGNORE INTO mesahub_tickets VALUES (?, CAST(strftime('%s', 'now') AS INTEGER))"


def batch_response(
    engine: Engine,
    statements: Sequence[Mapping[str, Any]],
    *,
    timeout: float | None = None,
    alive: Alive = None,
    ticket: str | None = None,
) -> Response:
    """Run statements in one transaction.

    Args:
        engine: the database.
        statements: ``{"sql", "bindings"}`` each, or ``{"sql", "rows"}`` for an INSERT of many rows.
        timeout: seconds for all of them.
        alive: is the caller still there?
        ticket: they are run only if no batch with this text was before.

    Returns:
        ``{"results": [...]}``, ``{"ran": True}`` where the ticket was there, or an error with the number of the
        ``"statement"``, from 0.

    Raises:
        TimedOutError: it took too long; nothing was changed.
    """
    end = None if timeout is None else time.monotonic() + timeout
    number: int | None = None
    try:
        with engine.script(timeout) as script:
            run = _Runner(script, end, alive)
            run("BEGIN IMMEDIATE")
            if ticket is not None:
                for sql in _TICKETS:
                    run(sql)
                if not run(_TAKE, [ticket])["rowsAffected"]:
                    run("ROLLBACK")
                    return Response(200, payload={"ran": True, "stat": {}})
            results = []
            for index, statement in enumerate(statements):
                number = index
                results.append(_run_one(run, statement))
            number = None
            run("COMMIT")
        return Response(200, payload={"results": results, "stat": {}})
    except RefusedError as error:
        payload: dict[str, Any] = {"error": error.text}
        if number is not None:
            payload["statement"] = number
        return Response(error.status, payload=payload)


class _Runner:
    def __init__(self, script: Script, end: float | None, alive: Alive) -> None:
        self._script = script
        self._end = end
        self._alive = alive

    def __call__(self, sql: str, bindings: Sequence[Any] = ()) -> Answer:
        left = None if self._end is None else self._end - time.monotonic()
        if left is not None and left <= 0:
            raise TimedOutError("the statements before it took all of the time")
        if self._alive is not None and not self._alive():
            raise TimedOutError("the caller went away")
        started = time.perf_counter()
        return rows_answer(self._script.execute(sql, bindings, timeout=left, alive=self._alive), started)


def _run_one(run: _Runner, statement: Mapping[str, Any]) -> Answer:
    rows = statement.get("rows")
    if rows is None:
        return run(statement["sql"], statement["bindings"])
    answers = [run(statement["sql"], row) for row in rows]
    last = dict(answers[-1])
    if "rowsAffected" in last:
        last["rowsAffected"] = sum(answer["rowsAffected"] for answer in answers)
    else:
        last["rows"] = [row for answer in answers for row in answer["rows"]]
    return last
