"""Schedules of faults under tasks that are cancelled and run out of time: each write is as its caller learned."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import closing
from typing import Any

import pytest

import mesahub
import mesahub.aio
from mesahub import AmbiguousResultError, MesahubError, ResultError, RetryPolicy
from mesahub.aio import AsyncDatabaseHandle, AsyncMesahubClient
from tests.faults.proxy import FAULTS, FaultProxy
from tests.faults.workload import Report, check, prepare
from tests.servers import ADMIN_TOKEN, Server

TIMEOUT = 0.5
TASKS = 8
RETRY = RetryPolicy(4, backoff=0.002, throttled_backoff=0.005, throttle_window=0.01, budget=10_000)


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultProxy]:
    with closing(FaultProxy(server.host, server.port, stall=TIMEOUT + 0.2)) as made:
        yield made


def note_of(error: BaseException) -> str:
    """What a cancelled call says of its write, on the exception or on what it was raised for."""
    notes: list[str] = []
    each: BaseException | None = error
    while each is not None:
        notes += getattr(each, "__notes__", [])
        each = each.__cause__
    return " ".join(notes)


async def write(db: AsyncDatabaseHandle, kind: str, key: str, timeout: float) -> None:
    if kind == "insert":
        await db.exec("INSERT INTO plain VALUES (?, 1)", [key], timeout=timeout)
    else:
        await db.table("keyed").insert_many(
            [{"key": key, "thread": 1}], on_conflict="ignore", idempotent=True, timeout=timeout
        )


async def work(db: AsyncDatabaseHandle, name: str, calls: int, report: Report) -> None:
    """Reads and writes, of which a fifth is cancelled and a tenth has a deadline of the application's."""
    choose = random.Random(name)
    for index in range(calls):
        key = f"{name}-{index}"
        kind = choose.choices(["read", "insert", "keyed"], [4, 4, 2])[0]
        fate = choose.random()
        outcome = "done"
        began = time.monotonic()
        call: Coroutine[Any, Any, Any]
        if kind == "read":
            call = db.table("plain").find(where={"key": key}, timeout=TIMEOUT)
        else:
            call = write(db, kind, key, TIMEOUT)
        try:
            if fate < 0.2:
                calling = asyncio.ensure_future(call)
                await asyncio.sleep(choose.random() * 0.01)
                calling.cancel()
                await calling
            elif fate < 0.3:
                # Without a task of its own: one that is done when the time is up would lose its result.
                async with asyncio.timeout(choose.random() * 0.01):
                    await call
            elif await call and kind == "read":
                report.strange.append(f"{key} was there before it was written")
        except AmbiguousResultError:
            outcome = "ambiguous"
        except ResultError:
            outcome = "done"  # it says so itself
        except MesahubError as error:
            outcome = "refused"
            report.outcomes[type(error).__name__] += 1
        except (asyncio.CancelledError, TimeoutError) as error:
            # Only a note says that it may have run; without one it was not carried out. (An idempotent write may be
            # sent again without harm, so it gets none.)
            outcome = "ambiguous" if note_of(error) or kind == "keyed" else "refused"
            report.outcomes["cancelled"] += 1
        except BaseException as error:
            report.strange.append(f"{kind}: {error!r}")
            continue
        report.outcomes[f"{kind} {outcome}"] += 1
        late = time.monotonic() - began - TIMEOUT
        if late > report.latest:
            report.latest, report.latest_call = late, f"{kind} {key}: {outcome}"
        if kind != "read":
            {"done": report.done, "ambiguous": report.ambiguous, "refused": report.refused}[outcome].add(key)


def play(proxy: FaultProxy, server: Server, name: str, transports: list[str], schedules: range, calls: int) -> Report:
    """Play schedules, each on the next transport, and count the rows."""
    server.new_database(name)
    report = Report()

    async def run(transport: str, seeds: list[int]) -> None:
        url = f"http://127.0.0.1:{proxy.port}"
        client = AsyncMesahubClient(ADMIN_TOKEN, url, route_prefix="api", retry=RETRY, pool_size=6, transport=transport)
        async with client:
            db = client.db(name)
            for seed in seeds:
                proxy.play(seed)
                await asyncio.gather(*[work(db, f"{seed}-{task}", calls, report) for task in range(TASKS)])
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with mesahub.connect(server.url(name)) as straight:
        prepare(straight)
        for number, transport in enumerate(transports):
            asyncio.run(run(transport, list(schedules)[number :: len(transports)]))
        proxy.play(1, {"none": 1})
        check(straight, report)
    return report


def test_fates_of_cancelled_writes(proxy: FaultProxy, server: Server) -> None:
    report = play(proxy, server, "awaited", ["asyncio", "aiohttp"], range(12), 6)
    assert report.done
    assert report.ambiguous
    assert report.outcomes["cancelled"] > 50
    assert report.outcomes["read done"] > 0


@pytest.mark.soak
@pytest.mark.parametrize("transport", ["asyncio", "aiohttp", "httpx"])
def test_fates_of_cancelled_writes_in_three_hundred_schedules(
    proxy: FaultProxy, server: Server, transport: str
) -> None:
    report = play(proxy, server, f"awaited-{transport}", [transport], range(300), 6)
    print(
        f"\n{transport}: {dict(sorted(report.outcomes.items()))}, latest {report.latest:.2f} s ({report.latest_call})"
    )
    assert set(proxy.played) == set(FAULTS)


def test_thousand_finds_at_once_through_a_pool_of_a_hundred(server: Server) -> None:
    server.new_database("at-once")
    found: Counter[Any] = Counter()

    async def run() -> None:
        async with mesahub.aio.connect(server.url("at-once"), pool_size=100) as db:
            await db.table("t").insert_many([{"id": number} for number in range(1_000)], create=True, key="id")
            rows = await asyncio.gather(*[db.table("t").find(where={"id": number}) for number in range(1_000)])
            found.update(row["id"] for each in rows for row in each)

    asyncio.run(run())
    assert found == Counter(range(1_000))


def test_timeout_of_a_call_is_ambiguous_and_that_of_the_application_has_a_note(
    proxy: FaultProxy, server: Server
) -> None:
    server.new_database("fates")
    with mesahub.connect(server.url("fates")) as straight:
        prepare(straight)
    proxy.play(1, {"stall": 1})

    async def run() -> list[str]:
        url = f"mh://{ADMIN_TOKEN}@127.0.0.1:{proxy.port}/fates"
        async with mesahub.aio.connect(url) as db:
            with pytest.raises(AmbiguousResultError):
                await db.exec("INSERT INTO plain VALUES ('a', 1)", timeout=0.2)
            with pytest.raises(TimeoutError) as late:
                async with asyncio.timeout(0.2):
                    await db.exec("INSERT INTO plain VALUES ('b', 1)")
            with pytest.raises(TimeoutError) as read:
                async with asyncio.timeout(0.2):
                    await db.query("SELECT 1 AS one")
            return [note_of(late.value), note_of(read.value)]

    noted, unnoted = asyncio.run(run())
    assert "may have been carried out" in noted
    assert unnoted == ""
