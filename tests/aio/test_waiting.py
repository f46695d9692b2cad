"""What waits in a loop: the event of a closing client, and the lock of a key."""

from __future__ import annotations

import asyncio
import threading

from mesahub._aio.ahead import Ahead
from mesahub._aio.waiting import Closing, LoopLock


def test_a_wait_ends_when_it_is_set_by_another_thread() -> None:
    closing = Closing()

    async def main() -> None:
        waiting = [asyncio.create_task(closing.wait(60)) for _ in range(3)]
        await asyncio.sleep(0)
        threading.Thread(target=closing.set).start()
        await asyncio.wait_for(asyncio.gather(*waiting), 30)
        await closing.wait(60)

    asyncio.run(main())
    assert closing.is_set()
    assert not closing._waiting


def test_a_wait_ends_after_its_time_and_when_it_is_cancelled() -> None:
    async def main() -> None:
        closing = Closing()
        await closing.wait(0.001)
        task = asyncio.create_task(closing.wait(60))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert not closing._waiting
        assert not closing.is_set()

    asyncio.run(main())


def test_a_lock_lets_one_task_in_and_keeps_no_closed_loop() -> None:
    lock = LoopLock()

    async def main() -> None:
        inside = 0

        async def work() -> None:
            nonlocal inside
            async with lock:
                inside += 1
                assert inside == 1
                await asyncio.sleep(0)
                inside -= 1

        await asyncio.gather(*(work() for _ in range(5)))

    for _ in range(3):
        asyncio.run(main())
    assert len(lock._locks) == 1


def test_a_call_ahead_that_is_not_wanted_is_cancelled() -> None:
    async def main() -> None:
        async def call() -> None:
            await asyncio.sleep(60)

        async def fails() -> None:
            raise ValueError

        ahead = Ahead(call)
        await asyncio.sleep(0)
        await ahead.discard()
        failed = Ahead(fails)
        await asyncio.sleep(0)
        await failed.discard()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
