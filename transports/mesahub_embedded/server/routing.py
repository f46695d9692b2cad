"""Routes, requests and replies of the server: what a handler sees and gives."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, unquote

from mesahub._util.json import dumps
from mesahub_embedded.server.go_json import decode_first
from mesahub_embedded.storage.data_folder import Store

__all__ = ["ADMIN", "DATABASE", "OPEN", "Call", "Reply", "Route", "route"]

BODY_LIMIT = 10_485_760
"""Bytes of a JSON body; more is a 400 to the server."""

OPEN = "open"
"""Anybody may call it."""
ADMIN = "admin"
"""The admin token alone."""
DATABASE = "database"
"""A key with a scope for the database named ``slug`` in the path; or the admin token."""


@dataclass(slots=True)
class Reply:
    """An answer: JSON (``payload``), or bytes, or pieces of bytes (``body``)."""

    status: int
    payload: Any = None
    body: bytes | Iterable[bytes] | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)


class Call:
    """A request as a handler sees it.

    Attributes:
        environ: WSGI's.
        store: the data folder.
        method: the HTTP method.
        path: the path, still percent-encoded.
        arguments: what the route's pattern named, decoded: ``{"slug": ...}``.
        token: the bearer token, ``""`` without one.
        admin: was it the admin token?
        key: the API key's record, where one was needed and given.
        database: the database's row, on routes of one.
        uptime: seconds since the server started.
        stopping: set when it is about to end.
    """

    __slots__ = (
        "_query",
        "admin",
        "arguments",
        "database",
        "environ",
        "key",
        "method",
        "path",
        "stopping",
        "store",
        "token",
        "uptime",
    )

    def __init__(self, environ: dict[str, Any], store: Store, path: str) -> None:
        self.environ = environ
        self.store = store
        self.method: str = environ["REQUEST_METHOD"]
        self.path = path
        self.arguments: dict[str, str] = {}
        self.admin = False
        self.key: dict[str, Any] | None = None
        self.database: dict[str, Any] | None = None
        self._query: dict[str, str] | None = None
        self.uptime = 0.0
        self.stopping: threading.Event | None = None
        header: str = environ.get("HTTP_AUTHORIZATION", "")
        self.token = header[7:] if header.startswith("Bearer ") else ""

    @property
    def query(self) -> dict[str, str]:
        """The query string; of a repeated name the first value, as Go's ``Get`` gives."""
        if self._query is None:
            self._query = {}
            for name, value in parse_qsl(self.environ.get("QUERY_STRING", ""), keep_blank_values=True):
                self._query.setdefault(name, value)
        return self._query

    def header(self, name: str, default: str = "") -> str:
        """A header of the request."""
        if name.lower() in ("content-type", "content-length"):
            value: str = self.environ.get(name.upper().replace("-", "_"), default)
        else:
            value = self.environ.get("HTTP_" + name.upper().replace("-", "_"), default)
        return value or default

    @property
    def length(self) -> int:
        """Bytes of the body."""
        return int(self.environ.get("CONTENT_LENGTH") or 0)

    @property
    def stream(self) -> BinaryIO:
        """The body, to read at most `length` bytes from."""
        stream: BinaryIO = self.environ["wsgi.input"]
        return stream

    def json(self, kinds: dict[str, str] | None) -> dict[str, Any]:
        """The body as a JSON object with these fields (``None``: any), as Go's decoder takes it.

        Args:
            kinds: field to Go type (``"string"``, ``"[]interface {}"``, ...); others are left out.

        Raises:
            RefusedError: 400, ``invalid JSON: ...``.
        """
        return decode_first(self.stream.read(min(self.length, BODY_LIMIT + 1)), kinds, BODY_LIMIT)


Handler = Callable[[Call], Reply]


@dataclass(frozen=True, slots=True)
class Route:
    """One route.

    Args:
        method: the HTTP method.
        pattern: the path, with ``{name}`` for a segment that is an argument.
        handler: answers.
        access: `OPEN`, `ADMIN` or `DATABASE`.
    """

    method: str
    pattern: str
    handler: Handler
    access: str = ADMIN

    def compiled(self) -> re.Pattern[str]:
        """The pattern as a regular expression."""
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.pattern))


def route(method: str, pattern: str, access: str = ADMIN) -> Callable[[Handler], Route]:
    """Make a `Route` of a handler::

    @route("GET", "/api/db/{slug}", ADMIN)
    def get_database(call: Call) -> Reply: ...
    """
    return lambda handler: Route(method, pattern, handler, access)


class Table:
    """All routes, by path."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._plain: dict[str, dict[str, Route]] = {}
        self._patterns: dict[str, tuple[re.Pattern[str], dict[str, Route]]] = {}
        for item in routes:
            if "{" in item.pattern:
                entry = self._patterns.setdefault(item.pattern, (item.compiled(), {}))
                entry[1][item.method] = item
            else:
                self._plain.setdefault(item.pattern, {})[item.method] = item

    def find(self, path: str) -> tuple[dict[str, Route], dict[str, str]] | None:
        """The routes of a path by method, and its arguments; ``None`` for an unknown path."""
        plain = self._plain.get(path)
        if plain is not None:
            return plain, {}
        for pattern, routes in self._patterns.values():
            match = pattern.fullmatch(path)
            if match:
                return routes, {name: unquote(value) for name, value in match.groupdict().items()}
        return None


def to_json(value: Any) -> bytes:
    """JSON as Go writes it: ``<``, ``>``, ``&`` and the line separators escaped, a newline at the end."""
    try:
        text = dumps(value)
    except (TypeError, ValueError):
        # A lone surrogate.
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    for plain, escaped in _ESCAPES:
        if plain in text:
            text = text.replace(plain, escaped)
    return text + b"\n"


_ESCAPES = (
    (b"<", b"\\u003c"),
    (b">", b"\\u003e"),
    (b"&", b"\\u0026"),
    ("\u2028".encode(), b"\\u2028"),
    ("\u2029".encode(), b"\\u2029"),
)


def pieces(source: BinaryIO, length: int, size: int = 256 * 1024) -> Iterator[bytes]:
    """The next ``length`` bytes of a file, piece by piece; it is closed at the end."""
    with source:
        while length > 0:
            piece = source.read(min(size, length))
            if not piece:
                return
            length -= len(piece)
            yield piece
