"""``mesahub serve``: the server as a process, on waitress."""

from __future__ import annotations

import argparse
import logging
import os
import re
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import quote

from mesahub.errors import ConfigurationError, MesahubError
from mesahub_embedded.server.addresses import names_of, reachable
from mesahub_embedded.server.origin import Origin
from mesahub_embedded.storage.data_folder import DEFAULT_DATA

__all__ = ["main"]

DATABASE = "main"
"""The database that the printed URL names; made when the server has none."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the server until it is told to stop.

    Args:
        argv: the command's arguments, without its name; default: the process's.

    Returns:
        The process's exit status.
    """
    arguments = _parser().parse_args(argv)
    try:
        import waitress  # type: ignore[import-untyped]  # noqa: F401  (told about before anything is made)
    except ImportError:
        print(
            "mesahub serve needs the package waitress. Install it: pip install 'mesahub[serve]'",
            file=sys.stderr,
        )
        return 1
    try:
        return _serve(arguments)
    except MesahubError as error:
        print(f"mesahub serve: {error}", file=sys.stderr)
    except OSError as error:
        where = f"{arguments.host}:{arguments.port}"
        print(f"mesahub serve: cannot listen on {where}: {error.strerror or error}.", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mesahub serve",
        description="A MesaHub server on this machine, for development and tests.",
    )
    parser.add_argument(
        "--data",
        default=os.environ.get("MESAHUB_DATA") or DEFAULT_DATA,
        help="the folder that holds everything (default: MESAHUB_DATA, or ./%(default)s)",
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
    parser.add_argument("--threads", type=int, default=8, help="requests answered at once (default: %(default)s)")
    return parser


def _serve(arguments: argparse.Namespace) -> int:
    from waitress import wasyncore
    from waitress.server import create_server  # type: ignore[import-untyped]

    from mesahub_embedded.server.app import application

    # Waitress would leave its sockets open where the port is taken.
    family = socket.AF_INET6 if ":" in arguments.host else socket.AF_INET
    listening = socket.create_server((arguments.host, arguments.port), family=family, backlog=1024)
    # Waitress reads as much of an answer as a connection's buffer holds, which inherits its size from here: Linux
    # would say 2.5 MB.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 256 * 1024)
    try:
        app = application(arguments.data, _admin_token(arguments), public_url=_public_url(arguments))
    except BaseException:
        listening.close()
        raise
    port = listening.getsockname()[1]
    if arguments.public_url is None:
        app.origin = Origin(names=names_of(arguments.host), fallback=f"http://{reachable(arguments.host)}:{port}")
    sockets: dict[int, Any] = {}
    server = create_server(
        app,
        map=sockets,
        sockets=[listening],
        threads=arguments.threads,
        # Uploads may have 100 MiB; what is beyond is refused by its size, not by a broken connection.
        max_request_body_size=256 * 1024 * 1024,
        # Lets a statement ask whether its caller is still there.
        channel_request_lookahead=1,
        clear_untrusted_proxy_headers=True,
        # select() ends at descriptor 1,024, and every open database has several.
        asyncore_use_poll=True,
        ident=None,
    )
    # It would write a line for each request that waits for a thread, which is what a queue is for.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    _stop_on_signals(app)
    try:
        _announce(app, arguments, port)
        server.run()
    except (KeyboardInterrupt, SystemExit):
        pass
    finally:
        # The server's own close() would leave the connections open that clients keep alive.
        wasyncore.close_all(sockets, ignore_all=True)
        app.close()
    return 0


def _admin_token(arguments: argparse.Namespace) -> str | None:
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


def _public_url(arguments: argparse.Namespace) -> str | None:
    url: str | None = arguments.public_url
    if url is not None and not re.fullmatch(r"https?://[^\s/?#@\"\\]+(/[^\s?#\"\\]*)?", url):
        raise ConfigurationError("--public-url must be an http or https URL, for example https://db.example.com.")
    return url


def _announce(app: Any, arguments: argparse.Namespace, port: int) -> None:
    names = [record["slug"] for record in app.store.catalog.list_databases()]
    if not names:
        app.store.catalog.create_database(DATABASE, DATABASE, "admin")
        names = [DATABASE]
    shown = reachable(arguments.host)
    token = quote(app.admin_token, safe="")
    name = DATABASE if DATABASE in names else names[0]
    print(f"mh://{token}@{shown}:{port}/{quote(name, safe='')}", flush=True)
    print(f"Serving {app.store.data} on http://{shown}:{port} (databases: {', '.join(names)})", flush=True)
    print("For development and tests. Stop it with Ctrl+C.", flush=True)


def _stop_on_signals(app: Any) -> None:
    def stop(_: int, __: FrameType | None) -> None:
        app.stop()
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


if __name__ == "__main__":
    sys.exit(main())
