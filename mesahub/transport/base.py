"""The methods of a transport, blocking and asyncio."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from mesahub.transport.messages import AsyncResponse, Request, Response


@runtime_checkable
class Transport(Protocol):
    """Moves requests. See the module's text for what it must and must not do."""

    def send(self, request: Request, /) -> Response:
        """Send one request and return the answer, whatever its status."""
        ...

    def close(self) -> None:
        """Free what it holds. May be called twice."""
        ...


@runtime_checkable
class AsyncTransport(Protocol):
    """Moves requests without blocking the event loop. The rules are those of `Transport`, and two more.

    A cancelled ``send`` drops its connection, which is never used again, and lets ``CancelledError`` pass.
    The body of a file comes in `AsyncResponse.async_stream`.
    """

    async def send(self, request: Request, /) -> AsyncResponse:
        """Send one request and return the answer, whatever its status."""
        ...

    async def close(self) -> None:
        """Free what it holds. May be called twice."""
        ...
