"""What one request, one key and one connection may cost the server."""

from __future__ import annotations

from dataclasses import dataclass

from mesahub_embedded.engine.limits import ResultLimits
from mesahub_embedded.server.published import LACKING

__all__ = ["MEBIBYTE", "ROW_LIMIT", "ConnectionLimits", "Limits", "results_of"]

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
        strict: hide the functions and modules that the published build of the server lacks.
    """

    statement_seconds: float | None = 60.0
    value_bytes: int | None = 64 * MEBIBYTE
    result_bytes: int | None = 128 * MEBIBYTE
    strict: bool = False


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What connections and keys may take.

    Args:
        threads: requests that run at the same time.
        per_key: those of one key among them; the others wait for their turn. The admin token has no such limit.
        connections: connections that are open at the same time. Beyond that, the oldest one without a request is
            closed: first those that never sent one.
        head_seconds: seconds from the first byte of a request (or from connecting) to the end of its headers.
        idle_seconds: seconds without a byte in either direction: between requests, within a body, or while an answer
            is not read.
    """

    threads: int = 8
    per_key: int = 4
    connections: int = 512
    head_seconds: float = 20.0
    idle_seconds: float = 120.0


def results_of(limits: Limits) -> ResultLimits:
    """The limits of the databases' results. One row more than an answer holds shows that it was cut."""
    return ResultLimits(
        limits.value_bytes, limits.result_bytes, ROW_LIMIT + 1, LACKING if limits.strict else frozenset()
    )
