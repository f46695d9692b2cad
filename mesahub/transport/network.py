"""What every HTTP transport has to decide alike: which proxy, and which certificates."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from mesahub._util.secret import Secret
from mesahub.errors import ConfigurationError, ConnectionLostError, MesahubError, ResultError

if TYPE_CHECKING:
    import ssl


class Origin(NamedTuple):
    """The parts of a base URL. (`urllib.parse` would take longer to import than the rest of a client to make.)"""

    scheme: str
    host: str
    port: int | None
    path: str

    @property
    def peer(self) -> str:
        """The URL without its path, for messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + (f":{self.port}" if self.port else "")


# Compiled where they are needed: by `re`, which keeps them.
_PROXY = (
    r"([A-Za-z][A-Za-z0-9+.\-]*)://(?:[^/?#\s]*@)?(\[[0-9A-Fa-f:.]+(?:%[^\]\s]+)?\]|[^/?#@:\[\]\s]+)(?::(\d{0,5}))?/?"
)
_ORIGIN = r"(https?)://(?:\[([0-9A-Fa-f:.]+(?:%[^\]\s]+)?)\]|([^/?#@:\[\]\s]+))(?::(\d{0,5}))?(/[^?#\s]*)?"


def origin(base_url: str) -> Origin:
    """Take a base URL apart.

    Raises:
        ConfigurationError: it is not a valid URL.
    """
    match = re.fullmatch(_ORIGIN, base_url)
    port = int(match[4]) if match and match[4] else None
    if match is None or (port is not None and port > 65535) or ".." in base_url:
        raise ConfigurationError(
            "api_url must be http://host[:port] or https://host[:port], such as https://api.example.com."
        )
    host = (match[2] or match[3]).lower()
    if not _is_host(host):
        raise ConfigurationError(
            "The host in api_url is not valid: its labels must have 1 to 63 characters, 253 in all."
        )
    return Origin(match[1], host, port, match[5] or "")


def _is_host(host: str) -> bool:
    """Do the lengths allow it (RFC 1035, 2.3.4)? The system's resolver raises a UnicodeError where they do not."""
    if len(host) <= 63 and host.isascii() and ".." not in host and host[:1] != ".":
        return True
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return len(host) <= 253


def proxy_url(base_url: str, proxies: Mapping[str, str] | None) -> Secret | None:
    """The proxy to use for a server, ``None`` for none.

    Args:
        base_url: the server's URL.
        proxies: by scheme (``"http"``, ``"https"``, ``"all"``); ``None``: the environment's
            ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``ALL_PROXY`` (lower case wins), unless ``NO_PROXY`` names
            the host.

    Raises:
        ConfigurationError: the URL cannot be that of a proxy. The message does not repeat it.
    """
    parts = origin(base_url)
    if proxies is not None:
        return _checked_proxy(Secret(proxies.get(parts.scheme) or proxies.get("all") or ""))
    # Under CGI, HTTP_PROXY is a header of the request ("httpoxy", CVE-2016-1000110).
    upper = parts.scheme != "http" or "REQUEST_METHOD" not in os.environ
    found = Secret(_environment(f"{parts.scheme}_proxy", upper=upper) or _environment("all_proxy"))
    if not found or _bypassed(parts.host, parts.port, _environment("no_proxy")):
        return None
    return _checked_proxy(found if "://" in found else Secret(f"http://{found}"))


def _checked_proxy(url: Secret) -> Secret | None:
    if not url:
        return None
    match = re.fullmatch(_PROXY, url)
    valid = match is not None and _is_host(match[2]) and int(match[3] or 0) <= 65535
    match = None  # a traceback may show this function's variables
    if not valid:
        raise ConfigurationError(
            "The proxy's URL cannot be read: expected http://[user:password@]host[:port], with reserved characters in "
            "user and password percent-encoded."
        )
    return url


