"""The contract between mesahub and whatever moves its requests.

A transport is any object with two methods, `Transport.send` and `Transport.close`; its factory takes
one `TransportOptions`. It is found by name through the entry-point group ``mesahub.transports``.

What a transport must do:

* ``send(request)`` returns a `Response` for everything that the server answered, whatever the status.
  It follows no redirect: a 3xx is a `Response` like any other.
* It raises only `NotSentError` (nothing left this machine), `ConnectionLostError` (it was sent, no
  trustworthy answer came back), `RequestTimeoutError` (with its ``outcome``), `TLSError` and
  `ConfigurationError`. Anything else is a bug of the transport.
* It never sends a request twice on its own. Retrying belongs to the middleware, which knows whether
  the operation may be repeated.
* It is safe to use from many threads at once. After ``close()``, ``send`` raises `ConfigurationError`.
* An HTTP transport sends ``request.content`` with ``request.content_type``; one that works in this
  process reads ``request.payload`` and answers with ``Response(payload=...)``, so that no JSON is made (or
  with ``Response.answer``, so that nothing of the kind is made at all).
* A true attribute ``ordered`` says that requests must come in the caller's own order (the recorder compares it): then
  no page of a table is asked for in advance.
* ``request.timeout`` is the time for the whole attempt, in seconds; when ``request.streams`` is true
  (file bodies), it is the longest silence between two pieces instead.
"""

from __future__ import annotations

from mesahub.transport.base import AsyncTransport, Transport
from mesahub.transport.bodies import AsyncDownloadStream, BodyStream, DownloadStream, FileBody
from mesahub.transport.factories import AsyncTransportFactory, TransportFactory
from mesahub.transport.messages import AsyncResponse, Headers, Request, Response
from mesahub.transport.options import TLSOptions, TransportOptions

__all__ = [
    "AsyncResponse",
    "AsyncTransport",
    "AsyncTransportFactory",
    "AsyncDownloadStream",
    "BodyStream",
    "DownloadStream",
    "FileBody",
    "Headers",
    "Request",
    "Response",
    "TLSOptions",
    "Transport",
    "TransportFactory",
    "TransportOptions",
]
