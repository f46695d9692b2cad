"""``mesahub serve``: the server as a process, on waitress."""

from __future__ import annotations

import argparse
import signal
import socket
import sqlite3
import sys
import threading
import webbrowser
from collections.abc import Sequence
from contextlib import closing
from types import FrameType
from typing import Any
from urllib.parse import quote

from mesahub.errors import ConfigurationError, MesahubError
from mesahub_embedded.server import options
from mesahub_embedded.server.access_log import write_access_log
from mesahub_embedded.server.addresses import names_of, reachable
from mesahub_embedded.server.app import application
from mesahub_embedded.server.origin import Origin

__all__ = ["main"]

DATABASE = "main"
"""The database that the printed URL names; made when the server has none."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the server until it is stopped.

    Args:
        argv: the command's arguments, without its name; default: the process's.

    Returns:
        The process's exit status.
    """
    arguments = options.parser().parse_args(argv)
    try:
        import waitress  # type: ignore[import-untyped]  # noqa: F401  (asked for before anything is created)
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


def _serve(arguments: argparse.Namespace) -> int:
    from waitress import wasyncore

    from mesahub_embedded.server.http_server import listen

    # Waitress would leave its sockets open where the port is taken.
    family = socket.AF_INET6 if ":" in arguments.host else socket.AF_INET
    listening = socket.create_server((arguments.host, arguments.port), family=family, backlog=1024)
    # Waitress reads as much of an answer as a connection's buffer holds, which inherits its size from here: Linux
    # would say 2.5 MB.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 256 * 1024)
    limits = options.connection_limits(arguments)
    try:
        _open_access_log(arguments.access_log)
        app = application(
            arguments.data,
            options.admin_token(arguments),
            limits=options.request_limits(arguments),
            public_url=options.public_url(arguments),
            page=arguments.page,
        )
    except BaseException:
        listening.close()
        raise
    _limit_memory(arguments.max_memory)
    _allow_descriptors(limits.connections)
    port = listening.getsockname()[1]
    if arguments.public_url is None:
        app.origin = Origin(names=names_of(arguments.host), fallback=f"http://{reachable(arguments.host)}:{port}")
    sockets: dict[int, Any] = {}
    server = listen(app, listening, sockets, limits, admits=app.admits, exempt=app.is_admin)
    _stop_on_signals(app)
    try:
        _announce(app, arguments, port)
        if arguments.open:
            _open_page(arguments.public_url or f"http://{reachable(arguments.host)}:{port}")
        server.run()
    except (KeyboardInterrupt, SystemExit):
        pass
    finally:
        # The server's own close() would leave the connections open that clients keep alive.
        wasyncore.close_all(sockets, ignore_all=True)
        app.close()
    return 0


def _open_access_log(file: str | None) -> None:
    if file is not None:
        try:
            write_access_log(file)
        except OSError as error:
            reason = error.strerror or error
            raise ConfigurationError(f"Cannot write the access log to {file}: {reason}. Pass another file.") from None


def _limit_memory(mebibytes: int) -> None:
    """Limit what SQLite takes in this process: a statement that asks for more fails, and not the process."""
    if mebibytes:
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.execute(f"PRAGMA hard_heap_limit = {mebibytes * 1024 * 1024}")


def _allow_descriptors(connections: int) -> None:
    """Allow as many open files as the connections and the databases need, as far as the system lets us."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + 1024
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


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


def _open_page(url: str) -> None:
    """Open the page. In a thread: some browsers run until they are closed, and the server is not answering yet."""
    page = url.rstrip("/") + "/"

    def run() -> None:
        if not webbrowser.open(page):
            print(f"No browser was found. Open {page} yourself.", file=sys.stderr, flush=True)

    threading.Thread(target=run, name="open-page", daemon=True).start()


def _stop_on_signals(app: Any) -> None:
    def stop(_: int, __: FrameType | None) -> None:
        app.stop()
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


if __name__ == "__main__":
    sys.exit(main())
