"""OpenTelemetry and MESAHUB_LOG for asyncio: tasks that run at once do not mix up their spans."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from mesahub import RetryPolicy
from mesahub.aio import AsyncMesahubClient
from mesahub.aio.middleware import opentelemetry
from mesahub.transport import AsyncResponse, Request


class Server:
    """Answers 503, 502 and 200 to each statement, after a turn of the loop."""

    def __init__(self) -> None:
        self.seen: dict[str, list[Request]] = {}

    async def send(self, request: Request) -> AsyncResponse:
        sent = self.seen.setdefault(request.payload["bindings"][0], [])
        sent.append(request)
        await asyncio.sleep(0.001)
        status = [503, 502, 200][len(sent) - 1]
        return AsyncResponse(status, payload={"headers": [], "rows": []} if status == 200 else {"error": "no"})

    async def close(self) -> None: ...


@pytest.fixture
def exported() -> Iterator[tuple[InMemorySpanExporter, Any]]:
    exporter, tracers = InMemorySpanExporter(), TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    meters = MeterProvider(metric_readers=[InMemoryMetricReader()])
    yield exporter, opentelemetry(tracer_provider=tracers, meter_provider=meters)
    tracers.shutdown()
    meters.shutdown()


def span_id(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.span_id)


def test_tasks_at_once_have_spans_of_their_own(exported: tuple[InMemorySpanExporter, Any]) -> None:
    exporter, layer = exported
    server = Server()

    async def main() -> None:
        async with AsyncMesahubClient(
            "shk_1", "http://core:4004", transport=server, middleware=[layer], retry=RetryPolicy(backoff=0)
        ) as client:
            users = client.db("shop").table("users")
            await asyncio.gather(*(users.find(where={"name": f"n{i}"}) for i in range(10)))

    asyncio.run(main())
    spans = list(exporter.get_finished_spans())
    calls = [span for span in spans if span.name == "SELECT users"]
    assert len(calls) == 10
    for call in calls:
        children = [span for span in spans if span.parent and span.parent.span_id == span_id(call)]
        statuses = [dict(child.attributes or {})["http.response.status_code"] for child in children]
        assert statuses == [503, 502, 200]
        assert [event.name for event in call.events] == ["retry", "retry"]
        sent = {f"{span_id(child):016x}" for child in children}
        assert sent in [{one.headers["traceparent"].split("-")[2] for one in each} for each in server.seen.values()]


def test_a_cancelled_call_ends_its_spans(exported: tuple[InMemorySpanExporter, Any]) -> None:
    exporter, layer = exported

    class Silent(Server):
        async def send(self, request: Request) -> AsyncResponse:
            await asyncio.sleep(60)
            raise AssertionError

    async def main() -> None:
        async with AsyncMesahubClient("shk_1", "http://core", transport=Silent(), middleware=[layer]) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await client.query("shop", "SELECT ?", [1])

    asyncio.run(main())
    assert [dict(span.attributes or {})["error.type"] for span in exporter.get_finished_spans()] == [
        "CancelledError"
    ] * 2


def test_the_environment_makes_calls_log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("MESAHUB_LOG", "debug")

    async def main() -> None:
        async with AsyncMesahubClient(
            "shk_1", "http://core", transport=Server(), retry=RetryPolicy(backoff=0)
        ) as client:
            await client.query("shop", "SELECT ?", ["hunter2"])

    logger = logging.getLogger("mesahub")
    before = list(logger.handlers)
    try:
        with caplog.at_level("DEBUG", "mesahub"):
            asyncio.run(main())
    finally:
        logger.handlers[:] = before
    lines = [record.getMessage() for record in caplog.records if record.name == "mesahub"]
    assert [line.split(":")[0] for line in lines if "attempt" not in line] == [lines[-1].split(":")[0]]
    assert sum("attempt" in line for line in lines) == 5
    assert "-> 200 in " in lines[-1]
    assert not [line for line in lines if "hunter2" in line or "shk_1" in line]
