"""Time: for a whole attempt, for a silence, for a connection."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Iterator

import pytest

from mesahub.errors import NotSentError, Outcome, RequestTimeoutError
from mesahub.testing.base import AMPLE, SHORT, Fixtures, Make, call
from mesahub.testing.server import ConformanceServer


@contextlib.contextmanager
def _full_backlog() -> Iterator[int]:
    """A port whose connections never complete: its queue of waiting ones is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


class Times(Fixtures):
    """What takes too long ends, and says whether the request was sent."""

    def test_no_response_in_time_raises_timeout_that_may_have_run(self, make: Make, server: ConformanceServer) -> None:
        transport = make(server.url)
        with pytest.raises(RequestTimeoutError) as caught:
            transport.send(call("/hang", b"{}", timeout=SHORT))
        assert caught.value.outcome is Outcome.MAYBE_RAN
        assert transport.send(call("/echo", b"next")).content == b"next"

    def test_timeout_of_the_options_applies_to_requests_without_one(
        self, make: Make, server: ConformanceServer
    ) -> None:
        with pytest.raises(RequestTimeoutError):
            make(server.url, timeout=SHORT).send(call("/hang", b"{}", timeout=None))

    def test_response_that_stops_raises_timeout_that_may_have_run(self, make: Make, server: ConformanceServer) -> None:
        with pytest.raises(RequestTimeoutError) as caught:
            make(server.url).send(call("/stall", timeout=SHORT))
        assert caught.value.outcome is Outcome.MAYBE_RAN

    def test_timeout_limits_the_whole_attempt(self, make: Make, server: ConformanceServer) -> None:
        # The answer would be complete after three seconds, with no silence longer than a tenth of one.
        with pytest.raises(RequestTimeoutError):
            make(server.url).send(call("/drip/body", timeout=SHORT))

    def test_timeout_includes_slowly_arriving_headers(self, make: Make, server: ConformanceServer) -> None:
        if not self.bounds_head:
            pytest.skip("this transport does not bound headers that come in drips")
        with pytest.raises(RequestTimeoutError):
            make(server.url).send(call("/drip/head", timeout=SHORT))

    def test_timeout_of_a_stream_limits_the_idle_time(self, make: Make, server: ConformanceServer) -> None:
        transport = make(server.url)
        assert transport.send(call("/drip/body", streams=True, timeout=SHORT)).read() == b"x" * 30
        response = transport.send(call("/stall", streams=True, timeout=SHORT))
        with pytest.raises(RequestTimeoutError) as caught:
            response.read()
        assert caught.value.outcome is Outcome.MAYBE_RAN

    @pytest.mark.usefixtures("server")
    @pytest.mark.skipif(sys.platform != "linux", reason="other systems answer when a backlog is full")
    def test_no_connection_in_time_raises_timeout_that_was_not_sent(self, make: Make) -> None:
        with _full_backlog() as port:
            for connect, whole in ((SHORT, AMPLE), (AMPLE, SHORT)):
                transport = make(f"http://127.0.0.1:{port}", connect_timeout=connect)
                with pytest.raises(RequestTimeoutError) as caught:
                    transport.send(call("/echo", timeout=whole))
                assert caught.value.outcome is Outcome.NOT_SENT

    def test_no_free_connection_raises_not_sent_and_names_pool_size(
        self, make: Make, server: ConformanceServer
    ) -> None:
        if not self.limits_connections:
            pytest.skip("this transport does not limit its connections")
        transport = make(server.url, pool_size=1)
        download = transport.send(call("/bytes/1000000", method="GET", streams=True))
        with pytest.raises(NotSentError, match="pool_size"):
            transport.send(call("/echo", timeout=SHORT))
        download.read()
        assert transport.send(call("/echo", b"next")).content == b"next"
        assert server.connections == 1
