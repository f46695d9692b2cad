"""OpenTelemetry, seen by the SDK's in-memory exporter and reader."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import mesahub
from mesahub import AmbiguousResultError, IntegrityError, MesahubClient, NotSentError, RetryPolicy
from mesahub.errors import ConfigurationError, ConnectionLostError, Outcome
from mesahub.middleware import Handler, opentelemetry
from mesahub.transport import Request, Response
from tests.middleware.server import Server as PlainServer

KEY = "shk_very_secret"
SECRET = "hunter2"


class Server(PlainServer):
    error = f"no {SECRET}"


class Recorded:
    """What was exported."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider(metric_readers=[self.reader])

    def middleware(self, **options: Any) -> Any:
        return opentelemetry(tracer_provider=self.tracers, meter_provider=self.meters, **options)

    def client(self, *answers: Any, **options: Any) -> MesahubClient:
        options.setdefault("middleware", [self.middleware()])
        options.setdefault("retry", RetryPolicy(backoff=0))
        return MesahubClient(KEY, "http://core:4004", transport=Server(*answers), **options)

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    @property
    def calls(self) -> list[ReadableSpan]:
        return [span for span in self.spans if span.attributes and "db.system.name" in span.attributes]

    def children(self, call: ReadableSpan) -> list[ReadableSpan]:
        assert call.context is not None
        return [span for span in self.spans if span.parent and span.parent.span_id == call.context.span_id]

    def points(self) -> list[Any]:
        data = self.reader.get_metrics_data()
        if data is None:
            return []
        metrics = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics]
        assert [(metric.name, metric.unit) for metric in metrics] == [("db.client.operation.duration", "s")]
        return list(metrics[0].data.data_points)

    def text(self) -> str:
        """Everything that left."""
        parts: list[str] = []
        for span in self.spans:
            parts += [span.name, str(dict(span.attributes or {})), str(span.status.description)]
            parts += [f"{event.name} {dict(event.attributes or {})}" for event in span.events]
        return "\n".join([*parts, *(str(dict(point.attributes)) for point in self.points())])


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    made = Recorded()
    yield made
    made.tracers.shutdown()
    made.meters.shutdown()


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_a_call_of_three_attempts_is_a_span_with_three_children_and_two_events(recorded: Recorded) -> None:
    with recorded.client(503, 502, 200) as client:
        client.db("shop").table("users").find(where={"name": SECRET})
    (call,) = recorded.calls
    assert call.name == "SELECT users"
    assert call.kind is SpanKind.CLIENT
    assert call.status.status_code is StatusCode.UNSET
    text = attributes(call).pop("db.query.text")
    assert text == 'SELECT * FROM "users" WHERE "users"."name" = ?'
    assert attributes(call) == {
        "db.system.name": "sqlite",
        "db.namespace": "shop",
        "db.operation.name": "SELECT",
        "db.collection.name": "users",
        "db.query.summary": "SELECT users",
        "db.query.text": text,
        "db.response.returned_rows": 0,
        "server.address": "core",
        "server.port": 4004,
    }
    assert [(event.name, (event.attributes or {})["error.type"]) for event in call.events] == [
        ("retry", "HTTP 503"),
        ("retry", "HTTP 502"),
    ]
    children = recorded.children(call)
    assert [attributes(child)["http.response.status_code"] for child in children] == [503, 502, 200]
    assert [attributes(child).get("http.request.resend_count") for child in children] == [None, 1, 2]
    assert [attributes(child).get("error.type") for child in children] == ["503", "502", None]
    assert {child.name for child in children} == {"POST"}
    assert attributes(children[0])["url.full"] == "http://core:4004/v1/query/shop"
    assert len(recorded.spans) == 4


def test_each_attempt_sends_its_own_context(recorded: Recorded) -> None:
    server = Server(503, 200)
    with MesahubClient(
        KEY, "http://core", transport=server, middleware=[recorded.middleware()], retry=RetryPolicy(backoff=0)
    ) as client:
        client.query("shop", "SELECT 1")
    (call,) = recorded.calls
    sent = [request.headers["traceparent"][:-3] for request in server.sent]
    assert call.context is not None
    assert sent == [
        f"00-{call.context.trace_id:032x}-{child.context.span_id:016x}"
        for child in recorded.children(call)
        if child.context
    ]


