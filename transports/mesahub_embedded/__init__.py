"""SQLite in this process, with mesahub's API; and a server over the same engine.

`EmbeddedTransport` is what ``mesahub.connect("mh://local/name")`` uses; `application` is the server as a WSGI
application (``mesahub serve`` runs it). Both keep everything in one data folder and may share it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mesahub_embedded.transport import EmbeddedTransport

if TYPE_CHECKING:
    from mesahub_embedded.server.app import application

__all__ = ["EmbeddedTransport", "application"]


def __getattr__(name: str) -> Any:
    if name == "application":  # a database in this process needs no server
        from mesahub_embedded.server.app import application

        return application
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
