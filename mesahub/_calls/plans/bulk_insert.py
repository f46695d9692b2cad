"""Many rows, one request after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from typing import TYPE_CHECKING, Any

from mesahub._calls.checks import checked_progress
from mesahub.errors import AmbiguousResultError, ArgumentError, MesahubError
from mesahub.results import ExecResult, Row
from mesahub.sql import Scope, Statement, insert_text
from mesahub.sql.batches import BATCH_BYTES, BATCH_ROWS, Batch, batches

if TYPE_CHECKING:
    from mesahub.dialects.base import Capabilities
    from mesahub.sql.filters import Where
    from mesahub.sql.write import Returning

RETURNED_ROWS = 50_000
"""Rows of a request with RETURNING: its answer is cut at 100,000, and triggers add none to it."""


SHARED_BYTES = 4_000_000
"""Bytes of a request where two are on their way: the server writes one while the next is encoded."""


class BulkInsert:
    """The plan of `mesahub.TableHandle.insert_many`: its statements, and what their results add up to. It does no I/O.

    Args:
        rows: any iterable of dicts, read as it goes.
        scope: the table.
        on_conflict, key, update, where, returning: as `mesahub.sql.insert_text` takes them.
        progress: called with (rows done, rows in all or ``None``) after each request.
        capabilities: those of the engine, for its limits; default: MesaHub's.
        sql: an INSERT of one row, ``INSERT ... VALUES (?, ?)``, to run instead of the one that is made of the scope and
            the columns.
        in_flight: requests that may be on their way at once.

    Raises:
        ArgumentError: an argument is invalid. (Rows are looked at when their turn comes.)
    """

    def __init__(
        self,
        rows: Iterable[Mapping[str, Any]],
        *,
        scope: Scope,
        on_conflict: str | None,
        key: Sequence[str],
        update: Sequence[str] | None,
        returning: Returning,
        progress: Callable[[int, int | None], object] | None,
        where: Where = None,
        capabilities: Capabilities | None = None,
        sql: str | None = None,
        in_flight: int = 1,
    ) -> None:
        self._total = len(rows) if isinstance(rows, Sized) else None
        self._scope = scope
        self._sql = sql
        self._on_conflict = on_conflict
        self._key = key
        self._update = update
        self._where = where
        self._returning = returning
        self._progress = checked_progress(progress)
        # A wrong argument is an error before the first row is read.
        insert_text(scope, key or ("a",), on_conflict=on_conflict, key=key, where=where, returning=returning)
        limits = _limits(capabilities, returns=bool(returning))
        if in_flight > 1:
            limits["most_bytes"] = min(limits.get("most_bytes", BATCH_BYTES), SHARED_BYTES)
        self._batches = batches(rows, in_order=on_conflict is not None, **limits)
        self._current: Batch | None = None
        self._pending: list[Batch] = []
        self.done = 0
        self._affected: int | None = 0
        self._last: int | None = None
        self._duration: float | None = None
        self._returned: list[Row] = []
        self._columns: list[str] = []

    def statement(self) -> Statement | None:
        """The next statement to run; ``None`` after the last."""
        batch = self._pending.pop() if self._pending else next(self._batches, None)
        self._current = batch
        if batch is None:
            return None
        if self._sql is not None:
            return Statement(self._sql, [], "insert", True, batch.rows)
        conflict, returning = self._on_conflict, self._returning
        columns = batch.columns
        if not columns and len(batch.rows) > 1:
            # DEFAULT VALUES makes one row; a rowid of NULL is one that SQLite chooses.
            sql = insert_text(self._scope, ("_rowid_",), on_conflict=conflict, returning=returning)
            return Statement(sql, [], "insert", True, batch.rows, table=self._scope.name)
        sql = insert_text(
            self._scope,
            columns,
            on_conflict=conflict,
            key=self._key,
            update=self._update,
            where=self._where,
            returning=returning,
        )
        return Statement(sql, [], "insert", True, batch.rows if columns else None, table=self._scope.name)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the statement."""
        return self._current.columns if self._current is not None else ()

    @property
    def values(self) -> list[tuple[Any, ...]]:
        """The rows of the statement, each with a value for each of its columns."""
        return self._current.rows if self._current is not None else []

    @property
    def batch(self) -> Batch | None:
        """What the statement carries: hand it to `accept` or `reject` where others were made since."""
        return self._current

    def accept(self, result: ExecResult, batch: Batch | None = None) -> None:
        """Add the result of a statement."""
        batch = batch or self._current
        assert batch is not None
        self.done += len(batch.rows)
        if result.rows_affected is None or self._affected is None:
            self._affected = None
        else:
            self._affected += result.rows_affected
        if result.last_insert_rowid is not None:
            self._last = result.last_insert_rowid
        if result.query_duration_ms is not None:
            self._duration = (self._duration or 0) + result.query_duration_ms
        self._returned += result.rows
        self._columns = result.columns or self._columns
        if self._progress is not None:
            self._progress(self.done, self._total)

    def reject(self, error: BaseException, batch: Batch | None = None, *, in_doubt: int = 0) -> bool:
        """Take the error of a statement. ``True``: too large, it comes again in halves; ``False``: raise the error.

        Args:
            error: the error.
            batch: what the statement carried; default: the last one.
            in_doubt: rows of other statements of which it is not known whether they are in.
        """
        batch = batch or self._current
        if isinstance(error, ArgumentError) and error.code == "BODY_TOO_LARGE" and batch and len(batch.rows) > 1:
            half = len(batch.rows) // 2
            self._pending.append(Batch(batch.columns, batch.rows[half:], 0))
            self._pending.append(Batch(batch.columns, batch.rows[:half], 0))
            return True
        if isinstance(error, AmbiguousResultError) and batch:
            in_doubt += len(batch.rows)
        if isinstance(error, MesahubError):
            if in_doubt:
                error.details["rows_in_doubt"] = in_doubt
            _note_progress(error, self.done)
        elif self.done:
            # Not ours: the iterable or the callback raised it, or the user pressed Ctrl-C.
            error.add_note(f"insert_many had put in {self.done:,} rows before this.")
        return False

    def result(self) -> ExecResult:
        """What all statements did."""
        result = ExecResult(
            rows_affected=self._affected, last_insert_rowid=self._last, query_duration_ms=self._duration
        )
        if self._returning:
            result.update(rows=self._returned, columns=self._columns)
        return result


