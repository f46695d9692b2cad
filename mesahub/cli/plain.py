"""``query`` and ``transports`` without any extra: tab-separated."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

import mesahub
from mesahub.dialects.registry import is_database_url
from mesahub.errors import MesahubError

__all__ = ["installed", "run"]


def run(arguments: list[str], extra: str) -> int:
    """Run a command and return the exit code."""
    commands: dict[str, Callable[[list[str]], Iterable[list[object]]]] = {"query": _query, "transports": _transports}
    if arguments[:1] == ["--version"]:
        print(f"mesahub, version {mesahub.__version__}")
        return 0
    if arguments[:1] in (["--help"], ["-h"]):
        print(f"Usage: mesahub serve|cassette|{'|'.join(commands)} ...\n\n{extra}")
        return 0
    if not arguments or arguments[0] not in commands:
        print(extra, file=sys.stderr)
        print(f"Available without it: serve, cassette, {', '.join(commands)}.", file=sys.stderr)
        return 2
    try:
        for row in commands[arguments[0]](arguments[1:]):
            print("\t".join("" if value is None else str(value) for value in row))
    except MesahubError as error:
        print(f"mesahub: {error}", file=sys.stderr)
        return 1
    return 0


def _transports(_: list[str]) -> Iterable[list[object]]:
    for found in installed():
        yield [found[name] for name in ("name", "package", "for", "state")]


def installed() -> list[dict[str, str]]:
    """What ``mesahub transports`` prints: name, kind of code, package and state of each transport."""
    return [
        {"name": found.name, "for": kind, "package": found.package, "state": found.problem or "ok"}
        for kind, entries in (("blocking code", "mesahub.transports"), ("asyncio", "mesahub.async_transports"))
        for found in mesahub.installed_transports(entries)
    ]


def _query(arguments: list[str]) -> Iterable[list[object]]:
    urls = [argument for argument in arguments if is_database_url(argument)]
    rest = [argument for argument in arguments if not is_database_url(argument)]
    if len(urls) > 1 or len(rest) != 1:
        raise MesahubError("USAGE", 0, "usage: mesahub query [mh://key@host/database] SQL (or set MESAHUB_URL)")
    with mesahub.connect(urls[0] if urls else None) as db:
        result = db.query(rest[0])
        yield list(result.columns)
        for row in result.rows:
            yield [row[name] for name in result.columns]
