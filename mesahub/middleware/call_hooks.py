"""Callbacks around each call."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from mesahub.middleware.attempts import Attempt
from mesahub.middleware.base import Handler, Middleware
from mesahub.transport import Request, Response


class Details:
    """What a callback receives; immutable.

    Attributes:
        operation: ``"query"``, ``"exec"``, ``"files.upload"``, ...
        database: the database's slug, or ``None``.
        sql: the statement as written; ``None`` if there is no SQL. Never its values.
        status: the answer's HTTP status, ``None`` before and where none came.
        error: what was raised, or ``None``.
        seconds: since the call began, retries included.
        attempt: for ``retry``: the attempt that failed.
    """

    __slots__ = ("attempt", "database", "error", "operation", "seconds", "sql", "status")

    operation: str
    database: str | None
    sql: str | None
    status: int | None
    error: Exception | None
    seconds: float
    attempt: Attempt | None

    def __init__(
        self,
        request: Request,
        *,
        status: int | None = None,
        error: Exception | None = None,
        seconds: float = 0.0,
        attempt: Attempt | None = None,
    ) -> None:
        payload = request.payload
        values = {
            "operation": request.operation,
            "database": request.database,
            "sql": payload.get("sql") if isinstance(payload, dict) else None,
            "status": status,
            "error": error,
            "seconds": seconds,
            "attempt": attempt,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("Details cannot be changed.")

    def __repr__(self) -> str:
        return f"<Details {self.operation} {self.database} status={self.status} error={self.error!r}>"


Callback = Callable[[Details], object]


def hooks(
    *, before: Callback | None = None, after: Callback | None = None, retry: Callback | None = None
) -> Middleware:
    """A middleware that calls your functions.

    A callback that raises ends the call with its error.

    Args:
        before: before each call.
        after: after each call, with its status or error.
        retry: before each retry, with the attempt that failed.

    Example:
        >>> client = MesahubClient(key, url, middleware=[hooks(after=print)])  # doctest: +SKIP
    """

    def call(request: Request, forward: Handler) -> Response:
        started = perf_counter()
        if before is not None:
            before(Details(request))
        try:
            response = forward(request)
        except Exception as error:
            if after is not None:
                after(Details(request, error=error, seconds=perf_counter() - started))
            raise
        if after is not None:
            after(Details(request, status=response.status, seconds=perf_counter() - started))
        return response

    if retry is not None:
        told = retry
        call.on_retry = lambda request, attempt: told(Details(request, attempt=attempt))  # type: ignore[attr-defined]
    call.__qualname__ = "hooks"
    return call
