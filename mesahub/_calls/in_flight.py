"""The requests of a bulk insert, two on their way at once: one is encoded while the server writes the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from mesahub._calls.ahead import Ahead
from mesahub._calls.plans.bulk_insert import BulkInsert
from mesahub.errors import AmbiguousResultError, ArgumentError
from mesahub.results import ExecResult
from mesahub.sql import Statement
from mesahub.sql.batches import Batch

__all__ = ["checked_in_flight", "run_in_flight"]


def checked_in_flight(in_flight: int, *, in_order: bool, alter: bool) -> int:
    """How many requests may be on their way. Raises `ArgumentError` where that cannot be."""
    if type(in_flight) is not int or in_flight not in (1, 2):
        raise ArgumentError(f"in_flight must be 1 or 2, the requests on their way at once, not {in_flight!r:.40}.")
    if in_flight > 1 and (in_order or alter):
        what = "on_conflict" if in_order else "alter=True"
        raise ArgumentError(f"Two requests on their way may be carried out in any order, and {what} needs theirs.")
    return in_flight


def run_in_flight(plan: BulkInsert, send: Callable[[Statement], ExecResult[Any]], count: int) -> None:
    """Run all statements of a plan.

    When one fails, those that are on their way are waited for and counted before its error is raised.

    Args:
        plan: the statements; takes their results, the oldest first.
        send: runs one. It is called in threads.
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
            result = following.result()
            flying.popleft()
            plan.accept(result, batch)
        except BaseException as error:
            if batch is not None and flying and flying[0][0] is batch:
                _, following = flying.popleft()
                following.discard()  # it may be on its way still, where the wait for it was interrupted
            if not plan.reject(error, batch, in_doubt=_settle(plan, flying)):
                raise


def _settle(plan: BulkInsert, flying: deque[tuple[Batch | None, Ahead[ExecResult[Any]]]]) -> int:
    """Wait for what is on its way; the rows of which it is not known whether they are in."""
    doubt = 0
    while flying:
        batch, following = flying.popleft()
        try:
            plan.accept(following.result(), batch)
        except Exception as error:  # noqa: BLE001  (the first error is the one to raise)
            # Any other says that the rows are not in.
            if isinstance(error, AmbiguousResultError) and batch is not None:
                doubt += len(batch.rows)
    return doubt
