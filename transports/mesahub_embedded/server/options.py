"""The options of ``mesahub serve``."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

from mesahub.errors import ConfigurationError
from mesahub_embedded.server.limits import MEBIBYTE, ConnectionLimits, Limits
from mesahub_embedded.storage.data_folder import DEFAULT_DATA

__all__ = ["admin_token", "connection_limits", "parser", "public_url", "request_limits"]


def parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="mesahub serve",
        description="A MesaHub server on this machine, for development and tests.",
    )
    parser.add_argument(
        "--data",
        default=os.environ.get("MESAHUB_DATA") or DEFAULT_DATA,
        help=f"the folder that holds everything (default: MESAHUB_DATA, or {DEFAULT_DATA} in the working directory)",
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=4004, help="the port; 0 takes a free one (default: %(default)s)")
    parser.add_argument(
        "--admin-token-file",
        metavar="FILE",
        help="a file that holds the admin token; - reads it from standard input (default: MESAHUB_ADMIN_TOKEN, or a "
        "random token, which is printed)",
    )
    parser.add_argument(
        "--admin-token",
        metavar="TOKEN",
        help="the admin token itself: other users of this machine can see it in the list of processes",
    )
    parser.add_argument(
        "--public-url",
        metavar="URL",
        default=os.environ.get("MESAHUB_PUBLIC_URL") or None,
        help="the URL that links to files begin with, for example that of a proxy before this server (default: "
        "MESAHUB_PUBLIC_URL, or the address that a request came to)",
    )
    parser.add_argument(
        "--access-log", metavar="FILE", help="write a line per request to this file; - for standard error"
    )
    parser.add_argument(
        "--page",
        choices=("read", "write", "off"),
        default="read",
        help="what the page at / offers to those who sign in with the admin token: its query box reads, or may also "
        "write; off serves no page (default: %(default)s)",
    )
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    parser.add_argument(
        "--strict",
        action="store_true",
        help="hide what the published server lacks: math functions, soundex, FTS5, dbstat",
    )
    _add_limits(parser.add_argument_group("limits", "0 lifts a limit of seconds or bytes"))
    return parser


def _add_limits(group: argparse._ArgumentGroup) -> None:
    number, seconds = _at_least(1), _seconds
    request, connection = Limits(), ConnectionLimits()
    size = _at_least(0)
    for name, kind, default, text in (
        ("threads", number, connection.threads, "requests answered at the same time"),
        ("per-key", number, None, "those of one API key among them; others wait (default: half of the threads)"),
        ("statement-timeout", seconds, request.statement_seconds, "seconds that a statement may run"),
        ("max-value", size, (request.value_bytes or 0) // MEBIBYTE, "MiB of one value or row"),
        ("max-result", size, (request.result_bytes or 0) // MEBIBYTE, "MiB of all values of a result"),
        ("max-memory", size, 512, "MiB that SQLite may take for all databases together"),
        ("max-connections", number, connection.connections, "open connections; then the oldest idle one is closed"),
        ("head-timeout", seconds, connection.head_seconds, "seconds until the headers of a request are complete"),
        ("idle-timeout", seconds, connection.idle_seconds, "seconds without a byte until a connection is closed"),
    ):
        text += "" if default is None else " (default: %(default)g)"
        group.add_argument(f"--{name}", type=kind, default=default, metavar="N", help=text)


def _at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < least:
            raise argparse.ArgumentTypeError(f"must be a whole number of at least {least}, not {text!r}")
        return int(text)

    return number


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        raise argparse.ArgumentTypeError(f"must be a number of seconds, not {text!r}")
    return float(text)


def request_limits(arguments: argparse.Namespace) -> Limits:
    """What one request may cost."""
    return Limits(
        statement_seconds=arguments.statement_timeout or None,
        value_bytes=arguments.max_value * MEBIBYTE or None,
        result_bytes=arguments.max_result * MEBIBYTE or None,
        strict=arguments.strict,
    )


def connection_limits(arguments: argparse.Namespace) -> ConnectionLimits:
    """What connections and keys may take."""
    return ConnectionLimits(
        threads=arguments.threads,
        per_key=arguments.per_key or max(arguments.threads // 2, 1),
        connections=arguments.max_connections,
        head_seconds=arguments.head_timeout or float("inf"),
        idle_seconds=arguments.idle_timeout or float("inf"),
    )


def admin_token(arguments: argparse.Namespace) -> str | None:
    """The admin token: an argument, a file, the environment; ``None`` if it is to be made."""
    if arguments.admin_token and arguments.admin_token_file:
        raise ConfigurationError("Pass --admin-token-file or --admin-token, not both.")
    if arguments.admin_token:
        token: str = arguments.admin_token
    elif arguments.admin_token_file:
        token = _token_of(arguments.admin_token_file)
    else:
        token = os.environ.get("MESAHUB_ADMIN_TOKEN") or ""
    if any(not "!" <= character <= "~" for character in token):
        raise ConfigurationError("The admin token may hold printable ASCII characters only, without blanks.")
    return token or None


def _token_of(file: str) -> str:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigurationError(f"Cannot read the admin token from {file}: {reason}.") from None
    token = text.strip()
    if not token:
        raise ConfigurationError(
            f"The admin token file {file} is empty. Write a token into it, or leave the option out."
        )
    return token


def public_url(arguments: argparse.Namespace) -> str | None:
    """The URL that links begin with, checked."""
    url: str | None = arguments.public_url
    if url is not None and not re.fullmatch(r"https?://[^\s/?#@\"\\]+(/[^\s?#\"\\]*)?", url):
        raise ConfigurationError("--public-url must be an http or https URL, for example https://db.example.com.")
    return url
