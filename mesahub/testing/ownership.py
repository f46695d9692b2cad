"""A response is the caller's own, or an error: interim responses, leftovers, uncertain and endless ones."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator

import pytest

from mesahub.errors import ConnectionLostError, Outcome, RequestTimeoutError, ResultError
from mesahub.testing.base import AMPLE, SHORT, Fixtures, Make, call
from mesahub.testing.certificates import Certificates
from mesahub.testing.odd_scenarios import HEADS, LOCATIONS, PAUSE
from mesahub.testing.server import ConformanceServer
from mesahub.transport import FileBody, TLSOptions, Transport

MIB = 1024 * 1024
LEFTOVERS = ["at-once", "long", "later", "chunked", "of-none"]


class Ownership(Fixtures):
    """Whatever a server or a proxy sends, no caller gets what belongs to another, and none waits for it without end."""

    @pytest.fixture(params=["http", "https"])
    def served(self, request: pytest.FixtureRequest, make: Make) -> Iterator[tuple[Transport, ConformanceServer]]:
        """A transport with one connection, and its server, with and without TLS."""
        if not self.speaks_http:
            pytest.skip("this transport speaks no HTTP")
        if request.param == "http":
            with ConformanceServer() as server:
                yield make(server.url, pool_size=1), server
        else:
            certificates: Certificates = request.getfixturevalue("certificates")
            with ConformanceServer(certificates.good) as server:
                yield make(server.url, pool_size=1, tls=TLSOptions(ca_file=certificates.ca_file)), server

    @pytest.mark.parametrize(
        "path",
        ["status/100", "status/102", "status/103", "status/199", "status/100,103,102", "split"],
    )
    def test_interim_response_is_not_the_final_one(
        self, served: tuple[Transport, ConformanceServer], path: str
    ) -> None:
        transport, server = served
        if self.passes_interim or path == "status/100":
            for _ in range(2):
                response = transport.send(call(f"/interim/{path}", b"{}"))
                assert (response.status, response.content) == (200, b"final")
            assert server.connections == 1
        else:
            with pytest.raises(ConnectionLostError) as caught:
                transport.send(call(f"/interim/{path}", b"{}"))
            assert caught.value.outcome is Outcome.MAYBE_RAN
        time.sleep(PAUSE)  # what was still to come has come
        assert transport.send(call("/echo", b"mine")).content == b"mine"

    @pytest.mark.parametrize("path", ["/interim/alone", "/switch"])
    def test_interim_response_without_a_final_one_raises_connection_lost(
        self, served: tuple[Transport, ConformanceServer], path: str
    ) -> None:
        transport, server = served
        with pytest.raises(ConnectionLostError) as caught:
            transport.send(call(path, b"{}"))
        assert caught.value.outcome is Outcome.MAYBE_RAN
        assert len(server.seen) == 1
        assert transport.send(call("/echo", b"mine")).content == b"mine"

    @pytest.mark.parametrize("path", ["/interim/endless/103", "/interim/endless/100", "/interim/flood"])
    def test_endless_interim_responses_raise_in_time(self, make: Make, server: ConformanceServer, path: str) -> None:
        if not self.bounds_head:
            pytest.skip("this transport does not bound the time for headers")
        transport = make(server.url, pool_size=1)
        for streams in (False, True):
            with pytest.raises((RequestTimeoutError, ConnectionLostError)) as caught:
                transport.send(call(path, b"{}", timeout=SHORT, streams=streams))
            assert caught.value.outcome is Outcome.MAYBE_RAN
        assert transport.send(call("/echo", b"mine")).content == b"mine"

    @pytest.mark.parametrize("path", ["/trailers/drip", "/trailers/flood", "/drip/chunk-size"])
    def test_endless_trailers_raise_in_time(self, make: Make, server: ConformanceServer, path: str) -> None:
        if not self.bounds_all:
            pytest.skip("this transport does not bound everything")
        transport = make(server.url, pool_size=1)
        with pytest.raises((RequestTimeoutError, ConnectionLostError)) as caught:
            transport.send(call(path, b"{}", timeout=SHORT))
        assert caught.value.outcome is Outcome.MAYBE_RAN
        assert transport.send(call("/echo", b"mine")).content == b"mine"

    @pytest.mark.parametrize("streams", [False, True])
    @pytest.mark.parametrize("path", LEFTOVERS)
    def test_bytes_after_a_response_are_never_the_next_response(
        self, served: tuple[Transport, ConformanceServer], path: str, streams: bool
    ) -> None:
        if not self.frames_strictly:
            pytest.skip("this transport does not check where a response ends")
        transport, server = served
        for number in range(5):
            response = transport.send(call(f"/leftover/{path}", b"{}", streams=streams))
            assert response.read() == (b"" if path == "of-none" else b"mine")
            if path == "later":
                time.sleep(PAUSE)
            body = b"%d" % number
            assert transport.send(call("/echo", body)).content == body
        for _ in range(100):  # the server may not have noticed yet which were closed
            if server.open_connections <= 2:
                break
            time.sleep(0.02)
        assert server.open_connections <= 2

    @pytest.mark.parametrize("name", list(HEADS))
    def test_ambiguous_length_raises_connection_lost(self, make: Make, server: ConformanceServer, name: str) -> None:
        if not self.frames_strictly:
            pytest.skip("this transport does not check where a response ends")
        transport = make(server.url, pool_size=1)
        for streams in (False, True):
            with pytest.raises(ConnectionLostError) as caught:
                transport.send(call(f"/uncertain/{name}", b"{}", streams=streams)).read()
            assert caught.value.outcome is Outcome.MAYBE_RAN
        assert len(server.seen) == 2, "a transport sends a request once"
        assert transport.send(call("/echo", b"mine")).content == b"mine"

    @pytest.mark.parametrize("name", list(LOCATIONS))
    def test_redirect_with_an_invalid_location_is_returned(
        self, make: Make, server: ConformanceServer, name: str
    ) -> None:
        transport = make(server.url)
        for _ in range(2):
            response = transport.send(call(f"/location/{name}", b"{}"))
            assert (response.status, response.content) == (302, b"elsewhere")
        assert server.connections == 1

    @pytest.mark.parametrize("status", [204, 205, 304])
    def test_status_without_a_body_is_returned(self, make: Make, server: ConformanceServer, status: int) -> None:
        transport = make(server.url)
        for _ in range(2):
            response = transport.send(call(f"/bodiless/{status}", b"{}"))
            assert (response.status, response.content) == (status, b"")
        assert server.connections == 1

    def test_response_longer_than_max_response_bytes_raises(self, make: Make, server: ConformanceServer) -> None:
        if not self.bounds_all:
            pytest.skip("this transport does not bound everything")
        transport = make(server.url, pool_size=1, max_response_bytes=MIB)
        with pytest.raises(ResultError, match="max_response_bytes"):
            transport.send(call("/endless/200", b"{}"))
        with pytest.raises(ConnectionLostError) as caught:
            transport.send(call("/endless/500", b"{}"))
        assert caught.value.outcome is Outcome.MAYBE_RAN
        with pytest.raises(ResultError, match="max_response_bytes"):
            transport.send(call(f"/bytes/{MIB + 1}"))
        assert len(transport.send(call(f"/bytes/{MIB}")).content) == MIB

    def test_max_response_bytes_does_not_limit_streams(self, make: Make, server: ConformanceServer) -> None:
        if not self.bounds_all:
            pytest.skip("this transport does not bound everything")
        transport = make(server.url, max_response_bytes=1000)
        assert len(transport.send(call(f"/bytes/{MIB}", method="GET", streams=True)).read()) == MIB
        with pytest.raises(ConnectionLostError):
            transport.send(call("/endless/404", streams=True))

    def test_timeout_includes_the_error_body_of_a_stream(self, make: Make, server: ConformanceServer) -> None:
        if not self.bounds_all:
            pytest.skip("this transport does not bound everything")
        with pytest.raises(RequestTimeoutError) as caught:
            make(server.url).send(call("/drip/status/500", method="GET", streams=True, timeout=SHORT))
        assert caught.value.outcome is Outcome.MAYBE_RAN

    def test_timeout_includes_the_response_to_an_upload(self, make: Make, server: ConformanceServer) -> None:
        if not self.bounds_all:
            pytest.skip("this transport does not bound everything")
        body = FileBody(100, lambda: io.BytesIO(bytes(100)))
        with pytest.raises(RequestTimeoutError) as caught:
            make(server.url).send(call("/drip/status/201", body, streams=True, timeout=SHORT)).read()
        assert caught.value.outcome is Outcome.MAYBE_RAN

    def test_timeout_includes_the_headers_of_a_stream(self, make: Make, server: ConformanceServer) -> None:
        if not self.bounds_head:
            pytest.skip("this transport does not bound headers that come in drips")
        with pytest.raises(RequestTimeoutError):
            make(server.url).send(call("/drip/head", method="GET", streams=True, timeout=SHORT))

    def test_timeout_includes_the_wait_for_a_connection(self, make: Make, server: ConformanceServer) -> None:
        if not self.bounds_all:
            pytest.skip("this transport does not bound everything")
        if not self.limits_connections:
            pytest.skip("this transport does not limit its connections")
        transport = make(server.url, pool_size=1)
        download = transport.send(call("/bytes/1000000", method="GET", streams=True))
        timer = threading.Timer(SHORT, download.close)
        timer.start()
        # The response comes in time if the time began with the connection, and too late if it began with the call.
        with pytest.raises(RequestTimeoutError) as caught:
            transport.send(call("/slow/6", b"{}", timeout=2 * SHORT))
        timer.join()
        assert caught.value.outcome is Outcome.MAYBE_RAN
        assert transport.send(call("/echo", b"mine", timeout=AMPLE)).content == b"mine"
