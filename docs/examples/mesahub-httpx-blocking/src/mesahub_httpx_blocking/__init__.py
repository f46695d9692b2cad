"""A transport over httpx2: an example of a plugin, complete and held to the contract.

`docs/guides/writing-a-transport.md` goes through it.
"""

from __future__ import annotations

import contextlib
import os
import ssl
from collections.abc import Iterator
from time import monotonic

import httpx2 as httpx

from mesahub.errors import (
    ConfigurationError,
    ConnectionLostError,
    NotSentError,
    Outcome,
    RequestTimeoutError,
    TLSError,
)
from mesahub.transport import Request, Response, TransportOptions

_PIECE = 256 * 1024


class HttpxTransport:
    """HTTP/1.1 over an `httpx.Client`.

    Args:
        options: of its own it takes none.
    """

    def __init__(self, options: TransportOptions) -> None:
        options.check_options("httpx")
        self._options = options
        self._context = options.ssl_context() if options.base_url.startswith("https:") else True
        self._pid = os.getpid()
        self._closed = False
        self._client = self._new_client()

    def _new_client(self) -> httpx.Client:
        size = self._options.pool_size
        return httpx.Client(
            verify=self._context,
            proxy=self._options.proxy_url(),
            trust_env=False,  # proxies are settled by proxy_url(), and ~/.netrc must not replace the key
            follow_redirects=False,
            # No keep-alive beyond 4 seconds: some servers close after 5.
            limits=httpx.Limits(max_connections=size, max_keepalive_connections=size, keepalive_expiry=4),
        )

    def send(self, request: Request) -> Response:
        """Send one request and return the answer, whatever its status."""
        if self._closed:
            raise ConfigurationError("The transport is closed; make a new client.")
        if self._pid != os.getpid():
            # After a fork: the old client's connections are the parent's.
            self._pid, self._client = os.getpid(), self._new_client()
        timeout = self._options.timeout if request.timeout is None else request.timeout
        end = None if timeout is None or request.streams else monotonic() + timeout
        with self._errors():
            answer = self._client.send(self._built(request, timeout), stream=True)
            if request.streams and 200 <= answer.status_code < 300:
                return Response(answer.status_code, answer.headers, stream=Download(self, answer))
            try:
                content = self._read(answer, end)
            finally:
                answer.close()
            return Response(answer.status_code, answer.headers, content)

    def close(self) -> None:
        """Close the connections."""
        self._closed = True
        self._client.close()

    def _built(self, request: Request, timeout: float | None) -> httpx.Request:
        headers = {"Accept-Encoding": "identity", **request.headers}
        if request.authority is not None:
            headers["Host"] = request.authority
        content = request.content
        if content is not None:
            headers["Content-Type"] = request.content_type or "application/octet-stream"
            headers["Content-Length"] = str(len(content))
        connect = self._options.connect_timeout
        return self._client.build_request(
            request.method,
            self._options.base_url + request.path,
            # httpx writes a query string its own way when it is given an empty one.
            params=request.params or None,
            headers=headers,
            content=content if content is None or isinstance(content, bytes) else iter(content),
            timeout=httpx.Timeout(timeout, connect=connect if timeout is None else min(connect, timeout)),
        )

    def _read(self, answer: httpx.Response, end: float | None) -> bytes:
        # httpx's timeouts are for single waits; the contract's is for the whole attempt.
        pieces = []
        for piece in answer.iter_raw():
            if end is not None and monotonic() > end:
                raise RequestTimeoutError("The time ran out during the answer.", outcome=Outcome.MAYBE_RAN)
            pieces.append(piece)
        return b"".join(pieces)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """httpx's exceptions in the words of the contract: what became of the request?"""
        where = self._options.base_url
        try:
            yield
        except httpx.PoolTimeout as error:
            raise NotSentError(
                f"All connections to {where} were in use for as long as the request could wait: use a larger pool_size."
            ) from error
        except httpx.ConnectTimeout as error:
            raise RequestTimeoutError(f"{where} did not connect in time.", outcome=Outcome.NOT_SENT) from error
        except httpx.TimeoutException as error:
            raise RequestTimeoutError(f"{where} took too long.", outcome=Outcome.MAYBE_RAN) from error
        except (httpx.ConnectError, httpx.ProxyError) as error:
            if _by_tls(error):
                raise TLSError(f"{where}: {error}.") from error
            raise NotSentError(f"{where} could not be reached: {error}.") from error
        except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError) as error:
            raise ConfigurationError(f"This cannot be sent to {where}: {error}.") from error
        except httpx.TransportError as error:
            raise ConnectionLostError(f"No trustworthy answer from {where}: {error}.") from error


class Download:
    """The body of an answer, read as its user asks for it."""

    def __init__(self, transport: HttpxTransport, answer: httpx.Response) -> None:
        self._transport = transport
        self._answer = answer
        self._pieces = answer.iter_raw()
        self._rest = b""

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes, ``b""`` at the end; all that is left when ``size`` is negative."""
        if size < 0:
            return b"".join(iter(lambda: self.read(_PIECE), b""))
        with self._transport._errors():
            try:
                self._rest = self._rest or next(self._pieces, b"")
            except httpx.TransportError:
                self._answer.close()
                raise
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    def close(self) -> None:
        """Give the connection back."""
        self._answer.close()


def _by_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return not isinstance(error, ssl.SSLEOFError)
        error = error.__cause__ or error.__context__
    return False
