"""One engine at several addresses: which of them a request goes to, and what is learned from what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import monotonic

from mesahub.errors import Outcome, RequestTimeoutError, TransportError
from mesahub.transport.base import Transport
from mesahub.transport.messages import Request, Response

__all__ = ["Attempt", "Endpoints", "EndpointsTransport", "attempts"]


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


class Attempt:
    """A request at one of its addresses.

    Attributes:
        index: the address.
        request: what is sent there.
    """

    __slots__ = ("_endpoints", "_last", "_request", "index", "request")

    def __init__(self, endpoints: Endpoints, request: Request, index: int, sent: Request, *, last: bool) -> None:
        self._endpoints = endpoints
        self._request = request
        self._last = last
        self.index = index
        self.request = sent

    def failed(self, error: TransportError) -> bool:
        """Learn from an error. Is it what the caller gets?"""
        self._endpoints.failed(self.index, self._request, error)
        return self._last or not self._endpoints.goes_on(self.index, self._request, error)

    def answered(self, response: Response) -> bool:
        """Learn from a response. Is it what the caller gets?"""
        self._endpoints.answered(self.index, self._request, response)
        if not self._last and self._endpoints.goes_on(self.index, self._request, response):
            return False
        response.server = self._endpoints.urls[self.index]
        return True


def attempts(endpoints: Endpoints, request: Request) -> Iterator[Attempt]:
    """The addresses to ask until one's result is what the caller gets, all within the request's time.

    Raises:
        RequestTimeoutError: it is over.
    """
    began = monotonic()
    order = endpoints.order(request)
    for position, index in enumerate(order):
        sent = request
        if position and request.timeout is not None and not request.streams:
            left = request.timeout - (monotonic() - began)
            if left <= 0:
                raise RequestTimeoutError("No address answered in the time given.", outcome=Outcome.NOT_SENT)
            sent = request.replace(timeout=left)
        last = position == len(order) - 1
        yield Attempt(endpoints, request, index, endpoints.request(index, sent), last=last)


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
        for attempt in attempts(self._endpoints, request):
            try:
                response = self._transports[attempt.index].send(attempt.request)
            except TransportError as error:
                if attempt.failed(error):
                    raise
            else:
                if attempt.answered(response):
                    return response
                response.close()
        raise AssertionError("Endpoints.order() gave no index")

    def close(self) -> None:
        """Close all of them."""
        for transport in self._transports:
            transport.close()
