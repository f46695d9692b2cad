"""Fault injection: test from a cassette what an application does when the network fails.

``inject=`` is a list of dicts, each with

* ``do``: ``"delay"`` (with ``seconds``), ``"throttle"`` (a 429, with ``retry_after``), ``"unavailable"`` (a 503),
  ``"refuse"`` (nothing is sent), ``"reset"`` (after the call was carried out, its answer is lost), ``"timeout"``
  (likewise);
* ``on``: an operation (``"exec"``), or text that the SQL contains; default: any call;
* ``times``: how often; default once;
* ``after``: how many such calls pass before. Default 0.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mesahub.errors import ConfigurationError, ConnectionLostError, NotSentError, RequestTimeoutError
from mesahub.transport import Headers, Response
from mesahub_recorder.call import Call

_BEFORE = ("delay", "throttle", "unavailable", "refuse")
_AFTER = ("reset", "timeout")


class Injection:
    """The faults of one recorder."""

    def __init__(self, faults: Iterable[Mapping[str, Any]] | None) -> None:
        self._lock = threading.Lock()
        self._faults = [self._checked(fault) for fault in faults or ()]

    @staticmethod
    def _checked(fault: Mapping[str, Any]) -> dict[str, Any]:
        known = {"do", "on", "times", "after", "seconds", "retry_after"}
        if not isinstance(fault, Mapping) or fault.get("do") not in (*_BEFORE, *_AFTER) or not set(fault) <= known:
            raise ConfigurationError(
                f"A fault of inject= is a dict such as {{'do': 'reset', 'on': 'exec'}}; do is one of "
                f"{', '.join((*_BEFORE, *_AFTER))}, not {fault!r}."
            )
        return {"times": 1, "after": 0, "on": None, "seconds": 1.0, **fault}

    def _take(self, call: Call, kinds: tuple[str, ...]) -> dict[str, Any] | None:
        if not self._faults:
            return None
        with self._lock:
            for fault in self._faults:
                on = fault["on"]
                if fault["do"] not in kinds or fault["times"] < 1:
                    continue
                if on is not None and on != call.operation and on not in (call.sql or ""):
                    continue
                if fault["after"] > 0:
                    fault["after"] -= 1
                    continue
                fault["times"] -= 1
                return fault
        return None

    def before(self, call: Call, sleep: Callable[[float], object] = time.sleep) -> Response | None:
        """Fail before the call, delay it, or return a refusal."""
        fault = self._take(call, _BEFORE)
        if fault is None:
            return None
        if fault["do"] == "refuse":
            raise NotSentError("inject=: the connection was refused.")
        if fault["do"] == "delay":
            sleep(fault["seconds"])
            return None
        headers = {"Retry-After": str(fault["retry_after"])} if "retry_after" in fault else {}
        if fault["do"] == "throttle":
            return Response(429, Headers(headers), payload={"error": "rate limit exceeded"})
        return Response(503, Headers(headers), payload={"error": "service unavailable"})

    def after(self, call: Call, response: Response) -> Response:
        """Discard the answer."""
        fault = self._take(call, _AFTER)
        if fault is None:
            return response
        if fault["do"] == "reset":
            raise ConnectionLostError("inject=: the connection was reset before the answer came.")
        raise RequestTimeoutError("inject=: the time ran out before the answer came.")
