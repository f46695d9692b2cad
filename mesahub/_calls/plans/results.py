"""Results of answers, whatever the dialect."""

from __future__ import annotations

from mesahub.dialects.base import Answer
from mesahub.errors import TruncatedResultError
from mesahub.results import ExecResult

__all__ = ["exec_result", "truncated"]


def exec_result(answer: Answer) -> ExecResult:
    """What a write did."""
    result = ExecResult(
        rows_affected=answer.affected, last_insert_rowid=answer.rowid, query_duration_ms=answer.duration
    )
    if answer.columns is not None:
        result["rows"] = answer.rows if answer.named else answer.dicts()
        result["columns"] = answer.columns
    return result


def truncated(rows: int, *, write: bool) -> TruncatedResultError:
    """The error for a result that has just as many rows as the engine gives at most."""
    if write:
        return TruncatedResultError(
            f"The write was carried out in full, but its rows came back cut at the server's limit of {rows}: there may "
            "be more."
        )
    return TruncatedResultError(
        f"The server cuts a result at {rows} rows, and this one has just as many: there may be more. Ask for less "
        "(limit=), or go through the table in pages: table.iterate()."
    )
