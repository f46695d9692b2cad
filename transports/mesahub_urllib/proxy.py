"""Ways to a server: straight, or through an HTTP proxy."""

from __future__ import annotations

import base64
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from mesahub.errors import ConfigurationError, ConnectionLostError, NotSentError, RequestTimeoutError
from mesahub_urllib.answer import Answer
from mesahub_urllib.connection import Connection


class Proxy(NamedTuple):
    """An HTTP proxy.

    Attributes:
        host: its host.
        port: its port.
        authorization: the value of ``Proxy-Authorization``, ``None`` without credentials.
    """

    host: str
    port: int
    authorization: str | None

    @property
    def peer(self) -> str:
        """Its name in messages: without the credentials."""
        return f"the proxy {self.host}:{self.port}"


def read_proxy(url: str) -> Proxy:
    """Read a proxy's URL, ``http://[user:password@]host[:port]``.

    Raises:
        ConfigurationError: another scheme, or no host. The message holds no credentials.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError("The proxy's URL cannot be read: expected http://[user:password@]host:port.") from None
    if parts.scheme.startswith("socks"):
        raise ConfigurationError(
            f"The transport 'urllib' speaks to HTTP proxies, not {parts.scheme}://. For SOCKS: "
            "pip install 'mesahub[urllib3,socks]' and transport='urllib3'."
        )
    if parts.scheme != "http" or not host:
        raise ConfigurationError(
            f"The transport 'urllib' needs a proxy of the form http://[user:password@]host:port, not {parts.scheme}://"
            f"{host or ''}. A proxy that is itself reached by TLS: transport='urllib3'."
        )
    authorization = None
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        authorization = "Basic " + base64.b64encode(credentials).decode()
    return Proxy(host, port or 80, authorization)


def open_tunnel(connection: Connection, proxy: Proxy, authority: str) -> None:
    """Have the proxy connect through to ``authority`` (host:port).

    Raises:
        NotSentError: it would not, or broke off: the request itself has not left.
        RequestTimeoutError: not in time.
        ConfigurationError: it wants other credentials, or does not allow the host.
    """
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if proxy.authorization:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    try:
        connection.send("\r\n".join([*lines, "\r\n"]).encode("ascii"), None)
        # As to HEAD, a success to CONNECT has no body: what follows belongs to the tunnel.
        status = Answer(connection, "HEAD").status
    except ConnectionLostError as error:
        raise NotSentError(f"{proxy.peer} opened no tunnel to {authority}: {error}") from error
    except RequestTimeoutError as error:
        raise RequestTimeoutError(
            f"{proxy.peer} opened no tunnel to {authority} in time.", outcome=NotSentError.outcome
        ) from error
    if status in (401, 403, 407):
        raise ConfigurationError(
            f"{proxy.peer} refuses to connect to {authority} ({status}). Its credentials stand in its URL: "
            "http://user:password@host:port."
        )
    if not 200 <= status < 300:
        raise NotSentError(f"{proxy.peer} opened no tunnel to {authority}: it answered {status}.")