def test_without_attempts_the_call_sends_its_context(recorded: Recorded) -> None:
    server = Server(503, 200)
    options: dict[str, Any] = {"middleware": [recorded.middleware(attempts=False)], "retry": RetryPolicy(backoff=0)}
    with MesahubClient(KEY, "http://core", transport=server, **options) as client:
        client.query("shop", "SELECT 1")
    (call,) = recorded.spans
    assert call.context is not None
    assert {request.headers["traceparent"].split("-")[2] for request in server.sent} == {f"{call.context.span_id:016x}"}
    assert len(call.events) == 1


def test_a_call_is_a_child_of_the_application_s_span(recorded: Recorded) -> None:
    with recorded.client() as client, recorded.tracers.get_tracer("app").start_as_current_span("request") as outer:
        client.query("shop", "SELECT 1")
        seen = outer.get_span_context().span_id
    (call,) = recorded.calls
    assert call.parent is not None
    assert call.parent.span_id == seen


@pytest.mark.parametrize(
    ("answers", "call", "error", "status"),
    [
        ([Response(400, payload={"error": "UNIQUE constraint failed: t.a"})], "exec", "IntegrityError", "400"),
        ([Response(401, payload={"error": "x"})], "query", "AuthenticationError", "401"),
        ([ConnectionLostError("gone", outcome=Outcome.MAYBE_RAN)], "exec", "AmbiguousResultError", None),
        ([502], "exec", "AmbiguousResultError", "502"),
        ([NotSentError("x")] * 3, "query", "NotSentError", None),
        ([503, 503, 503], "query", "ServerError", "503"),
    ],
)
def test_a_failed_call_has_the_error_s_type_and_nothing_of_its_text(
    recorded: Recorded, answers: list[Any], call: str, error: str, status: str | None
) -> None:
    sql = "SELECT 1" if call == "query" else "INSERT INTO t (a) VALUES (?)"
    with recorded.client(*answers) as client, pytest.raises(mesahub.MesahubError) as caught:
        getattr(client, call)("shop", sql, [] if call == "query" else [SECRET])
    assert type(caught.value).__name__ == error
    (span,) = recorded.calls
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description is None
    assert attributes(span)["error.type"] == error
    assert attributes(span).get("db.response.status_code") == status
    assert len(span.events) == len(recorded.children(span)) - 1 == len(caught.value.attempts) - 1
    (point,) = recorded.points()
    assert point.attributes["error.type"] == error


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"<html>log in</html>", "AmbiguousResultError"),
        (b"[1]", "AmbiguousResultError"),
        (b"", "UnrepresentableResultError"),
    ],
)
def test_a_200_that_is_not_a_result_is_an_error(recorded: Recorded, content: bytes, error: str) -> None:
    with recorded.client(Response(200, content=content)) as client, pytest.raises(mesahub.MesahubError) as caught:
        client.exec("shop", "DELETE FROM t WHERE a = ?", [SECRET])
    assert type(caught.value).__name__ == error
    assert attributes(recorded.calls[0])["error.type"] == error


@pytest.mark.parametrize("name", ["tracer_provider", "meter_provider"])
def test_what_is_not_a_provider_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} must have get_"):
        opentelemetry(**{name: "x"})  # type: ignore[arg-type]


def test_an_interrupt_ends_the_spans(recorded: Recorded) -> None:
    with recorded.client(KeyboardInterrupt()) as client, pytest.raises(KeyboardInterrupt):
        client.query("shop", "SELECT 1")
    assert [attributes(span)["error.type"] for span in recorded.spans] == ["KeyboardInterrupt"] * 2


CALLS: list[tuple[str, Callable[[Any], object], str]] = [
    ("literals", lambda db: db.query(f"SELECT '{SECRET}', 77123, x'77123a' -- {SECRET}"), "SELECT ?, ?, ?"),
    (
        "strings in double quotes",
        lambda db: db.query(f'SELECT a FROM "t" WHERE a = "{SECRET}"'),
        'FROM "t" WHERE a = ?',
    ),
    ("names with dots", lambda db: db.query('SELECT "t"."a" FROM t WHERE "t" . "a" > 5'), 'SELECT "t"."a" FROM t'),
    ("bindings", lambda db: db.query("SELECT :a", {"a": SECRET}), "SELECT :a"),
    ("pragma", lambda db: db.exec(f"PRAGMA user_version = {77123}"), "PRAGMA user_version = ?"),
    ("a bulk insert", lambda db: db.table("t").insert_many([{"a": SECRET}] * 50), 'INSERT INTO "t" ("a") VALUES (?)'),
    ("rows", lambda db: db.rows(f"SELECT '{SECRET}' AS a"), "SELECT ? AS a"),
    ("a batch", lambda db: db.batch([("INSERT INTO t (a) VALUES (?)", [SECRET])] * 3), "INSERT INTO t (a) VALUES (?)"),
]