def checked_proxies(proxies: Any) -> Mapping[str, str] | None:
    """Check that these are proxies by scheme, or ``None``.

    Raises:
        ConfigurationError: they are not. The message does not repeat them.
    """
    if proxies is not None and not (
        isinstance(proxies, Mapping)
        and all(isinstance(text, str) for item in proxies.items() for text in item if text is not None)
    ):
        raise ConfigurationError("proxies must be a dict such as {'http': 'http://host:port', 'https': ...}, or None.")
    return proxies


def whole_number(name: str, value: Any, *, most: int = 2**62) -> int:
    """An option that is a number from 1 to ``most``, also as text from a URL.

    Raises:
        ConfigurationError: it is not.
    """
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 19:
        value = int(value)
    if type(value) is not int or not 1 <= value <= most:
        upper = "on" if most == 2**62 else f"to {most}"
        raise ConfigurationError(f"{name} must be a whole number from 1 {upper}, not {value!r:.100}.")
    return value


_NEVER = 1e9
"""Seconds: sockets take no longer times."""


def seconds(name: str, value: Any, *, least: float = 0.0) -> float:
    """An option that is a time in seconds, also as text from a URL.

    Raises:
        ConfigurationError: it is not.
    """
    number = math.nan
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):
            number = float(value)
    if not least <= number < _NEVER:
        raise ConfigurationError(f"{name} must be a number of seconds from {least:g} on, not {value!r}.")
    return number


def _environment(name: str, *, upper: bool = True) -> str:
    return os.environ.get(name) or (os.environ.get(name.upper()) if upper else None) or ""


def _bypassed(host: str, port: int | None, no_proxy: str) -> bool:
    for word in no_proxy.replace(",", " ").split():
        if word == "*":
            return True
        if "/" in word:
            if _in_network(host, word):
                return True
            continue
        name = word.lstrip("*").lstrip(".").lower()
        if name.count(":") == 1:
            name, _, only_port = name.partition(":")
            if only_port != str(port):
                continue
        name = name.strip("[]")
        if name and (host == name or host.endswith("." + name)):
            return True
    return False


def _in_network(host: str, network: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def ssl_context(
    *, ca_file: str | None, client_cert: str | None, client_key: str | None, verify: bool
) -> ssl.SSLContext:
    """Trust for an HTTPS client: certificate and host name are checked unless ``verify`` is false."""
    try:
        import ssl
    except ImportError as error:
        raise ConfigurationError(
            "This Python has no ssl module, so it cannot use https://. Use a Python that was built with OpenSSL, or an "
            "http:// URL in a private network."
        ) from error
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ConfigurationError(f"TLSOptions: ca_file {ca_file!r} cannot be used: {error}.") from error
    context.set_alpn_protocols(["http/1.1"])
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if client_cert:
        try:
            context.load_cert_chain(client_cert, client_key)
        except OSError as error:
            raise ConfigurationError(
                f"TLSOptions: client_cert {client_cert!r} cannot be used"
                + (f" with client_key {client_key!r}" if client_key else "")
                + f": {error}."
            ) from error
    elif client_key:
        raise ConfigurationError("TLSOptions: client_key needs client_cert.")
    return context


_UNSAFE = re.compile(r"[^\t -~\x80-\xff]").search


def check_headers(headers: Mapping[str, str | bytes]) -> None:
    """Raise `ConfigurationError` for what no header may hold.

    HTTP libraries refuse these too, by a ValueError that the body might have raised as well.
    """
    for name, value in headers.items():
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        if _UNSAFE(name) or _UNSAFE(text):
            raise ConfigurationError(f"The header {name!r} holds a character that HTTP does not allow there.")


def too_large(status: int, most: int, peer: str) -> MesahubError:
    """The error for a response of more than ``most`` bytes (`TransportOptions.max_response_bytes`).

    A success was carried out, and sending it again would give no less. Of anything else that is not certain.
    """
    text = f"The response of {peer} is longer than max_response_bytes={most}"
    if 200 <= status < 300:
        return ResultError(f"{text}: ask for less, page by page (iterate, limit), or pass a larger max_response_bytes.")
    return ConnectionLostError(f"{text} (HTTP {status}).")
