"""A base for dialects of engines that answer JSON, name errors in SQLite's words, and take a bearer token."""

from __future__ import annotations

from collections.abc import Mapping

from mesahub.dialects.base import Dialect
from mesahub.dialects.mesahub.authorization import bearer
from mesahub.errors import MesahubError
from mesahub.transport import Response

__all__ = ["JsonDialect"]


class JsonDialect(Dialect):
    """`Dialect` with an `error` that reads ``{"error": text}`` or ``{"code", "message"}``, and bearer tokens."""

    def error(self, response: Response, operation: str = "") -> MesahubError:
        """See `mesahub.dialects.base.Dialect.error`."""
        from mesahub.dialects.mesahub.errors import error_from

        return error_from(response, operation)

    def authorize(self, key: str) -> Mapping[str, str]:
        """See `mesahub.dialects.base.Dialect.authorize`."""
        return bearer(key)
