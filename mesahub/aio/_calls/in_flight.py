# Made by scripts/asyncify.py of mesahub/_calls/in_flight.py: change that, and run `make aio`.
"""The requests of a bulk insert, two on their way at once: one is encoded while the server writes the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from mesahub._aio.ahead import Ahead
from mesahub._calls.plans.bulk_insert import BulkInsert
from mesahub.errors import AmbiguousResultError
from mesahub.results import ExecResult
from mesahub.sql import Statement
from mesahub.sql.batches import Batch

__all__ = ["run_in_flight"]


async def run_in_flight(
    plan: BulkInsert, send: Callable[[Statement], Coroutine[Any, Any, ExecResult[Any]]], count: int
) -> None:
    """Run all statements of a plan.

    When one fails, those that are on their way are waited for and counted before its error is raised.

    Args:
        plan: the statements; takes their results, the oldest first.
        send: runs one. It is called in tasks.
        count: how many are on their way at once.
    """
    flying: deque[tuple[Batch | None, Ahead[ExecResult[Any]]]] = deque()
    while True:
        batch: Batch | None = None
        try:
            statement = plan.statement() if len(flying) < count else None
            if statement is not None:
                flying.append((plan.batch, Ahead(partial(send, statement))))
                continue
            if not flying:
                return
            batch, following = flying[0]
            result = await following.result()
            flying.popleft()
            plan.accept(result, batch)
        except BaseException as error:
            if batch is not None and flying and flying[0][0] is batch:
                _, following = flying.popleft()
                await following.discard()  # it may be on its way still, where the wait for it was interrupted
            if not plan.reject(error, batch, in_doubt=await _settle(plan, flying)):
                raise


async def _settle(plan: BulkInsert, flying: deque[tuple[Batch | None, Ahead[ExecResult[Any]]]]) -> int:
    """Wait for what is on its way; the rows of which it is not known whether they are in."""
    doubt = 0
    while flying:
        batch, following = flying.popleft()
        try:
            plan.accept(await following.result(), batch)
        except Exception as error:  # noqa: BLE001  (the first error is the one to raise)
            # Any other says that the rows are not in.
            if isinstance(error, AmbiguousResultError) and batch is not None:
                doubt += len(batch.rows)
    return doubt
