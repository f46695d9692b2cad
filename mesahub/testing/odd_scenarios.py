"""What the conformance server does that few servers do, and some do: interim responses, leftovers, endless ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mesahub.testing.exchange import Exchange

Behaviour = Callable[["Exchange"], None]

PAUSE = 0.1
_MANY = 600
"""A minute of pauses: longer than any call of the contract."""

FOREIGN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\nforeign"
"""A response that belongs to no request on this connection."""


def sends(response: bytes, *, ends: bool = False) -> Behaviour:
    """Read the request, send these bytes, and keep the connection, or end it."""

    def behaviour(exchange: Exchange) -> None:
        exchange.body()
        exchange.send(response)
        if ends:
            exchange.finish()

    return behaviour


def _last(exchange: Exchange) -> str:
    return exchange.seen.target.partition("?")[0].rpartition("/")[2]


def _interim(exchange: Exchange) -> None:
    exchange.body()
    for status in _last(exchange).split(","):
        exchange.send(f"HTTP/1.1 {status} Interim\r\nLink: </a>; rel=preload\r\nContent-Length: 5\r\n\r\n".encode())
        exchange.wait(PAUSE / 2)
    exchange.answer(200, b"final")


def _interim_split(exchange: Exchange) -> None:
    exchange.body()
    response = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n"
    response += b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfinal"
    for at in range(0, len(response), 7):
        exchange.send(response[at : at + 7])
        exchange.wait(0.002)


def _interim_endless(exchange: Exchange) -> None:
    exchange.body()
    status = _last(exchange)
    for _ in range(_MANY):
        exchange.send(f"HTTP/1.1 {status} Interim\r\n\r\n".encode())
        exchange.wait(PAUSE)


def _interim_flood(exchange: Exchange) -> None:
    exchange.body()
    while True:
        exchange.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100)


def _switch(exchange: Exchange) -> None:
    exchange.body()
    exchange.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n")
    exchange.wait(PAUSE)
    exchange.send(FOREIGN)


def _leftover_later(exchange: Exchange) -> None:
    exchange.body()
    exchange.answer(200, b"mine")
    exchange.wait(PAUSE / 2)
    exchange.send(FOREIGN)


def _endless(exchange: Exchange) -> None:
    exchange.body()
    exchange.send(f"HTTP/1.1 {_last(exchange)} Endless\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    while True:
        exchange.send(b"10000\r\n%b\r\n" % bytes(0x10000))


def _trailers(exchange: Exchange) -> None:
    exchange.body()
    exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nmine\r\n0\r\n")
    for _ in range(_MANY):
        exchange.send(b"X-Trailer: y\r\n")
        exchange.wait(PAUSE)


def _trailers_flood(exchange: Exchange) -> None:
    exchange.body()
    exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nmine\r\n0\r\n")
    while True:
        exchange.send(b"X-Trailer: y\r\n" * 1000)


def _drip_chunk_size(exchange: Exchange) -> None:
    exchange.body()
    exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;a=")
    for _ in range(_MANY):
        exchange.send(b"b")
        exchange.wait(PAUSE)


def _drip_status(exchange: Exchange) -> None:
    exchange.body()
    status = _last(exchange)
    exchange.send(f"HTTP/1.1 {status} Dripping\r\nContent-Length: {_MANY}\r\n\r\n".encode())
    for _ in range(_MANY):
        exchange.send(b"x")
        exchange.wait(PAUSE)


HEADS = {
    "two-lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nmine!",
    "length-list": b"HTTP/1.1 200 OK\r\nContent-Length: 4, 5\r\n\r\nmine!",
    "length-plus": b"HTTP/1.1 200 OK\r\nContent-Length: +4\r\n\r\nmine",
    "length-negative": b"HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\nmine",
    "length-words": b"HTTP/1.1 200 OK\r\nContent-Length: four\r\n\r\nmine",
    "length-underscore": b"HTTP/1.1 200 OK\r\nContent-Length: 0_4\r\n\r\nmine",
    "coding-unknown": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n4\r\nmine\r\n0\r\n\r\n",
    "coding-twice": b"HTTP/1.1 200 OK\r\n" + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n4\r\nmine\r\n0\r\n\r\n",
    "chunk-hex": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x4\r\nmine\r\n0\r\n\r\n",
    "chunk-negative": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-4\r\nmine\r\n0\r\n\r\n",
    "chunk-long": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nmine, or whose?\r\n0\r\n\r\n",
    "no-colon": b"HTTP/1.1 200 OK\r\nno colon here\r\nContent-Length: 4\r\n\r\nmine",
    "space-before-colon": b"HTTP/1.1 200 OK\r\nContent-Length : 4\r\n\r\nmine",
    "http2": b"HTTP/2 200 OK\r\nContent-Length: 4\r\n\r\nmine",
    "status-low": b"HTTP/1.1 99 Low\r\nContent-Length: 4\r\n\r\nmine",
}
"""Heads and chunks that leave open where the response ends, each followed by the end of the connection."""

LOCATIONS = {
    "bracket": b"http://[",
    "latin-1": b"/caf\xe9",
    "binary": b"\xff\xfe\x02\x01",
    "port": b"http://host:port/",
    "empty": b"",
    "scheme": b"gopher://x",
    "long": b"/" + b"x" * 8000,
}
"""Values of Location that no URL parser is sure of."""


def _slow(exchange: Exchange) -> None:
    exchange.body()
    exchange.wait(int(_last(exchange)) * PAUSE)
    exchange.answer(200, b"slow")


def _late_echo(exchange: Exchange) -> None:
    body = exchange.body()
    exchange.wait(0.004)
    exchange.answer(200, body)


def _split_echo(exchange: Exchange) -> None:
    body = exchange.body()
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Le")
    exchange.wait(0.002)
    exchange.send(f"ngth: {len(body)}\r\n\r\n".encode() + body[:3])
    exchange.wait(0.002)
    exchange.send(body[3:])


def _interim_echo(exchange: Exchange) -> None:
    body = exchange.body()
    exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    exchange.wait(0.002)
    exchange.answer(200, body)


def _chunked_echo(exchange: Exchange) -> None:
    body = exchange.body()
    exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body) + body)
    exchange.wait(0.002)
    exchange.send(b"\r\n0\r\n\r\n")


def _uncertain(exchange: Exchange) -> None:
    exchange.body()
    exchange.send(HEADS[_last(exchange)])
    exchange.finish()


def _location(exchange: Exchange) -> None:
    exchange.body()
    value = LOCATIONS[_last(exchange)]
    exchange.send(b"HTTP/1.1 302 Found\r\nLocation: " + value + b"\r\nContent-Length: 9\r\n\r\nelsewhere")


def _bodiless(exchange: Exchange) -> None:
    exchange.body()
    status = _last(exchange)
    length = "Content-Length: 0\r\n" if status == "205" else ""
    exchange.send(f"HTTP/1.1 {status} Nothing\r\n{length}\r\n".encode())


ODD_BEHAVIOURS: dict[str, Behaviour] = {
    "/interim/status": _interim,
    "/interim/alone": sends(b"HTTP/1.1 103 Early Hints\r\n\r\n", ends=True),
    "/interim/split": _interim_split,
    "/interim/endless": _interim_endless,
    "/interim/flood": _interim_flood,
    "/switch": _switch,
    "/leftover/at-once": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine" + FOREIGN),
    # Longer than the buffers of usual readers, shorter than a record of TLS.
    "/leftover/long": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine" + FOREIGN * 150),
    "/leftover/later": _leftover_later,
    "/leftover/chunked": sends(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nmine\r\n0\r\n\r\n" + FOREIGN
    ),
    "/leftover/of-none": sends(b"HTTP/1.1 204 No Content\r\n\r\n" + FOREIGN),
    "/endless": _endless,
    "/trailers/drip": _trailers,
    "/trailers/flood": _trailers_flood,
    "/drip/chunk-size": _drip_chunk_size,
    "/drip/status": _drip_status,
    "/slow": _slow,
    "/cookie": sends(b"HTTP/1.1 200 OK\r\nSet-Cookie: visitor=7; Path=/\r\nContent-Length: 0\r\n\r\n"),
    "/late": _late_echo,
    "/split": _split_echo,
    "/interim-echo": _interim_echo,
    "/chunked-echo": _chunked_echo,
    "/uncertain": _uncertain,
    "/location": _location,
    "/bodiless": _bodiless,
}
