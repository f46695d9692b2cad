"""The transport ``asyncio``: HTTP/1.1 on the event loop of the standard library, with no dependency.

Persistent connections in a pool that tasks share, TLS, ``CONNECT`` proxies, streamed bodies, one deadline per call.
HTTP/1.1 itself is in `mesahub_http1`. Works on uvloop as well.
"""

from mesahub_asyncio.transport import AsyncioTransport

__all__ = ["AsyncioTransport"]
