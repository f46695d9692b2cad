"""`UrllibTransport`: a request in, bytes over a pooled connection, a response out."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from mesahub._util.secret import SecretBytes
from mesahub.errors import ConnectionLostError, NotSentError, RequestTimeoutError
from mesahub.transport import BodyStream, Request, Response, TransportOptions
from mesahub.transport.network import seconds
from mesahub.transport.slots import Lease
from mesahub_http1 import RequestEncoder, ResponseParser
from mesahub_urllib.body import Download, read_body, read_head
from mesahub_urllib.connection import Connection, open_socket, start_tls
from mesahub_urllib.pool import Pool

if TYPE_CHECKING:
    from mesahub_http1.proxy import Proxy

KEEP_ALIVE = 4.0
"""Seconds a connection may lie idle and be used again: below the 5 seconds after which the least patient
of the common servers (Node, uvicorn, Apache) close it. With nginx (75 s) or Caddy (300 s) in front more is safe."""

JOINED = 64 * 1024
"""Bytes up to which a body is sent together with its headers: copying them costs less than another send."""


class UrllibTransport:
    """HTTP/1.1 over the standard library.

    Args:
        options: of its own it takes ``keep_alive``: seconds a connection may lie idle and be used again
            (4; 0 makes a connection for each request).

    Raises:
        ConfigurationError: a wrong URL, option, certificate file or proxy.
    """

    def __init__(self, options: TransportOptions) -> None:
        options.check_options("urllib", "keep_alive")
        url = options.proxy_url()
        self._proxy: Proxy | None = None
        if url:
            from mesahub_http1.proxy import parse_proxy

            self._proxy = parse_proxy(url, "urllib")
        self._encoder = RequestEncoder(options, self._proxy)
        self._timeout = options.timeout
        self._connect_timeout = options.connect_timeout
        self._max_bytes = options.max_response_bytes
        self._tls = options.ssl_context() if self._encoder.secure else None
        self._pool = Pool(
            self._connect,
            size=options.pool_size,
            keep_alive=seconds("keep_alive", options.options.get("keep_alive", KEEP_ALIVE)),
            peer=self._encoder.peer,
        )

    def send(self, request: Request) -> Response:
        """Send one request and return the answer. See `mesahub.transport` for what it raises."""
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
        end = None if timeout is None else monotonic() + timeout
        lease = Lease()
        reusable = lent = False
        try:
            try:
                connection = self._pool.acquire(lease, end)
                connection.begin(None if request.streams else end, timeout)
                connection.send(head, body)
                parser = ResponseParser(request.method)
                if request.streams and timeout is not None:
                    connection.end = monotonic() + timeout  # only the body of a file may take longer
                read_head(connection, parser)
                if request.streams and 200 <= parser.status < 300 and not request.uploads:
                    connection.end = None
                    stream = Download(connection, parser, self._pool, lease)
                    lent = True
                    return Response(parser.status, parser.headers, stream=stream)
                content = read_body(connection, parser, self._max_bytes)
                reusable = parser.keep_alive and connection.broken is None
                return Response(parser.status, parser.headers, content)
            finally:
                if not lent:
                    self._pool.release(lease, reusable=reusable)
        except BaseException:
            self._pool.release(lease, reusable=False)  # also where an interrupt came in the line above
            raise

    def close(self) -> None:
        """Close the connections that lie idle; those in use finish their request first."""
        self._pool.close()

    def _connect(self, left: float | None) -> Connection:
        timeout = self._connect_timeout if left is None else min(self._connect_timeout, left)
        end = monotonic() + timeout
        proxy, to = self._proxy, self._encoder
        host, port, peer = (proxy.host, proxy.port, proxy.peer) if proxy else (to.host, to.port, to.peer)
        sock = open_socket(host, port, timeout, peer)
        try:
            if self._tls is not None:
                if proxy is not None:
                    tunnel = Connection(sock, peer)
                    tunnel.begin(end, None)
                    _open_tunnel(tunnel, proxy, to.authority)
                sock.settimeout(max(end - monotonic(), 0.001))
                sock = start_tls(sock, self._tls, to.host, to.peer)
            return Connection(sock, to.peer)
        except BaseException:
            sock.close()
            raise


def _open_tunnel(connection: Connection, proxy: Proxy, authority: str) -> None:
    """Have the proxy connect to ``authority`` (host:port).

    Raises:
        NotSentError: it did not, or the connection broke: the request itself has not left.
        RequestTimeoutError: not in time.
        ConfigurationError: it wants other credentials, or does not allow the host.
    """
    try:
        connection.send(proxy.connect_head(authority), None)
        parser = ResponseParser("CONNECT")
        read_head(connection, parser)
    except ConnectionLostError as error:
        raise NotSentError(f"{proxy.peer} opened no tunnel to {authority}: {error}") from error
    except RequestTimeoutError as error:
        raise RequestTimeoutError(
            f"{proxy.peer} opened no tunnel to {authority} in time.", outcome=NotSentError.outcome
        ) from error
    proxy.check_connected(parser.status, authority)
