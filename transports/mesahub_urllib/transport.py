"""`UrllibTransport`: a request in, bytes over a pooled connection, a response out."""

from __future__ import annotations

import math
import re
from time import monotonic
from typing import TYPE_CHECKING, Any

from mesahub.errors import ConfigurationError
from mesahub.secret import SecretBytes
from mesahub.transport import BodyStream, Request, Response, TransportOptions
from mesahub_urllib.answer import Answer
from mesahub_urllib.connection import Connection, open_socket, start_tls
from mesahub_urllib.download import Download
from mesahub_urllib.pool import Pool

if TYPE_CHECKING:
    from mesahub_urllib.proxy import Proxy

KEEP_ALIVE = 4.0
"""Seconds a connection may lie idle and be used again: below the 5 seconds after which the least patient
of the common servers (Node, uvicorn, Apache) close it. Behind nginx (75 s) or Caddy (300 s) more is safe."""

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_PATH = re.compile(r"/[!-~]*|https?://[!-~]+").fullmatch
_UNSAFE = re.compile(r"[^\t -~\x80-\xff]").search
NEW_LINE = "\r\n"
_OURS = frozenset({"host", "content-type", "content-length", "transfer-encoding", "connection"})


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
        parts = options.origin()
        host, port = parts.host, parts.port
        if not host.isascii():
            try:
                host = host.encode("idna").decode("ascii")
            except UnicodeError:
                raise ConfigurationError(f"The server's URL {options.base_url!r} cannot be read.") from None
        tls = parts.scheme == "https"
        shown = f"[{host}]" if ":" in host else host
        self._timeout = options.timeout
        self._connect_timeout = options.connect_timeout
        self._host = host
        self._port = port or (443 if tls else 80)
        self._authority = f"{shown}:{self._port}"
        self._peer = f"{parts.scheme}://{shown}" + (f":{port}" if port else "")
        self._tls = options.ssl_context() if tls else None
        proxy = options.proxy_url()
        self._proxy: Proxy | None = None
        if proxy:
            from mesahub_urllib.proxy import read_proxy

            self._proxy = read_proxy(proxy)
        # Through a proxy, a plain request names the whole URL.
        self._target = ("" if tls or self._proxy is None else self._peer) + parts.path.rstrip("/")
        # Identity: a file must arrive as it is stored, and MesaHub's servers compress nothing anyway.
        self._fixed = f"Host: {shown}{f':{port}' if port else ''}\r\nAccept-Encoding: identity\r\n"
        if self._proxy is not None and self._proxy.authorization and not tls:
            self._fixed += f"Proxy-Authorization: {self._proxy.authorization}\r\n"
        self._pool = Pool(
            self._connect,
            size=int(_number("pool_size", options.pool_size, least=1)),
            keep_alive=_number("keep_alive", options.options.get("keep_alive", KEEP_ALIVE), least=0),
            peer=self._peer,
        )

    def send(self, request: Request) -> Response:
        """Send one request and return the answer. See `mesahub.transport` for what it raises."""
        content = request.content
        head = self._head(request, content)
        timeout = self._timeout if request.timeout is None else request.timeout
        end = None if timeout is None else monotonic() + timeout
        connection = self._pool.acquire(end)
        reusable = lent = False
        try:
            connection.limit(None if request.streams else end, timeout)
            connection.send(head, content)
            answer = Answer(connection, request.method)
            if request.streams and 200 <= answer.status < 300:
                lent = True
                return Response(answer.status, answer.headers, stream=Download(answer, connection, self._pool))
            body = answer.read()
            reusable = answer.reusable
            return Response(answer.status, answer.headers, body)
        finally:
            if not lent:
                self._pool.release(connection, reusable=reusable)

    def close(self) -> None:
        """Close the connections that lie idle; those in use finish their request first."""
        self._pool.close()

    def _head(self, request: Request, content: bytes | BodyStream | None) -> SecretBytes:
        path = f"{self._target}{request.path}"
        if request.params:
            from urllib.parse import urlencode

            path += "?" + urlencode(request.params)
        if not _PATH(path) or not _NAME(request.method):
            raise ConfigurationError(f"The request's path is not percent-encoded: {request.method} {path!r}.")
        headers = request.headers
        for name, value in headers.items():
            if not _NAME(name) or name.lower() in _OURS:
                raise ConfigurationError(f"A request cannot carry a header {name!r} of its own.")
            _check(name, value)
        if content is not None:
            kind = request.content_type or "application/octet-stream"
            _check("Content-Type", kind)
            end = f"Content-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n"
        elif request.method in ("POST", "PUT", "PATCH"):
            end = "Content-Length: 0\r\n\r\n"
        else:
            end = "\r\n"
        # In one expression: the key must not lie in a local variable that a traceback may show.
        return SecretBytes(
            f"{request.method} {path} HTTP/1.1\r\n{self._fixed}"
            f"{''.join([f'{name}: {value}{NEW_LINE}' for name, value in headers.items()])}{end}".encode("latin-1")
        )

    def _connect(self, generation: int, left: float | None) -> Connection:
        timeout = self._connect_timeout if left is None else min(self._connect_timeout, left)
        end = monotonic() + timeout
        proxy = self._proxy
        host, port, peer = (proxy.host, proxy.port, proxy.peer) if proxy else (self._host, self._port, self._peer)
        sock = open_socket(host, port, timeout, peer)
        try:
            if self._tls is not None:
                if proxy is not None:
                    from mesahub_urllib.proxy import open_tunnel

                    tunnel = Connection(sock, peer, generation)
                    tunnel.limit(end, None)
                    open_tunnel(tunnel, proxy, self._authority)
                sock.settimeout(max(end - monotonic(), 0.001))
                sock = start_tls(sock, self._tls, self._host, self._peer)
            return Connection(sock, self._peer, generation)
        except BaseException:
            sock.close()
            raise


def _check(name: str, value: str) -> None:
    # A line break would begin a header, or a request, of somebody else's making.
    if _UNSAFE(value):
        raise ConfigurationError(f"The value of the header {name} holds a character that HTTP does not allow there.")


def _number(name: str, value: Any, *, least: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not number >= least:
        raise ConfigurationError(f"{name} must be a number from {least:g} on, not {value!r}.")
    return number
