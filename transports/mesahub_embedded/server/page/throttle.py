"""How often a wrong token may be tried."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

__all__ = ["Throttle"]

SECONDS = 60.0
PER_CALLER = 5
"""Attempts of one address in `SECONDS`."""
IN_ALL = 100
"""Attempts of all addresses in `SECONDS`."""
CALLERS = 10_000
"""Addresses that are remembered."""


class Throttle:
    """Counts attempts to sign in. Safe for threads.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._all: deque[float] = deque()
        self._callers: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, address: str) -> float:
        """Count an attempt of this address.

        Returns:
            0, or the seconds until it may try again; such an attempt does not count.
        """
        caller = _network(address)
        with self._lock:
            moment = self._clock()
            own = self._callers.setdefault(caller, deque())
            self._callers.move_to_end(caller)
            for attempts in (own, self._all):
                while attempts and moment - attempts[0] >= SECONDS:
                    attempts.popleft()
            seconds = max(_left(own, PER_CALLER, moment), _left(self._all, IN_ALL, moment))
            if not seconds:
                own.append(moment)
                self._all.append(moment)
            while len(self._callers) > CALLERS:
                self._callers.popitem(last=False)
            return seconds

    def forget(self, address: str) -> None:
        """Drop the attempts of an address that has signed in."""
        with self._lock:
            self._callers.pop(_network(address), None)


def _left(attempts: deque[float], allowed: int, moment: float) -> float:
    return 0.0 if len(attempts) < allowed else max(attempts[0] + SECONDS - moment, 0.001)


def _network(address: str) -> str:
    """Whose address it is: of IPv6, one caller has at least a network of 64 bits."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
