"""What passes through the layers: a request before it has become bytes, and the response to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from mesahub._util import json
from mesahub.errors import Outcome
from mesahub.transport.answers import Answer
from mesahub.transport.bodies import AsyncDownloadStream, BodyStream, DownloadStream, FileBody

__all__ = ["AsyncResponse", "EMPTY", "Encoder", "Headers", "Request", "Response", "STATEMENTS"]

_YEAR = 365 * 86400.0
"""Seconds: no server means to be left alone for longer than this."""
_LONG = 1024 * 1024
"""Size in bytes from which a body is dropped once it is parsed."""

STATEMENTS = frozenset({"query", "exec", "batch"})
"""Operations that carry SQL."""
EMPTY: Mapping[str, Any] = MappingProxyType({})
_HIDDEN = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key"})

Encoder = Callable[["Request"], "tuple[bytes | BodyStream | None, str | None]"]
"""Makes (content, content type) of a request's payload and body: see `Request.content`."""


class Headers(Mapping[str, str]):
    """Response headers; names are compared without case, repeated ones are joined with ``, ``."""

    __slots__ = ("_items",)

    def __init__(self, items: Iterable[tuple[str, str]] | Mapping[str, str] = ()) -> None:
        # Lists are what HTTP transports give; asking the abstract class costs as much as three headers.
        pairs: Any = items.items() if type(items) is not list and isinstance(items, Mapping) else items
        self._items: dict[str, str] = {}
        for name, value in pairs:
            key = name.lower()
            self._items[key] = f"{self._items[key]}, {value}" if key in self._items else value

    def __getitem__(self, name: str) -> str:
        return self._items[name.lower()]

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a header; twice as fast as the inherited way, which raises and catches KeyError."""
        return self._items.get(name.lower(), default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"Headers({_shown(self._items)!r})"


def _shown(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: "***" if name.lower() in _HIDDEN else value for name, value in headers.items()}


class Request:
    """One call, before it has become bytes. Treat it as frozen; `replace` makes an altered copy.

    Attributes:
        operation: what is asked, in the SDK's words: ``"query"``, ``"exec"``, ``"files.list"``,
            ``"files.upload"``, ``"admin.databases.create"``, ... Middleware, logs and the recorder think
            in operations, not in URLs.
        method: the HTTP method.
        path: the URL path, percent-encoded, from ``/`` on.
        database: the database (or bucket) the call is about, ``None`` for the others.
        params: the query string as (name, value) pairs.
        headers: HTTP headers; ``Content-Type`` and ``Content-Length`` belong to the content.
        payload: a JSON-able object, or ``None``. For ``query`` and ``exec`` it is
            ``{"sql": str, "bindings": list}`` whose bindings are Python values (``None``, ``bool``,
            ``int``, ``float``, ``str``, ``bytes``): an in-process transport binds them as they are, the
            encoder gives them their form on the wire.
        body: for uploads, the bytes of the file, or a `FileBody`.
        safe: may it be sent twice? True for reads, and for a write that the caller called idempotent.
        timeout: seconds for the whole attempt, ``None`` for no limit (see the module's text).
        streams: a file travels, up or down: the body of a successful answer may be given as ``Response.stream``,
            unless the request `uploads`.
        hints: what the caller asked of the engine beyond the statement, such as ``{"consistency": "strong"}``; the
            dialect has put it where the engine looks for it.
        authority: what the ``Host`` header holds, ``None`` for the URL's own host.
        verb: of the statement that it carries: ``"select"``, ``"insert"``, ...; of a batch, where all have the same
            one; else ``""``.
        collection: the table that it is about, where the table API made it (of a batch: where all are about that one).
        statements: how many statements it carries.
        attempt: 1, and one more each time that the call is sent again.
    """

    # A plain slotted class: a frozen dataclass of this width costs 2 µs more to make, twice in each call.
    __slots__ = (
        "_content",
        "attempt",
        "authority",
        "body",
        "collection",
        "database",
        "encoder",
        "headers",
        "hints",
        "method",
        "operation",
        "params",
        "path",
        "payload",
        "safe",
        "statements",
        "streams",
        "timeout",
        "verb",
    )

    def __init__(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        database: str | None = None,
        params: tuple[tuple[str, str], ...] = (),
        headers: Mapping[str, str] = EMPTY,
        payload: Any = None,
        body: bytes | FileBody | None = None,
        safe: bool = False,
        timeout: float | None = None,
        streams: bool = False,
        encoder: Encoder | None = None,
        hints: Mapping[str, str] = EMPTY,
        authority: str | None = None,
        verb: str = "",
        collection: str | None = None,
        statements: int = 0,
        attempt: int = 1,
    ) -> None:
        self.operation = operation
        self.method = method
        self.path = path
        self.database = database
        self.params = params
        self.headers = headers
        self.payload = payload
        self.body = body
        self.safe = safe
        self.timeout = timeout
        self.streams = streams
        self.encoder = encoder
        self.hints = hints
        self.authority = authority
        self.verb = verb
        self.collection = collection
        self.statements = statements
        self.attempt = attempt
        # A cell shared with every copy: the content is encoded once, whoever asks first.
        self._content: list[tuple[bytes | BodyStream | None, str | None]] = []

    def replace(self, **changes: Any) -> Request:
        """A copy with some attributes changed. It shares the encoded content, so it cannot change that."""
        clone = self._copy()
        for name, value in changes.items():
            if name not in Request.__slots__ or name in ("_content", "payload", "body", "encoder"):
                raise TypeError(f"a request's {name!r} cannot be replaced")
            setattr(clone, name, value)
        return clone

    def with_header(self, name: str, value: str) -> Request:
        """A copy with one more header."""
        return self.with_headers({**self.headers, name: value})

    def with_headers(self, headers: Mapping[str, str]) -> Request:
        """A copy with these headers and no others."""
        clone = self._copy()
        clone.headers = headers
        return clone

    def carrying(
        self, payload: Any, *, safe: bool, timeout: float | None, encoder: Encoder, hints: Mapping[str, str]
    ) -> Request:
        """A copy with a content of its own: a third of the time that it takes to make such a request from nothing."""
        clone = self._copy()
        clone.payload = payload
        clone.safe = safe
        clone.timeout = timeout
        clone.encoder = encoder
        clone.hints = hints
        clone._content = []
        return clone

    def in_other_form(self, path: str, encoder: Encoder) -> Request:
        """A copy for another path, with its payload encoded for that."""
        clone = self._copy()
        clone.path = path
        clone.encoder = encoder
        clone._content = []
        return clone

    def _copy(self) -> Request:
        # Written out: a loop over the slots takes three times as long, and every call comes here.
        clone = Request.__new__(Request)
        clone.operation = self.operation
        clone.method = self.method
        clone.path = self.path
        clone.database = self.database
        clone.params = self.params
        clone.headers = self.headers
        clone.payload = self.payload
        clone.body = self.body
        clone.safe = self.safe
        clone.timeout = self.timeout
        clone.streams = self.streams
        clone.encoder = self.encoder
        clone.hints = self.hints
        clone.authority = self.authority
        clone.verb = self.verb
        clone.collection = self.collection
        clone.statements = self.statements
        clone.attempt = self.attempt
        clone._content = self._content
        return clone

    @property
    def content(self) -> bytes | BodyStream | None:
        """The body as it goes over the wire: encoded once, kept for a retry. ``None``: no body."""
        return self.encoded()[0]

    @property
    def content_type(self) -> str | None:
        """The ``Content-Type`` that belongs to `content`."""
        return self.encoded()[1]

    @property
    def uploads(self) -> bool:
        """A file goes up. The answer is short, and must be there in the time given, counted from the file's end."""
        return self.body is not None and (self.encoder is not None or not isinstance(self.body, bytes))

    def encoded(self) -> tuple[bytes | BodyStream | None, str | None]:
        """`content` and `content_type` together."""
        if not self._content:
            self._content.append((self.encoder or _encode_json)(self))
        return self._content[0]

    def __repr__(self) -> str:
        # No payload: bindings are the caller's data, and a repr ends up in logs.
        return (
            f"<Request {self.operation} {self.method} {self.path} database={self.database!r} "
            f"headers={_shown(self.headers)!r} safe={self.safe} timeout={self.timeout}>"
        )


def _encode_json(request: Request) -> tuple[bytes | BodyStream | None, str | None]:
    if request.payload is None:
        body = request.body
        return (body, "application/octet-stream") if body is not None else (None, None)
    return json.dumps(request.payload), "application/json"


class Response:
    """What the server answered.

    Attributes:
        status: the HTTP status.
        headers: case-insensitive.
        content: the body's bytes; ``b""`` when ``payload`` or ``stream`` carries the answer.
        stream: the body, not read yet; only for a request with ``streams``.
        attempts: what the retry layer tried before this response came; ``()`` when it was the first attempt.
        server: the base URL that answered, where the engine has several addresses; else ``""``.
        outcome: what became of the request, where the dialect has said so.
        judged: the dialect has decided: ``outcome`` is its word, ``None`` included, which makes the response final.
        answer: of a statement that succeeded, from a transport without a wire: what the dialect would make of the
            payload. The payload is then made when it is first looked at, and counts instead of this from then on.
    """

    __slots__ = (
        "_payload",
        "answer",
        "attempts",
        "content",
        "headers",
        "judged",
        "outcome",
        "server",
        "status",
        "stream",
    )

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str] = EMPTY,
        content: bytes = b"",
        *,
        payload: Any = None,
        stream: DownloadStream | None = None,
    ) -> None:
        self.status = status
        self.headers = headers
        self.content = content
        self.stream = stream
        self.attempts: tuple[Any, ...] = ()
        self.outcome: Outcome | None = None
        self.judged = False
        self.answer: Answer | None = None
        self.server = ""
        self._payload = payload

    @property
    def payload(self) -> Any:
        """The answer as Python objects: as an in-process transport gave it, else the parsed JSON.

        Parsed once and kept. ``None`` for an empty body. Raises ``ValueError`` if it is not valid JSON.
        """
        if self.answer is not None:
            self._payload = self.answer.payload()
            self.answer = None
        elif self._payload is None and self.content:
            length = len(self.content)
            try:
                if length < json.LONG:
                    self._payload = json.loads(self.content)
                elif length < _LONG:
                    self._payload = json.loads_long(self.content)
                else:
                    self._payload = self._loads_long()
            except RecursionError:
                raise ValueError("the JSON is nested too deeply") from None
        return self._payload

    @payload.setter
    def payload(self, value: Any) -> None:
        # For a dialect that has parsed what is not one JSON text, or has made rows of it at once.
        self._payload = value

    def _loads_long(self) -> Any:
        # The bytes go before the objects come: the peak of memory is lower by the size of the body.
        held = [self.content]
        self.content = b""
        try:
            return json.loads_last(held)
        except (ValueError, RecursionError):
            self.content = held[0] if held else b""
            raise

    def read(self) -> bytes:
        """The whole body, from ``content`` or from ``stream``."""
        if self.stream is not None:
            try:
                self.content = self.stream.read()
            finally:
                self.stream.close()
                self.stream = None
        return self.content

    def retry_after(self, now: float | None = None) -> float | None:
        """The seconds that a Retry-After header asks to wait; ``None`` without one, or with one that is malformed.

        It may be a number or an HTTP date (RFC 9110, 10.2.3).

        Args:
            now: seconds since the epoch; default: the clock's.
        """
        text = self.headers.get("retry-after")
        if text is None:
            return None
        text = str(text).strip()
        if text.isascii() and text.isdigit():
            return min(float(text.lstrip("0")[:20] or "0"), _YEAR)
        from email.utils import parsedate_to_datetime
        from time import time

        try:
            seconds = parsedate_to_datetime(text).timestamp() - (time() if now is None else now)
        except (ValueError, TypeError, OverflowError, IndexError, OSError):
            return None
        return min(max(seconds, 0.0), _YEAR)

    def close(self) -> None:
        """Drop a body that will not be read."""
        if self.stream is not None:
            self.stream.close()
            self.stream = None

    def __repr__(self) -> str:
        return f"<Response {self.status}>"


class AsyncResponse(Response):
    """What the server answered, to an asynchronous transport.

    Attributes:
        async_stream: the body, not read yet; only for a request with ``streams``.
    """

    __slots__ = ("async_stream",)

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str] = EMPTY,
        content: bytes = b"",
        *,
        payload: Any = None,
        async_stream: AsyncDownloadStream | None = None,
    ) -> None:
        super().__init__(status, headers, content, payload=payload)
        self.async_stream = async_stream

    @classmethod
    def of(cls, response: Response, async_stream: AsyncDownloadStream | None = None) -> AsyncResponse:
        """A blocking transport's response, with another stream in place of its own."""
        made = cls(response.status, async_stream=async_stream)
        for name in Response.__slots__:
            if name != "stream":
                setattr(made, name, getattr(response, name))
        return made

    async def aread(self) -> bytes:
        """The whole body, from ``content`` or from ``async_stream``."""
        stream = self.async_stream
        if stream is not None:
            try:
                self.content = await stream.read()
            finally:
                await self.aclose()
        return self.content

    async def aclose(self) -> None:
        """Drop a body that is not read."""
        stream, self.async_stream = self.async_stream, None
        if stream is not None:
            await stream.close()
