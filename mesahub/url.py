"""Connection strings: ``mh://apikey@host[:port]/database[?option=value]``.

The rules of mesahub 1.x hold: hosts of a private network (``localhost``, names without a dot,
``*.internal``) are reached by HTTP on the ``/api`` routes, all others by HTTPS on ``/v1``.
``mh://local/<name>`` is the embedded database of that name. IPv6 hosts stand in brackets; a key with
reserved characters is percent-encoded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from mesahub._util.secret import Secret
from mesahub.errors import ConfigurationError

__all__ = ["ConnectionURL", "is_private_host", "parse_mesahub_url", "parse_url", "split_api_url"]

_FORM = "mh://apikey@host[:port]/database, or mh://local/database for a database in this process"


class ConnectionURL(NamedTuple):
    """A parsed ``mh://`` URL.

    Attributes:
        api_url: ``https://host[:port]``; ``""`` for the embedded database.
        api_key: the key (never shown); ``None`` for the embedded database.
        database: the database's slug.
        route_prefix: ``"api"`` or ``"v1"``.
        transport: what the URL asks for, ``None`` when it leaves that to the caller.
        options: the other options of its query string.
    """

    api_url: str
    api_key: Secret | None
    database: str
    route_prefix: str
    transport: str | None = None
    options: Mapping[str, str] = MappingProxyType({})


def parse_url(url: str) -> ConnectionURL:
    """Parse a ``mh://`` URL.

    Raises:
        ConfigurationError: says which part is missing or wrong. It never repeats the key.
    """
    if not isinstance(url, str) or not url.startswith("mh://"):
        scheme = url.partition("://")[0] if isinstance(url, str) and "://" in url else None
        got = f"it starts with {scheme}://" if scheme else "it does not"
        raise ConfigurationError(f"A MesaHub URL must start with mh://, but {got}. The form: {_FORM}.")
    simple = _SIMPLE(url)
    if simple is not None:
        port = int(simple[3]) if simple[3] else None
        return _connection(simple[2].lower(), port, Secret(simple[1] or ""), simple[4], {})
    from urllib.parse import parse_qsl, unquote, urlsplit

    try:
        parts = urlsplit("http" + url[2:])
        port = parts.port
    except ValueError as error:
        # The standard library's text may quote the part with the key in it.
        parts, url = urlsplit(""), ""
        what = "the port is not a number from 0 to 65535" if "ort" in str(error) else "the host is not valid"
        raise ConfigurationError(f"The MesaHub URL cannot be read: {what}. The form: {_FORM}.") from None
    host, key = parts.hostname or "", Secret(unquote(parts.username or ""))
    # A traceback may show these variables, here as above.
    parts, url = parts._replace(netloc=""), ""
    if not host:
        raise ConfigurationError(f"The MesaHub URL has no host. The form: {_FORM}.")
    name = unquote(parts.path.strip("/"))
    if not name:
        raise ConfigurationError(f"The MesaHub URL must include a database name. The form: {_FORM}.")
    if "/" in parts.path.strip("/"):
        raise ConfigurationError(
            f"The MesaHub URL's path must be one database name, not {parts.path!r}. The form: {_FORM}."
        )
    options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=False))
    return _connection(host, port, key, name, options)


# What needs no decoding, and so no module that takes longer to import than a client to make.
_SIMPLE = re.compile(r"mh://(?:([A-Za-z0-9_-]+)@)?([A-Za-z0-9.-]+)(?::([1-5]?\d{1,4}))?/([A-Za-z0-9_.-]+)").fullmatch
_PLAIN = re.compile(r"[A-Za-z0-9_.-]+").fullmatch


def _connection(host: str, port: int | None, key: Secret, name: str, options: dict[str, str]) -> ConnectionURL:
    transport = options.pop("transport", None)
    if host == "local" and port is None:
        return ConnectionURL("", None, name, "api", transport or "embedded", options)
    if not key:
        raise ConfigurationError(f"The MesaHub URL must include an API key. The form: {_FORM}.")
    private = _by_plain_http(host)
    scheme = options.pop("scheme", "http" if private else "https")
    if scheme not in ("http", "https"):
        raise ConfigurationError(f"The MesaHub URL's scheme option must be http or https, not {scheme!r}.")
    prefix = options.pop("route_prefix", "api" if private else "v1")
    shown = f"[{host}]" if ":" in host else host
    api_url = f"{scheme}://{shown}" + (f":{port}" if port else "")
    return ConnectionURL(api_url, key, name, prefix, transport, options)


def parse_mesahub_url(raw: str) -> dict[str, str]:
    """Parse ``mh://apikey@host[:port]/dbname`` into the arguments of `MesahubClient`, as 1.x did.

    Returns:
        ``{"api_url", "api_key", "db_name", "route_prefix"}``.

    Raises:
        ConfigurationError: (a ``ValueError``) for anything else, ``mh://local/...`` included: that one
            has no server; give it to `mesahub.connect`.
    """
    url = parse_url(raw)
    if url.api_key is None:
        raise ConfigurationError(
            "mh://local/... is a database in this process and has no server: use mesahub.connect(url)."
        )
    return {
        "api_url": url.api_url,
        "api_key": url.api_key,
        "db_name": url.database,
        "route_prefix": url.route_prefix,
    }


def split_api_url(api_url: str) -> str:
    """The base URL of an ``api_url``, which may end in ``/v1`` or ``/api``, as in 1.x."""
    if not isinstance(api_url, str) or not re.match(r"https?://[^/?#]", api_url):
        raise ConfigurationError(
            "api_url must be an http:// or https:// URL such as https://api.example.com"
            + (" (for mh:// URLs use mesahub.connect)." if str(api_url).startswith("mh:") else ".")
        )
    if "@" in api_url.split("/", 3)[2]:
        raise ConfigurationError("api_url must not contain a user or key; give it as api_key.")
    return re.sub(r"/(v1|api)/?$", "", api_url.rstrip("/"))


def encode_segment(name: str) -> str:
    """One path segment, percent-encoded."""
    if _PLAIN(name):
        return name
    from urllib.parse import quote

    return quote(name, safe="")


def _by_plain_http(host: str) -> bool:
    if ":" in host:
        return is_private_host(host)
    return host in ("localhost", "127.0.0.1") or "." not in host or host.endswith(".internal")


def is_private_host(host: str) -> bool:
    """Is this a host of the machine's own or of a private network, by its name or address?"""
    if ":" not in host:
        # The usual names need no look at addresses, which would take longer than the rest of a client's making.
        if host == "127.0.0.1" or "." not in host or host.endswith((".internal", ".localhost", ".local")):
            return True
        if not host[-1:].isdigit():
            return False
    import ipaddress

    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_private or address.is_link_local
