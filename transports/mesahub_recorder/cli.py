"""``mesahub cassette``: show, verify, and prune cassettes."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mesahub.errors import ConfigurationError, MesahubError
from mesahub.sql import Statement
from mesahub.transport import Response
from mesahub_recorder.call import Call
from mesahub_recorder.cassette import Cassette
from mesahub_recorder.maintenance import Ask, prune, replay_into, show, statistics, verify, writes
from mesahub_recorder.redaction.filter import Filter
from mesahub_recorder.values import unpack

_SHOWN = 20


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns 0, 1 for an error or drift, 2 for wrong usage or a write that lacks --write."""
    arguments = _parser().parse_args(argv)
    try:
        return _run(arguments)
    except FileNotFoundError:
        print(f"mesahub cassette: there is no cassette {arguments.cassette}", file=sys.stderr)
    except BrokenPipeError:
        raise  # for `mesahub.cli.main`
    except (MesahubError, ValueError, OSError) as error:
        print(f"mesahub cassette: {error}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mesahub cassette", description="Recordings of calls, for tests.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, what in (
        ("show", "print the interactions"),
        ("stats", "count them, print their age, and which SELECTs have no ORDER BY"),
        ("verify", "run all statements again, on a fresh database in this process unless --url is given, and compare"),
        ("prune", "drop reads that repeat the previous one, and unused files"),
        ("replay-into", "run the writes on a fresh database in this process or on URL"),
    ):
        command = commands.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".")
        command.add_argument("cassette", type=Path)
        if name == "verify":
            command.add_argument("--url", help="a live database; --write is required only if a statement writes")
            command.add_argument(
                "--ignore",
                action="append",
                default=[],
                metavar="NAME",
                help="a column (or pattern) that changes from run to run, <uuid> or <now>; may be repeated",
            )
        if name == "replay-into":
            command.add_argument("url", nargs="?", help="the database to write to, such as mh://local/copy")
        if name in ("verify", "replay-into"):
            command.add_argument("--write", action="store_true", help="run the recorded writes on a live database")
        if name == "stats":
            command.add_argument("--json", action="store_true", help="as JSON")
    return parser


def _run(arguments: argparse.Namespace) -> int:
    cassette = Cassette.load(arguments.cassette)
    if arguments.command in ("verify", "replay-into"):
        return _replay(arguments, cassette)
    if arguments.command == "show":
        for line in show(cassette):
            print(line)
    elif arguments.command == "stats":
        facts = statistics(cassette)
        if arguments.json:
            print(json.dumps(facts, indent=1))
        else:
            for name, value in facts.items():
                print(f"{name:14} {value if not isinstance(value, list) else chr(10).join(map(str, value)) or '-'}")
    else:
        dropped, files = prune(cassette)
        print(f"{dropped} interactions and {files} files dropped, {len(cassette.interactions)} interactions left")
    return 0


def _replay(arguments: argparse.Namespace, cassette: Cassette) -> int:
    with tempfile.TemporaryDirectory(prefix="mesahub-cassette-") as folder, _target(arguments.url, folder) as target:
        changes = writes(cassette)
        if changes and not target.is_fresh():
            _announce(changes, send=arguments.write)
            if not arguments.write:
                return 2
        if arguments.command == "replay-into":
            done = replay_into(cassette, target.ask)
            print(f"{done} writes carried out" + ("" if arguments.url else " on a fresh database, now dropped"))
            return 0
        drift = verify(cassette, target.ask, Filter(arguments.ignore), Path(folder))
    print("\n\n".join(drift) if drift else f"{len(cassette.interactions)} interactions, no difference")
    return 1 if drift else 0


def _announce(changes: list[Call], *, send: bool) -> None:
    """Print the statements that run, or would run, on a live database."""
    print(f"{len(changes)} statements that may write{':' if send else ', none of which was sent:'}", file=sys.stderr)
    for call in changes[:_SHOWN]:
        print("  " + " ".join((call.sql or "").split())[:120], file=sys.stderr)
    if len(changes) > _SHOWN:
        print(f"  ... and {len(changes) - _SHOWN} more", file=sys.stderr)
    if not send:
        print(
            "The database is live: it is on a server, or has tables. Pass --write to run them there, or leave the URL "
            "out to use a fresh database.",
            file=sys.stderr,
        )


class _Target:
    """Sends calls to a database."""

    def __init__(self, url: str | None, folder: str) -> None:
        import mesahub

        self._is_local = url is None or url.partition("://")[2].partition("/")[0] == "local"
        if url is None:
            self._db = mesahub.connect("mh://local/cassette", data=str(Path(folder, "data")))
        else:
            self._db = mesahub.connect(url)

    def is_fresh(self) -> bool:
        """Is it an embedded database without tables?"""
        return self._is_local and not self._db.query("SELECT 1 FROM sqlite_schema LIMIT 1").rows

    @property
    def ask(self) -> Ask:
        """Send a call, and return the response regardless of its status."""

        def send(call: Call) -> Response:
            rows = None if call.rows is None else [tuple(row) for row in unpack(list(call.rows))]
            bindings = list(unpack(list(call.bindings)))
            statement = Statement(call.sql or "", bindings, "", call.operation == "exec", rows)
            return self._db.client.send_statement(self._db.name, call.operation, statement)

        return send

    def close(self) -> None:
        self._db.close()


@contextlib.contextmanager
def _target(url: str | None, folder: str) -> Iterator[_Target]:
    if url is not None and "://" not in url:
        raise ConfigurationError(f"{url!r} is not the URL of a database, such as mh://local/copy.")
    target = _Target(url, folder)
    try:
        yield target
    finally:
        target.close()
