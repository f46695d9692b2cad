"""SQLite in this process, with mesahub's API; and a server over the same engine.

`EmbeddedTransport` is what ``mesahub.connect("mh://local/name")`` uses, `AsyncEmbeddedTransport` the same for asyncio;
`application` is the server as a WSGI application (``mesahub serve`` runs it). All keep everything in one data folder
and may share it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mesahub_embedded.transport import EmbeddedTransport

if TYPE_CHECKING:
    from mesahub_embedded.asynchronous import AsyncEmbeddedTransport
    from mesahub_embedded.server.app import application

__all__ = ["AsyncEmbeddedTransport", "EmbeddedTransport", "application"]


def __getattr__(name: str) -> Any:
    if name == "application":  # a database in this process needs no server
        from mesahub_embedded.server.app import application

        return application
    if name == "AsyncEmbeddedTransport":  # nor an event loop
        from mesahub_embedded.asynchronous import AsyncEmbeddedTransport

        return AsyncEmbeddedTransport
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
