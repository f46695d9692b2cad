"""Convert responses to their cassette form and back: rows as a table, without durations and request ids."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mesahub.transport import Headers, Response
from mesahub_recorder.call import Call
from mesahub_recorder.storage import BodyFile, spooled
from mesahub_recorder.values import LONG

__all__ = ["answer_of", "response_of"]

_KEPT_HEADERS = (
    "content-type",
    "content-disposition",
    "content-range",
    "accept-ranges",
    "retry-after",
    "last-modified",
)
_COUNTS = (("affected", "rowsAffected"), ("rowid", "lastInsertRowid"))
_FLAGS = ("whole", "exact")


def answer_of(call: Call, response: Response, folder: Path) -> dict[str, Any]:
    """Convert a response, read to its end, to its cassette form.

    Args:
        call: the call.
        response: its response.
        folder: stores a body that is too long for memory.
    """
    answer: dict[str, Any] = {} if response.status == 200 else {"status": response.status}
    if call.sql is not None and response.status == 200:
        result = _result(response)
        if result is not None:
            return result
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    kind = headers.get("content-type", "")
    if response.stream is not None:
        stream, response.stream = response.stream, None
        try:
            answer["body"] = spooled(stream, folder, LONG)
        finally:
            stream.close()
    elif kind.startswith("application/json") or not response.content:
        try:
            answer["json"] = response.payload
        except ValueError:
            answer["body"] = response.content
    else:
        answer["body"] = response.content
    if "body" in answer or response.status in (206, 429, 503):
        answer["headers"] = headers
    return answer


def _result(response: Response) -> dict[str, Any] | None:
    """The result of a statement, ``None`` for a response that has another shape."""
    try:
        payload = response.payload
        answer: dict[str, Any] = {}
        if "headers" in payload:
            names = [header["name"] for header in payload["headers"]]
            answer["columns"] = [[header["name"], header.get("originalType", "")] for header in payload["headers"]]
            answer["rows"] = [[row.get(name) for name in names] for row in payload.get("rows") or ()]
        for ours, theirs in _COUNTS:
            if theirs in payload:
                answer[ours] = payload[theirs]
        if not answer:
            return None
        for flag in _FLAGS:
            if payload.get(flag):
                answer[flag] = True
        return answer
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def response_of(answer: Mapping[str, Any], *, stream: bool) -> Response:
    """Convert a recorded answer to a response."""
    status = answer.get("status", 200)
    if "columns" in answer:
        names = [name for name, _ in answer["columns"]]
        payload: dict[str, Any] = {
            "headers": [{"name": name, "originalType": declared} for name, declared in answer["columns"]],
            "rows": [dict(zip(names, row, strict=True)) for row in answer["rows"]],
        }
        return Response(status, payload=_with_counts(payload, answer))
    if "affected" in answer or "rowid" in answer:
        return Response(status, payload=_with_counts({}, answer))
    headers = Headers(answer.get("headers", {}))
    body = answer.get("body")
    if body is None:
        return Response(status, headers, payload=answer.get("json"))
    size = body.size if isinstance(body, BodyFile) else len(body)
    if stream and 200 <= status < 300:
        source = body.open() if isinstance(body, BodyFile) else io.BytesIO(body)
        return Response(status, Headers({**headers, "content-length": str(size)}), stream=source)
    return Response(status, headers, b"".join(body.pieces()) if isinstance(body, BodyFile) else body)


def _with_counts(payload: dict[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    for ours, theirs in _COUNTS:
        if ours in answer:
            payload[theirs] = answer[ours]
    for flag in _FLAGS:
        if answer.get(flag):
            payload[flag] = True
    return payload