def requests_needed(
    rows: Iterable[Mapping[str, Any]], on_conflict: str | None, capabilities: Capabilities
) -> tuple[int, int]:
    """How many requests `BulkInsert` makes of these rows, and how many rows there are. All are read.

    Raises:
        ArgumentError: a row is invalid.
    """
    sizes = [
        len(batch.rows)
        for batch in batches(rows, in_order=on_conflict is not None, **_limits(capabilities, returns=False))
    ]
    return len(sizes), sum(sizes)


def _limits(able: Capabilities | None, *, returns: bool) -> dict[str, int]:
    """Rows and bytes of one request."""
    if able is None:
        return {"most_rows": RETURNED_ROWS if returns else BATCH_ROWS}
    rows, size = BATCH_ROWS, BATCH_BYTES
    if returns and able.max_rows is not None:
        # Half of them: a row that is cut off cannot be asked for again.
        rows = max(min(rows, able.max_rows // 2), 1)
    if able.max_body is not None:
        size = min(size, able.max_body * 15 // 16)
    if able.max_value is not None:
        size = min(size, able.max_value * 15 // 16)  # all rows are one JSON text
    return {"most_rows": rows} if size == BATCH_BYTES else {"most_rows": rows, "most_bytes": size}


def _note_progress(error: MesahubError, done: int) -> None:
    error.details["rows_inserted"] = done
    doubt = error.details.get("rows_in_doubt", 0)
    if doubt:
        note = f"{done:,} rows are in for certain; the {doubt:,} of the request that got no answer may be in or not."
    elif done:
        note = f"{done:,} rows are in, by the requests before this one."
    else:
        return
    error.args = (f"{error.args[0] if error.args else ''} ({note})", *error.args[1:])
