"""How often signing in may be tried."""

from __future__ import annotations

from mesahub_embedded.server.page.throttle import CALLERS, IN_ALL, PER_CALLER, SECONDS, Throttle


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_attempts_of_an_address_are_allowed_again_one_by_one() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(PER_CALLER):
        assert throttle.wait("192.0.2.1") == 0
        clock.now += 1
    assert throttle.wait("192.0.2.1") == SECONDS - PER_CALLER
    assert throttle.wait("192.0.2.2") == 0
    clock.now = 1000.0 + SECONDS
    assert throttle.wait("192.0.2.1") == 0
    assert throttle.wait("192.0.2.1") == 1


def test_rejected_attempts_do_not_extend_the_wait() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(PER_CALLER + 50):
        throttle.wait("192.0.2.1")
    clock.now += SECONDS
    assert throttle.wait("192.0.2.1") == 0


def test_addresses_of_one_caller_count_together() -> None:
    throttle = Throttle(Clock())
    for number in range(PER_CALLER):
        assert throttle.wait(f"2001:db8:1:1::{number}%eth0") == 0
    assert throttle.wait("2001:db8:1:1:ffff::1") > 0
    assert throttle.wait("2001:db8:1:2::1") == 0
    for _ in range(PER_CALLER):
        assert throttle.wait("::ffff:192.0.2.1") == 0
    assert throttle.wait("192.0.2.1") > 0


def test_all_addresses_together_are_limited() -> None:
    throttle = Throttle(Clock())
    assert [throttle.wait(f"192.0.2.{number}") for number in range(IN_ALL)] == [0] * IN_ALL
    assert throttle.wait("198.51.100.1") > 0


def test_success_forgets_the_attempts_of_an_address() -> None:
    throttle = Throttle(Clock())
    for _ in range(PER_CALLER):
        throttle.wait("")
    throttle.forget("")
    assert throttle.wait("") == 0


def test_number_of_remembered_addresses_is_bounded() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for number in range(CALLERS + 100):
        clock.now += 1
        throttle.wait(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(throttle._callers) == CALLERS
