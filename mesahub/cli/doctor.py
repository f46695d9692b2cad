"""``doctor``: check a connection step by step, and explain how to fix the step that fails."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import click

import mesahub
from mesahub.cli.profiles import shown
from mesahub.cli.target import command, given_url
from mesahub.dialects.mesahub.dialect import MesahubDialect
from mesahub.dialects.registry import parse_any_url
from mesahub.errors import (
    AuthenticationError,
    AuthorizationError,
    ConfigurationError,
    DatabaseInactiveError,
    MesahubError,
    NotFoundError,
)
from mesahub.transport import TransportOptions
from mesahub.url import ConnectionURL

__all__ = ["COMMANDS", "examine"]

TIMEOUT = 10.0


class Failed(Exception):  # noqa: N818 - it is caught a few lines below
    """A step failed; the text says why and what to do."""


def examine(url: str | None) -> Iterator[tuple[str, str, bool]]:
    """(step, what was found, is it well) for each step, up to the first that fails."""
    steps: list[tuple[str, Callable[[dict[str, Any]], str | None]]] = [
        ("url", _parse),
        ("dns", _resolve),
        ("tcp", _connect),
        ("tls", _shake_hands),
        ("health", _health),
        ("key", _key),
        ("database", _database),
    ]
    known: dict[str, Any] = {"url": url}
    for name, step in steps:
        try:
            found = step(known)
        except (Failed, MesahubError) as error:
            yield name, str(error), False
            return
        if found is not None:
            yield name, found, True


def _parse(known: dict[str, Any]) -> str:
    if not known["url"]:
        raise Failed("no database given; pass mh://... or @profile, or set MESAHUB_URL")
    target, factory = parse_any_url(known["url"])
    known["target"], known["mesahub"] = target, factory is MesahubDialect
    known["local"] = not target.api_url
    return shown(known["url"])


def _remote(known: dict[str, Any]) -> ConnectionURL | None:
    target: ConnectionURL = known["target"]
    return None if known["local"] else target


def _resolve(known: dict[str, Any]) -> str | None:
    target = _remote(known)
    if target is None:
        return None
    options = TransportOptions(base_url=target.api_url)
    origin = known["origin"] = options.origin()
    known["port"] = origin.port or (443 if origin.scheme == "https" else 80)
    if options.proxy_url():
        known["proxied"] = True
        return "done by the proxy from the environment"
    try:
        addresses = socket.getaddrinfo(origin.host, known["port"], type=socket.SOCK_STREAM)
    except OSError as error:
        raise Failed(f"{origin.host} was not found ({error}): is the name right, is there a network?") from None
    known["addresses"] = addresses
    return f"{origin.host} is {', '.join(sorted({str(address[4][0]) for address in addresses}))}"


def _connect(known: dict[str, Any]) -> str | None:
    if _remote(known) is None or known.get("proxied"):
        return None
    host, port = known["origin"].host, known["port"]
    try:
        known["socket"] = socket.create_connection((host, port), TIMEOUT)
    except TimeoutError:
        raise Failed(f"{host}:{port} does not answer: a firewall? Is it the right port?") from None
    except OSError as error:
        raise Failed(f"{host}:{port} refuses ({error.strerror}): is the server running on this port?") from None
    return f"connected to {host}:{port}"


def _shake_hands(known: dict[str, Any]) -> str | None:
    if "socket" not in known:
        return None
    with known.pop("socket") as plain:
        if known["origin"].scheme != "https":
            return "not used (http, a private network)"
        try:
            import ssl
        except ImportError:
            raise Failed("this Python has no ssl module: use one that was built with OpenSSL") from None
        try:
            with ssl.create_default_context().wrap_socket(plain, server_hostname=known["origin"].host) as secured:
                return f"{secured.version()}, certificate valid"
        except ssl.SSLCertVerificationError as error:
            raise Failed(
                f"the certificate is not trusted: {error.verify_message}. "
                "For a private CA, pass tls=TLSOptions(ca_file=...)."
            ) from None
        except (ssl.SSLError, OSError) as error:
            raise Failed(f"no TLS: {error}. Is it an http:// server? Then ?scheme=http.") from None


def _health(known: dict[str, Any]) -> str | None:
    target = _remote(known)
    if target is None or not known["mesahub"]:
        return None
    with mesahub.MesahubClient(target.api_key, target.api_url, target.route_prefix, TIMEOUT) as client:
        try:
            health = client.admin.health()
        except NotFoundError:
            return "no /api/health here (a front?), going on"
        except MesahubError as error:
            raise Failed(f"something answers, but not as a MesaHub server does: {error}") from None
    return f"the server says {health.get('status')!r}, up for {health.get('uptime_sec', 0):.0f} s"


def _key(known: dict[str, Any]) -> str | None:
    if _remote(known) is None:
        return None
    try:
        _select_one(known)
    except AuthenticationError:
        raise Failed("the server does not know this key: was it revoked, or copied in part?") from None
    except AuthorizationError as error:
        raise Failed(f"{error}. Scopes match the database's name, not its slug.") from None
    except (NotFoundError, DatabaseInactiveError):
        return "unknown (database not found)"
    return "accepted"


def _database(known: dict[str, Any]) -> str:
    try:
        version = _select_one(known)
    except NotFoundError as error:
        name = known["target"].database
        raise Failed(f"{error}: there is no {name!r} here. `mesahub db ls` lists them (admin token).") from None
    except DatabaseInactiveError as error:
        raise Failed(f"{error}. `mesahub db status {known['target'].database} active` (admin token).") from None
    return f"{known['target'].database!r} answers, SQLite {version}"


def _select_one(known: dict[str, Any]) -> str:
    with mesahub.connect(known["url"], timeout=TIMEOUT) as db:
        version: str = db.query("SELECT sqlite_version() AS version").rows[0]["version"]
        return version


@command("doctor")
def doctor() -> int:
    """Check a connection step by step, and explain how to fix the step that fails."""
    well = True
    try:
        url = given_url()
    except ConfigurationError as error:
        click.echo(f"✗ url       {error}")
        return 1
    for name, found, well in examine(url):
        click.echo(f"{'✓' if well else '✗'} {name:9} {found}")
    return 0 if well else 1


COMMANDS = [doctor]
