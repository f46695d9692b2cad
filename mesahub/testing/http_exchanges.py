"""Requests and answers: methods, bodies, headers, framing, keep-alive, redirects."""

from __future__ import annotations

import hashlib
import io
import time
import tracemalloc

import pytest

from mesahub.errors import ConfigurationError
from mesahub.testing.base import Fixtures, Make, call
from mesahub.testing.scenarios import pattern
from mesahub.testing.server import ConformanceServer
from mesahub.transport import FileBody

MIB = 1024 * 1024


def file_body(size: int) -> tuple[FileBody, str]:
    """A file of pattern bytes, and its SHA-256."""
    digest = hashlib.sha256()
    for piece in pattern(size):
        digest.update(piece)
    return FileBody(size, lambda: _PatternFile(size)), digest.hexdigest()


class _PatternFile(io.BytesIO):
    """A file that is never in memory."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._pieces = pattern(size)
        self._rest = b""

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert size >= 0, "a streamed body must be read in pieces"
        self._rest = self._rest or next(self._pieces, b"")
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece


class Exchanges(Fixtures):
    """A request arrives as it was meant, and so does its answer."""

    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
    def test_method_path_and_query_are_sent_unchanged(self, make: Make, server: ConformanceServer, method: str) -> None:
        params = (("limit", "10"), ("folder_prefix", "a b/ä&c=%"))
        seen = make(server.url).send(call("/seen/my%20db/q%2Fr", method=method, params=params)).payload
        assert seen["method"] == method
        assert seen["target"] == "/seen/my%20db/q%2Fr?limit=10&folder_prefix=a+b%2F%C3%A4%26c%3D%25"
        assert seen["headers"]["host"] == server.url.removeprefix("http://")
        assert seen["length"] == 0

    def test_path_of_the_base_url_is_kept(self, make: Make, server: ConformanceServer) -> None:
        seen = make(server.url + "/seen/below").send(call("/v1/query/x")).payload
        assert seen["target"] == "/seen/below/v1/query/x"

    def test_json_and_headers_are_sent(self, make: Make, server: ConformanceServer) -> None:
        request = call("/seen", payload={"ä": 1}, headers={"Authorization": "Bearer shk_1", "X-Mine": "yes"})
        headers = make(server.url).send(request).payload["headers"]
        assert headers["authorization"] == "Bearer shk_1"
        assert headers["x-mine"] == "yes"
        assert headers["content-type"] == "application/json"
        assert headers["content-length"] == str(len('{"ä":1}'.encode()))

    def test_authority_replaces_the_host_header(self, make: Make, server: ConformanceServer) -> None:
        transport = make(server.url)
        headers = transport.send(call("/seen", authority="space.example:81")).payload["headers"]
        assert headers["host"] == "space.example:81"
        assert transport.send(call("/seen")).payload["headers"]["host"] == server.url.partition("://")[2]

    def test_no_compression_is_requested(self, make: Make, server: ConformanceServer) -> None:
        headers = make(server.url).send(call("/seen")).payload["headers"]
        assert headers.get("accept-encoding", "identity") == "identity"

    def test_line_break_in_a_header_raises_configuration_error(self, make: Make, server: ConformanceServer) -> None:
        transport = make(server.url)
        with pytest.raises(ConfigurationError):
            transport.send(call("/seen", headers={"X-Mine": "yes\r\nX-Evil: yes"}))
        assert [seen for seen in server.seen if "x-evil" in seen.headers] == []

    def test_response_headers_ignore_case_and_join_repeated_names(self, make: Make, server: ConformanceServer) -> None:
        headers = make(server.url).send(call("/echo", b"abc")).headers
        assert headers["content-type"] == headers["Content-Type"] == "application/octet-stream"
        assert headers["X-TWO"] == "a, b"
        assert headers.get("X-Three") is None
        assert "x-three" not in headers

    @pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 5_000_001, 32 * MIB])
    def test_bodies_of_any_size_arrive_unchanged(self, make: Make, server: ConformanceServer, size: int) -> None:
        body = b"".join(pattern(size))
        response = make(server.url).send(call("/echo", body))
        assert response.status == 200
        assert response.content == body

    @pytest.mark.parametrize("size", [0, 1, 10, 100_000, 20 * MIB])
    def test_chunked_responses_are_decoded(self, make: Make, server: ConformanceServer, size: int) -> None:
        transport = make(server.url)
        assert transport.send(call(f"/chunked/{size}")).content == b"".join(pattern(size))
        assert transport.send(call("/seen")).payload["connection"] == 0

    @pytest.mark.parametrize("size", [0, 100_000])
    def test_response_without_a_length_ends_with_the_connection(
        self, make: Make, server: ConformanceServer, size: int
    ) -> None:
        transport = make(server.url)
        assert transport.send(call(f"/until-close/{size}")).content == b"".join(pattern(size))
        assert transport.send(call("/echo", b"x")).content == b"x"

    def test_interim_responses_are_skipped(self, make: Make, server: ConformanceServer) -> None:
        transport = make(server.url)
        assert transport.send(call("/interim")).content == b"after the interim ones"
        assert transport.send(call("/seen")).payload["connection"] == 0

    def test_204_has_no_body_and_keeps_the_connection(self, make: Make, server: ConformanceServer) -> None:
        transport = make(server.url)
        response = transport.send(call("/no-content", method="DELETE"))
        assert (response.status, response.content, response.payload) == (204, b"", None)
        assert transport.send(call("/seen")).payload["connection"] == 0

    @pytest.mark.parametrize("status", [201, 400, 401, 404, 409, 413, 429, 500, 502, 503])
    def test_every_status_is_returned_as_a_response(self, make: Make, server: ConformanceServer, status: int) -> None:
        transport = make(server.url)
        for streams in (False, True):
            response = transport.send(call(f"/status/{status}", b"{}", streams=streams))
            assert response.status == status
            response.read()
            assert response.payload == {"error": f"status {status}"}
        assert server.connections == 1

    def test_redirect_is_returned_and_not_followed(self, make: Make, server: ConformanceServer) -> None:
        with ConformanceServer() as other:
            request = call(f"/redirect?to={other.url}/seen", b"{}", headers={"Authorization": "Bearer shk_1"})
            response = make(server.url).send(request)
            assert response.status == 307
            assert response.headers["Location"] == f"{other.url}/seen"
            assert other.connections == 0

    def test_connection_is_reused(self, make: Make, server: ConformanceServer) -> None:
        transport = make(server.url)
        for _ in range(5):
            transport.send(call("/echo", b"abc"))
        assert server.connections == 1

    @pytest.mark.parametrize("path", ["/close", "/close-unsaid", "/reset/after"])
    def test_connection_closed_by_the_server_is_not_reused(
        self, make: Make, server: ConformanceServer, path: str
    ) -> None:
        transport = make(server.url)
        assert transport.send(call(path)).content == b"the last one"
        while server.open_connections:
            time.sleep(0.01)
        assert transport.send(call("/seen")).payload["connection"] == 1

    def test_upload_is_streamed_in_bounded_memory(self, make: Make, server: ConformanceServer) -> None:
        transport = make(server.url)
        body, digest = file_body(64 * MIB)
        tracemalloc.start()
        try:
            seen = transport.send(call("/seen", body, streams=True))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        seen.read()
        assert seen.payload["length"] == 64 * MIB
        assert seen.payload["headers"]["content-length"] == str(64 * MIB)
        assert seen.payload["sha256"] == digest
        assert peak < 16 * MIB

    def test_error_of_reading_an_upload_passes_unchanged(self, make: Make, server: ConformanceServer) -> None:
        transport = make(server.url)
        with pytest.raises(ValueError, match="changed while it was sent"):
            transport.send(call("/echo", FileBody(2 * MIB, lambda: io.BytesIO(b"x" * MIB)), streams=True))
        assert transport.send(call("/echo", b"x")).content == b"x"

    @pytest.mark.parametrize("path", ["bytes", "chunked", "until-close"])
    def test_download_is_read_in_pieces_up_to_the_requested_size(
        self, make: Make, server: ConformanceServer, path: str
    ) -> None:
        transport = make(server.url)
        response = transport.send(call(f"/{path}/1000000", method="GET", streams=True))
        assert response.stream is not None
        pieces = []
        while piece := response.stream.read(70_000):
            assert len(piece) <= 70_000
            pieces.append(piece)
        assert response.stream.read(10) == b""
        response.close()
        assert b"".join(pieces) == b"".join(pattern(1_000_000))
        assert transport.send(call("/echo", b"x")).content == b"x"
        assert server.connections == (2 if path == "until-close" else 1)

    def test_download_is_streamed_in_bounded_memory(self, make: Make, server: ConformanceServer) -> None:
        transport = make(server.url)
        digest = hashlib.sha256()
        tracemalloc.start()
        try:
            response = transport.send(call(f"/bytes/{64 * MIB}", method="GET", streams=True))
            assert response.stream is not None
            while piece := response.stream.read(256 * 1024):
                digest.update(piece)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        response.close()
        assert digest.hexdigest() == file_body(64 * MIB)[1]
        assert peak < 16 * MIB

    def test_download_closed_early_does_not_affect_the_next_call(self, make: Make, server: ConformanceServer) -> None:
        transport = make(server.url, pool_size=1)
        response = transport.send(call(f"/bytes/{32 * MIB}", method="GET", streams=True))
        assert response.stream is not None
        assert response.stream.read(10) == next(pattern(10))
        response.close()
        assert transport.send(call("/echo", b"x")).content == b"x"
