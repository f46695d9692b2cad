"""The recorder for asyncio: the same cassettes, recorded and replayed."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from mesahub.errors import ConfigurationError, ConnectionLostError, NotSentError
from mesahub.transport import AsyncResponse, FileBody, Request, Response, TransportOptions
from mesahub.transport.asynchronous.registry import find_async_factory, open_async_transport
from mesahub.transport.registry import open_transport
from mesahub_recorder import AsyncRecorderTransport, CassetteDriftError, CassetteMissError, RecorderTransport


def query(sql: str, *bindings: Any) -> Request:
    payload = {"sql": sql, "bindings": list(bindings)}
    return Request("query", "POST", "/", database="demo", payload=payload, safe=True)


def execute(sql: str, *bindings: Any) -> Request:
    return Request("exec", "POST", "/", database="demo", payload={"sql": sql, "bindings": list(bindings)})


SESSION = [
    execute("CREATE TABLE t (i INTEGER, b BLOB)"),
    query("SELECT * FROM t"),
    execute("INSERT INTO t VALUES (?, ?)", 1, b"\xff"),
    query("SELECT * FROM t"),
    query("SELECT * FROM missing"),
]


def seen(response: Response) -> tuple[int, Any]:
    payload = response.payload
    return response.status, payload.get("rows", payload.get("rowsAffected", payload.get("error")))


def blocking(path: Path, data: Path, **options: Any) -> list[tuple[int, Any]]:
    given = {"cassette": path, "inner": "embedded", "data": data, **options}
    recorder = RecorderTransport(TransportOptions(options=given, open=open_transport))
    try:
        return [seen(recorder.send(request)) for request in SESSION]
    finally:
        recorder.close()


def run(
    path: Path,
    use: Callable[[AsyncRecorderTransport], Coroutine[Any, Any, Any]],
    **options: Any,
) -> Any:
    async def main() -> Any:
        given = {"cassette": path, **options}
        recorder = AsyncRecorderTransport(TransportOptions(options=given, open=open_async_transport))
        try:
            return await asyncio.wait_for(use(recorder), 30)
        finally:
            await recorder.close()

    return asyncio.run(main())


async def whole(recorder: AsyncRecorderTransport) -> list[tuple[int, Any]]:
    return [seen(await recorder.send(request)) for request in SESSION]


def test_it_is_found_by_its_name() -> None:
    assert find_async_factory("recorder") is AsyncRecorderTransport


def test_cassettes_of_blocking_and_asynchronous_recorders_are_the_same(tmp_path: Path) -> None:
    first = blocking(tmp_path / "blocking.json", tmp_path / "a", mode="record")
    options = {"mode": "record", "inner": "embedded", "data": tmp_path / "b"}
    assert run(tmp_path / "async.json", whole, **options) == first
    recorded = [json.loads((tmp_path / f"{name}.json").read_text()) for name in ("blocking", "async")]
    assert recorded[0]["interactions"] == recorded[1]["interactions"]
    assert run(tmp_path / "blocking.json", whole, unused="fail") == first
    assert blocking(tmp_path / "async.json", tmp_path / "c", unused="fail") == first


def test_replay_needs_no_inner_transport_and_misses_what_was_not_recorded(tmp_path: Path) -> None:
    blocking(tmp_path / "c.json", tmp_path / "a", mode="record")

    async def use(recorder: AsyncRecorderTransport) -> None:
        with pytest.raises(CassetteMissError):
            await recorder.send(query("SELECT 2"))
        await recorder.close()
        with pytest.raises(ConfigurationError, match="closed"):
            await recorder.send(SESSION[0])

    run(tmp_path / "c.json", use)


def test_verify_reports_what_differs(tmp_path: Path) -> None:
    blocking(tmp_path / "c.json", tmp_path / "a", mode="record")

    async def use(recorder: AsyncRecorderTransport) -> None:
        await recorder.send(execute("CREATE TABLE t (i INTEGER, b BLOB)"))
        await recorder.send(execute("INSERT INTO t VALUES (?, ?)", 1, b"\xff"))
        await recorder.send(query("SELECT * FROM missing"))
        await recorder.send(query("SELECT 5"))

    with pytest.raises(CassetteDriftError):
        run(tmp_path / "c.json", use, mode="verify", inner="embedded", data=tmp_path / "b")


class Inner:
    """An asynchronous transport that answers as a test says."""

    def __init__(self, answer: Callable[[Request], Any]) -> None:
        self.answer = answer
        self.closed = False

    async def send(self, request: Request, /) -> AsyncResponse:
        await asyncio.sleep(0)
        answer = self.answer(request)
        response: AsyncResponse = await answer if asyncio.iscoroutine(answer) else answer
        return response

    async def close(self) -> None:
        self.closed = True


class Stream:
    def __init__(self, content: bytes) -> None:
        self.file = io.BytesIO(content)
        self.closed = False

    async def read(self, size: int = -1, /) -> bytes:
        return self.file.read(size)

    async def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("size", [10, 3_000_000])
def test_downloads_and_uploads(tmp_path: Path, size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    streams = [Stream(content)]

    def answer(request: Request) -> AsyncResponse:
        if request.operation == "files.upload":
            return AsyncResponse(201, payload={"id": "1"})
        return AsyncResponse(200, {"content-type": "application/octet-stream"}, async_stream=streams.pop())

    inner = Inner(answer)

    async def use(recorder: AsyncRecorderTransport) -> None:
        body = FileBody(len(content), lambda: io.BytesIO(content))
        made = await recorder.send(Request("files.upload", "POST", "/f", database="db", body=body))
        assert made.payload == {"id": "1"}
        response = await recorder.send(Request("files.download", "GET", "/f/1", database="db", streams=True, safe=True))
        assert response.async_stream is not None
        assert await response.async_stream.read(5) == content[:5]
        assert await response.aread() == content[5:]

    run(tmp_path / "c.json", use, mode="record", inner=inner)
    assert not inner.closed  # it was given
    run(tmp_path / "c.json", use, unused="fail")


def test_cancelled_call_is_not_recorded(tmp_path: Path) -> None:
    async def never() -> AsyncResponse:
        await asyncio.sleep(60)
        raise AssertionError

    inner = Inner(lambda request: never() if request.payload["bindings"] else AsyncResponse(200, payload={"rows": []}))

    async def use(recorder: AsyncRecorderTransport) -> None:
        task = asyncio.ensure_future(recorder.send(query("SELECT ?", 1)))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await recorder.send(query("SELECT 1"))

    run(tmp_path / "c.json", use, mode="record", inner=inner)
    cassette = json.loads((tmp_path / "c.json").read_text())
    assert [each["sql"] for each in cassette["interactions"] if each] == ["SELECT 1"]


def test_failures_are_recorded_on_request(tmp_path: Path) -> None:
    def fail(request: Request) -> AsyncResponse:
        raise ConnectionLostError("lost")

    async def use(recorder: AsyncRecorderTransport) -> None:
        with pytest.raises(ConnectionLostError, match="lost"):
            await recorder.send(query("SELECT 1"))

    run(tmp_path / "c.json", use, mode="record", inner=Inner(fail), record_failures=True)
    run(tmp_path / "c.json", use)


def test_calls_side_by_side_are_marked(tmp_path: Path) -> None:
    inner = Inner(lambda request: AsyncResponse(200, payload={"headers": [], "rows": []}))

    async def use(recorder: AsyncRecorderTransport) -> None:
        await asyncio.gather(*[recorder.send(query("SELECT ?", number)) for number in range(10)])

    run(tmp_path / "c.json", use, mode="record", inner=inner)
    run(tmp_path / "c.json", use, unused="fail")


def test_injected_delay_does_not_block_the_loop(tmp_path: Path) -> None:
    blocking(tmp_path / "c.json", tmp_path / "a", mode="record")

    async def use(recorder: AsyncRecorderTransport) -> None:
        task = asyncio.ensure_future(recorder.send(SESSION[0]))
        for _ in range(3):
            await asyncio.sleep(0)  # a blocked loop would come back from it when the delay is over
        assert not task.done()
        await task
        with pytest.raises(NotSentError):
            await recorder.send(SESSION[1])

    faults = [{"do": "delay", "seconds": 0.3}, {"do": "refuse", "on": "query"}]
    run(tmp_path / "c.json", use, inject=faults)


def test_discard_writes_nothing_and_closes_the_inner_transport(tmp_path: Path) -> None:
    inner = Inner(lambda request: AsyncResponse(200, payload={"headers": [], "rows": []}))

    async def use(recorder: AsyncRecorderTransport) -> None:
        await recorder.send(query("SELECT 1"))
        assert await recorder.discard()
        assert not await recorder.discard()

    run(tmp_path / "c.json", use, mode="record", inner=lambda options: inner)
    assert inner.closed
    assert not (tmp_path / "c.json").exists()
