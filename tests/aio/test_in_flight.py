"""insert_many with two requests on their way at once, awaited."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import mesahub.aio
from mesahub import ArgumentError, IntegrityError
from mesahub._calls.plans import bulk_insert
from mesahub.transport import AsyncResponse, Request
from tests.servers import Server


def rows(count: int) -> list[dict[str, Any]]:
    return [{"id": n, "n": n} for n in range(count)]


def test_two_requests_are_on_their_way(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_insert, "SHARED_BYTES", 300)
    now = most = 0

    async def watch(request: Request, forward: Any) -> AsyncResponse:
        nonlocal now, most
        bulk = bool(request.payload and request.payload.get("rows"))
        now += bulk
        most = max(most, now)
        try:
            response: AsyncResponse = await forward(request)
            return response
        finally:
            now -= bulk

    async def main() -> None:
        url = server.url(server.new_database("aio-in-flight"))
        async with mesahub.aio.connect(url, middleware=[watch]) as db:
            await db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)")
            table = db.table("t")
            assert (await table.insert_many(rows(200), in_flight=2)).rows_affected == 200
            assert most == 2
            assert {row["id"] for row in await table.find()} == set(range(200))
            with pytest.raises(IntegrityError) as caught:
                await table.insert_many([{"id": n, "n": n} for n in range(1000, 1200)] + rows(1), in_flight=2)
            inside = await table.count({"id": {"gte": 1000}})
            assert caught.value.details["rows_inserted"] == inside
            with pytest.raises(ArgumentError, match="on_conflict needs theirs"):
                await table.insert_many(rows(3), "ignore", in_flight=2)
        assert [task for task in asyncio.all_tasks() if task.get_name() == "mesahub-ahead"] == []

    asyncio.run(main())
