"""`mesahub_http1`: responses parsed from bytes, however they are cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesahub.transport import Headers
from mesahub_http1 import ChunkedDecoder, ProtocolError, ResponseParser, framing_of


def parse(pieces: list[bytes], method: str = "POST") -> tuple[int, bytes, bool]:
    """Feed a parser as a connection would that receives these pieces and is closed then."""
    parser = ResponseParser(method)
    waiting = [*pieces, b""]
    while not parser.feed_head(waiting.pop(0)):
        pass
    body = parser.start()
    while not parser.complete:
        body += parser.feed(waiting.pop(0))
    return parser.status, body, parser.keep_alive and waiting == [b""]


RESPONSES = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world", (200, b"hello world", True)),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", (200, b"", True)),
    (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"", True)),
    (b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n", (205, b"", True)),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", (200, b"ok", False)),
    (b"HTTP/1.1 503 Busy\r\nConnection: keep-alive, Close\r\nContent-Length: 2\r\n\r\nno", (503, b"no", False)),
    (b"HTTP/1.1 200 OK\r\n\r\nup to the end", (200, b"up to the end", False)),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked \r\n\r\n5;a=b\r\nhello\r\n06\r\n world\r\n0\r\nT: x\r\n\r\n",
        (200, b"hello world", True),
    ),
    (
        b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 5\r\n\r\n"
        b"HTTP/1.1 199 Mine\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        (200, b"ok", True),
    ),
]


@pytest.mark.parametrize(("response", "expected"), RESPONSES)
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_parser_gives_the_same_however_bytes_are_cut(
    response: bytes, expected: tuple[int, bytes, bool], data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(response) - 1), max_size=len(response))))
    pieces = [response[a:b] for a, b in zip([0, *cuts], [*cuts, len(response)], strict=True)]
    assert parse(pieces) == expected


@pytest.mark.parametrize(
    ("response", "says"),
    [
        (b"HTTP/1.1 200 OK\nContent-Length: 0\n", "not HTTP/1.1"),
        (b"HTTP/1.1\t200 OK\r\n", "not HTTP/1.1"),
        (b"220 mail.example.com\r\n", "not HTTP/1.1"),
        (b"\r\nHTTP/1.1 200 OK\r\n", "not HTTP/1.1"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", "switched protocols"),
        (b"HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\n: y\r\n\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3, 4\r\n\r\n", "Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", "Content-Length"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "Transfer-Encoding"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 3000, "longer than"),
    ],
)
def test_parser_refuses_what_is_not_certain_before_the_connection_ends(response: bytes, says: str) -> None:
    parser = ResponseParser("GET")
    with pytest.raises(ProtocolError, match=says):
        parser.feed_head(response)


@pytest.mark.parametrize(
    "coded",
    [
        b"5 hello\n",
        b"5\nhello\r\n",
        b"5\r\nhello!\r\n",
        b"5\r\nhello\n",
        b"\r\n",
        b";a=b\r\n",
        b"5;a=\nb\r\nhello",
        b"ffffffffffffffff\r\n",
        b"0\r\nT: " + b"x" * 5000,
        b"0\r\n" + b"T: x\r\n" * 20_000,
        b"0\r\nT: x\ny\r\n",
    ],
)
def test_chunked_decoder_refuses_malformed_chunks(coded: bytes) -> None:
    with pytest.raises(ProtocolError):
        ChunkedDecoder().feed(coded)


def test_chunked_decoder_keeps_what_comes_after_the_end() -> None:
    decoder = ChunkedDecoder()
    assert decoder.feed(b"2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 ") == b"ok"
    assert decoder.complete
    assert decoder.feed(b"OK\r\n") == b""
    assert decoder.rest == b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("method", "status", "headers", "expected"),
    [
        ("GET", 200, {"Content-Length": "5"}, (5, False, True)),
        ("GET", 200, {"Content-Length": "5, 5"}, (5, False, True)),
        ("HEAD", 200, {"Content-Length": "5"}, (0, False, True)),
        ("CONNECT", 200, {"Transfer-Encoding": "chunked"}, (0, False, True)),
        ("GET", 304, {"Content-Length": "5"}, (0, False, True)),
        ("GET", 204, {}, (0, False, True)),
        ("GET", 205, {}, (None, False, False)),
        ("GET", 200, {"Transfer-Encoding": "chunked", "Content-Length": "5"}, (None, True, False)),
        ("GET", 200, {"Transfer-Encoding": "Chunked", "Connection": "close"}, (None, True, False)),
        ("GET", 200, {}, (None, False, False)),
    ],
)
def test_framing_of(method: str, status: int, headers: dict[str, str], expected: tuple[int | None, bool, bool]) -> None:
    assert framing_of(method, status, Headers(headers)) == expected


def test_framing_of_refuses_an_interim_response() -> None:
    with pytest.raises(ProtocolError, match="103"):
        framing_of("GET", 103, Headers({}))
