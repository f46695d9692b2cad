"""A request as a handler sees it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, BinaryIO, TypedDict
from urllib.parse import parse_qsl

from mesahub_embedded.server.counts import Counts
from mesahub_embedded.server.go_json import decode_first
from mesahub_embedded.server.limits import Limits
from mesahub_embedded.server.origin import Origin
from mesahub_embedded.storage.data_folder import Store

__all__ = ["Request"]

BODY_LIMIT = 10_485_760
"""Bytes of a JSON body; the server answers 400 to more."""

_STANDARD = Limits()
_ANY_ORIGIN = Origin()


class Running(TypedDict):
    """Arguments of what runs statements."""

    timeout: float | None
    alive: Callable[[], bool]


class Request:
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
        stopping: set when the server is about to end.
        counts: the numbers that the databases' connections remember.
        limits: what one request may cost.
        origin: the address that links to this server begin with.
    """

    __slots__ = (
        "_query",
        "admin",
        "arguments",
        "counts",
        "database",
        "environ",
        "key",
        "limits",
        "method",
        "origin",
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
        self.limits = _STANDARD
        self.counts = Counts()
        self.origin = _ANY_ORIGIN
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

    def running(self) -> Running:
        """How a statement of this request runs: for how long, and only while its caller waits for the answer."""
        # Waitress knows whether the caller is still connected.
        gone = self.environ.get("waitress.client_disconnected") or bool
        stopping = self.stopping

        def alive() -> bool:
            return not (gone() or (stopping is not None and stopping.is_set()))

        return {"timeout": self.limits.statement_seconds, "alive": alive}

    def link(self, path: str) -> str:
        """The URL of a path of this server, for whoever gets it from the caller."""
        return self.origin.of(self.environ) + path
