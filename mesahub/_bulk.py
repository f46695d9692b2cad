"""Many rows, request by request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from typing import Any

from mesahub.errors import ArgumentError, MesahubError, TransportError
from mesahub.results import ExecResult
from mesahub.sql import Scope, Statement, insert_text
from mesahub.sql.bulk import batches


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
    try:
        # A wrong argument is told before the first row is read.
        insert_text(scope, key or ("a",), on_conflict=on_conflict, key=key, returning=returning)
        for batch in batches(rows, in_order=on_conflict is not None):
            sql = insert_text(
                scope, batch.columns, on_conflict=on_conflict, key=key, update=update, returning=returning
            )
            for result, count in _send(sql, batch.rows, run):
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
    result = ExecResult(rows_affected=affected, last_insert_rowid=last, query_duration_ms=duration)
    if returning:
        result.update(rows=returned, columns=names)
    return result


def _send(
    sql: str, rows: list[tuple[Any, ...]], run: Callable[[Statement], ExecResult]
) -> Iterator[tuple[ExecResult, int]]:
    """Send rows in one request, or in halves where that is more than the server takes."""
    try:
        result = run(Statement(sql, [], "insert", True, rows))
    except ArgumentError as error:
        if error.code != "BODY_TOO_LARGE" or len(rows) == 1:
            raise
    else:
        yield result, len(rows)
        return
    half = len(rows) // 2
    yield from _send(sql, rows[:half], run)
    yield from _send(sql, rows[half:], run)


def _tell(error: MesahubError, done: int) -> None:
    error.details["rows_inserted"] = done
    if not done and not isinstance(error, TransportError):
        return
    doubt = ""
    if isinstance(error, TransportError) and error.default_code == "AMBIGUOUS_RESULT":
        doubt = " certainly"
    text = f"{error.args[0] if error.args else ''} ({done:,} rows of the requests before this one are{doubt} in.)"
    error.args = (text, *error.args[1:])
