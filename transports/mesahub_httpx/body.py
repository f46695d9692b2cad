"""Responses of httpx, as the exchange reads them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

__all__ = ["Response"]

_INNER = ("_stream", "_httpcore_stream", "_connection")
"""Attributes by which a response of httpx leads to its connection."""


class Response:
    """A response of httpx's.

    Args:
        response: the response, whose body was not read.
        hidden: headers that httpx must not see.

    Attributes:
        status: its status.
        headers: its headers, repeated ones apart.
    """

    def __init__(self, response: Any, hidden: list[tuple[bytes, bytes]]) -> None:
        self._response = response
        self._connection = _connection_of(response)
        self._pieces: AsyncIterator[bytes] | None = None
        self.status: int = response.status_code
        self.headers: list[tuple[str, str]] = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in [*response.headers.raw, *hidden]
        ]

    async def next(self) -> bytes:
        """Some bytes of the body, ``b""`` at its end."""
        pieces = self._pieces
        if pieces is None:
            # Where an event hook, or a cache, has read it, it is there whole.
            read = self._response.is_stream_consumed
            pieces = self._pieces = _whole(self._response) if read else self._response.aiter_raw()
        assert pieces is not None
        while True:
            piece: bytes | None = await anext(pieces, None)
            if piece is None:
                await self._check_end()
                return b""
            if piece:
                return piece

    async def _check_end(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and connection._h11_state.trailing_data[0]:
            # httpx would take what came after the response for the response to the next request.
            await connection.aclose()

    async def close(self) -> None:
        """Drop the connection, unless the body was read to its end. May be called twice."""
        await self._response.aclose()


async def _whole(response: Any) -> AsyncIterator[bytes]:
    yield response.content


def _connection_of(response: Any) -> Any:
    """Httpcore's HTTP/1.1 connection below a response, ``None`` where there is none (HTTP/2, a mock, a cache)."""
    each = response.stream
    for _ in range(8):
        if hasattr(each, "_h11_state"):
            return each
        each = next((inner for name in _INNER if (inner := getattr(each, name, None)) is not None), None)
    return None
