"""One engine at several addresses, asked by asynchronous transports. See `mesahub.transport.endpoints`."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from mesahub.errors import Outcome, RequestTimeoutError, TransportError
from mesahub.transport.base import AsyncTransport
from mesahub.transport.endpoints import Endpoints
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
            TransportError: of the last address, or of the first one to which something may have been sent.
        """
        began = monotonic()
        order = self._endpoints.order(request)
        for position, index in enumerate(order):
            attempt = request
            if position and request.timeout is not None and not request.streams:
                left = request.timeout - (monotonic() - began)
                if left <= 0:
                    raise RequestTimeoutError("No address answered in the time given.", outcome=Outcome.NOT_SENT)
                attempt = request.replace(timeout=left)
            try:
                response = await self._transports[index].send(attempt)
            except TransportError as error:
                self._endpoints.failed(index, request, error)
                if error.outcome is not Outcome.NOT_SENT or position == len(order) - 1:
                    raise
            else:
                self._endpoints.answered(index, request, response)
                response.server = self._endpoints.urls[index]
                return response
        raise AssertionError("Endpoints.order() gave no index")

    async def close(self) -> None:
        """Close all of them."""
        for transport in self._transports:
            await transport.close()
