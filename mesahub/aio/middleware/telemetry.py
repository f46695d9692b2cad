# Made by scripts/asyncify.py of mesahub/middleware/telemetry.py: change that, and run `make aio`.
"""OpenTelemetry: a span and a duration per call, a span per attempt.

The extra ``opentelemetry`` installs the API; the SDK and its exporters are the application's choice. Without an SDK
nothing is recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mesahub._aio.layers import Handler, Middleware
from mesahub.errors import ConfigurationError
from mesahub.middleware.base import Target
from mesahub.transport import AsyncResponse, Request

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

__all__ = ["opentelemetry"]


def opentelemetry(
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    query_text: bool = True,
    attempts: bool = True,
) -> Middleware:
    """A middleware that makes traces and metrics, by OpenTelemetry's stable conventions for database clients.

    A call is one span, whatever the number of its attempts: ``SELECT users`` where the table API made the statement,
    ``SELECT shop`` (the database) for SQL of yours, ``files.upload shop`` for the rest. Each retry is an event of it,
    and each attempt a child, whose ``traceparent`` goes to the server. The histogram ``db.client.operation.duration``
    has the seconds per call. No value of a statement, no key, no URL's query and no error message is in any of them.

    Args:
        tracer_provider: default: the global one.
        meter_provider: default: the global one.
        query_text: put SQL into ``db.query.text``, with ``?`` in place of each literal.
        attempts: make a child for each attempt. ``False`` where something else does that, such as an instrumentation
            of requests or urllib3; the context is then sent by the call's own span. (Embedded databases have none.)

    Raises:
        ConfigurationError: opentelemetry-api is not installed, or an argument is not a provider.

    Example:
        >>> client = AsyncMesahubClient(key, url, middleware=[opentelemetry()])  # doctest: +SKIP
    """
    try:
        from mesahub.aio.middleware.spans import AsyncSpans
    except ImportError as error:
        raise ConfigurationError(
            f"middleware.opentelemetry() needs {error.name or 'opentelemetry'}, which is not installed. Install it: "
            "pip install opentelemetry-api (or 'mesahub[opentelemetry]')."
        ) from error
    for name, provider, method in (
        ("tracer_provider", tracer_provider, "get_tracer"),
        ("meter_provider", meter_provider, "get_meter"),
    ):
        if provider is not None and not callable(getattr(provider, method, None)):
            raise ConfigurationError(f"{name} must have {method}(), which a {type(provider).__name__} has not.")
    made: dict[str, Any] = {
        "tracer_provider": tracer_provider,
        "meter_provider": meter_provider,
        "query_text": query_text,
        "attempts": attempts,
    }

    def call(request: Request, forward: Handler) -> AsyncResponse:  # noqa: ARG001
        raise ConfigurationError("Give opentelemetry() to a client as middleware; it cannot be called itself.")

    def for_target(target: Target) -> list[Middleware]:
        return AsyncSpans(target, **made).layers()

    call.for_target = for_target  # type: ignore[attr-defined]
    call.__qualname__ = "opentelemetry"
    return call
