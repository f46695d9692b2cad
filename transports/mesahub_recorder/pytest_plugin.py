"""The pytest plugin: one cassette per test, recorded once, replayed ever after.

pytest loads this module in every run, so it imports nothing of mesahub before a test asks for it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mesahub import DatabaseHandle

MODES = ("replay", "record", "extend", "rewrite", "verify", "live")
MARKER = (
    "mesahub_cassette(name=None, *, database=None, mode=None, **options): the cassette of a test, the database it "
    "talks to, and options of the transport 'recorder'"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mesahub")
    group.addoption(
        "--mesahub-record",
        choices=MODES,
        default=None,
        metavar="MODE",
        help=f"how the cassettes of mesahub_db are used: {', '.join(MODES)} (default: replay). "
        "'record' leaves those that are there as they are. Where CI is set nothing is ever recorded.",
    )
    group.addoption(
        "--mesahub-unused",
        choices=("fail", "warn"),
        default=None,
        help="what to do about interactions that no test used",
    )
    parser.addini("mesahub_cassettes", "folder of the cassettes, beside the test file", default="cassettes")
    parser.addini("mesahub_url", "the database that is recorded; MESAHUB_URL wins over it", default="")
    parser.addini("mesahub_unused", "'fail' or 'warn' about interactions that no test used", default="")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)


@pytest.fixture
def mesahub_connect(request: pytest.FixtureRequest) -> Iterator[Callable[..., DatabaseHandle]]:
    """``mesahub_connect(url=None, **options)``: like `mesahub.connect`, on the cassette of this test.

    Every database that a test connects to shares its cassette.
    """
    opened: list[DatabaseHandle] = []

    def connect(url: str | None = None, **options: Any) -> DatabaseHandle:
        import mesahub

        given, arguments = settings(request, url)
        handle = mesahub.connect(given, **{**arguments, **options})
        opened.append(handle)
        return handle

    yield connect
    for handle in opened:
        handle.close()


@pytest.fixture
def mesahub_db(mesahub_connect: Callable[..., DatabaseHandle]) -> DatabaseHandle:
    """A database handle on the cassette of this test."""
    return mesahub_connect()


def settings(request: pytest.FixtureRequest, url: str | None) -> tuple[str, dict[str, Any]]:
    """(URL, arguments of `mesahub.connect`) for a test."""
    config = request.config
    marker = request.node.get_closest_marker("mesahub_cassette")
    options: dict[str, Any] = dict(marker.kwargs) if marker else {}
    name = (marker.args[0] if marker and marker.args else None) or options.pop("name", None)
    path = cassette_path(request, name)
    database = options.pop("database", None)
    asked = config.getoption("--mesahub-record")
    mode = effective_mode(asked or options.pop("mode", None) or "replay", path.exists())
    options.pop("mode", None)
    url = url or os.environ.get("MESAHUB_URL") or config.getini("mesahub_url")
    if not url:
        if mode != "replay":
            raise pytest.UsageError(f"--mesahub-record={mode} needs the database to record: set MESAHUB_URL.")
        # Nothing is reached by it: a replay needs the database's name alone.
        url = f"mh://replay@localhost/{database or recorded_database(path)}"
    unused = config.getoption("--mesahub-unused") or config.getini("mesahub_unused") or None
    # An embedded database is recorded through its own transport.
    if url.startswith("mh://local/"):
        options.setdefault("inner", "embedded")
    arguments = {"transport": "recorder", "cassette": str(path), "mode": mode, "unused": unused, **options}
    return url, arguments


def recorded_database(path: Path) -> str:
    """The database of a cassette's first call."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    found = re.search(r'"database": "((?:[^"\\]|\\.)*)"', text)
    if found is None:
        return "test"
    from urllib.parse import quote

    return quote(str(json.loads(f'"{found[1]}"')), safe="")


def effective_mode(mode: str, exists: bool) -> str:
    """What a mode comes to: CI replays only, and what is recorded already stays."""
    if mode != "replay" and os.environ.get("CI", "").lower() not in ("", "0", "false"):
        return "replay"
    if mode == "record" and exists:
        return "replay"
    return mode


def cassette_path(request: pytest.FixtureRequest, name: str | None) -> Path:
    """``cassettes/test_file/test_name[parameters].json`` beside the test file."""
    file = request.path
    folder = file.parent / str(request.config.getini("mesahub_cassettes"))
    if name is not None:
        return folder / (name if name.endswith(".json") else f"{name}.json")
    parts = request.node.nodeid.split("::")[1:]
    return folder / file.stem / f"{_safe('.'.join(parts))}.json"


def _safe(name: str) -> str:
    """A file name that every system takes; what is changed or cut is told apart by a short hash."""
    plain = re.sub(r"[^A-Za-z0-9_.,=+\[\]-]", "_", name)[:120]
    if plain == name:
        return plain
    import hashlib

    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
