"""One engine at several addresses, asked by asynchronous transports. See `mesahub.transport.endpoints`."""

from __future__ import annotations

from collections.abc import Callable

from mesahub.errors import TransportError
from mesahub.transport.base import AsyncTransport
from mesahub.transport.endpoints import Endpoints, attempts
from mesahub.transport.messages import AsyncResponse, Request

__all__ = ["AsyncEndpointsTransport"]


class AsyncEndpointsTransport:
    """A transport per address. What was not sent to one goes to the next, within the same attempt.

    Args:
        endpoints: chooses.
        open: makes the transport of a base URL.
    """

    def __init__(self, endpoints: Endpoints, open: Callable[[str], AsyncTransport]) -> None:
        self._endpoints = endpoints
        # Nothing is connected before the first request, so there is nothing to close when one cannot be made.
        self._transports = [open(url) for url in endpoints.urls]

    async def send(self, request: Request, /) -> AsyncResponse:
        """Send a request to the first address that takes it.

        Raises:
            TransportError: of the last address, or of the first one after which the request must not be sent again.
        """
        for attempt in attempts(self._endpoints, request):
            try:
                response = await self._transports[attempt.index].send(attempt.request)
            except TransportError as error:
                if attempt.failed(error):
                    raise
            else:
                if attempt.answered(response):
                    return response
                await response.aclose()
        raise AssertionError("Endpoints.order() gave no index")

    async def close(self) -> None:
        """Close all of them."""
        for transport in self._transports:
            await transport.close()
