"""Several statements in one request to exec: in order, each with the next of the bindings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mesahub.sql import analyze
from mesahub_embedded.answers import exec_answer
from mesahub_embedded.engine import Engine

__all__ = ["run_script"]


def run_script(
    engine: Engine,
    statements: Sequence[str],
    bindings: Sequence[Any],
    *,
    alive: Callable[[], bool] | None = None,
    limit: int | None = None,
) -> dict[str, Any]:
    """Run statements one after the other, each a transaction of its own; the last one's answer is the answer.

    Raises:
        RefusedError: the first that is refused; those before it stand.
    """
    answer: dict[str, Any] = {}
    with engine.script() as run:
        start = 0
        for statement in statements:
            end = start + analyze(statement).highest
            answer = exec_answer(run, statement, bindings[start:end], alive=alive, wire=True, limit=limit)
            start = end
    return answer
