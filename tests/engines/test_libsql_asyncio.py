"""Interactive transactions over asyncio, on a real libSQL server."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

import mesahub

if TYPE_CHECKING:
    from tests.engines.sqld_server import Sqld

pytestmark = pytest.mark.engines


def test_transactions_of_tasks_keep_the_sum(sqld: Sqld) -> None:
    name = sqld.new_database()

    async def main() -> None:
        async with mesahub.aio.connect(sqld.url(name), timeout=60) as db:
            await db.exec("CREATE TABLE account (id INTEGER PRIMARY KEY, cents INTEGER CHECK (cents >= 0))")
            await db.exec("INSERT INTO account VALUES (1, 1000), (2, 1000)")

            async def move(number: int) -> None:
                source = 1 + number % 2
                async with db.transaction() as tx:
                    account = await tx.table("account").get(source)
                    assert account is not None
                    await tx.table("account").update({"id": source}, {"cents": account["cents"] - 7})
                    other = await tx.table("account").get(3 - source)
                    assert other is not None
                    await tx.table("account").update({"id": 3 - source}, {"cents": other["cents"] + 7})
                    if number % 5 == 0:
                        raise KeyError(number)

            outcomes = await asyncio.gather(*(move(number) for number in range(8)), return_exceptions=True)
            # The server takes a transaction back that keeps others waiting for long, and the caller learns it.
            allowed = (KeyError, mesahub.TransactionLostError)
            assert [each for each in outcomes if each is not None and not isinstance(each, allowed)] == []
            assert outcomes.count(None) >= 4
            assert (await db.rows("SELECT sum(cents) FROM account")).scalar() == 2000

    asyncio.run(main())


def test_a_cancelled_transaction_is_taken_back(sqld: Sqld) -> None:
    name = sqld.new_database()

    async def main() -> None:
        async with mesahub.aio.connect(sqld.url(name), timeout=60) as db:
            await db.exec("CREATE TABLE t (n)")
            inside = asyncio.Event()

            async def work() -> None:
                async with db.transaction() as tx:
                    await tx.table("t").insert({"n": 1})
                    inside.set()
                    await asyncio.sleep(60)

            task = asyncio.create_task(work())
            await inside.wait()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            assert task.cancelled()
            await db.table("t").insert({"n": 2})
            assert await db.table("t").find() == [{"n": 2}]

    asyncio.run(main())
