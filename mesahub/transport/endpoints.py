"""One engine at several addresses: which of them a request goes to, and what is learned from what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic

from mesahub.errors import Outcome, RequestTimeoutError, TransportError
from mesahub.transport.base import Transport
from mesahub.transport.messages import Request, Response

__all__ = ["Endpoints", "EndpointsTransport"]


class Endpoints:
    """Chooses among addresses. Pure: it sends nothing. A dialect may have one of its own (`Dialect.endpoints`).

    This one stays with an address for as long as it answers.

    Args:
        urls: base URLs, at least one.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        self.urls = tuple(urls)
        self._first = 0

    def order(self, request: Request) -> Sequence[int]:
        """Indexes into ``urls``: where to send the request, and where next if nothing was sent."""
        count = len(self.urls)
        first = self._first
        return [(first + step) % count for step in range(count)]

    def request(self, index: int, request: Request) -> Request:
        """What is sent to an address: the request, or one with another Host or less time."""
        return request

    def goes_on(self, index: int, request: Request, result: Response | TransportError) -> bool:
        """Whether the next address is asked after this result. It must be safe to send the request again."""
        return isinstance(result, TransportError) and result.outcome is Outcome.NOT_SENT

    def answered(self, index: int, request: Request, response: Response) -> None:
        """An address answered, whatever the status."""
        self._first = index

    def failed(self, index: int, request: Request, error: TransportError) -> None:
        """An address did not answer. The next request begins with another one."""
        if self._first == index:
            self._first = (index + 1) % len(self.urls)


class EndpointsTransport:
    """A transport per address. What was not sent to one goes to the next, within the same attempt.

    Args:
        endpoints: chooses.
        open: makes the transport of a base URL.
    """

    def __init__(self, endpoints: Endpoints, open: Callable[[str], Transport]) -> None:
        self._endpoints = endpoints
        self._transports: list[Transport] = []
        try:
            for url in endpoints.urls:
                self._transports.append(open(url))
        except BaseException:
            self.close()
            raise

    def send(self, request: Request) -> Response:
        """Send a request to the first address that takes it.

        Raises:
            TransportError: of the last address, or of the first one after which the request must not be sent again.
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
            last = position == len(order) - 1
            try:
                response = self._transports[index].send(self._endpoints.request(index, attempt))
            except TransportError as error:
                self._endpoints.failed(index, request, error)
                if last or not self._endpoints.goes_on(index, request, error):
                    raise
            else:
                self._endpoints.answered(index, request, response)
                if last or not self._endpoints.goes_on(index, request, response):
                    response.server = self._endpoints.urls[index]
                    return response
                response.close()
        raise AssertionError("Endpoints.order() gave no index")

    def close(self) -> None:
        """Close all of them."""
        for transport in self._transports:
            transport.close()
