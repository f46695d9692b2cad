"""Connection strings: ``mh://apikey@host[:port]/database[?option=value]``.

The rules of mesahub 1.x hold: hosts of a private network (``localhost``, names without a dot,
``*.internal``) are reached by HTTP on the ``/api`` routes, all others by HTTPS on ``/v1``.
``mh://local/<name>`` is the embedded database of that name. IPv6 hosts stand in brackets; a key with
reserved characters is percent-encoded.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from mesahub._util.secret import Secret, SecretDict
from mesahub.errors import ArgumentError, ConfigurationError

__all__ = ["ConnectionURL", "is_private_host", "parse_hosts", "parse_mesahub_url", "parse_url", "split_api_url"]

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
        endpoints: all base URLs, where there are several; ``api_url`` is the first.
    """

    api_url: str
    api_key: Secret | None
    database: str
    route_prefix: str
    transport: str | None = None
    options: Mapping[str, str] = MappingProxyType({})  # of connection strings a `SecretDict`
    endpoints: tuple[str, ...] = ()


def parse_url(url: str) -> ConnectionURL:
    """Parse a ``mh://`` URL.

    Raises:
        ConfigurationError: says which part is missing or wrong. It never repeats the key, or what may be a part of it.
    """
    url = Secret(url) if isinstance(url, str) else url  # a traceback may show this function's variables
    return _parse(url, one_name=True)


def _parse(url: Any, *, one_name: bool) -> ConnectionURL:
    if not isinstance(url, str) or not url.startswith("mh://"):
        scheme = url.partition("://")[0].lower() if isinstance(url, str) else ""
        got = f"it starts with {scheme}://" if scheme in _SCHEMES else "it does not"
        raise ConfigurationError(
            f"A MesaHub URL must start with mh://, but {got}. The form: {_FORM}; a SQLite file is "
            "sqlite:///relative.db or a pathlib.Path."
        )
    parts = _split(url)
    if isinstance(parts, str):
        raise ConfigurationError(f"{parts} The form: {_FORM}.")
    host, port, key, name, options = parts
    if host == "local" and port is None and not key and one_name and _is_path(url):
        return _of_file(f"/{name}", options)
    if host == "local" and name == ":memory:":
        return _of_file(name, options)
    if one_name and "/" in name:
        raise ConfigurationError(f"The MesaHub URL's path must be one database name. The form: {_FORM}.")
    return _connection(host, port, key, name, options)


def _is_path(url: str) -> bool:
    # mh://local//absolute/x.db
    return url.startswith("mh://local//")


_SCHEMES = frozenset(
    {"file", "ftp", "http", "https", "mariadb", "mysql", "postgres", "postgresql", "redis", "ws", "wss"}
)
"""What may be repeated of a wrong URL: anything else may be a key."""


def parse_sqlite_url(url: Any) -> ConnectionURL:
    """Parse ``sqlite:///relative.db``, ``sqlite:////absolute/x.db``, ``sqlite://`` (in memory), or a path.

    The query string may carry ``mode`` (``ro``, ``rw``, ``rwc``, ``memory``) and ``create`` (``0`` makes no file).

    Raises:
        ConfigurationError: it is none of these.
    """
    options: dict[str, str] = {}
    if isinstance(url, os.PathLike):
        path = os.fspath(url)
        if not isinstance(path, str):
            raise ConfigurationError("The path of a SQLite file must be text, not bytes.")
    elif isinstance(url, str):
        from urllib.parse import parse_qsl, unquote

        url = Secret(url)
        rest, _, query = map(Secret, url.removeprefix("sqlite:").partition("?"))
        host, slash, path = rest.removeprefix("//").partition("/") if rest.startswith("//") else ("", "/", rest)
        if host:
            host = Secret(host)  # a traceback may show this function's variables
            raise ConfigurationError(
                "A SQLite URL has three slashes, sqlite:///relative.db, or four, sqlite:////absolute/path.db."
            )
        path = unquote(path) if slash else ""
        options = SecretDict(parse_qsl(query, keep_blank_values=True))
    else:
        raise ConfigurationError(f"A database is named by a URL or a path, not by {type(url).__name__}.")
    return _of_file(path or ":memory:", options)


def _of_file(path: str, options: dict[str, str]) -> ConnectionURL:
    name = path.replace(os.sep, "/").rstrip("/").rpartition("/")[2].removesuffix(".db") or "database"
    if not name.strip() or name in (".", ".."):
        raise ConfigurationError(f"A SQLite file has a name: {path!r:.200} is a folder.")
    transport = options.pop("transport", None)
    return ConnectionURL("", None, name, "api", transport or "embedded", {"file": path, **options})


