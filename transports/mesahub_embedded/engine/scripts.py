"""Several statements in one request to exec: in order, each with the next of the bindings."""

from __future__ import annotations

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
    alive: Callable[[], bool] | None = None,
    limit: int | None = None,
) -> dict[str, Any]:
    """Run statements one after the other, each a transaction of its own where the script makes none.

    Returns:
        The last one's answer; of a script that ends with COMMIT that of the statement before it.

    Raises:
        RefusedError: the first that is refused; those before it stand.
    """
    answer: dict[str, Any] = {}
    with engine.script() as run:
        start = 0
        for statement in statements:
            analysis = analyze(statement)
            end = start + analysis.highest
            current = exec_answer(run, statement, bindings[start:end], alive=alive, wire=True, limit=limit)
            if not answer or analysis.parts[0].verb not in _ENDS:
                answer = current
            start = end
    return answer
