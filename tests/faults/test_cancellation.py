"""A storm of cancelled and late calls: no wrong answer, nothing hangs, nothing is left; and that this would be seen."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from typing import Any, cast

import pytest

from mesahub.errors import TransportError
from mesahub.testing import ConformanceServer
from mesahub.testing.asynchronous.cancellation import storm
from mesahub.testing.base import AMPLE, call
from mesahub.transport import TransportOptions
from mesahub.transport.asynchronous.registry import find_async_factory
from mesahub_asyncio.connection import Connection
from mesahub_asyncio.pool import Pool


def sockets() -> int:
    """Sockets of this process."""
    count = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            count += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
        except OSError:
            continue
    return count


def weather(name: str, calls: int, *, workers: int, pool_size: int, loop_factory: Any = None) -> Counter[str]:
    """Have a storm on a loop of its own, and count what is left of it."""
    with ConformanceServer() as server:

        async def run() -> Counter[str]:
            transport = find_async_factory(name)(TransportOptions(base_url=server.url, proxies={}, pool_size=pool_size))
            try:
                seen = await asyncio.wait_for(storm(transport, calls, workers=workers), 120)
            finally:
                await transport.close()
            async with asyncio.timeout(AMPLE):
                while server.open_connections:
                    await asyncio.sleep(0.01)
            seen["tasks"] = len(asyncio.all_tasks()) - 1
            return seen

        before = sockets() if os.path.isdir("/proc/self/fd") else 0
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            seen = runner.run(run())
        seen["sockets"] = (sockets() if os.path.isdir("/proc/self/fd") else 0) - before
        return seen


def check(seen: Counter[str], calls: int, *, workers: int) -> None:
    assert seen["wrong"] == 0
    assert seen["after"] == workers
    assert seen["tasks"] == 0
    assert seen["sockets"] <= 0
    assert seen["right"] + seen["cancelled"] + seen["late"] == calls
    assert seen["cancelled"] > 0.08 * calls
    assert seen["late"] > 0.01 * calls


def test_storm_of_three_thousand_over_asyncio() -> None:
    check(weather("asyncio", 3_000, workers=100, pool_size=30), 3_000, workers=100)


@pytest.mark.peers
def test_storm_on_uvloop() -> None:
    uvloop = pytest.importorskip("uvloop")
    seen = weather("asyncio", 1_000, workers=60, pool_size=20, loop_factory=uvloop.new_event_loop)
    check(seen, 1_000, workers=60)


@pytest.mark.soak
@pytest.mark.parametrize("name", ["aiohttp", "httpx"])
def test_storm_of_three_thousand(name: str) -> None:
    began = time.monotonic()
    seen = weather(name, 3_000, workers=100, pool_size=30)
    print(f"\n{name}: {dict(seen)}, {time.monotonic() - began:.1f} s")
    check(seen, 3_000, workers=100)


def test_storm_shows_when_a_cancelled_connection_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    release = Pool.release

    def careless(self: Pool, connection: Connection, *, reusable: bool) -> None:
        release(self, connection, reusable=True)

    monkeypatch.setattr(Pool, "release", careless)
    with pytest.raises((AssertionError, TransportError)):
        check(weather("asyncio", 1_000, workers=60, pool_size=20), 1_000, workers=60)


def test_storm_shows_when_a_cancelled_waiter_keeps_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    async def careless(self: Pool, end: float | None) -> Connection | None:
        waiter = self._loop.create_future()
        self._waiters.append(waiter)
        return cast("Connection | None", await waiter)  # a turn that was handed over is lost with it

    monkeypatch.setattr(Pool, "_wait", careless)

    async def run() -> None:
        with ConformanceServer() as server:
            transport = find_async_factory("asyncio")(TransportOptions(base_url=server.url, proxies={}, pool_size=1))
            try:
                held = asyncio.ensure_future(transport.send(call("/gate")))
                await asyncio.to_thread(server.arrived.acquire, timeout=AMPLE)
                waiting = asyncio.ensure_future(transport.send(call("/echo", b"1")))
                last = asyncio.ensure_future(transport.send(call("/echo", b"2")))
                await asyncio.sleep(0)
                held.cancel()
                await asyncio.sleep(0)
                waiting.cancel()
                await asyncio.wait_for(last, 0.5)
            finally:
                server.gate.set()
                await transport.close()

    with pytest.raises(TimeoutError):
        asyncio.run(run())


@pytest.mark.parametrize("name", ["asyncio", "aiohttp", pytest.param("httpx", marks=pytest.mark.peers)])
def test_thousand_calls_at_once_through_a_pool_of_a_hundred(name: str) -> None:
    calls = 1_000 if name != "httpx" else 300  # it takes as long for these
    with ConformanceServer() as server:

        async def run() -> list[bytes]:
            transport = find_async_factory(name)(TransportOptions(base_url=server.url, proxies={}, pool_size=100))
            try:
                bodies = [b"%d" % number for number in range(calls)]
                answers = await asyncio.gather(*[transport.send(call("/echo", body)) for body in bodies])
                return [answer.content for answer in answers]
            finally:
                await transport.close()

        assert asyncio.run(run()) == [b"%d" % number for number in range(calls)]
        assert server.busiest <= 100
