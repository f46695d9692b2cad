"""Results out of a libSQL server's answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mesahub.dialects.base import Answer
from mesahub.dialects.libsql.errors import error_of, failure_error, failures_in
from mesahub.dialects.libsql.responses import payload_of, results_of
from mesahub.dialects.libsql.statements import TICKETS, place_of_batch, plan_of
from mesahub.dialects.libsql.values import LossyValueError, read_value
from mesahub.dialects.unexpected import raise_unexpected
from mesahub.errors import UnrepresentableResultError
from mesahub.sql import Statement
from mesahub.sql.declared import UnshownError, converter
from mesahub.transport import Response

__all__ = ["HranaAnswer", "checked_results", "read_answer", "read_batch", "read_result", "result_of"]

_CHANGES = frozenset({"insert", "replace", "update", "delete"})
_INSERTS = frozenset({"insert", "replace"})
SHAPE = (TypeError, ValueError, KeyError, IndexError, AttributeError)
"""What reading another shape raises."""
_TICKET_TAKEN = re.compile(rf"(?:SQLite error: )?UNIQUE constraint failed: {TICKETS}\.ticket")
SENDER = "libSQL server"


class HranaAnswer(Answer):
    """An answer whose tuples are exact, and whose dicts are what MesaHub's server would give: BOOLEAN and date columns
    are converted.
    """

    __slots__ = ("lossy",)

    def __init__(self, columns: list[str] | None, rows: list[Any], *, lossy: bool = False, **others: Any) -> None:
        super().__init__(columns, rows, whole=True, exact=True, **others)
        self.lossy = lossy

    def dicts(self) -> list[dict[str, Any]]:
        """See `Answer.dicts`. Raises `UnrepresentableResultError` for an infinity, and a date beyond year 9999."""
        names, rows = self.columns or [], self.rows
        if self.lossy:
            raise UnrepresentableResultError.of(
                "A value of the result is an infinity, which the libSQL server cannot send. Use db.rows(), or select "
                "CAST(column AS TEXT)."
            )
        found = [dict(zip(names, row, strict=True)) for row in rows]
        for name, declared in dict(zip(names, self.declared, strict=True)).items():
            convert = converter(declared.upper()) if declared else None
            if convert is None:
                continue
            try:
                for row in found:
                    row[name] = convert(row[name])
            except UnshownError:
                raise UnrepresentableResultError.of(
                    f"A date of the column {name!r:.60} is beyond year 9999. Use db.rows()."
                ) from None
        return found


def checked_results(response: Response, operation: str) -> list[Any]:
    """The results of an answer without errors. Raises a `MesahubError` for anything else."""
    if response.status != 200:
        if response.status < 300:
            raise_unexpected(response, operation, SENDER)
        raise error_of(response, operation)
    results = results_of(payload_of(response))
    failures = failures_in(response)
    if results is None or failures is None:
        raise_unexpected(response, operation, SENDER)
    if failures:
        raise error_of(response, operation)
    return results


def read_answer(operation: str, statement: Statement, response: Response) -> Answer:
    """See `mesahub.dialects.base.Dialect.answer`."""
    results = checked_results(response, operation)
    plan = plan_of(statement)
    try:
        # (A read at a replica has a statement before it.)
        result = results[0] if statement.writes or len(results) < 3 else results[1]
        return read_result(statement, result_of(result, plan.index, plan.steps, guarded=plan.guarded))
    except SHAPE:
        raise_unexpected(response, operation, SENDER)


def result_of(result: Mapping[str, Any], index: int, steps: int, *, guarded: bool) -> Mapping[str, Any]:
    """The result of a statement, alone or as a step of a batch. Raises one of `SHAPE` for another shape.

    Args:
        result: what the server says of the request.
        index, steps: see `mesahub.dialects.libsql.statements.Plan`.
        guarded: it counts only if the step after it, which commits, was carried out.
    """
    response = result["response"]
    inner: Mapping[str, Any] = response["result"]
    if response["type"] == "execute":
        if steps:
            raise ValueError("no batch")
        return inner
    found = inner["step_results"]
    if response["type"] != "batch":
        raise ValueError("another request")
    # A cursor has no lines for steps that were not carried out: the last of a guarded write, which takes it back.
    if len(found) != steps and "cursor" not in inner:
        raise ValueError("another batch")
    if guarded and type(found[index + 1]) is not dict:
        raise ValueError("nothing was committed")
    step: Mapping[str, Any] = found[index]
    return step


def read_result(statement: Statement, result: Mapping[str, Any]) -> Answer:
    """The answer out of the result of a statement. Raises one of `SHAPE` for another shape."""
    cols = result["cols"]
    changes = statement.verb in _CHANGES
    affected = _count(result["affected_row_count"])
    if cols:
        names, declared = _columns(cols)
        rows, lossy = _rows(result["rows"], len(names))
        return HranaAnswer(
            names,
            rows,
            affected=len(rows) if changes else 0,
            lossy=lossy,
            duration=_duration(result),
            declared=declared,
        )
    if not statement.writes and statement.verb != "pragma":
        raise ValueError("no columns")
    rowid = None
    # Of WITH ... INSERT no engine gives a rowid, so that all give the same.
    if statement.verb in _INSERTS and affected and not statement.with_tables:
        rowid = _rowid(result["last_insert_rowid"])
    columns: list[str] | None = None if statement.writes else []
    return HranaAnswer(columns, [], affected=affected if changes else 0, rowid=rowid, duration=_duration(result))


def read_batch(statements: Sequence[Statement], response: Response) -> list[Answer] | None:
    """See `mesahub.dialects.base.Dialect.batch_answer`."""
    first, steps = place_of_batch(statements)
    failures = failures_in(response)
    if failures:
        failure = failures[0]
        taken = _TICKET_TAKEN.fullmatch(failure.text) and failure.code.startswith("SQLITE_CONSTRAINT")
        if failure.step == first - 1 and taken:
            return None
        error = failure_error(failure, "batch")
        number = None if failure.step is None else failure.step - first
        error.details["statement"] = number if number is not None and 0 <= number < len(statements) else None
        raise error
    results = checked_results(response, "batch")
    try:
        answers: list[Answer] = []
        for number, statement in enumerate(statements):
            result = result_of(results[0], first + number, steps, guarded=True)
            answers.append(read_result(statement, result))
    except SHAPE:
        raise_unexpected(response, "batch", SENDER)
    return answers


def _columns(cols: list[Any]) -> tuple[list[str], list[str]]:
    names: list[str] = []
    declared: list[str] = []
    for col in cols:
        name, type_ = col["name"], col.get("decltype")
        if name is None:
            name = ""
        if type(name) is not str or not (type_ is None or type(type_) is str):
            raise TypeError("a column")
        names.append(name)
        declared.append(type_ or "")
    return names, declared


def _rows(rows: list[Any], width: int) -> tuple[list[tuple[Any, ...]], bool]:
    """The rows, and whether a value was lost on its way."""
    if type(rows) is not list or any(len(row) != width for row in rows):
        raise ValueError("rows")
    try:
        return [tuple([read_value(value) for value in row]) for row in rows], False
    except LossyValueError:
        return [tuple([_read_or_none(value) for value in row]) for row in rows], True


def _read_or_none(value: Mapping[str, Any]) -> Any:
    try:
        return read_value(value)
    except LossyValueError:
        return None


def _count(value: Any) -> int:
    if type(value) is not int:
        raise TypeError("a count")
    return value


def _rowid(value: Any) -> int | None:
    """A rowid: as text from a pipeline, as a number from a cursor. 0 is none: the connection has inserted nothing."""
    if value is None:
        return None
    if type(value) not in (str, int):
        raise TypeError("a rowid")
    return int(value) or None


def _duration(result: Mapping[str, Any]) -> float | None:
    duration = result.get("query_duration_ms")
    return duration if type(duration) in (int, float) else None
