"""Statements that take their time, and a transport to run them on."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from mesahub.transport import Request, TransportOptions
from mesahub_embedded import AsyncEmbeddedTransport

FOREVER = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT count(*) AS c FROM n"
)
ENDLESS_INSERT = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) INSERT INTO t SELECT i FROM n"
)


def query(sql: str, *bindings: Any, timeout: float | None = 20.0) -> Request:
    return Request("query", "POST", "/", database="demo", payload=payload_of(sql, bindings), safe=True, timeout=timeout)


def execute(sql: str, *bindings: Any, timeout: float | None = 20.0) -> Request:
    return Request("exec", "POST", "/", database="demo", payload=payload_of(sql, bindings), timeout=timeout)


def payload_of(sql: str, bindings: tuple[Any, ...] = ()) -> dict[str, Any]:
    """What a statement is, to a transport in this process."""
    return {"sql": sql, "bindings": list(bindings)}


@asynccontextmanager
async def embedded(**options: Any) -> AsyncIterator[AsyncEmbeddedTransport]:
    transport = AsyncEmbeddedTransport(TransportOptions(options=options))
    try:
        await transport.send(execute("CREATE TABLE t (i INTEGER)"))
        yield transport
    finally:
        await transport.close()


def run(options: dict[str, Any], use: Callable[[AsyncEmbeddedTransport], Coroutine[Any, Any, Any]]) -> Any:
    async def main() -> Any:
        async with asyncio.timeout(30), embedded(**options) as transport:
            return await use(transport)

    return asyncio.run(main())


async def rows(transport: Any, sql: str = "SELECT count(*) AS c FROM t") -> Any:
    return (await transport.send(query(sql))).payload["rows"]


async def started(task: asyncio.Task[Any], seconds: float = 0.1) -> None:
    """Let a task's statement run for a while."""
    await asyncio.sleep(seconds)
    assert not task.done()


def working_threads() -> list[str]:
    """Threads that carry out a statement just now."""
    frames = sys._current_frames()
    busy = []
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        while frame is not None:
            if frame.f_code.co_name == "send" and "mesahub_embedded" in frame.f_code.co_filename:
                busy.append(thread.name)
                break
            frame = frame.f_back
    return busy
