"""Slots go to callers in the order in which they asked."""

from __future__ import annotations

import threading
import time

from mesahub.transport.slots import Lease, Slots


def test_a_caller_who_waits_comes_before_those_who_return_and_ask_again() -> None:
    slots: Slots[str] = Slots(1, "http://example.com")
    stop = threading.Event()
    taken = 0

    def hold_again_and_again() -> None:
        nonlocal taken
        while not stop.is_set():
            lease = Lease()
            try:
                slots.take(lease, None).value = "open"
                taken += 1
                time.sleep(0.001)
            finally:
                slots.give(lease)

    busy = [threading.Thread(target=hold_again_and_again) for _ in range(3)]
    for thread in busy:
        thread.start()
    waits = []
    for _ in range(20):
        lease = Lease()
        before = taken
        slots.take(lease, time.monotonic() + 30)
        waits.append(taken - before)
        slots.give(lease)
    stop.set()
    for thread in busy:
        thread.join()
    assert taken > 20
    # Three are before it at most; a few may be quicker when the machine is busy.
    assert max(waits) <= 20, waits
