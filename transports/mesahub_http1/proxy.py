"""HTTP proxies: their URLs, and ``CONNECT``."""

from __future__ import annotations

import base64
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from mesahub._util.secret import Secret, SecretBytes
from mesahub.errors import ConfigurationError, NotSentError


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

    def connect_head(self, authority: str) -> SecretBytes:
        """The request for a tunnel to ``authority`` (host:port)."""
        credentials = f"Proxy-Authorization: {self.authorization}\r\n" if self.authorization else ""
        return SecretBytes(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{credentials}\r\n".encode("ascii"))

    def check_connected(self, status: int, authority: str) -> None:
        """Judge the proxy's response to `connect_head`.

        Raises:
            ConfigurationError: it wants other credentials, or does not allow the host.
            NotSentError: it opened no tunnel: the request itself has not left.
        """
        if status in (401, 403, 407):
            raise ConfigurationError(
                f"{self.peer} refuses to connect to {authority} ({status}). Check the credentials in its URL: "
                "http://user:password@host:port."
            )
        if not 200 <= status < 300:
            raise NotSentError(f"{self.peer} opened no tunnel to {authority}: it answered {status}.")


def parse_proxy(url: str, transport: str) -> Proxy:
    """Parse a proxy's URL, ``http://[user:password@]host[:port]``.

    Args:
        url: the URL.
        transport: the name of the transport, for messages.

    Raises:
        ConfigurationError: another scheme, or no host. The message holds no credentials.
    """
    scheme, host, port, authorization = _split(Secret(url))
    if not scheme:
        raise ConfigurationError("The proxy's URL cannot be read: expected http://[user:password@]host:port.")
    if scheme.startswith("socks"):
        raise ConfigurationError(
            f"The transport {transport!r} supports HTTP proxies, not {scheme}://. For SOCKS: "
            "pip install 'mesahub[urllib3,socks]' and transport='urllib3'."
        )
    if scheme != "http" or not host:
        raise ConfigurationError(
            f"The transport {transport!r} needs a proxy of the form http://[user:password@]host:port, not {scheme}://"
            f"{host or ''}. For a proxy that is itself reached by TLS: transport='urllib3'."
        )
    return Proxy(host, port or 80, authorization)


def _split(url: Secret) -> tuple[str, str | None, int | None, Secret | None]:
    # Nothing is raised from here, since a traceback would show the parts of the URL. A scheme of "": it is malformed.
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "", None, None, None
    if parts.username is None:
        return parts.scheme, host, port, None
    credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
    return parts.scheme, host, port, Secret("Basic " + base64.b64encode(credentials).decode())
