"""Which responses a recording leaves out because the same call may be answered in a moment."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mesahub.transport import Response
from mesahub_recorder.call import Call
from mesahub_recorder.failed_attempts import is_refused


@pytest.mark.parametrize(
    ("status", "body", "of_read", "of_write"),
    [
        (503, {"error": "database is locked"}, True, True),
        (503, {"error": "database is locked", "path": "/"}, True, True),
        (503, {"error": "This database is inactive"}, False, False),
        (503, {"message": "This database is inactive"}, True, True),
        (400, {"error": "database is locked"}, True, False),
        (400, {"error": "the queue is full"}, False, False),
        (400, {"error": "CHECK constraint failed: database is locked"}, False, False),
        (429, {"error": "rate limit exceeded"}, True, True),
        (200, {"error": "backend unavailable", "headers": [], "rows": []}, True, True),
        (200, {"headers": [], "rows": []}, False, False),
    ],
)
def test_is_refused_uses_the_rules_of_the_dialect(status: int, body: Any, of_read: bool, of_write: bool) -> None:
    content = json.dumps(body).encode()
    assert is_refused(Call("query", "d", "SELECT 1"), Response(status, content=content)) is of_read
    assert is_refused(Call("exec", "d", "UPDATE t SET a = 1"), Response(status, content=content)) is of_write
