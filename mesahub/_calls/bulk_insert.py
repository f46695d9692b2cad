"""Many rows, request by request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from typing import Any

from mesahub.errors import AmbiguousResultError, ArgumentError, MesahubError
from mesahub.results import ExecResult
from mesahub.sql import Scope, Statement, insert_text
from mesahub.sql.batches import BATCH_ROWS, Batch, batches

RETURNED_ROWS = 50_000
"""Rows of a request with RETURNING: its answer is cut at 100,000, and triggers add none to it."""


def insert_batches(
    rows: Iterable[Mapping[str, Any]],
    *,
    scope: Scope,
    run: Callable[[Statement], ExecResult],
    on_conflict: str | None,
    key: Sequence[str],
    update: Sequence[str] | None,
    returning: Any,
    progress: Callable[[int, int | None], object] | None,
) -> ExecResult:
    """Insert all rows; see `mesahub.TableHandle.insert_many`."""
    total = len(rows) if isinstance(rows, Sized) else None
    done = affected = 0
    last: int | None = None
    duration: float | None = None
    returned: list[Any] = []
    names: list[str] = []
    # A wrong argument is told before the first row is read.
    insert_text(scope, key or ("a",), on_conflict=on_conflict, key=key, returning=returning)
    try:
        for batch in batches(
            rows, in_order=on_conflict is not None, most_rows=RETURNED_ROWS if returning else BATCH_ROWS
        ):
            sql = insert_text(
                scope, batch.columns, on_conflict=on_conflict, key=key, update=update, returning=returning
            )
            if not batch.columns and len(batch.rows) > 1:
                # DEFAULT VALUES makes one row; a rowid of NULL is one that SQLite chooses.
                sql = insert_text(scope, ("_rowid_",), on_conflict=on_conflict, returning=returning)
            for result, count in _send(sql, batch, run):
                done += count
                affected += result.rows_affected
                if result.last_insert_rowid is not None:
                    last = result.last_insert_rowid
                if result.query_duration_ms is not None:
                    duration = (duration or 0) + result.query_duration_ms
                returned += result.rows
                names = result.columns or names
                if progress is not None:
                    progress(done, total)
    except MesahubError as error:
        _tell(error, done)
        raise
    except BaseException as error:
        # Not ours: the iterable or the callback raised it, or somebody pressed Ctrl-C.
        if done:
            error.add_note(f"insert_many had put in {done:,} rows before this.")
        raise
    result = ExecResult(rows_affected=affected, last_insert_rowid=last, query_duration_ms=duration)
    if returning:
        result.update(rows=returned, columns=names)
    return result


def _send(sql: str, batch: Batch, run: Callable[[Statement], ExecResult]) -> Iterator[tuple[ExecResult, int]]:
    """Send rows in one request, or in halves where that is more than the server takes."""
    rows = batch.rows
    try:
        if not batch.columns and len(rows) == 1:
            result = run(Statement(sql, [], "insert", True))
        else:
            result = run(Statement(sql, [], "insert", True, rows))
    except ArgumentError as error:
        if error.code != "BODY_TOO_LARGE" or len(rows) == 1:
            raise
    except AmbiguousResultError as error:
        error.details["rows_in_doubt"] = len(rows)
        raise
    else:
        yield result, len(rows)
        return
    half = len(rows) // 2
    yield from _send(sql, Batch(batch.columns, rows[:half], 0), run)
    yield from _send(sql, Batch(batch.columns, rows[half:], 0), run)


def _tell(error: MesahubError, done: int) -> None:
    error.details["rows_inserted"] = done
    doubt = error.details.get("rows_in_doubt", 0)
    if doubt:
        told = f"{done:,} rows are in for certain; the {doubt:,} of the request that got no answer may be in or not."
    elif done:
        told = f"{done:,} rows are in, by the requests before this one."
    else:
        return
    error.args = (f"{error.args[0] if error.args else ''} ({told})", *error.args[1:])
