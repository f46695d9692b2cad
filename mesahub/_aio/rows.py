"""Rows that come one after another from an asynchronous iterable."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Any

from mesahub.errors import MesahubError
from mesahub.results import ExecResult

__all__ = ["insert_in_parts"]

PART = 10_000
"""Rows that are held at a time."""


async def insert_in_parts(
    insert: Callable[..., Awaitable[ExecResult[Any]]],
    rows: AsyncIterable[Any],
    *arguments: Any,
    progress: Callable[[int, int | None], object] | None,
    **options: Any,
) -> ExecResult[Any]:
    """Insert rows of an asynchronous iterable, some thousands at a time.

    Args:
        insert: ``insert_many`` of a table.
        rows: read as it goes.
        arguments, progress, options: those of ``insert_many``.

    Returns:
        The results together.

    Raises:
        MesahubError: ``details["rows_inserted"]`` counts the parts before as well.
    """
    done = 0
    total: ExecResult[Any] | None = None

    def advanced(now: int, _: int | None) -> None:
        if progress is not None:
            progress(done + now, None)

    async def add(part: list[Any]) -> None:
        nonlocal done, total
        report = advanced if callable(progress) else progress
        try:
            result = await insert(part, *arguments, progress=report, **options)
        except MesahubError as error:
            if "rows_inserted" in error.details:
                error.details["rows_inserted"] += done
            raise
        done += len(part)
        total = result if total is None else _together(total, result)

    part: list[Any] = []
    async for row in rows:
        part.append(row)
        if len(part) == PART:
            await add(part)
            part = []
    if part or total is None:
        await add(part)
    assert total is not None
    return total


def _together(first: ExecResult[Any], second: ExecResult[Any]) -> ExecResult[Any]:
    second["rows_affected"] = (first.rows_affected or 0) + (second.rows_affected or 0)
    if second.last_insert_rowid is None:
        second["last_insert_rowid"] = first.last_insert_rowid
    if first.query_duration_ms is not None:
        second["query_duration_ms"] = first.query_duration_ms + (second.query_duration_ms or 0)
    if "rows" in first:
        second["rows"] = [*first.rows, *second.rows]
        second["columns"] = second.columns or first.columns
    return second