def _split(url: str) -> tuple[str, int | None, Secret, str, dict[str, str]] | str:
    """Host, port, key, path and options; or what is wrong. Nothing is raised from here: a traceback shows locals."""
    match = _SIMPLE(url)
    if match is not None and ".." not in match[2] and match[2][0] != "." and match[3] != "0":
        return match[2].lower(), int(match[3]) if match[3] else None, Secret(match[1] or ""), match[4], {}
    from urllib.parse import parse_qsl, unquote, urlsplit

    if _CONTROL(url):
        return "The MesaHub URL has a control character in it, such as a line break."  # urlsplit would drop it
    try:
        url.encode()
        parts = urlsplit("http" + url[2:])
        port = parts.port
    except UnicodeEncodeError:
        return "The MesaHub URL has a lone surrogate in it."
    except ValueError as error:
        what = "the port is not a number from 1 to 65535" if "ort" in str(error) else "the host is not valid"
        return f"The MesaHub URL cannot be read: {what}."
    elsewhere = "@" in parts.path or (parts.netloc.count("@") != 1 and "@" in parts.fragment + parts.query)
    if elsewhere or parts.netloc.count("@") > 1:
        return (
            "The MesaHub URL has an '@' where none is expected. Percent-encode the key with "
            "urllib.parse.quote(key, safe=''): '/' becomes %2F, '@' %40."
        )
    if parts.password is not None:
        return (
            "The MesaHub URL has a user and a password (user:password@host); MesaHub takes one API key. A ':' in a key "
            "is written %3A."
        )
    if parts.fragment or url.endswith("#"):
        return "The MesaHub URL has a '#' in it: percent-encode it as %23."
    if port == 0:
        return "The MesaHub URL cannot be read: the port is not a number from 1 to 65535."
    host = parts.hostname or ""
    if wrong := _wrong_host(host):
        return wrong
    name = unquote(parts.path.strip("/"))
    if not name:
        return "The MesaHub URL must include a database name."
    if _CONTROL(name):
        return "The MesaHub URL's database name has a control character in it."
    options = SecretDict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=False))
    if wrong := _wrong_option(options):
        return wrong
    return host, port, Secret(unquote(parts.username or "")), name, options


_CONTROL = re.compile(r"[\x00-\x1f\x7f]").search
# ASCII letters, digits, and . _ - of all ASCII: as a range of what is allowed, it takes a millisecond to compile.
_HOST = re.compile(r"[0-9a-f:.]+(?:%.+)?|[^\x00-,/:-@\[-^`{-\x7f]+").fullmatch


def _wrong_host(host: str) -> str | None:
    if not host:
        return "The MesaHub URL has no host."
    if not _HOST(host) or not _labels_fit(host):
        return "The MesaHub URL's host is not valid: a name of labels of 1 to 63 characters, or an address."
    return None


def _labels_fit(host: str) -> bool:
    return ":" in host or (len(host) <= 253 and all(0 < len(part) < 64 for part in host.removesuffix(".").split(".")))


_IN_CODE = frozenset({"api_url", "dialect", "middleware", "open", "proxies", "retry", "session", "tls"})
_KEYS = frozenset({"api_key", "apikey", "key", "password", "token"})


def _wrong_option(options: Mapping[str, str]) -> str | None:
    """What is wrong with the options: a key among them would be sent or shown as something else."""
    for name in options:
        if name in _KEYS:
            return f"The URL must not set {name!r}: the key comes before the '@'."
        if name in _IN_CODE:
            return f"The URL cannot set {name!r}, which is not text: pass it to connect()."
    return None


# What needs no decoding, and so no module that takes longer to import than a client to make.
_SIMPLE = re.compile(
    r"mh://(?:([A-Za-z0-9_-]+)@)?([A-Za-z0-9.-]{1,63})(?::([1-5]?[0-9]{1,4}))?/([A-Za-z0-9_.-]+)"
).fullmatch
_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*").fullmatch


def _connection(host: str, port: int | None, key: Secret, name: str, options: dict[str, str]) -> ConnectionURL:
    transport = options.pop("transport", None)
    if host == "local" and port is None:
        if key:
            raise ConfigurationError(
                "mh://local/... is a database in this process and takes no key. (A server named 'local' needs a port.)"
            )
        return ConnectionURL("", None, name, "api", transport or "embedded", options)
    if not key:
        raise ConfigurationError(f"The MesaHub URL must include an API key. The form: {_FORM}.")
    private = _by_plain_http(host)
    scheme = options.pop("scheme", "http" if private else "https")
    if scheme not in ("http", "https"):
        raise ConfigurationError("The MesaHub URL's scheme option must be http or https.")
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
    raw = Secret(raw) if isinstance(raw, str) else raw  # a traceback may show this function's variables
    url = _parse(raw, one_name=False)
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
    api_url = Secret(api_url) if isinstance(api_url, str) else ""
    return re.sub(r"/(v1|api)/?$", "", checked_base_url(api_url))


