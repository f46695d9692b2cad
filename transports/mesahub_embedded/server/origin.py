"""The address that the server's links begin with.

It is never taken from the ``Host`` header alone: a caller who forges it would get working links that lead to, and give
their token to, a foreign host.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

__all__ = ["Origin"]

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::([0-9]{1,5}))?")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Origin:
    """Where this server can be reached.

    Args:
        public_url: its URL for callers, such as ``https://db.example.com``; links always begin with it.
        names: names and addresses of this machine that a ``Host`` header may have besides loopback ones; the port is
            the caller's, since a container or a proxy may listen on another one.
        fallback: the URL for any other ``Host``; default: the WSGI server's name and port.
    """

    def __init__(self, public_url: str | None = None, names: Iterable[str] = (), fallback: str | None = None) -> None:
        self._public = public_url.rstrip("/") if public_url else None
        self._names = _LOOPBACK | {name.lower() for name in names}
        self._fallback = fallback

    @property
    def public_url(self) -> str | None:
        """The server's URL for callers, without a slash at the end; ``None`` if it was not given."""
        return self._public

    def knows(self, environ: dict[str, Any]) -> bool:
        """Is the request's ``Host`` a name of this server?"""
        match = _HOST.fullmatch(environ.get("HTTP_HOST", ""))
        if match is None:
            return False
        name = match[1].lower()
        return name in self._names or name == str(environ.get("SERVER_NAME", "")).lower()

    def of(self, environ: dict[str, Any]) -> str:
        """The URL that links begin with, without a slash at the end."""
        if self._public is not None:
            return self._public
        scheme = environ.get("wsgi.url_scheme", "http")
        if self.knows(environ):
            return f"{scheme}://{environ['HTTP_HOST']}"
        if self._fallback is not None:
            return self._fallback
        name = environ.get("SERVER_NAME") or "localhost"
        return f"{scheme}://{name}:{environ.get('SERVER_PORT', '80')}"
