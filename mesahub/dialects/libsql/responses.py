"""The two shapes of an answer, brought to one: the results of a pipeline, and the lines of a cursor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mesahub._util import json
from mesahub.transport import Response
from mesahub.transport.messages import EMPTY

__all__ = ["Failure", "failures_of", "inner_of", "payload_of", "results_of"]

_DICT = frozenset({dict})
_NOT_A_RESULT = (TypeError, ValueError, KeyError, IndexError, AttributeError)


def payload_of(response: Response) -> Any:
    """The answer as a pipeline's, of either endpoint; ``None`` for what is not JSON."""
    try:
        return response.payload
    except ValueError:
        pass
    if b"\n" not in response.content:
        return None
    try:
        response.payload = _of_cursor(response.content)
    except (*_NOT_A_RESULT, RecursionError):
        return None
    return response.payload


def _of_cursor(content: bytes) -> dict[str, Any]:
    """One line is the head; then come, per step, its columns, its rows one per line, and its counts or its error."""
    entries: list[Any] = json.loads_long(b"[" + b",".join(content.rstrip(b"\n").split(b"\n")) + b"]")
    head = entries[0]
    results: list[Any] = []  # of dicts and None
    errors: list[Any] = []
    index: Any = None
    rows: list[Any] | None = None
    for entry in entries[1:]:
        kind = entry["type"]
        if kind == "row":
            if rows is None:
                raise ValueError("a row outside of a step")
            rows.append(entry["row"])
        elif kind == "step_begin":
            _fill(results, errors, entry["step"])
            rows = []
            results[-1] = {"cols": entry["cols"], "rows": rows}
        elif kind == "step_end":
            rows = None
            counts = {name: entry[name] for name in ("affected_row_count", "last_insert_rowid")}
            results[-1] = {**(results[-1] or {}), **counts}
        elif kind == "step_error":
            if rows is None:
                _fill(results, errors, entry["step"])
            results[-1], errors[-1] = None, entry["error"]
            rows = None
        elif kind == "replication_index":
            index = entry["replication_index"]
        elif kind == "error":
            return {**_head(head), "results": [{"type": "error", "error": entry["error"]}]}
    if rows is not None:
        raise ValueError("a step without an end")
    result = {"step_results": results, "step_errors": errors, "replication_index": index, "cursor": True}
    return {**_head(head), "results": [{"type": "ok", "response": {"type": "batch", "result": result}}]}


def _head(head: dict[str, Any]) -> dict[str, Any]:
    return {"baton": head["baton"], "base_url": head["base_url"]}


def _fill(results: list[Any], errors: list[Any], step: int) -> None:
    """Make room up to a step: those that were not carried out have no lines."""
    if type(step) is not int or not len(results) <= step < 1_000_000:
        raise ValueError("a step out of order")
    while len(results) <= step:
        results.append(None)
        errors.append(None)


def results_of(payload: Any) -> list[Any] | None:
    """The results of a pipeline's answer; ``None`` for another shape."""
    if type(payload) is not dict:
        return None
    results = payload.get("results")
    if type(results) is not list or not results or not _DICT.issuperset(map(type, results)):
        return None
    return results


def inner_of(result: Mapping[str, Any]) -> Mapping[str, Any]:
    """The result within one of a pipeline's; empty for another shape."""
    response = result.get("response")
    inner = response.get("result") if type(response) is dict else None
    return inner if type(inner) is dict else EMPTY


class Failure:
    """An error among results.

    Attributes:
        step: the number of the step of a batch; ``None`` outside of one.
        text, code: the server's.
    """

    __slots__ = ("code", "step", "text")

    def __init__(self, step: int | None, error: Any) -> None:
        if type(error) is not dict or type(error.get("message")) is not str:
            raise TypeError("an error")
        self.step = step
        self.text: str = error["message"]
        code = error.get("code")
        self.code = code if type(code) is str else ""


def failures_of(results: list[Any]) -> list[Failure]:
    """The errors in results, in their order. Raises ``TypeError``, ``KeyError`` for another shape."""
    found: list[Failure] = []
    for result in results:
        if result.get("type") == "error":
            found.append(Failure(None, result["error"]))
            continue
        response = result["response"]
        if response.get("type") == "batch":
            errors = response["result"]["step_errors"]
            if type(errors) is not list:
                raise TypeError("step_errors")
            found += [Failure(step, error) for step, error in enumerate(errors) if error is not None]
    return found
