"""Bodies: requests handed to aiohttp piece by piece, and responses read from it."""

from __future__ import annotations

from typing import Any

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from mesahub.transport.asynchronous.exchange import Call

__all__ = ["Body", "Response"]


class Body(aiohttp.Payload):
    """A request's body. It also notes when the sending begins, and refuses to be sent a second time.

    aiohttp sends what HTTP calls idempotent (DELETE, PUT) again when a connection breaks; whether an operation may be
    repeated is not for it to say.

    Attributes:
        began: the sending has begun.
        unsolicited: the connection held a response before that. Nothing was sent over it.
    """

    _default_content_type = "application/octet-stream"
    _consumed = True
    """aiohttp has nothing to rewind, and nothing to close."""

    def __init__(self, call: Call) -> None:
        content = call.request.content
        super().__init__(call, content_type=call.request.content_type or self._default_content_type)
        self._size = 0 if content is None else len(content)
        self._call = call
        self.began = False
        self.unsolicited = False

    def __bool__(self) -> bool:
        return True  # also an empty one is written, so that it is known when

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # noqa: ARG002
        """Nothing: it is not for logs."""
        return ""

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write all of it."""
        call = self._call
        if self.began:
            raise aiohttp.ClientConnectionError("aiohttp would have sent the request a second time")
        if _has_unsolicited(writer):
            self.unsolicited = True
            raise aiohttp.ClientConnectionError("the server sent something that was not asked for")
        self.began = True
        call.sent = True
        async for piece in call.pieces():
            await writer.write(piece)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:  # noqa: ARG002
        """The same: its length is the one that the headers say."""
        await self.write(writer)


def _has_unsolicited(writer: Any) -> bool:
    """Would aiohttp take what the connection has received while it was idle for the response?

    Only before the headers are sent is it any use to look. (aiohttp sends them with the first piece of the body.)
    """
    written: int = getattr(writer, "output_size", 0)
    if not hasattr(writer, "send_headers") or written:
        return False
    return bool(getattr(getattr(writer, "_protocol", None), "_buffer", None))


class Response:
    """A response of aiohttp's, as the exchange reads it.

    Attributes:
        status: its status.
        headers: its headers, repeated ones apart.
    """

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response: Any = response
        self.status = response.status
        self.headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.raw_headers]

    async def next(self) -> bytes:
        """Some bytes of the body, ``b""`` at its end."""
        read = getattr(self._response, "_body", None)
        if read is not None:  # by a hook of the session's, or a cache
            self._response._body = None
            return bytes(read)
        piece: bytes = await self._response.content.readany()
        return piece

    async def close(self) -> None:
        """Drop the connection, unless the body was read to its end. May be called twice."""
        content = self._response.content
        if content is not None and content.is_eof() and content.exception() is None:
            self._response.release()
        else:
            self._response.close()