@pytest.mark.parametrize(("call", "shown"), [each[1:] for each in CALLS], ids=[each[0] for each in CALLS])
def test_no_value_and_no_key_is_in_what_is_exported(
    recorded: Recorded, tmp_path: Any, call: Callable[[Any], object], shown: str
) -> None:
    with mesahub.connect("mh://local/shop", data=str(tmp_path)) as plain:
        plain.exec("CREATE TABLE t (a TEXT UNIQUE, b)")
    with mesahub.connect("mh://local/shop", data=str(tmp_path), middleware=[recorded.middleware()]) as db:
        try:
            call(db)
        except mesahub.MesahubError as error:
            assert isinstance(error, (IntegrityError, mesahub.SQLError))  # noqa: PT017
    text = recorded.text()
    assert shown in text
    assert not re.search(f"{SECRET}|77123|{KEY}", text)


def test_a_batch_is_one_span_with_its_size(recorded: Recorded, tmp_path: Any) -> None:
    with mesahub.connect("mh://local/shop", data=str(tmp_path), middleware=[recorded.middleware()]) as db:
        db.exec("CREATE TABLE t (a)")
        with db.batch() as batch:
            batch.table("t").insert({"a": 1})
            batch.table("t").insert({"a": 2})
        db.batch([("INSERT INTO t VALUES (1)"), "DELETE FROM t"])
        db.batch([("INSERT INTO t VALUES (1)")])
    _, same, mixed, one = recorded.spans
    assert (same.name, attributes(same)["db.operation.batch.size"]) == ("BATCH INSERT t", 2)
    assert (mixed.name, attributes(mixed)["db.operation.batch.size"]) == ("BATCH shop", 2)
    assert attributes(mixed)["db.query.text"] == "INSERT INTO t VALUES (?); DELETE FROM t"
    assert "db.operation.batch.size" not in attributes(one)


def test_in_process_calls_are_internal_and_have_no_children(recorded: Recorded, tmp_path: Any) -> None:
    with mesahub.connect("mh://local/shop", data=str(tmp_path), middleware=[recorded.middleware()]) as db:
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a)")
        db.table("t").insert({"a": 1})
        db.table("t").find()
        with db.transaction() as tx:
            tx.table("t").count()
    assert {span.kind for span in recorded.spans} == {SpanKind.INTERNAL}
    assert [span.name for span in recorded.spans] == ["CREATE shop", "INSERT t", "SELECT t", "SELECT t"]
    assert attributes(recorded.spans[2])["db.response.returned_rows"] == 1
    assert "server.address" not in attributes(recorded.spans[0])


def test_calls_without_a_statement_are_named_after_their_operation(recorded: Recorded, tmp_path: Any) -> None:
    with mesahub.connect("mh://local/shop", data=str(tmp_path), middleware=[recorded.middleware()]) as db:
        db.files.upload(b"abc", "a.txt")
    assert [span.name for span in recorded.spans] == ["files.upload shop"]


def test_no_id_is_in_a_url(recorded: Recorded) -> None:
    with recorded.client(404, 404) as client:
        for call in (lambda: client.admin.api_keys.revoke(KEY), lambda: client.db("shop").files.meta("77123")):
            with pytest.raises(mesahub.NotFoundError):
                call()
    urls = [attributes(span)["url.full"] for span in recorded.spans if "url.full" in attributes(span)]
    assert urls == ["http://core:4004/api/apikeys/*", "http://core:4004/v1/files/shop/*/meta"]


def test_several_addresses_are_named_by_the_one_that_answered(recorded: Recorded) -> None:
    sent: list[str] = []

    class Node:
        def __init__(self, options: Any) -> None:
            self.url = options.base_url

        def send(self, request: Request) -> Response:
            sent.append(self.url)
            if self.url == "http://one:1":
                raise NotSentError("down")
            return Response(200, payload={"headers": [], "rows": []})

        def close(self) -> None: ...

    with MesahubClient(
        KEY, ["http://one:1", "http://two:2"], transport=Node, middleware=[recorded.middleware()]
    ) as client:
        client.query("shop", "SELECT 1")
    assert sent == ["http://one:1", "http://two:2"]
    for span in recorded.spans:
        assert (attributes(span)["server.address"], attributes(span)["server.port"]) == ("two", 2)


