"""One transport, many users: threads, child processes, and close() in the midst of it."""

from __future__ import annotations

import os
import select
import signal
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from mesahub.errors import ConfigurationError, TransportError
from mesahub.testing.base import AMPLE, Fixtures, Make, call, select_one
from mesahub.testing.server import ConformanceServer
from mesahub.transport import Response, Transport


class Sharing(Fixtures):
    """A transport is safe to use from anywhere."""

    def test_threads_can_share_a_transport(self, working: Transport) -> None:
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda _: working.send(select_one()).payload["rows"], range(80)))
        assert answers == [[{"one": 1}]] * 80

    def test_each_thread_gets_its_own_response(self, make: Make, server: ConformanceServer) -> None:
        transport = make(server.url, pool_size=3)
        bodies = [f"{number}-".encode() * (number * 97 % 5000 + 1) for number in range(200)]
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda body: transport.send(call("/echo", body)).content, bodies))
        assert answers == bodies
        if self.limits_connections:
            assert server.busiest <= 3

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
    def test_send_works_in_a_forked_child(self, working: Transport) -> None:
        if not self.forks:
            pytest.skip("this transport is not made for fork")
        working.send(select_one())
        assert _in_child(lambda: working.send(select_one()).payload["rows"] == [{"one": 1}])
        assert working.send(select_one()).payload["rows"] == [{"one": 1}]

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
    def test_forked_child_opens_its_own_connections(self, make: Make, server: ConformanceServer) -> None:
        if not self.forks:
            pytest.skip("this transport is not made for fork")
        transport = make(server.url)
        assert transport.send(call("/seen")).payload["connection"] == 0
        assert _in_child(lambda: transport.send(call("/seen")).payload["connection"] == 1)
        assert transport.send(call("/seen")).payload["connection"] == 0

    def test_close_during_a_call_ends_it_with_a_response_or_an_error_of_the_contract(
        self, make: Make, server: ConformanceServer
    ) -> None:
        transport = make(server.url)
        outcome: list[Response | Exception] = []

        def use() -> None:
            try:
                outcome.append(transport.send(call("/gate")))
            except (TransportError, ConfigurationError) as error:
                outcome.append(error)

        thread = threading.Thread(target=use)
        thread.start()
        assert server.arrived.acquire(timeout=AMPLE)
        transport.close()
        server.gate.set()
        thread.join(AMPLE)
        assert not thread.is_alive()
        assert len(outcome) == 1, "the call in use neither answered nor raised an error of the contract"
        with pytest.raises(ConfigurationError):
            transport.send(call("/echo"))


def _in_child(check: Callable[[], bool]) -> bool:
    """Does the check hold in a child process?"""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        # Python 3.12 warns of forks in a process with threads; that it works all the same is what is tested.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            os.write(writer, b"1" if check() else b"0")
        finally:
            os._exit(0)
    os.close(writer)
    try:
        if select.select([reader], [], [], AMPLE)[0]:
            return os.read(reader, 1) == b"1"
        os.kill(child, signal.SIGKILL)
        return False
    finally:
        os.close(reader)
        os.waitpid(child, 0)
