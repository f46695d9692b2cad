"""What the conformance server does, by path."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mesahub.testing.odd_scenarios import ODD_BEHAVIOURS, Behaviour, sends

if TYPE_CHECKING:
    from mesahub.testing.exchange import Exchange

ONE = {
    "headers": [{"name": "one", "displayName": "one", "originalType": "", "type": "text"}],
    "rows": [{"one": 1}],
    "stat": {"queryDurationMs": 0, "rowsAffected": 0, "rowsRead": 1, "rowsWritten": None},
}
"""The answer to ``SELECT 1 AS one``."""

_DRIPS = 30
_PAUSE = 0.1


_BLOCK = b"".join(number.to_bytes(4, "big") for number in range(1 << 16))


def pattern(size: int) -> Iterator[bytes]:
    """Pieces of bytes that show when one is missing or out of its place."""
    while size > 0:
        yield _BLOCK[:size]
        size -= len(_BLOCK)


def behaviour_of(target: str) -> Behaviour:
    """The behaviour that a request's target asks for: the longest prefix of its path that is known."""
    path = target.partition("?")[0]
    while path and path not in _BEHAVIOURS:
        path = path.rpartition("/")[0]
    return _BEHAVIOURS.get(path, _status)


def _last(exchange: Exchange) -> str:
    return exchange.seen.target.partition("?")[0].rpartition("/")[2]


def _query(exchange: Exchange) -> None:
    exchange.body()
    exchange.answer(200, json.dumps(ONE).encode(), "Content-Type: application/json")


def _echo(exchange: Exchange) -> None:
    exchange.answer(200, exchange.body(), "Content-Type: application/octet-stream", "X-Two: a", "x-two: b")


def _seen(exchange: Exchange) -> None:
    digest = hashlib.sha256()
    for piece in exchange.pieces():
        digest.update(piece)
    seen = exchange.seen
    told = {
        "method": seen.method,
        "target": seen.target,
        "headers": dict(seen.headers),
        "connection": seen.connection,
        "length": exchange.length,
        "sha256": digest.hexdigest(),
    }
    exchange.answer(200, json.dumps(told).encode(), "Content-Type: application/json")


def _status(exchange: Exchange) -> None:
    exchange.body()
    last = _last(exchange)
    status = int(last) if last.isdigit() and len(last) == 3 else 404
    exchange.answer(status, json.dumps({"error": f"status {status}"}).encode())


def _bytes(exchange: Exchange) -> None:
    exchange.body()
    size = int(_last(exchange))
    exchange.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
    for piece in pattern(size):
        exchange.send(piece)


def _chunked(exchange: Exchange) -> None:
    exchange.body()
    exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    left = b"".join(pattern(int(_last(exchange))))
    size = 1
    while left:
        piece, left = left[:size], left[size:]
        exchange.send(b"%X;name=value\r\n%b\r\n" % (len(piece), piece))
        size = min(size * 3, 1 << 20)
    exchange.send(b"0\r\nX-Trailer: here\r\n\r\n")


def _until_close(exchange: Exchange) -> None:
    exchange.body()
    exchange.send(b"HTTP/1.1 200 OK\r\n\r\n" + b"".join(pattern(int(_last(exchange)))))
    exchange.finish()


def _interim(exchange: Exchange) -> None:
    exchange.body()
    exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 2)
    exchange.answer(200, b"after the interim ones")


def _close(exchange: Exchange) -> None:
    exchange.body()
    exchange.answer(200, b"the last one", "Connection: close")
    exchange.finish()


def _close_unsaid(exchange: Exchange) -> None:
    exchange.body()
    exchange.answer(200, b"the last one")
    exchange.finish()


def _reset_after(exchange: Exchange) -> None:
    exchange.body()
    exchange.answer(200, b"the last one")
    exchange.wait(_PAUSE)  # a reset may overtake what was sent just before
    exchange.reset()


def _redirect(exchange: Exchange) -> None:
    exchange.body()
    exchange.answer(307, b"elsewhere", "Location: " + exchange.seen.target.partition("to=")[2])


def _early(exchange: Exchange) -> None:
    exchange.answer(413, b'{"error":"too large"}', "Connection: close")
    exchange.finish()


def _hang(exchange: Exchange) -> None:
    exchange.body()
    exchange.wait(60)


def _gate(exchange: Exchange) -> None:
    exchange.body()
    exchange.gate.wait(60)
    exchange.answer(200, b"open")


def _drip_body(exchange: Exchange) -> None:
    exchange.body()
    exchange.send(f"HTTP/1.1 200 OK\r\nContent-Length: {_DRIPS}\r\n\r\n".encode())
    for _ in range(_DRIPS):
        exchange.send(b"x")
        exchange.wait(_PAUSE)


def _drip_head(exchange: Exchange) -> None:
    exchange.body()
    exchange.send(b"HTTP/1.1 200 OK\r\nX-Drip: ")
    for _ in range(_DRIPS):
        exchange.send(b"x")
        exchange.wait(_PAUSE)
    exchange.send(b"\r\nContent-Length: 0\r\n\r\n")


def _stall(exchange: Exchange) -> None:
    exchange.body()
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + _BLOCK[:50000])
    exchange.wait(60)


def _reset_before(exchange: Exchange) -> None:
    exchange.body()
    exchange.reset()


def _reset_in_head(exchange: Exchange) -> None:
    exchange.body()
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Le")
    exchange.wait(_PAUSE)
    exchange.reset()


def _reset_in_body(exchange: Exchange) -> None:
    exchange.body()
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    exchange.wait(_PAUSE)
    exchange.reset()


def _nothing(exchange: Exchange) -> None:
    exchange.body()
    exchange.finish()


_BEHAVIOURS: dict[str, Behaviour] = {
    "/v1/query": _query,
    "/echo": _echo,
    "/seen": _seen,
    "/status": _status,
    "/bytes": _bytes,
    "/chunked": _chunked,
    "/until-close": _until_close,
    "/interim": _interim,
    "/no-content": sends(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "/close": _close,
    "/close-unsaid": _close_unsaid,
    "/redirect": _redirect,
    "/early": _early,
    "/hang": _hang,
    "/gate": _gate,
    "/stall": _stall,
    "/drip/body": _drip_body,
    "/drip/head": _drip_head,
    "/reset/before": _reset_before,
    "/reset/head": _reset_in_head,
    "/reset/body": _reset_in_body,
    "/reset/after": _reset_after,
    "/nothing": _nothing,
    "/truncated": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + _BLOCK[:50000], ends=True),
    "/boastful": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999\r\n\r\n" + _BLOCK, ends=True),
    "/truncated-chunk": sends(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n64\r\nhalf", ends=True
    ),
    "/no-last-chunk": sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n", ends=True),
    "/garbage": sends(b"220 mail.example.com ESMTP ready\r\n250 HELP\r\n\r\n", ends=True),
    "/garbage-chunk": sends(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\nhalf\r\n0\r\n\r\n", ends=True
    ),
    **ODD_BEHAVIOURS,
}
