"""What every HTTP transport has to decide alike: which proxy, and which certificates."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from mesahub.errors import ConfigurationError

if TYPE_CHECKING:
    import ssl


class Origin(NamedTuple):
    """The parts of a base URL. (`urllib.parse` would take longer to import than the rest of a client to make.)"""

    scheme: str
    host: str
    port: int | None
    path: str


_ORIGIN = re.compile(r"(https?)://(?:\[([0-9A-Fa-f:.]+(?:%[^\]\s]+)?)\]|([^/?#@:\[\]\s]+))(?::(\d{0,5}))?(/[^?#\s]*)?")


def origin(base_url: str) -> Origin:
    """Take a base URL apart.

    Raises:
        ConfigurationError: it is none.
    """
    match = _ORIGIN.fullmatch(base_url)
    port = int(match[4]) if match and match[4] else None
    if match is None or (port is not None and port > 65535) or ".." in base_url:
        raise ConfigurationError(f"api_url must be http://host[:port] or https://host[:port], not {base_url!r}.")
    return Origin(match[1], (match[2] or match[3]).lower(), port, match[5] or "")


def proxy_url(base_url: str, proxies: Mapping[str, str] | None) -> str | None:
    """The proxy to use for a server, ``None`` for none.

    Args:
        base_url: the server's URL.
        proxies: by scheme (``"http"``, ``"https"``, ``"all"``); ``None``: the environment's
            ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``ALL_PROXY`` (lower case wins), unless ``NO_PROXY`` names
            the host.
    """
    parts = origin(base_url)
    if proxies is not None:
        return proxies.get(parts.scheme) or proxies.get("all") or None
    # Under CGI, HTTP_PROXY is a header of the request ("httpoxy", CVE-2016-1000110).
    upper = parts.scheme != "http" or "REQUEST_METHOD" not in os.environ
    found = _environment(f"{parts.scheme}_proxy", upper=upper) or _environment("all_proxy")
    if not found or _bypassed(parts.host, parts.port, _environment("no_proxy")):
        return None
    return found if "://" in found else f"http://{found}"


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
    import ssl

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
