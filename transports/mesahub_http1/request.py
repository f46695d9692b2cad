"""`RequestEncoder`: the head of a request, from a `Request` of the contract."""

from __future__ import annotations

import re
from collections.abc import Sized
from typing import TYPE_CHECKING

from mesahub._util.secret import Secret, SecretBytes
from mesahub.errors import ConfigurationError

if TYPE_CHECKING:
    from mesahub.transport import Request, TransportOptions
    from mesahub_http1.proxy import Proxy

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_PATH = re.compile(r"/[!-~]*|https?://[!-~]+").fullmatch
_UNSAFE = re.compile(r"[^\t -~\x80-\xff]").search
_AUTHORITY = re.compile(r"[A-Za-z0-9.:_\[\]-]{1,300}").fullmatch
_NEW_LINE = "\r\n"
_OURS = frozenset({"host", "content-type", "content-length", "transfer-encoding", "connection"})


class RequestEncoder:
    """Encodes the heads of requests to one server.

    Args:
        options: those of the transport.
        proxy: the HTTP proxy on the way to the server.

    Attributes:
        secure: the server is reached by TLS.
        host, port: where it is.
        authority: host and port, as ``CONNECT`` names them.
        peer: the server's URL without a path, for messages.

    Raises:
        ConfigurationError: ``base_url`` is not the URL of an HTTP server.
    """

    __slots__ = ("_fixed", "_target", "authority", "host", "peer", "port", "secure")

    def __init__(self, options: TransportOptions, proxy: Proxy | None) -> None:
        parts = options.origin()
        self.host = host = _ascii(parts.host, options.base_url)
        self.secure = parts.scheme == "https"
        self.port = parts.port or (443 if self.secure else 80)
        shown = f"[{host}]" if ":" in host else host
        self.authority = f"{shown}:{self.port}"
        suffix = f":{parts.port}" if parts.port else ""
        self.peer = f"{parts.scheme}://{shown}{suffix}"
        # Through a proxy, a plain request names the whole URL.
        self._target = ("" if self.secure or proxy is None else self.peer) + parts.path.rstrip("/")
        # Identity: a file must arrive as it is stored, and MesaHub's servers compress nothing anyway.
        fixed = f"Host: {shown}{suffix}\r\nAccept-Encoding: identity\r\n"
        if proxy is not None and proxy.authorization and not self.secure:
            fixed += f"Proxy-Authorization: {proxy.authorization}\r\n"
        self._fixed = Secret(fixed)

    def encode(self, request: Request, content: Sized | None, content_type: str | None) -> SecretBytes:
        """The request line and the headers, ready to send.

        Args:
            request: the request.
            content: its body, ``None`` without one; only its length is asked for.
            content_type: the body's media type.

        Raises:
            ConfigurationError: the path is not percent-encoded, or a header is not allowed. Nothing unsafe is encoded:
                a line break in a value would begin another header, or another request.
        """
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
            if _UNSAFE(value):
                raise _unsafe(name)
        if content is not None:
            kind = content_type or "application/octet-stream"
            if _UNSAFE(kind):
                raise _unsafe("Content-Type")
            end = f"Content-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n"
        elif request.method in ("POST", "PUT", "PATCH"):
            end = "Content-Length: 0\r\n\r\n"
        else:
            end = "\r\n"
        fixed = self._fixed if request.authority is None else self._with_host(request.authority)
        # In one expression: the key must not be in a local variable that a traceback may show.
        return SecretBytes(
            f"{request.method} {path} HTTP/1.1\r\n{fixed}"
            f"{''.join([f'{name}: {value}{_NEW_LINE}' for name, value in headers.items()])}{end}".encode("latin-1")
        )

    def _with_host(self, authority: str) -> Secret:
        if not _AUTHORITY(authority):
            raise ConfigurationError(f"The request's authority {authority!r:.100} is not host[:port].")
        return Secret(f"Host: {authority}\r\n{self._fixed.partition(_NEW_LINE)[2]}")


def _ascii(host: str, base_url: str) -> str:
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        raise ConfigurationError(f"The server's URL {base_url!r} cannot be read.") from None


def _unsafe(name: str) -> ConfigurationError:
    return ConfigurationError(f"The value of the header {name} holds a character that HTTP does not allow there.")
