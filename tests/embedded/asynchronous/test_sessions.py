"""Transactions on a connection of their own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mesahub.errors import ConfigurationError, RequestTimeoutError
from mesahub_embedded import AsyncEmbeddedTransport
from tests.embedded.asynchronous.running import (
    ENDLESS_INSERT,
    execute,
    rows,
    run,
    started,
)


def test_transaction_of_a_session_is_all_or_nothing(place: dict[str, Any]) -> None:
    async def use(transport: AsyncEmbeddedTransport) -> None:
        for commit, count in ((False, 0), (True, 1)):
            session = await transport.open_session("demo")
            await session.begin("immediate", 5.0)
            assert session.in_transaction
            await session.send(execute("INSERT INTO t VALUES (1)"))
            await session.end(commit=commit)
            assert not session.in_transaction
            await session.close()
            await session.close()
            assert await rows(transport) == [{"c": count}]

    run(place, use)


def test_other_writes_wait_for_a_transaction(tmp_path: Path) -> None:
    async def use(transport: AsyncEmbeddedTransport) -> None:
        async def transfer(number: int) -> None:
            session = await transport.open_session("demo")
            try:
                await session.begin("immediate", 20.0)
                before = (await rows(session))[0]["c"]
                await asyncio.sleep(0)
                await session.send(execute("INSERT INTO t VALUES (?)", before))
                await session.end(commit=True)
            finally:
                await session.close()

        others = [transport.send(execute("INSERT INTO t SELECT count(*) FROM t")) for _ in range(20)]
        await asyncio.gather(*map(transfer, range(20)), *others)
        assert await rows(transport, "SELECT i FROM t ORDER BY i") == [{"i": i} for i in range(40)]

    run({"data": tmp_path}, use)


def test_task_that_would_wait_for_its_own_transaction_gets_an_error(place: dict[str, Any]) -> None:
    async def use(transport: AsyncEmbeddedTransport) -> None:
        session = await transport.open_session("demo")
        await session.begin("immediate", 5.0)
        with pytest.raises(ConfigurationError, match="transaction open"):
            await transport.send(execute("INSERT INTO t VALUES (1)"))
        await session.close()
        await transport.send(execute("INSERT INTO t VALUES (1)"))
        assert await rows(transport) == [{"c": 1}]

    run(place, use)


def test_cancelled_statement_of_a_transaction_is_taken_back_with_it(place: dict[str, Any]) -> None:
    async def use(transport: AsyncEmbeddedTransport) -> None:
        async def work() -> None:
            session = await transport.open_session("demo")
            try:
                await session.begin("immediate", 5.0)
                await session.send(execute("INSERT INTO t VALUES (1)"))
                await session.send(execute(ENDLESS_INSERT))
            finally:
                await session.close()

        task = asyncio.ensure_future(work())
        await started(task)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await rows(transport) == [{"c": 0}]
        await transport.send(execute("INSERT INTO t VALUES (1)", timeout=1.0))

    run(place, use)


@pytest.mark.parametrize("turns", range(12))
def test_cancelled_begin_leaves_no_writer_waiting(place: dict[str, Any], turns: int) -> None:
    """Whatever step of opening, beginning and closing a session is cancelled, the next writer gets its turn."""

    async def use(transport: AsyncEmbeddedTransport) -> None:
        async def work() -> None:
            session = await transport.open_session("demo")
            try:
                await session.begin("immediate", 5.0)
                await session.send(execute("INSERT INTO t VALUES (1)"))
                await session.end(commit=False)
            finally:
                await session.close()

        task = asyncio.ensure_future(work())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await transport.send(execute("INSERT INTO t VALUES (2)", timeout=2.0))
        assert await rows(transport, "SELECT i FROM t") == [{"i": 2}]

    run(place, use)


def test_begin_gives_up_in_its_time(tmp_path: Path) -> None:
    async def use(transport: AsyncEmbeddedTransport) -> None:
        async def hold(go: asyncio.Event) -> None:
            session = await transport.open_session("demo")
            await session.begin("immediate", 5.0)
            go.set()
            try:
                await asyncio.sleep(30)
            finally:
                await session.close()

        go = asyncio.Event()
        holding = asyncio.ensure_future(hold(go))
        await go.wait()
        session = await transport.open_session("demo")
        with pytest.raises(RequestTimeoutError):
            await session.begin("immediate", 0.05)
        assert not session.in_transaction
        await session.close()
        holding.cancel()
        await asyncio.wait([holding])

    run({"data": tmp_path}, use)
