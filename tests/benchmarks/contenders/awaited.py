"""Finds on an event loop: mesahub.aio, and clients by themselves. ``at_once``: how many are under way together."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import workload

Run = Callable[[int], object]
Find = Callable[[], Coroutine[Any, Any, Any]]
HEADERS = {"Authorization": f"Bearer {workload.KEY}", "Content-Type": "application/json"}
POOL = 100


def _run(loop: asyncio.AbstractEventLoop, find: Find, at_once: int) -> Run:
    loop.set_exception_handler(lambda *_: None)  # nothing is closed at the end

    async def worker(counter: list[int]) -> None:
        while counter[0] > 0:
            counter[0] -= 1
            assert len(await find()) == 1

    async def all_of_them(n: int) -> None:
        counter = [n]
        if at_once == 1:
            await worker(counter)
        else:
            await asyncio.gather(*[worker(counter) for _ in range(at_once)])

    return lambda n: loop.run_until_complete(all_of_them(n))


def mesahub(url: str, at_once: int, transport: str = "asyncio") -> Run:
    from mesahub import aio

    loop = asyncio.new_event_loop()

    async def make() -> Any:
        return aio.AsyncMesahubClient(workload.KEY, url, transport=transport, pool_size=POOL).db("one").table("people")

    table = loop.run_until_complete(make())
    return _run(loop, lambda: table.find(where={"id": 5}, limit=1), at_once)


def aiohttp(url: str, at_once: int) -> Run:
    import aiohttp as library

    loop = asyncio.new_event_loop()

    async def make() -> Any:
        return library.ClientSession(connector=library.TCPConnector(limit=POOL))

    session = loop.run_until_complete(make())
    target = f"{url}/v1/query/one"

    async def find() -> list[Any]:
        async with session.post(target, data=workload.BODY, headers=HEADERS) as response:
            rows: list[Any] = json.loads(await response.read())["rows"]
            return rows

    return _run(loop, find, at_once)


def httpx(url: str, at_once: int) -> Run:
    import httpx as library

    loop = asyncio.new_event_loop()
    limits = library.Limits(max_connections=POOL, max_keepalive_connections=POOL)
    client = library.AsyncClient(timeout=None, limits=limits)  # with its default, a thousand at once are too late
    target = f"{url}/v1/query/one"

    async def find() -> list[Any]:
        response = await client.post(target, content=workload.BODY, headers=HEADERS)
        rows: list[Any] = response.json()["rows"]
        return rows

    return _run(loop, find, at_once)