def checked_base_url(base_url: str, name: str = "api_url") -> str:
    """The URL of a server, without a ``/`` at its end.

    Raises:
        ConfigurationError: it is not one. What it holds is not repeated, because it may be a key.
    """
    url = Secret(base_url) if isinstance(base_url, str) else ""
    base_url = url  # a traceback may show this function's variables
    if not re.match(r"https?://[^/?#]", url):
        raise ConfigurationError(
            f"{name} must be an http:// or https:// URL such as https://api.example.com"
            + (" (for mh:// URLs use mesahub.connect)." if url.startswith("mh:") else ".")
        )
    if "@" in url:
        raise ConfigurationError(f"{name} must not contain a user or key; give it as api_key.")
    if "?" in url or "#" in url or _CONTROL(url):
        raise ConfigurationError(f"{name} must not have a query, a fragment or control characters.")
    return url.rstrip("/")


def encode_segment(name: str) -> str:
    """One path segment, percent-encoded.

    Raises:
        ArgumentError: it is empty, ``.`` or ``..`` (which proxies resolve), or not text that UTF-8 can encode.
    """
    if not isinstance(name, str):
        raise ArgumentError(f"A name in a URL must be a string, not {type(name).__name__}.")
    if type(name) is not str:
        name = str.__str__(name)  # a subclass may format itself in another way
    if _PLAIN(name):
        return name
    if name in ("", ".", ".."):
        raise ArgumentError(f"{name!r} cannot be a name in a URL.")
    from urllib.parse import quote

    try:
        return quote(name, safe="")
    except UnicodeEncodeError:
        raise ArgumentError(f"A name must not have a lone surrogate: {name!r:.100}.") from None


def parse_hosts(
    url: str,
    *,
    port: int,
    form: str,
    user: Literal["key", "password"] = "key",
    database: str | None = None,
    tls_port: int | None = None,
) -> ConnectionURL:
    """Parse ``scheme://[key@]host[:port][,host[:port]...]/[database][?option=value]``, for dialects.

    Args:
        url: the URL.
        port: of a host that has none.
        form: what such a URL looks like, for messages.
        user: what comes before the ``@``: a ``"key"``, or ``user:password``, which together are the key then.
        database: its name where the URL has none; ``None`` asks for one.
        tls_port: of a host that has none and is reached by HTTPS; default: ``port``.

    Raises:
        ConfigurationError: what is wrong. It repeats nothing of what may be a key.
    """
    url = Secret(url)  # a traceback may show this function's variables
    parts = _split_hosts(url, (port, tls_port or port), user, database)
    if isinstance(parts, str):
        raise ConfigurationError(f"{parts} The form: {form}.")
    return parts


def _split_hosts(url: str, ports: tuple[int, int], user: str, database: str | None) -> ConnectionURL | str:
    """The parts, or what is wrong. Nothing is raised from here: a traceback shows locals."""
    from urllib.parse import parse_qsl, unquote

    if not url.isascii() or "#" in url or not url.isprintable() or " " in url:
        return "The URL has a '#', a blank or a character outside of ASCII in it: percent-encode it."
    rest, _, query = url.partition("://")[2].partition("?")
    location, _, path = rest.partition("/")
    credentials, at, hosts = location.rpartition("@")
    if "@" in credentials or "@" in path or "@" in query:
        return "The URL has an '@' where none is expected: percent-encode it in a key or password as %40."
    wanted = user == "password"
    if at and (":" in credentials) != wanted:
        return "Give user:password before the '@'." if wanted else "Give one key before the '@', with %3A for ':'."
    options = SecretDict(parse_qsl(query, keep_blank_values=True))
    scheme = options.pop("scheme", "")
    if scheme not in ("", "http", "https"):
        return "The option scheme must be http or https."
    bases = []
    for entry in hosts.split(","):
        match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253})(?::([1-5]?[0-9]{1,4}|6[0-9]{4}))?", entry)
        if match is None or int(match[2] or 1) not in range(1, 65536) or not _labels_fit(match[1]):
            return "A host of the URL is missing or not valid: host[:port], several with commas between."
        host = match[1].lower()
        protocol = scheme or ("http" if _by_plain_http(host.strip("[]")) else "https")
        bases.append(f"{protocol}://{host}:{match[2] or ports[protocol == 'https']}")
    name = unquote(path.strip("/")) or database
    if not name or "/" in path.strip("/"):
        return "The URL's path must be one database name."
    key = Secret(unquote(credentials)) if credentials else None
    if wanted and credentials:
        # Each part is decoded by itself: a ':' in the password stays a part of it.
        name_part, _, word = credentials.partition(":")
        key = Secret(f"{unquote(name_part)}:{unquote(word)}")
    transport = options.pop("transport", None)
    return ConnectionURL(bases[0], key, name, "", transport, options, tuple(bases) if len(bases) > 1 else ())


def _by_plain_http(host: str) -> bool:
    if ":" in host:
        return is_private_host(host)
    return host in ("localhost", "127.0.0.1") or "." not in host or host.endswith(".internal")


def is_private_host(host: str) -> bool:
    """Is this a host of the machine's own or of a private network, by its name or address?"""
    if ":" not in host:
        # The usual names need no look at addresses, which would take longer than creating the rest of the client.
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
