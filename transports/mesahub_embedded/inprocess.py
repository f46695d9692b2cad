"""Administration and buckets without a server: the server's own handlers, called in this process."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from mesahub.errors import ConfigurationError
from mesahub.transport import BodyStream, Headers, Request, Response
from mesahub_embedded.engine.errors import RefusedError
from mesahub_embedded.server import request as server
from mesahub_embedded.server.reply import Reply
from mesahub_embedded.server.routing import Router
from mesahub_embedded.storage.data_folder import Store

__all__ = ["PREFIXES", "answer"]

PREFIXES = ("admin.", "buckets.")
"""Prefixes of the operations that are handled here."""


@lru_cache(maxsize=1)
def _router() -> Router:
    from mesahub_embedded.server.routes import admin, buckets
    from mesahub_embedded.server.routes import data as data_routes

    return Router([*data_routes.ROUTES, *admin.ROUTES, *buckets.ROUTES])


def answer(store: Store, request: Request) -> Response:
    """Answer a request as the server would, without authentication: the caller owns this process.

    Raises:
        RefusedError: the server's error.
        ConfigurationError: the operation needs a server.
    """
    found = _router().find(request.path)
    route = found[0].get(request.method) if found is not None else None
    if found is None or route is None or "presign" in request.operation:
        raise ConfigurationError(
            f"The transport 'embedded' does not support {request.operation!r}: it needs a server (mesahub serve)."
        )
    if route.of_database and store.catalog.database(found[1]["slug"]) is None:
        raise RefusedError(404, "Database not found")
    content = request.content
    environ = {
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": urlencode(request.params),
        "CONTENT_LENGTH": str(len(content)) if content is not None else "0",
        "CONTENT_TYPE": request.content_type or "",
        "HTTP_HOST": "local",
        "wsgi.input": io.BytesIO(content) if isinstance(content, bytes) else _Pieces(content),
    }
    environ |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in request.headers.items()}
    asked = server.Request(environ, store, request.path)
    asked.arguments = found[1]
    asked.admin = True
    return _response(route.handler(asked))


def _response(reply: Reply) -> Response:
    headers = Headers(reply.headers)
    if reply.payload is not None:
        return Response(reply.status, headers, payload=reply.payload)
    if isinstance(reply.body, bytes) or reply.body is None:
        return Response(reply.status, headers, reply.body or b"")
    return Response(reply.status, headers, stream=_Pieces(reply.body))


class _Pieces:
    """A readable file over an iterator of bytes."""

    def __init__(self, source: Any | BodyStream | None) -> None:
        self._source: Iterator[bytes] = iter(source or ())
        self._rest = b""

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            whole, self._rest = b"".join([self._rest, *self._source]), b""
            return whole
        while not self._rest:
            piece = next(self._source, None)
            if piece is None:
                return b""
            self._rest = piece
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    def close(self) -> None:
        close = getattr(self._source, "close", None)
        if close is not None:
            close()
