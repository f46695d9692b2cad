"""The paths of a MesaHub server."""

from __future__ import annotations

from mesahub.transport import Request
from mesahub.url import encode_segment

__all__ = ["Routes"]


class Routes:
    """The paths of a server: ``/v1/...`` for its front end, ``/api/db/...`` on the core itself."""

    __slots__ = ("_cache", "_templates", "prefix")

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._cache: dict[tuple[str, str], str] = {}
        self._templates: dict[tuple[str, str], Request] = {}

    def template(self, ref: str, operation: str) -> Request:
        """A request of ``query`` or ``exec`` to copy: see `Request.carrying`."""
        try:
            return self._templates[ref, operation]
        except (KeyError, TypeError):  # not known, or not hashable
            path = self.database(ref, operation)
        request = Request(operation, "POST", path, database=ref)
        if len(self._templates) < 1024:
            self._templates[ref, operation] = request
        return request

    def database(self, ref: str, what: str) -> str:
        """The path of ``query``, ``exec`` or ``files`` of a database."""
        try:
            path = self._cache.get((ref, what))
        except TypeError:  # not hashable
            path = None
        if path is None:
            slug = encode_segment(ref)
            path = f"/api/db/{slug}/{what}" if self.prefix == "api" else f"/v1/{what}/{slug}"
            if len(self._cache) < 1024:
                self._cache[ref, what] = path
        return path

    def file(self, ref: str, file_id: str, tail: str = "") -> str:
        """The path of one file."""
        return f"{self.database(ref, 'files')}/{encode_segment(file_id)}{tail}"
