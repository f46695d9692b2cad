"""`AsyncioTransport`: a request in, bytes over a pooled connection, a response out, without blocking the loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from mesahub._util.secret import SecretBytes
from mesahub.errors import ConfigurationError, ConnectionLostError, NotSentError, Outcome, RequestTimeoutError, TLSError
from mesahub.transport import AsyncResponse, BodyStream, Request, TransportOptions
from mesahub.transport.asynchronous.cancellation import note_cancelled
from mesahub.transport.asynchronous.loops import running_loop
from mesahub.transport.network import seconds
from mesahub_asyncio.body import Download, read_head, read_rest, send_stream, start_body
from mesahub_asyncio.connection import JOINED, Connection
from mesahub_asyncio.pool import Pool
from mesahub_http1 import ProtocolError, RequestEncoder, ResponseParser

if TYPE_CHECKING:
    from mesahub_http1.proxy import Proxy

KEEP_ALIVE = 4.0
"""Seconds an idle connection is kept: below the 5 seconds after which the least patient of the common servers
(Node, uvicorn, Apache) close it. With nginx (75 s) or Caddy (300 s) more is safe."""


class AsyncioTransport:
    """HTTP/1.1 over asyncio.

    One instance serves one event loop at a time; on another loop, or in a forked process, it starts with new
    connections.

    Args:
        options: its own option is ``keep_alive``: seconds an idle connection is kept (4; 0 makes a connection for
            each request).

    Raises:
        ConfigurationError: a wrong URL, option, certificate file or proxy.
    """

    def __init__(self, options: TransportOptions) -> None:
        options.check_options("asyncio", "keep_alive")
        url = options.proxy_url()
        self._proxy: Proxy | None = None
        if url:
            from mesahub_http1.proxy import parse_proxy

            self._proxy = parse_proxy(url, "asyncio")
        self._encoder = RequestEncoder(options, self._proxy)
        self._timeout = options.timeout
        self._connect_timeout = options.connect_timeout
        self._tls = options.ssl_context() if self._encoder.secure else None
        self._max_bytes = options.max_response_bytes
        self._size = options.pool_size
        self._keep_alive = seconds("keep_alive", options.options.get("keep_alive", KEEP_ALIVE))
        self._pool: Pool | None = None
        self._closed = False

    async def send(self, request: Request, /) -> AsyncResponse:
        """Send one request and return the answer. See `mesahub.transport` for what it raises.

        A cancelled call drops its connection: a late response is discarded.
        """
        loop = running_loop()
        pool = self._pool
        if pool is None or not pool.serves(loop):
            pool = self._new_pool()
        content, content_type = request.encoded()
        head = self._encoder.encode(request, content, content_type)
        body: memoryview | BodyStream | None = None
        if isinstance(content, bytes):
            if len(content) <= JOINED:
                head = SecretBytes(head + content)
            else:
                body = memoryview(content)
        else:
            body = content
        del content  # a traceback may show this function's variables
        timeout = self._timeout if request.timeout is None else request.timeout
        end = None if timeout is None else loop.time() + timeout
        connection = pool.take() or await pool.acquire(end)
        reusable = lent = False
        try:
            connection.limit(None if request.streams else end, timeout)
            if body is None:
                if not connection.write_now(head):
                    await connection.drain()
            elif isinstance(body, memoryview):
                await connection.write(head)
                await connection.write(body)
            else:
                await send_stream(connection, head, body)
            parser = ResponseParser(request.method)
            if request.streams and timeout is not None:
                connection.end = loop.time() + timeout  # only the body of a file may take longer
            try:
                while not parser.feed_head(await connection.receive()):
                    pass
            except ProtocolError as error:
                raise connection.lost(error) from None
            if request.streams and 200 <= parser.status < 300 and not request.uploads:
                connection.end = None
                stream = Download(connection, parser, pool)
                lent = True
                return AsyncResponse(parser.status, parser.headers, async_stream=stream)
            received = start_body(connection, parser)
            if not parser.complete or len(received) > self._max_bytes:
                received = await read_rest(connection, parser, received, self._max_bytes)
            reusable = parser.keep_alive and connection.broken is None
            return AsyncResponse(parser.status, parser.headers, received)
        except asyncio.CancelledError as error:
            if connection.sent:
                note_cancelled(error, request)
            raise
        finally:
            if not lent:
                pool.release(connection, reusable=reusable)

    async def close(self) -> None:
        """Close the idle connections; those in use finish their request first. May be called twice."""
        self._closed = True
        pool, self._pool = self._pool, None
        if pool is not None:
            if pool.serves(asyncio.get_running_loop()):
                await pool.close()
            else:
                pool.abandon()

    @property
    def open_connections(self) -> int:
        """Connections that are open now, lent ones included."""
        return 0 if self._pool is None else self._pool.open_connections

    def _new_pool(self) -> Pool:
        if self._closed:
            raise ConfigurationError("The transport is closed; make a new client.")
        if self._pool is not None:
            self._pool.abandon()
        self._pool = Pool(self._connect, size=self._size, keep_alive=self._keep_alive, peer=self._encoder.peer)
        return self._pool

    async def _connect(self, left: float | None) -> Connection:
        timeout = self._connect_timeout if left is None else min(self._connect_timeout, left)
        connecting = _Connecting(self._encoder, self._proxy, self._tls)
        try:
            async with asyncio.timeout(max(timeout, 0)):
                return await connecting.run()
        except TimeoutError as error:
            raise RequestTimeoutError(
                f"{connecting.waiting_for} did not {connecting.step} within {max(timeout, 0):g} seconds.",
                outcome=Outcome.NOT_SENT,
            ) from error


class _Connecting:
    """The steps to a connection: connect, have a proxy open a tunnel, make TLS of it.

    Attributes:
        waiting_for: who takes its time.
        step: with what.
    """

    def __init__(self, to: RequestEncoder, proxy: Proxy | None, tls: Any) -> None:
        self._to = to
        self._proxy = proxy
        self._tls = tls
        self.waiting_for = proxy.peer if proxy is not None else to.peer
        self.step = "accept the connection"

    async def run(self) -> Connection:
        """Connect.

        Raises:
            NotSentError: no such host, refused, no route, no tunnel.
            TLSError: the other side cannot be trusted, or does not speak TLS.
            ConfigurationError: the proxy wants other credentials.
        """
        to, proxy = self._to, self._proxy
        if proxy is None:
            return await self._open(to.host, to.port, to.peer, tls=self._tls)
        if self._tls is None:
            return await self._open(proxy.host, proxy.port, to.peer, tls=None)
        tunnel = await self._open(proxy.host, proxy.port, proxy.peer, tls=None)
        try:
            self.step = f"open a tunnel to {to.authority}"
            await _open_tunnel(tunnel, proxy, to.authority)
            self.waiting_for, self.step = to.peer, "complete the TLS handshake"
            return await self._start_tls(tunnel)
        except BaseException:
            tunnel.abort()
            raise

    async def _open(self, host: str, port: int, peer: str, *, tls: Any) -> Connection:
        loop = asyncio.get_running_loop()
        made = Connection(loop, peer, secure=tls is not None)
        if tls is not None:
            self.step = "accept the connection and complete the TLS handshake"
        try:
            await loop.create_connection(
                lambda: made, host, port, ssl=tls, server_hostname=self._to.host if tls is not None else None
            )
        except OSError as error:
            raise _unreachable(peer, error, tls=tls is not None) from error
        return made

    async def _start_tls(self, tunnel: Connection) -> Connection:
        loop = asyncio.get_running_loop()
        made = Connection(loop, self._to.peer, secure=True)
        try:
            transport = await loop.start_tls(tunnel.release_transport(), made, self._tls, server_hostname=self._to.host)
        except OSError as error:
            raise _unreachable(self._to.peer, error, tls=True) from error
        if transport is None:
            raise NotSentError(f"{self._to.peer} closed the connection in the TLS handshake.")
        made.connection_made(transport)
        return made


async def _open_tunnel(connection: Connection, proxy: Proxy, authority: str) -> None:
    try:
        await connection.write(proxy.connect_head(authority))
        parser = ResponseParser("CONNECT")
        await read_head(connection, parser)
    except ConnectionLostError as error:
        raise NotSentError(f"{proxy.peer} opened no tunnel to {authority}: {error}") from error
    proxy.check_connected(parser.status, authority)


def _unreachable(peer: str, error: OSError, *, tls: bool) -> NotSentError | TLSError:
    import socket
    import ssl

    if isinstance(error, socket.gaierror):
        return NotSentError(f"The host of {peer} was not found: {error}.")
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)) or not isinstance(error, ssl.SSLError):
        when = " or completed no TLS handshake" if tls else ""
        return NotSentError(f"{peer} could not be reached{when}: {error}.")
    text = getattr(error, "verify_message", None) or getattr(error, "reason", None) or str(error)
    if "WRONG_VERSION" in text or "RECORD_LAYER" in text:
        text = f"the other side does not speak TLS ({text}); is it an http:// server?"
    return TLSError(f"No TLS connection to {peer}: {str(text).rstrip('.')}.")
