"""The transport ``urllib``: HTTP/1.1 over the standard library's sockets, with no dependency.

Persistent connections in a pool that threads share, TLS, proxies, streamed bodies. It reads answers with
a parser of its own (`mesahub_urllib.answer`), since http.client's takes longer than all the rest of a call.
"""

from mesahub_urllib.transport import UrllibTransport

__all__ = ["UrllibTransport"]
