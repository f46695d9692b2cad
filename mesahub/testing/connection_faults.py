"""What goes wrong, and which error says so: was it sent or not?"""

from __future__ import annotations

import socket

import pytest

from mesahub.errors import ConnectionLostError, NotSentError, Outcome
from mesahub.testing.base import Fixtures, Make, call
from mesahub.testing.server import ConformanceServer


class Faults(Fixtures):
    """Each fault is reported by the error that the contract names, and none spoils the next request."""

    @pytest.mark.usefixtures("server")
    def test_refused_connection_raises_not_sent(self, make: Make) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))  # bound but not listening: refuses connections, and the port stays reserved
            transport = make(f"http://127.0.0.1:{unused.getsockname()[1]}")
            with pytest.raises(NotSentError) as caught:
                transport.send(call("/echo", b"abc"))
        assert caught.value.outcome is Outcome.NOT_SENT

    @pytest.mark.parametrize(
        "path",
        [
            "/nothing",
            "/reset/before",
            "/reset/head",
            "/reset/body",
            "/truncated",
            "/boastful",
            "/truncated-chunk",
            "/no-last-chunk",
            "/garbage",
            "/garbage-chunk",
        ],
    )
    def test_broken_response_raises_connection_lost(self, make: Make, server: ConformanceServer, path: str) -> None:
        transport = make(server.url)
        with pytest.raises(ConnectionLostError) as caught:
            transport.send(call(path, b"{}"))
        assert caught.value.outcome is Outcome.MAYBE_RAN
        assert len(server.seen) == 1, "a transport sends a request once"
        assert transport.send(call("/echo", b"next")).content == b"next"

    @pytest.mark.parametrize("path", ["/reset/body", "/truncated", "/truncated-chunk", "/no-last-chunk"])
    def test_broken_download_raises_connection_lost(self, make: Make, server: ConformanceServer, path: str) -> None:
        transport = make(server.url, pool_size=1)
        response = transport.send(call(path, method="GET", streams=True))
        with pytest.raises(ConnectionLostError):
            response.read()
        assert transport.send(call("/echo", b"next")).content == b"next"

    def test_response_before_the_end_of_the_request_is_returned_or_lost(
        self, make: Make, server: ConformanceServer
    ) -> None:
        transport = make(server.url)
        outcome: object
        try:
            outcome = transport.send(call("/early", b"x" * 32_000_000)).status
        except ConnectionLostError as error:
            outcome = error.outcome  # the server's reset may overtake its answer
        assert outcome in (413, Outcome.MAYBE_RAN)
        assert len(server.seen) == 1
        assert transport.send(call("/echo", b"next")).content == b"next"

    def test_closed_server_raises_not_sent_in_spite_of_an_idle_connection(
        self, make: Make, server: ConformanceServer
    ) -> None:
        transport = make(server.url)
        transport.send(call("/echo", b"abc"))
        server.close()
        with pytest.raises(NotSentError):
            transport.send(call("/echo", b"abc"))