def test_an_error_within_a_200_of_another_engine_is_an_error(recorded: Recorded) -> None:
    answer = Response(200, payload={"results": [{"error": "UNIQUE constraint failed: t.a"}]})
    url = f"rqlite://user:{SECRET}@core:4001/"
    db = mesahub.connect(url, transport=Server(answer), middleware=[recorded.middleware()])
    with db, pytest.raises(IntegrityError):
        db.table("t").insert({"a": SECRET})
    (call,) = recorded.calls
    assert (call.name, attributes(call)["error.type"]) == ("INSERT t", "IntegrityError")
    assert (attributes(call)["server.address"], attributes(call)["server.port"]) == ("core", 4001)
    assert "db.response.status_code" not in attributes(call)
    assert SECRET not in recorded.text()


def test_the_duration_has_the_conventions_buckets_and_no_statement(recorded: Recorded) -> None:
    with recorded.client() as client:
        client.query("shop", "SELECT 1")
        client.query("shop", "SELECT 2")
    (point,) = recorded.points()
    assert point.count == 2
    assert tuple(point.explicit_bounds) == (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)
    assert dict(point.attributes) == {
        "db.system.name": "sqlite",
        "db.namespace": "shop",
        "db.operation.name": "SELECT",
        "server.address": "core",
        "server.port": 4004,
    }


@pytest.mark.parametrize("before", [4076, 4077, 4078, 4083, 4090, 4095])
@pytest.mark.parametrize("literal", ["'hunter2 hunter2'", '"hunter2 hunter2"', "x'77123771237712'", "7712377123771237"])
def test_long_query_text_is_cut_without_showing_a_value(recorded: Recorded, before: int, literal: str) -> None:
    sql = f"SELECT {'a' * (before - 7)}, {literal} FROM t"
    with recorded.client() as client:
        client.query("shop", sql)
    text = attributes(recorded.calls[0])["db.query.text"]
    assert 4000 < len(text) <= 4096
    assert not re.search(r"hun|771", text)


def test_query_text_can_be_left_out(recorded: Recorded) -> None:
    with recorded.client(middleware=[recorded.middleware(query_text=False)]) as client:
        client.query("shop", "SELECT 1")
    assert "db.query.text" not in attributes(recorded.calls[0])


def test_one_middleware_serves_several_clients(recorded: Recorded) -> None:
    shared = recorded.middleware()
    for port in (1, 2):
        with MesahubClient(KEY, f"http://core:{port}", transport=Server(), middleware=[shared]) as client:
            client.query("shop", "SELECT 1")
    assert [attributes(span)["server.port"] for span in recorded.calls] == [1, 2]


def test_middleware_sees_the_table_the_verb_and_the_attempt() -> None:
    seen: list[tuple[Any, ...]] = []

    def note(request: Request, forward: Handler) -> Response:
        seen.append((request.verb, request.collection, request.statements, request.attempt))
        return forward(request)

    note.inside_retry = True  # type: ignore[attr-defined]
    with MesahubClient(
        KEY, "http://core", transport=Server(503, 200), middleware=[note], retry=RetryPolicy(backoff=0), timeout=None
    ) as client:
        client.db("shop").table("users").find()
        client.query("shop", "WITH a AS (SELECT 1) SELECT * FROM a")
    assert seen == [("select", "users", 1, 1), ("select", "users", 1, 2), ("select", None, 1, 1)]


def test_a_response_after_retries_has_what_was_tried() -> None:
    seen: list[Any] = []

    def note(request: Request, forward: Handler) -> Response:
        response = forward(request)
        seen.extend(attempt.what for attempt in response.attempts)
        return response

    with MesahubClient(
        KEY,
        "http://core",
        transport=Server(503, NotSentError("x"), 200),
        middleware=[note],
        retry=RetryPolicy(backoff=0),
    ) as client:
        client.query("shop", "SELECT 1")
    assert seen == ["HTTP 503", "NotSentError"]


def test_without_the_api_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from mesahub.middleware import opentelemetry\n"
        "from mesahub import ConfigurationError\n"
        "try: opentelemetry()\n"
        "except ConfigurationError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install opentelemetry-api" in done.stdout


def test_it_cannot_be_called_itself() -> None:
    with pytest.raises(ConfigurationError, match="to a client"):
        opentelemetry()(Request("query", "POST", "/"), lambda request: Response(200))


def test_an_ambiguous_write_is_one_span(recorded: Recorded) -> None:
    with recorded.client(504) as client, pytest.raises(AmbiguousResultError):
        client.exec("shop", "DELETE FROM t WHERE a = ?", [SECRET])
    assert [span.name for span in recorded.spans] == ["POST", "DELETE shop"]
    assert SECRET not in recorded.text()
