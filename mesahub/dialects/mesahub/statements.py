"""Requests that carry a statement."""

from __future__ import annotations

from typing import Any

from mesahub._util import json
from mesahub.dialects.mesahub.limits import MAX_BODY
from mesahub.dialects.mesahub.lowering import lower
from mesahub.dialects.mesahub.routes import Routes
from mesahub.errors import ArgumentError
from mesahub.sql import Statement
from mesahub.sql.json_rows import lower_rows
from mesahub.transport import BodyStream, Request

__all__ = ["statement_request"]


def statement_request(
    routes: Routes,
    ref: str,
    operation: str,
    statement: Statement,
    *,
    timeout: float | None,
    idempotent: bool = False,
) -> Request:
    """The request that carries a statement. ``operation`` is ``"query"`` or ``"exec"``."""
    payload: dict[str, Any] = {"sql": statement.sql, "bindings": statement.bindings}
    if statement.rows is not None:
        payload["rows"] = statement.rows
    return Request(
        operation,
        "POST",
        routes.database(ref, operation),
        database=ref,
        payload=payload,
        safe=idempotent or operation == "query",
        timeout=timeout,
        encoder=_encode_statement,
    )


def _encode_statement(request: Request) -> tuple[bytes | BodyStream | None, str | None]:
    payload = request.payload
    rows = payload.get("rows")
    if rows is None:
        sql, bindings = lower(payload["sql"], payload["bindings"])
    else:
        sql, bindings = lower_rows(payload["sql"], rows)
    content = json.dumps({"sql": sql, "bindings": bindings})
    if len(content) > MAX_BODY:
        raise ArgumentError.of(
            f"The request has {len(content):,} bytes, and the server takes {MAX_BODY:,}. Send less at once; a large "
            "value belongs into a file (db.files).",
            code="BODY_TOO_LARGE",
            status_code=400,
        )
    return content, "application/json"
