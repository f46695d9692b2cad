"""The transport ``urllib``: HTTP/1.1 over the standard library's sockets, with no dependency.

Persistent connections in a pool that threads share, TLS, proxies, streamed bodies. HTTP/1.1 itself is in
`mesahub_http1`, since the parser of http.client takes longer than all the rest of a call.
"""

from mesahub_urllib.transport import UrllibTransport

__all__ = ["UrllibTransport"]
