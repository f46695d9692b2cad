"""An exception of a signal handler, at every instruction of a call: no slot of the pool is lost."""

from __future__ import annotations

import dis
import sys
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

from mesahub.errors import TransportError
from mesahub.testing import ConformanceServer
from mesahub.transport import Request, Response, Transport, TransportOptions
from mesahub.transport.registry import find_factory

ROOT = Path(__file__).resolve().parents[2]
OURS = tuple(str(ROOT / part) for part in ("mesahub/transport/", "transports/mesahub_u", "transports/mesahub_r"))


class Traced:
    """Raises KeyboardInterrupt at the n-th instruction of our transports that a call executes."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(OURS):
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        if event == "opcode":
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self

    def run(self, call: Callable[[], object]) -> BaseException | None:
        before = sys.gettrace()
        sys.settrace(self)
        try:
            call()
        except KeyboardInterrupt as error:
            return error
        finally:
            sys.settrace(before)
        return None


@cache
def instructions(code: CodeType) -> bytes:
    return code.co_code


class Monitored:
    """The same from Python 3.12 on, where tracing may miss the instructions of a function that already runs."""

    def __init__(self, number: int) -> None:
        self.left = number
        self.thread = threading.get_ident()

    def instruction(self, code: CodeType, offset: int) -> Any:
        monitoring: Any = sys.monitoring  # type: ignore[attr-defined, unused-ignore]
        if not code.co_filename.startswith(OURS):
            return monitoring.DISABLE
        # Python 3.14 leaves NOT_TAKEN out of the tables that lead to `finally`. No signal is handled there.
        if threading.get_ident() == self.thread and instructions(code)[offset] != dis.opmap.get("NOT_TAKEN"):
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return None

    def run(self, call: Callable[[], object]) -> BaseException | None:
        monitoring: Any = sys.monitoring  # type: ignore[attr-defined, unused-ignore]
        event = monitoring.events.INSTRUCTION
        monitoring.use_tool_id(monitoring.PROFILER_ID, "interruption")
        monitoring.register_callback(monitoring.PROFILER_ID, event, self.instruction)
        monitoring.set_events(monitoring.PROFILER_ID, event)
        try:
            call()
        except KeyboardInterrupt as error:
            return error
        finally:
            monitoring.set_events(monitoring.PROFILER_ID, 0)
            monitoring.register_callback(monitoring.PROFILER_ID, event, None)
            monitoring.free_tool_id(monitoring.PROFILER_ID)
        return None


Interruption = Traced if sys.version_info < (3, 12) else Monitored


@pytest.fixture(params=["urllib", "urllib3", "requests"])
def transport(request: pytest.FixtureRequest) -> Iterator[Transport]:
    with ConformanceServer() as server:
        made = find_factory(request.param)(TransportOptions(base_url=server.url, proxies={}, pool_size=1))
        yield made
        made.close()


def whole(transport: Transport) -> Response:
    return transport.send(Request("test", "POST", "/echo", body=b"first", timeout=20.0))


def download(transport: Transport) -> bytes:
    return transport.send(Request("test", "GET", "/bytes/1000", timeout=20.0, streams=True)).read()


def fresh(transport: Transport) -> Response:
    transport.send(Request("test", "POST", "/close", body=b"", timeout=20.0))
    return whole(transport)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("call", [whole, download, fresh])
def test_interrupt_loses_no_slot(transport: Transport, call: Callable[[Transport], object]) -> None:
    number = 1
    step = 1 if type(transport).__name__ == "UrllibTransport" else 3
    while True:
        # The error is kept, as a debugger would: its traceback keeps every variable alive. But a stream that its user
        # does not close ends with its last reference.
        last = Interruption(number).run(lambda: call(transport))
        if last is None:
            break
        if call is download:
            last = None
        answer = transport.send(Request("test", "POST", "/echo", body=b"%d" % number, timeout=20.0))
        assert answer.content == b"%d" % number
        number += step
    assert number > 100


def test_interrupt_of_a_wait_for_a_slot_loses_none(transport: Transport) -> None:
    held = transport.send(Request("test", "GET", "/bytes/5000000", timeout=20.0, streams=True))
    number = 1
    while True:
        waits = Interruption(number)
        try:
            if waits.run(lambda: transport.send(Request("test", "POST", "/echo", timeout=0.001))) is None:
                break
        except TransportError:
            break
        number += 1
    held.close()
    assert number > 20
    assert transport.send(Request("test", "POST", "/echo", body=b"x", timeout=20.0)).content == b"x"
