"""Several statements in one request to exec: in order, each with the next of the bindings."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from mesahub.sql import analyze
from mesahub_embedded.engine.engine import Engine
from mesahub_embedded.engine.errors import RefusedError
from mesahub_embedded.engine.execution import Outcome

__all__ = ["run_script"]

_ENDS = frozenset({"commit", "end", "release"})


def run_script(
    engine: Engine,
    statements: Sequence[str],
    bindings: Sequence[Any],
    *,
    timeout: float | None = None,
    alive: Callable[[], bool] | None = None,
    answer: Callable[[str, Outcome, float], dict[str, Any]],
) -> dict[str, Any]:
    """Run statements one after the other, each a transaction of its own where the script makes none.

    Args:
        engine: the database.
        statements: the statements.
        bindings: their values, in order.
        timeout: seconds for all of them together.
        alive: is the caller still there?
        answer: makes an answer of a statement's first word, what it did, and when it started.

    Returns:
        The last one's answer; of a script that ends with COMMIT that of the statement before it.

    Raises:
        RefusedError: the first that is refused; those before it were run.
    """
    last: dict[str, Any] = {}
    ends = time.monotonic() + timeout if timeout is not None else None
    with engine.script(timeout) as run:
        start = 0
        for statement in statements:
            analysis = analyze(statement)
            end = start + analysis.highest
            left = max(ends - time.monotonic(), 0.001) if ends is not None else None
            values = bindings[start:end]
            started = time.perf_counter()
            changed = run.changed
            try:
                outcome = run.execute(statement, values, timeout=left, alive=alive)
            except RefusedError as refused:
                if refused.status == 503 and changed:
                    # A 503 says that nothing was carried out, so a client would send all of it again.
                    raise RefusedError(400, refused.text) from None
                raise
            word = analysis.parts[0].tokens[0][1].lower()
            current = answer(word, outcome, started)
            if not last or analysis.parts[0].verb not in _ENDS:
                last = current
            start = end
    return last
