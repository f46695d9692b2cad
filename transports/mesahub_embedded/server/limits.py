"""What one request may cost the server."""

from __future__ import annotations

from dataclasses import dataclass

from mesahub_embedded.engine.limits import ResultLimits

__all__ = ["ROW_LIMIT", "Limits", "results_of"]

MEBIBYTE = 1024 * 1024
ROW_LIMIT = 100_000
"""Rows at which a result is cut, as on the real server."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may cost. ``None`` lifts a limit.

    Args:
        statement_seconds: seconds that a statement, or all statements of a script, may run and wait for others; then
            504.
        value_bytes: bytes of one value or row; more is 400, ``string or blob too big``.
        result_bytes: bytes of all values of a result; more is 400.
    """

    statement_seconds: float | None = 60.0
    value_bytes: int | None = 64 * MEBIBYTE
    result_bytes: int | None = 128 * MEBIBYTE


def results_of(limits: Limits) -> ResultLimits:
    """The limits of the databases' results. One row more than an answer holds shows that it was cut."""
    return ResultLimits(limits.value_bytes, limits.result_bytes, ROW_LIMIT + 1)
