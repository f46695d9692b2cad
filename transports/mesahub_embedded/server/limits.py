"""What one request, one key and one connection may cost the server."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the server. ``None`` lifts one.

    Args:
        statement_seconds: seconds that one statement may run; then 504.
        value_bytes: bytes of one value, one row or one statement to SQLite; more is 400, ``string or blob too big``.
        answer_bytes: bytes of all values of one result; more is 400.
        per_key: requests of one key that run at the same time; the others wait for their turn. ``None``: half of the
            threads.
    """

    statement_seconds: float | None = 60.0
    value_bytes: int | None = 64 * MEBIBYTE
    answer_bytes: int | None = 256 * MEBIBYTE
    per_key: int | None = None
