"""``mesahub cassette``: look at cassettes, check them, tidy them up."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from mesahub.errors import MesahubError
from mesahub.sql import Statement
from mesahub.transport import Response
from mesahub_recorder.cassette import Cassette
from mesahub_recorder.interaction import Call
from mesahub_recorder.maintenance import prune, replay_into, show, statistics, verify


def main(argv: list[str] | None = None) -> int:
    """Run a command; gives the exit code: 0, 1 for an error or drift, 2 for wrong usage."""
    parser = argparse.ArgumentParser(prog="mesahub cassette", description="Recordings of calls, for tests.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, what in (
        ("show", "print the interactions"),
        ("stats", "count them, tell their age, and which SELECTs have no ORDER BY"),
        ("verify", "ask a live database again and tell what differs"),
        ("prune", "drop reads that repeat the one before, and files that nothing names"),
        ("replay-into", "carry out the writes on a database, such as mh://local/copy"),
    ):
        command = commands.add_parser(name, help=what, description=what.capitalize() + ".")
        command.add_argument("cassette", type=Path)
        if name == "verify":
            command.add_argument("--url", help="the database; default: MESAHUB_URL")
        if name == "replay-into":
            command.add_argument("url", help="the database to write to")
        if name == "stats":
            command.add_argument("--json", action="store_true", help="as JSON")
    arguments = parser.parse_args(argv)
    try:
        return _run(arguments)
    except FileNotFoundError:
        print(f"mesahub cassette: there is no cassette {arguments.cassette}", file=sys.stderr)
    except (MesahubError, ValueError) as error:
        print(f"mesahub cassette: {error}", file=sys.stderr)
    return 1


def _run(arguments: argparse.Namespace) -> int:
    cassette = Cassette.load(arguments.cassette)
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
    elif arguments.command == "prune":
        dropped, files = prune(cassette)
        print(f"{dropped} interactions and {files} files dropped, {len(cassette.interactions)} interactions left")
    elif arguments.command == "replay-into":
        with _Target(arguments.url) as target:
            print(f"{replay_into(cassette, target.ask)} writes carried out")
    else:
        with _Target(arguments.url) as target:
            drift = verify(cassette, target.ask)
        print("\n\n".join(drift) if drift else f"{len(cassette.interactions)} interactions, no difference")
        return 1 if drift else 0
    return 0


class _Target:
    """A live database, asked call by call."""

    def __init__(self, url: str | None) -> None:
        import mesahub

        self._db = mesahub.connect(url)

    def ask(self, call: Call) -> Response:
        """Send a call, and give the answer whatever its status."""

        rows = None if call.rows is None else [tuple(row) for row in call.rows]
        statement = Statement(call.sql or "", list(call.bindings), "", call.operation == "exec", rows)
        return self._db.client.send_statement(self._db.name, call.operation, statement)

    def __enter__(self) -> _Target:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()
