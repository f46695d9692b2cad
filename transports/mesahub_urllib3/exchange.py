"""`Exchange`: what a transport over urllib3 does with every request, however it reaches urllib3."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from mesahub.errors import ConfigurationError, MesahubError
from mesahub.transport import Request, Response, TransportOptions
from mesahub.transport.outgoing import url_of
from mesahub.transport.slots import Lease, Slots
from mesahub_urllib3.body import Body, read_whole
from mesahub_urllib3.errors import CAUGHT, translated
from mesahub_urllib3.limits import Limits, current

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

Call = Callable[[Request, Limits], "BaseHTTPResponse | Response"]
"""Sends a request and reads the head of the response; or gives all of the response, where somebody has read it."""
Translate = Callable[[BaseException, str, Limits], MesahubError]


class Exchange:
    """The way of a request around the call to urllib3: its turn, its time, its body, its errors.

    Args:
        options: those of the transport.
        own: the connections were made here, by `mesahub_urllib3.pools`: they keep to the limits of a call, and there
            are no more than ``pool_size``. What the application's own do is up to it.
        forget: closes idle connections; called where they belong to the parent process.
        translate: makes the contract's errors.

    Attributes:
        peer: the server's URL without a path, for messages.

    Raises:
        ConfigurationError: ``base_url`` is not the URL of an HTTP server.
    """

    def __init__(
        self,
        options: TransportOptions,
        *,
        own: bool,
        forget: Callable[[], None],
        translate: Translate = translated,
    ) -> None:
        self.peer = options.origin().peer
        self._base_url = options.base_url.rstrip("/")
        self._timeout = options.timeout
        self._connect_timeout = options.connect_timeout
        self._max_bytes = options.max_response_bytes
        self._own = own
        self._forget = forget
        self._translate = translate
        # urllib3 has a limit of its own, which an exception at the wrong moment lowers for good.
        self._slots = Slots[None](options.pool_size, self.peer) if own else None
        self._pid = os.getpid()
        self._closed = False

    def url(self, request: Request) -> str:
        """Where a request goes."""
        return url_of(self._base_url, request)

    def send(self, request: Request, call: Call) -> Response:
        """Send one request and return the response. See `mesahub.transport` for what it raises."""
        if self._closed:
            raise ConfigurationError("The transport is closed; make a new client.")
        if self._pid != os.getpid():
            # The connections belong to the parent process; this closes only our copies of them.
            self._pid = os.getpid()
            self._forget()
        timeout = self._timeout if request.timeout is None else request.timeout
        end = None if timeout is None else monotonic() + timeout
        lease = Lease()
        lent = False
        try:
            try:
                if self._slots is not None:
                    self._slots.take(lease, end)
                limits = Limits(None if request.streams else end, timeout, self._connect_timeout)
                body = self._open(request, call, limits)
                if isinstance(body, Response):
                    return body
                if request.streams and 200 <= body.status < 300 and not request.uploads:
                    body.at_end = functools.partial(self._give, lease)
                    lent = True
                    limits.start_stream()
                    return Response(body.status, body.headers, stream=body)
                limits.start_response()
                return Response(body.status, body.headers, read_whole(body, self._max_bytes))
            finally:
                if not lent:
                    self._give(lease)
        except BaseException:
            self._give(lease)  # also where an interrupt came in the line above
            raise

    def _open(self, request: Request, call: Call, limits: Limits) -> Body | Response:
        current.set(limits if self._own else None)
        try:
            raw = call(request, limits)
        except CAUGHT as error:
            raise self._translate(error, self.peer, limits) from error
        finally:
            current.set(None)
        if isinstance(raw, Response):
            return raw
        return Body(raw, request.method, self.peer, limits)

    def _give(self, lease: Lease) -> None:
        if self._slots is not None:
            self._slots.give(lease)

    def close(self) -> None:
        """Send nothing more."""
        self._closed = True
        if self._slots is not None:
            self._slots.close()
