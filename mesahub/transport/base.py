"""The two methods of a transport, and its factory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from mesahub.transport.messages import AsyncResponse, Request, Response
from mesahub.transport.options import TransportOptions


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


TransportFactory = Callable[[TransportOptions], Transport]
"""What an entry point of ``mesahub.transports`` names: usually the transport's class.

It may carry two attributes, both ``True`` when absent: ``needs_url`` and ``needs_key`` say whether a
client can be made without ``api_url`` and ``api_key``. Each may also be a callable that
takes the `TransportOptions`.
"""

AsyncTransportFactory = Callable[[TransportOptions], AsyncTransport]
"""What an entry point of ``mesahub.async_transports`` names. It may carry ``needs_url`` and ``needs_key`` as well."""
