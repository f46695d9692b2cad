"""HTTP/1.1 without a socket (RFC 9112): bytes in, values out, for every transport that does its own I/O.

* `RequestEncoder` makes the head of a request.
* `ResponseParser` reads one response from the bytes it is fed: status, headers, body, and whether the connection
  may carry another request.
* `framing_of` decides where a body ends; `ChunkedDecoder` undoes the chunked coding.
* `mesahub_http1.proxy` parses a proxy's URL, and makes and judges ``CONNECT``. (It is not imported here: few need it.)

What is not certain raises `ProtocolError`: a wrong guess about where a response ends would hand its rest to the
next caller. Nothing here waits, and nothing here raises an error of the contract but `ConfigurationError`.
"""

from mesahub_http1.chunked import ChunkedDecoder
from mesahub_http1.framing import ProtocolError, framing_of
from mesahub_http1.request import RequestEncoder
from mesahub_http1.response import ResponseParser

__all__ = [
    "ChunkedDecoder",
    "ProtocolError",
    "RequestEncoder",
    "ResponseParser",
    "framing_of",
]
