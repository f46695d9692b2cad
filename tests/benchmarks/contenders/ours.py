"""This package."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import workload

import mesahub
from mesahub import MesahubClient

Run = Callable[[int], object]


def client(url: str, transport: str = "urllib", everything: bool = False) -> MesahubClient:
    middleware: list[Any] = []
    if everything:
        from mesahub.middleware import hooks, logging, rate_limit

        middleware = [hooks(before=lambda details: None), logging(), rate_limit(10**9)]
    return MesahubClient(workload.KEY, url, transport=transport, middleware=middleware)


def find_one(url: str, transport: str = "urllib", everything: bool = False) -> Run:
    table = client(url, transport, everything).db("one").table("people")
    find = table.find

    def run(n: int) -> None:
        for i in range(n):
            assert len(find(where={"id": i}, limit=1)) == 1

    return run


def find_traced(url: str, spans: str = "") -> Run:
    """A find on a server, with OpenTelemetry: ``"api"`` without an SDK, ``"call"`` with a span per call, ``"attempts"``
    with one per attempt as well.
    """
    layers: list[Any] = []
    if spans:
        from mesahub.middleware import opentelemetry

        layers = [opentelemetry(**(_providers() if spans != "api" else {}), attempts=spans == "attempts")]
    table = mesahub.connect(url, middleware=layers).table("traced")
    table.insert_many(({"id": i, "name": "x"} for i in range(2000)), "ignore", key="id", create=True)
    find = table.find

    def run(n: int) -> None:
        for i in range(n):
            assert len(find(where={"id": i}, limit=1)) == 1

    return run


def _providers() -> dict[str, Any]:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class Nowhere(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            return SpanExportResult.SUCCESS

    tracers = TracerProvider()
    tracers.add_span_processor(BatchSpanProcessor(Nowhere()))
    return {"tracer_provider": tracers, "meter_provider": MeterProvider([InMemoryMetricReader()])}


def find_many(url: str, name: str, transport: str = "urllib") -> Run:
    table = client(url, transport).db(name).table("people")

    def run(n: int) -> None:
        for _ in range(n):
            table.find(limit=200_000) if name != "hundredthousand" else _uncut(table)

    return run


@dataclass
class Person:
    """A row of the table, as a class."""

    id: int
    name: str
    email: str
    age: int
    city: str


def find_typed(url: str, kind: str) -> Run:
    model: Any = Person
    if kind == "struct":
        import msgspec

        model = msgspec.defstruct("Person", [("id", int), ("name", str), ("email", str), ("age", int), ("city", str)])
    table = client(url).db("hundredthousand").table("people", model)

    def run(n: int) -> None:
        for _ in range(n):
            assert len(table.find()) == 99_999

    return run


def _uncut(table: Any) -> None:
    # Exactly 100,000 rows may have been cut by the server, and are refused; the answer holds one less.
    assert len(table.find()) == 99_999


def threads(url: str, count: int, transport: str = "urllib", pool_size: int = 10) -> Run:
    table = MesahubClient(workload.KEY, url, transport=transport, pool_size=pool_size).db("one").table("people")

    def run(n: int) -> None:
        def work() -> None:
            for i in range(n // count):
                table.find(where={"id": i}, limit=1)

        workers = [threading.Thread(target=work) for _ in range(count)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    return run


def insert_many(url: str, rows: int) -> Run:
    db = mesahub.connect(url)
    data = workload.rows(rows)

    def run(n: int) -> None:
        for _ in range(n):
            db.exec("DROP TABLE IF EXISTS people")
            db.exec(workload.CREATE)
            assert db.table("people").insert_many(data).rows_affected == rows

    return run


def compile_find() -> Run:
    from mesahub.table import TableHandle

    table: Any = TableHandle("users", _Nowhere())
    where, order = workload.PAGE_WHERE, [{"column": "created_at", "direction": "desc"}]

    def run(n: int) -> None:
        for _ in range(n):
            table.find(where, None, order, 10, 20)

    return run


class _Nowhere:
    """Takes the place of a database, so that a find ends when it is compiled."""

    name = "db"

    def __init__(self) -> None:
        self.client = self

    def run_query(self, ref: str, statement: Any, **options: Any) -> Any:
        return mesahub.QueryResult(rows=[])


def _embedded(folder: str) -> Any:
    db = mesahub.connect("mh://local/bench", data=folder)
    db.exec("DROP TABLE IF EXISTS people")
    db.exec(workload.CREATE)
    return db


def local_get(folder: str) -> Run:
    table = _embedded(folder).table("people")
    table.insert_many(workload.rows(1000))

    def run(n: int) -> None:
        for i in range(n):
            assert table.find(where={"id": i % 1000}, limit=1)

    return run


def local_thousand(folder: str) -> Run:
    table = _embedded(folder).table("people")
    table.insert_many(workload.rows(1000))

    def run(n: int) -> None:
        for _ in range(n):
            assert len(table.find()) == 1000

    return run


def local_tuples(folder: str) -> Run:
    db = _embedded(folder)
    db.table("people").insert_many(workload.rows(1000))

    def run(n: int) -> None:
        for _ in range(n):
            assert len(db.rows("SELECT * FROM people").tuples()) == 1000

    return run


def local_insert(folder: str) -> Run:
    table = _embedded(folder).table("people")
    count = 0

    def run(n: int) -> None:
        nonlocal count
        for row in workload.rows(n, count):
            table.insert(row)
        count += n

    return run


def local_insert_many(folder: str) -> Run:
    db = _embedded(folder)
    data = workload.rows(50_000)

    def run(n: int) -> None:
        for _ in range(n):
            db.exec("DELETE FROM people")
            db.table("people").insert_many(data)

    return run


def upload(url: str, path: str) -> Run:
    files = mesahub.connect(url).files

    def run(n: int) -> None:
        for _ in range(n):
            files.delete(files.upload(Path(path), "big.txt", "text/plain")["id"])

    return run


def download(url: str, path: str, target: str) -> Run:
    files = mesahub.connect(url).files
    record = files.upload(Path(path), "big.txt", "text/plain")

    def run(n: int) -> None:
        for _ in range(n):
            files.download_to(record["id"], target)

    return run


def replay_find(folder: str) -> Run:
    options: dict[str, Any] = {"transport": "recorder", "cassette": f"{folder}/replay.json"}
    Path(options["cassette"]).unlink(missing_ok=True)
    with mesahub.connect("mh://local/rec", mode="record", inner="embedded", data=folder, **options) as db:
        db.exec("DROP TABLE IF EXISTS people")
        db.exec(workload.CREATE)
        db.table("people").insert_many(workload.rows(20))
        db.table("people").find(where={"age": {"gte": 5}}, order_by=["id"], limit=10)
    db = mesahub.connect("mh://local/rec", **options)
    db.exec("DROP TABLE IF EXISTS people")
    db.exec(workload.CREATE)
    db.table("people").insert_many(workload.rows(20))
    find = db.table("people").find

    def run(n: int) -> None:
        for _ in range(n):
            find(where={"age": {"gte": 5}}, order_by=["id"], limit=10)

    return run


def compile_and_decode(folder: str) -> Run:
    """The same find, with a transport that has the answer's JSON ready: what is left is compiling and decoding."""
    from mesahub.transport import Request, Response

    body = workload.answer(10)

    class Ready:
        def send(self, request: Request) -> Response:
            return Response(200, content=body)

        def close(self) -> None: ...

    find = MesahubClient(transport=Ready()).db("rec").table("people").find

    def run(n: int) -> None:
        for _ in range(n):
            find(where={"age": {"gte": 5}}, order_by=["id"], limit=10)

    return run


def load_cassette(folder: str, count: int) -> Run:
    from mesahub_recorder.call import Call
    from mesahub_recorder.cassette import Cassette, Interaction
    from mesahub_recorder.player import Player
    from mesahub_recorder.redaction.filter import Filter

    cassette = Cassette(f"{folder}/many.json")
    for number, row in enumerate(workload.rows(count)):
        call = Call("query", "db", workload.SQL, [number, 1])
        columns = [[name, "TEXT"] for name in workload.COLUMNS]
        cassette.interactions.append(Interaction(call, {"columns": columns, "rows": [list(row.values())]}))
    cassette.save()

    def run(n: int) -> None:
        for _ in range(n):
            Player(Cassette.load(cassette.path), Filter(), repeats=True)

    return run
