"""The pytest plugin: one cassette per test, recorded once, replayed ever after.

pytest loads this module in every run, so it imports nothing of mesahub before a test asks for it.
"""

from __future__ import annotations

import json
import os
import re
import warnings
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
    group.addoption(
        "--mesahub-unordered",
        choices=("fail", "warn"),
        default=None,
        help="what to do about SELECTs without ORDER BY that gave several rows",
    )
    group.addoption(
        "--mesahub-orphans",
        choices=("fail", "warn"),
        default=None,
        help="what to do about cassettes beside the collected test files that no test of theirs uses",
    )
    parser.addini("mesahub_cassettes", "folder of the cassettes, beside the test file", default="cassettes")
    parser.addini("mesahub_url", "the database that is recorded; MESAHUB_URL wins over it", default="")
    parser.addini("mesahub_unused", "'fail' or 'warn' about interactions that no test used", default="")
    parser.addini("mesahub_unordered", "'fail' or 'warn' about SELECTs of several rows without ORDER BY", default="")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)


@pytest.hookimpl(tryfirst=True)  # before -k and -m take tests away
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    what = config.getoption("--mesahub-orphans")
    if what is None:
        return
    found = orphans(config, items)
    if not found:
        return
    text = "These cassettes are used by no test: " + ", ".join(map(str, found))
    if what == "fail":
        raise pytest.UsageError(text)
    warnings.warn(pytest.PytestWarning(text), stacklevel=1)


def orphans(config: pytest.Config, items: list[pytest.Item]) -> list[Path]:
    """The cassettes of the collected test files that no test uses.

    A folder of cassettes belongs to the test file of its name. Those that lie outside of such a folder were given a
    name by a marker; they are looked at where all the test files beside were collected.
    """
    files = {item.path for item in items}
    used = set()
    for item in items:
        if "mesahub_connect" in getattr(item, "fixturenames", ()):
            used.add(cassette_path(config, item, marked(item)[0]))
    found = []
    for parent in sorted({file.parent for file in files}):
        folder = parent / str(config.getini("mesahub_cassettes"))
        missing = {file for file in [*parent.glob("test_*.py"), *parent.glob("*_test.py")] if file not in files}
        for cassette in sorted(folder.rglob("*.json")):
            owner = parent / f"{cassette.relative_to(folder).parts[0]}.py"
            judged = owner not in missing if owner.exists() else not missing
            if judged and cassette not in used and not cassette.parent.name.endswith(".bodies"):
                found.append(cassette)
    return found


class Shared:
    """One recorder for all that a test connects to: a factory of transports that share it."""

    def __init__(self) -> None:
        self.recorder: Any = None
        self.base_url: str | None = None

    @staticmethod
    def needs_url(options: Any) -> bool:
        """As the recorder says."""
        from mesahub_recorder import RecorderTransport

        return RecorderTransport.needs_url(options)

    needs_key = needs_url

    def __call__(self, options: Any) -> Part:
        from mesahub_recorder import RecorderTransport

        if self.recorder is None:
            self.recorder = RecorderTransport(options)
            self.base_url = options.base_url
        elif self.recorder.mode != "replay" and options.base_url != self.base_url:
            raise pytest.UsageError("A cassette holds the calls to one server; this test connects to two.")
        return Part(self.recorder)

    def close(self) -> None:
        """Write the cassette, and tell what is wrong with it."""
        if self.recorder is not None:
            self.recorder.close()


class Part:
    """A client's share of a recorder: closing it leaves the others their recorder."""

    def __init__(self, recorder: Any) -> None:
        self._recorder = recorder

    def send(self, request: Any) -> Any:
        """Send a request."""
        return self._recorder.send(request)

    def close(self) -> None:
        """Nothing: the recorder is closed when the test is over."""


@pytest.fixture
def mesahub_connect(request: pytest.FixtureRequest) -> Iterator[Callable[..., DatabaseHandle]]:
    """``mesahub_connect(url=None, **options)``: like `mesahub.connect`, on the cassette of this test.

    All databases of a server that a test connects to share its cassette; the options of the first count.
    """
    opened: list[DatabaseHandle] = []
    shared = Shared()

    def connect(url: str | None = None, **options: Any) -> DatabaseHandle:
        import mesahub

        given, arguments = settings(request, url)
        handle = mesahub.connect(given, **{**arguments, "transport": shared, **options})
        opened.append(handle)
        return handle

    yield connect
    try:
        for handle in opened:
            handle.close()
    finally:
        shared.close()


@pytest.fixture
def mesahub_db(mesahub_connect: Callable[..., DatabaseHandle]) -> DatabaseHandle:
    """A database handle on the cassette of this test."""
    return mesahub_connect()


def settings(request: pytest.FixtureRequest, url: str | None) -> tuple[str, dict[str, Any]]:
    """(URL, arguments of `mesahub.connect`) for a test."""
    config = request.config
    name, options = marked(request.node)
    path = cassette_path(config, request.node, name)
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
    unordered = config.getoption("--mesahub-unordered") or config.getini("mesahub_unordered") or None
    # An embedded database is recorded through its own transport.
    if url.startswith("mh://local/"):
        options.setdefault("inner", "embedded")
    arguments = {"transport": "recorder", "cassette": str(path), "mode": mode, "unused": unused}
    return url, {**arguments, "unordered": unordered, **options}


def marked(item: pytest.Item) -> tuple[str | None, dict[str, Any]]:
    """(name of the cassette, options) as the marker of a test gives them."""
    marker = item.get_closest_marker("mesahub_cassette")
    options: dict[str, Any] = dict(marker.kwargs) if marker else {}
    name = options.pop("name", None)
    return (marker.args[0] if marker and marker.args else name), options


def recorded_database(path: Path) -> str:
    """The database of a cassette's first call."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    found = re.search(r'"database": "((?:[^"\\]|\\.)*)"', text)
    if found is None:
        return "test"
    from urllib.parse import quote

    return quote(str(json.loads(f'"{found[1]}"')), safe="")


def effective_mode(mode: str, exists: bool) -> str:
    """What a mode comes to: CI never records, and what is recorded already stays."""
    if mode in ("record", "extend", "rewrite") and os.environ.get("CI", "").lower() not in ("", "0", "false"):
        return "replay"
    if mode == "record" and exists:
        return "replay"
    return mode


def cassette_path(config: pytest.Config, item: pytest.Item, name: str | None) -> Path:
    """``cassettes/test_file/test_name[parameters].json`` beside the test file."""
    file = item.path
    folder = file.parent / str(config.getini("mesahub_cassettes"))
    if name is not None:
        return folder / (name if name.endswith(".json") else f"{name}.json")
    parts = item.nodeid.split("::")[1:]
    return folder / file.stem / f"{_safe('.'.join(parts))}.json"


def _safe(name: str) -> str:
    """A file name that every system takes; what is changed or cut is told apart by a short hash."""
    plain = re.sub(r"[^A-Za-z0-9_.,=+\[\]-]", "_", name)[:120]
    if plain == name:
        return plain
    import hashlib

    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
