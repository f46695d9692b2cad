"""Results out of rqlite's answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mesahub.dialects.base import Answer
from mesahub.dialects.mesahub.lowering import restore_name
from mesahub.dialects.mesahub.statements import ROWID_MARK
from mesahub.dialects.rqlite.errors import error_of, results_of, top_error
from mesahub.dialects.rqlite.statements import FIRST, TICKETS, BatchPlan, Plan, plan_of
from mesahub.dialects.unexpected import raise_unexpected
from mesahub.errors import AmbiguousResultError, UnrepresentableResultError
from mesahub.sql import Statement
from mesahub.sql.rewrites.exact import KINDS
from mesahub.transport import Response

__all__ = ["read_answer", "read_batch"]

_CHANGES = frozenset({"insert", "replace", "update", "delete"})
_REAL = frozenset({"real", "float", "double", "double precision"})
"""Declared types of columns without integers. (Of an expression, the type is the class of the first row's value: a
SELECT that asks for each value's class in `KINDS` knows better.)"""
_SHAPE = (TypeError, ValueError, KeyError, IndexError, AttributeError)
"""What reading another shape raises."""
_TICKET_TAKEN = f"UNIQUE constraint failed: {TICKETS}.ticket"


def read_answer(operation: str, statement: Statement, response: Response) -> Answer:
    """See `mesahub.dialects.base.Dialect.answer`."""
    results = _results(response, operation)
    plan = plan_of(statement)
    if len(results) != len(plan.before) + 1 + len(plan.after):
        raise_unexpected(response, operation, "rqlite node")
    try:
        return _answer(statement, plan, results[len(plan.before)], reads=operation == "query")
    except _SHAPE:
        raise_unexpected(response, operation, "rqlite node")


def read_batch(statements: Sequence[Statement], response: Response) -> list[Answer] | None:
    """See `mesahub.dialects.base.Dialect.batch_answer`."""
    try:
        results = _results(response, "batch", failing=True)
        failed = next((number for number, result in enumerate(results) if "error" in result), None)
        if failed == FIRST - 1 and results[failed]["error"] == _TICKET_TAKEN:
            return None
        batch = BatchPlan(statements)
        sizes = [len(plan.before) + 1 + len(plan.after) for plan in batch.plans]
        if failed is not None:
            error = error_of(response, "batch")
            error.details["statement"] = _number_of(failed, sizes)
            raise error
        if len(results) != FIRST + sum(sizes):
            raise_unexpected(response, "batch", "rqlite node")
        at = FIRST
        answers = []
        for statement, plan, size in zip(statements, batch.plans, sizes, strict=True):
            answers.append(_answer(statement, plan, results[at + len(plan.before)], reads=False))
            at += size
    except _SHAPE:
        raise_unexpected(response, "batch", "rqlite node")
    return answers


def _number_of(failed: int, sizes: list[int]) -> int | None:
    """The number of the statement in the caller's batch, from 0 on; ``None`` for one that the caller did not write."""
    failed -= FIRST
    for number, size in enumerate(sizes):
        if 0 <= failed < size:
            return number
        failed -= size
    return None


def _results(response: Response, operation: str, *, failing: bool = False) -> list[dict[str, Any]]:
    if response.status >= 300:
        raise error_of(response, operation)
    try:
        payload = response.payload
    except ValueError:
        payload = None
    if top_error(payload) is not None:
        error = error_of(response, operation)
        if operation == "query":
            raise error
        raise AmbiguousResultError.of(str(error), status_code=response.status) from error
    results = results_of(payload)
    if response.status != 200 or not results:
        raise_unexpected(response, operation, "rqlite node")
    if not failing and any("error" in result for result in results):
        raise error_of(response, operation)
    return results


def _answer(statement: Statement, plan: Plan, result: dict[str, Any], *, reads: bool) -> Answer:
    changes = statement.verb in _CHANGES
    if "columns" in result:
        columns, rows = _rows(result, statement.sql)
        return Answer(columns, rows, affected=len(rows) if changes else 0, whole=True)
    if plan.returns:
        raise UnrepresentableResultError.of(
            "The statement was carried out, but rqlite gave none of the rows of its RETURNING clause."
        )
    if reads:
        raise KeyError("columns")
    affected = _count(result.get("rows_affected", 0)) if changes else 0
    rowid = _count(result.get("last_insert_id", 0)) if plan.marked else None
    # Of WITH ... INSERT no engine gives a rowid, so that all give the same.
    if rowid == ROWID_MARK or not affected or statement.with_tables:
        rowid = None
    return Answer(None, [], affected=affected, rowid=rowid, whole=True)


def _rows(result: dict[str, Any], sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    columns: list[str] = result["columns"]
    types: list[str] = result["types"]
    values: list[list[Any]] = result.get("values") or []
    if type(columns) is not list or type(types) is not list or len(columns) != len(types):
        raise ValueError("columns")
    width = len(columns)
    if any(type(name) is not str for name in columns) or any(len(row) != width for row in values):
        raise ValueError("columns that differ from the rows'")
    if values:
        for index, kind in enumerate(types):
            kind = kind.lower()
            if kind == "blob":
                _to_bytes(values, index)
            elif kind in _REAL and KINDS not in columns:
                _to_floats(values, index)
    if "unhex(" in "\n".join(columns):
        # An expression without AS is named after its text, and the text was changed on the way out.
        columns = [restore_name(name, sql) for name in columns]
    return columns, [tuple(row) for row in values]


def _to_bytes(values: list[list[Any]], index: int) -> None:
    # A list of numbers, as it was asked for: so text in a BLOB column is not taken for one.
    for row in values:
        value = row[index]
        if type(value) is list:
            row[index] = bytes(value)


def _to_floats(values: list[list[Any]], index: int) -> None:
    # A whole real has lost its point on the wire: 3.0 came as 3.
    for row in values:
        if type(row[index]) is int:
            row[index] = float(row[index])


def _count(value: Any) -> int:
    if type(value) is not int:
        raise TypeError("a count")
    return value
