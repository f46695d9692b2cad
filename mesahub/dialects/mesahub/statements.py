"""Requests that carry a statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mesahub._util import json
from mesahub.dialects.mesahub.limits import MAX_BODY
from mesahub.dialects.mesahub.lowering import lower
from mesahub.dialects.mesahub.routes import Routes
from mesahub.errors import RequestTooLargeError
from mesahub.sql import Statement
from mesahub.sql.rewrites.json_rows import lower_rows
from mesahub.transport import BodyStream, Request
from mesahub.transport.messages import EMPTY, Encoder

__all__ = ["COUNTED", "ROWID_MARK", "statement_request"]

ROWID_MARK = -(2**62) - 44_721_359
"""A rowid that no table has: what the server reports as the last rowid where an INSERT made none."""
_MARKED = (
    "CREATE TEMP TABLE IF NOT EXISTS mesahub_rowid_mark (id INTEGER PRIMARY KEY); "
    f"INSERT OR REPLACE INTO temp.mesahub_rowid_mark VALUES ({ROWID_MARK}); "
)
"""Put before an INSERT. The server's last rowid is its connection's, and so another client's where an upsert changes a
row, or the table has no rowid; several statements in one exec run without another client's between them, and the counts
are those of the last (docs/protocol.md, sections 1 and 4, and its end)."""
COUNTED = "mesahub_changed"
_COUNTING = f"\nRETURNING 1 AS {COUNTED}"
"""Put after a WITH ... INSERT, UPDATE or DELETE, of which the server counts nothing."""


def statement_request(
    routes: Routes,
    ref: str,
    operation: str,
    statement: Statement,
    *,
    timeout: float | None,
    idempotent: bool = False,
    hints: Mapping[str, str] = EMPTY,
) -> Request:
    """The request that carries a statement. ``operation`` is ``"query"`` or ``"exec"``."""
    payload: dict[str, Any] = {"sql": statement.sql, "bindings": statement.bindings}
    if statement.rows is not None:
        payload["rows"] = statement.rows
    if hints and hints.get("values") == "stored":
        payload["exact"] = True  # for a transport that answers without HTTP
    if statement.unchecked:
        payload["unchecked"] = True
    if statement.parse is not None:
        payload["parse"] = statement.parse  # for `is_result`: it is not sent
    reads = operation == "query"
    return routes.template(ref, operation).carrying(
        payload,
        safe=idempotent or reads,
        timeout=timeout,
        encoder=_encode_statement if reads else _encoder_of(statement),
        hints=hints,
    )


def _encoder_of(statement: Statement) -> Encoder:
    verb = statement.verb
    if statement.unchecked:
        return _encode_unchecked
    if verb == "insert" or verb == "replace":
        if statement.returns:
            return _encode_statement
        return _encode_counted if statement.with_tables else _encode_insert
    if statement.with_tables and verb in ("update", "delete") and not statement.returns:
        return _encode_counted
    return _encode_statement


def _encode_statement(request: Request) -> tuple[bytes | BodyStream | None, str | None]:
    return _encode(*_lowered(request))


def _encode_unchecked(request: Request) -> tuple[bytes | BodyStream | None, str | None]:
    sql, bindings = _lowered(request)
    return _encode(f"PRAGMA foreign_keys = OFF; {sql}; PRAGMA foreign_keys = ON", bindings)


def _encode_insert(request: Request) -> tuple[bytes | BodyStream | None, str | None]:
    sql, bindings = _lowered(request)
    return _encode(_MARKED + sql, bindings)


def _encode_counted(request: Request) -> tuple[bytes | BodyStream | None, str | None]:
    sql, bindings = _lowered(request)
    return _encode(sql + _COUNTING, bindings)


def _lowered(request: Request) -> tuple[str, Sequence[Any]]:
    payload = request.payload
    rows = payload.get("rows")
    if rows is None:
        return lower(payload["sql"], payload["bindings"])
    return lower_rows(payload["sql"], rows)


def _encode(sql: str, bindings: Sequence[Any]) -> tuple[bytes, str]:
    content = json.dumps({"sql": sql, "bindings": bindings})
    if len(content) > MAX_BODY:
        raise RequestTooLargeError.of(
            f"The request has {len(content):,} bytes, and the server takes {MAX_BODY:,}. Send less at once; a large "
            "value belongs into a file (db.files).",
            status_code=400,
        )
    return content, "application/json"
