# Made by scripts/asyncify.py of mesahub/middleware/spans.py: change that, and run `make aio`.
"""What `mesahub.middleware.opentelemetry` makes for a client. It needs opentelemetry-api."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from time import perf_counter
from typing import Any

from opentelemetry import context as contexts
from opentelemetry import metrics, propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind

from mesahub._aio.layers import Handler, Middleware
from mesahub.errors import MesahubError
from mesahub.middleware.base import Target, inside_retry
from mesahub.middleware.spans import (
    _BUCKETS,
    _FAILED,
    _KEPT,
    _KEPT_SIZE,
    _SCHEMA,
    Attributes,
    _address,
    _Call,
    _failed,
    _no_result,
    _note_retries,
    _note_rows,
    _plain_path,
    _texts,
)
from mesahub.sql.redaction import without_values
from mesahub.transport import AsyncResponse, Request

__all__ = ["AsyncSpans"]


class AsyncSpans:
    """The two layers of a client.

    Args:
        target: what the client talks to.
        tracer_provider, meter_provider, query_text, attempts: as `mesahub.middleware.opentelemetry` has them.
    """

    def __init__(
        self, target: Target, *, tracer_provider: Any, meter_provider: Any, query_text: bool, attempts: bool
    ) -> None:
        self._dialect = target.dialect
        version = sys.modules["mesahub"].__version__  # to import it would be a circle
        self._tracer = trace.get_tracer("mesahub", version, tracer_provider, _SCHEMA)
        self._durations = metrics.get_meter("mesahub", version, meter_provider, _SCHEMA).create_histogram(
            "db.client.operation.duration",
            unit="s",
            description="Duration of database client operations.",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        self._query_text = query_text
        self._attempts = attempts and not target.in_process
        self._sends_context = not target.in_process
        self._kind = SpanKind.INTERNAL if target.in_process else SpanKind.CLIENT
        self._url = target.urls[0] if len(target.urls) == 1 else ""
        self._server = _address(self._url)
        self._known: dict[tuple[Any, ...], _Call] = {}

    def layers(self) -> list[Middleware]:
        """The layer around a call, and that around an attempt."""

        async def call(request: Request, forward: Handler) -> AsyncResponse:
            return await self.call(request, forward)

        async def attempt(request: Request, forward: Handler) -> AsyncResponse:
            return await self.attempt(request, forward)

        call.__qualname__ = attempt.__qualname__ = "opentelemetry"
        return [call, inside_retry(attempt)] if self._attempts else [call]

    async def call(self, request: Request, forward: Handler) -> AsyncResponse:
        """A span around a call."""
        about = self._about(request)
        began = perf_counter()
        span = self._tracer.start_span(about.name, kind=self._kind, attributes=about.attributes)
        context = trace.set_span_in_context(span)
        token = contexts.attach(context)
        try:
            response = await forward(request if self._attempts else self._with_context(request, context))
        except BaseException as error:
            self._raised(span, about, began, error)
            raise
        else:
            self._answered(span, about, began, request, response)
        finally:
            contexts.detach(token)
            span.end()
        return response

    async def attempt(self, request: Request, forward: Handler) -> AsyncResponse:
        """A span around an attempt of a call."""
        span = self._tracer.start_span(request.method, kind=SpanKind.CLIENT, attributes=self._about_attempt(request))
        context = trace.set_span_in_context(span)
        token = contexts.attach(context)
        try:
            response = await forward(self._with_context(request, context))
        except BaseException as error:
            _failed(span, type(error).__qualname__)
            raise
        else:
            span.set_attribute("http.response.status_code", response.status)
            if response.server:
                span.set_attributes(_address(response.server))
            if response.status >= 400:
                _failed(span, str(response.status))
        finally:
            contexts.detach(token)
            span.end()
        return response

    def _with_context(self, request: Request, context: Context) -> Request:
        if not self._sends_context:
            return request
        carrier: dict[str, str] = {}
        propagate.inject(carrier, context)
        return request.with_headers({**request.headers, **carrier}) if carrier else request

    def _about(self, request: Request) -> _Call:
        payload = request.payload
        sql = payload.get("sql") if isinstance(payload, dict) else None
        key = (request.operation, request.verb, request.collection, request.database, request.statements, sql)
        known = self._known.get(key)
        if known is None:
            known = self._describe(request, _texts(request))
            if (sql is not None or request.operation != "batch") and len(sql or "") <= _KEPT_SIZE:
                if len(self._known) >= _KEPT:
                    self._known.clear()
                self._known[key] = known
        return known

    def _describe(self, request: Request, texts: Sequence[str]) -> _Call:
        operation = request.verb.upper() or request.operation
        if request.operation == "batch":
            operation = f"BATCH {request.verb.upper()}".strip()
        collection = request.collection
        measured: Attributes = {"db.system.name": "sqlite", "db.operation.name": operation, **self._server}
        if request.database is not None:
            measured["db.namespace"] = request.database
        name = f"{operation} {collection or request.database or ''}".strip()[:255]
        if collection is not None:
            measured["db.collection.name"] = collection
        attributes = dict(measured)
        if collection is not None:
            attributes["db.query.summary"] = name
        if request.statements > 1:
            attributes["db.operation.batch.size"] = request.statements
        if texts and self._query_text:
            names, shown = collection is not None, ""
            for text in texts:
                if len(shown) < _KEPT_SIZE:
                    # Cut before: to look at all of a long text would take longer than the call.
                    shown += ("; " if shown else "") + without_values(text[:_KEPT_SIZE], names=names)
            attributes["db.query.text"] = shown[:_KEPT_SIZE]
        return _Call(name, attributes, measured)

    def _about_attempt(self, request: Request) -> Attributes:
        attributes: Attributes = {"http.request.method": request.method, **self._server}
        if self._url:
            attributes["url.full"] = self._url + _plain_path(request)
        if request.attempt > 1:
            attributes["http.request.resend_count"] = request.attempt - 1
        return attributes

    def _answered(self, span: Span, about: _Call, began: float, request: Request, response: AsyncResponse) -> None:
        tried = response.attempts
        measured = about.measured
        server = _address(response.server) if response.server else {}
        wrong = "" if self._dialect.succeeded(request, response) else self._error_type(request, response)
        if not wrong:
            wrong = _no_result(request, response)
        else:
            tried = tried[:-1]  # that is the response itself, which no other attempt followed
        if not wrong:
            if server:
                span.set_attributes(server)
                measured = {**measured, **server}
            if request.operation == "query" and span.is_recording():
                _note_rows(span, response)
        else:
            failure = {**server, "error.type": wrong}
            if response.status >= 400:
                failure["db.response.status_code"] = str(response.status)
            span.set_attributes(failure)
            span.set_status(_FAILED)
            measured = {**measured, **failure}
        _note_retries(span, tried)
        self._durations.record(perf_counter() - began, measured)

    def _error_type(self, request: Request, response: AsyncResponse) -> str:
        return type(self._dialect.error(response, request.operation)).__qualname__

    def _raised(self, span: Span, about: _Call, began: float, error: BaseException) -> None:
        failure: Attributes = {"error.type": type(error).__qualname__}
        if isinstance(error, MesahubError):
            _note_retries(span, error.attempts[:-1])
            if error.status_code:
                failure["db.response.status_code"] = str(error.status_code)
        span.set_attributes(failure)
        span.set_status(_FAILED)
        self._durations.record(perf_counter() - began, {**about.measured, **failure})
