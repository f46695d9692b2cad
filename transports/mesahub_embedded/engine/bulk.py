"""Many rows for one INSERT, bound as they are: in process no JSON is made."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from mesahub_embedded.engine.engine import Engine
from mesahub_embedded.engine.results import Answer, rows_answer

__all__ = ["bulk_answer"]


def bulk_answer(
    engine: Engine,
    sql: str,
    rows: Sequence[Sequence[Any]],
    *,
    timeout: float | None = None,
    unchecked: bool = False,
) -> Answer:
    """Insert all rows or none.

    Args:
        engine: the database.
        sql: ``INSERT ... VALUES (?, ?)``, for one row.
        rows: the values of each.
        timeout: seconds.
        unchecked: check no foreign keys.
    """
    started = time.perf_counter()
    outcome = engine.insert_rows(sql, rows, timeout=timeout, unchecked=unchecked)
    return rows_answer(outcome, started)
