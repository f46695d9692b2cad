"""Several statements in one request to exec: in order, each with the next of the bindings."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from mesahub.sql import analyze
from mesahub_embedded.engine.engine import Engine
from mesahub_embedded.engine.results import exec_answer

__all__ = ["run_script"]

_ENDS = frozenset({"commit", "end", "release"})


def run_script(
    engine: Engine,
    statements: Sequence[str],
    bindings: Sequence[Any],
    *,
    timeout: float | None = None,
    alive: Callable[[], bool] | None = None,
    limit: int | None = None,
) -> dict[str, Any]:
    """Run statements one after the other, each a transaction of its own where the script makes none.

    Args:
        engine: the database.
        statements: the statements.
        bindings: their values, in order.
        timeout: seconds for all of them together.
        alive: is the caller still there?
        limit: rows at which an answer is cut.

    Returns:
        The last one's answer; of a script that ends with COMMIT that of the statement before it.

    Raises:
        RefusedError: the first that is refused; those before it stand.
    """
    answer: dict[str, Any] = {}
    ends = time.monotonic() + timeout if timeout is not None else None
    with engine.script(timeout) as run:
        start = 0
        for statement in statements:
            analysis = analyze(statement)
            end = start + analysis.highest
            left = max(ends - time.monotonic(), 0.001) if ends is not None else None
            values = bindings[start:end]
            current = exec_answer(run, statement, values, timeout=left, alive=alive, wire=True, limit=limit)
            if not answer or analysis.parts[0].verb not in _ENDS:
                answer = current
            start = end
    return answer
