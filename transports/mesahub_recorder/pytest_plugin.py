"""The pytest plugin: one cassette per test, recorded once, replayed from then on.

pytest loads this module in every run, so it imports nothing of mesahub before a test asks for it.
"""

from __future__ import annotations

import json
import os
import re
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mesahub import DatabaseHandle
    from mesahub.aio import AsyncDatabaseHandle

MODES = ("replay", "record", "extend", "rewrite", "verify", "live")
MARKER = (
    "mesahub_cassette(name=None, *, database=None, mode=None, **options): the cassette of a test, the database it "
    "talks to, and options of the transport 'recorder'"
)

FAILED = pytest.StashKey[bool]()
WORKER_DATABASES = pytest.StashKey[dict[str, Any]]()
LISTS = ("redact", "ignore_bindings")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mesahub")
    group.addoption(
        "--mesahub-record",
        choices=MODES,
        default=None,
        metavar="MODE",
        help=f"how the cassettes of mesahub_db and mesahub_adb are used: {', '.join(MODES)} (default: replay). "
        "'record' keeps existing ones. If CI is set, nothing is ever recorded.",
    )
    group.addoption(
        "--mesahub-unused",
        choices=("fail", "warn"),
        default=None,
        help="what to do about unused interactions",
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
        help="what to do about cassettes next to the collected test files that no test of theirs uses",
    )
    parser.addini("mesahub_cassettes", "folder of the cassettes, next to the test file", default="cassettes")
    parser.addini("mesahub_redact", "names of bindings and columns to redact in cassettes", "linelist", [])
    parser.addini("mesahub_ignore_bindings", "names of values that change from run to run", "linelist", [])
    parser.addini("mesahub_url", "the database to record; MESAHUB_URL takes precedence", default="")
    parser.addini("mesahub_unused", "'fail' or 'warn' about interactions that no test used", default="")
    parser.addini("mesahub_unordered", "'fail' or 'warn' about SELECTs of several rows without ORDER BY", default="")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)
    config.stash[WORKER_DATABASES] = {}


def pytest_sessionfinish(session: pytest.Session) -> None:
    # Later hooks are too late: once a worker has reported its end, pytest-xdist may kill it.
    for database in session.config.stash.get(WORKER_DATABASES, {}).values():
        database.drop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


@pytest.hookimpl(tryfirst=True)  # before -k and -m take tests away
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    what = config.getoption("--mesahub-orphans")
    if what is None:
        return
    found = orphans(config, items)
    if not found:
        return
    text = "No test uses these cassettes: " + ", ".join(map(str, found))
    if what == "fail":
        raise pytest.UsageError(text)
    warnings.warn(pytest.PytestWarning(text), stacklevel=1)


def orphans(config: pytest.Config, items: list[pytest.Item]) -> list[Path]:
    """The cassettes of the collected test files that no test uses.

    A folder of cassettes belongs to the test file of its name. Those outside of such a folder were given a
    name by a marker; they are looked at where all the test files next to it were collected.
    """
    files = {item.path for item in items}
    used = set()
    for item in items:
        if {"mesahub_connect", "mesahub_aconnect"}.intersection(getattr(item, "fixturenames", ())):
            used.add(cassette_path(config, item, marked(item)[0]))
    found = []
    for parent in sorted({file.parent for file in files}):
        folder = parent / str(config.getini("mesahub_cassettes"))
        missing = {file for file in [*parent.glob("test_*.py"), *parent.glob("*_test.py")] if file not in files}
        owners = {_safe(file.stem): file for file in parent.glob("*.py")}
        for cassette in sorted(folder.rglob("*.json")):
            owner = owners.get(cassette.relative_to(folder).parts[0], parent / "-")
            judged = owner not in missing if owner.exists() else not missing
            if judged and cassette not in used and not cassette.parent.name.endswith(".bodies"):
                found.append(cassette)
    return found


@pytest.fixture(scope="session")
def mesahub_recorder_options() -> dict[str, Any]:
    """Options of the recorder for all tests: override it, for instance to return ``{"redact": ["password"]}``.

    What a marker or the ini file says of ``redact`` and ``ignore_bindings`` is added; other options of a marker win.
    """
    return {}


@pytest.fixture
def mesahub_connect(
    request: pytest.FixtureRequest, mesahub_recorder_options: dict[str, Any]
) -> Iterator[Callable[..., DatabaseHandle]]:
    """``mesahub_connect(url=None, **options)``: like `mesahub.connect`, on the cassette of this test.

    All databases of a server that a test connects to share its cassette; the options of the first count.
    """
    from mesahub_recorder.shared import Shared

    opened: list[DatabaseHandle] = []
    shared = Shared()

    def connect(url: str | None = None, **options: Any) -> DatabaseHandle:
        import mesahub

        given, arguments = settings(request, url, {**mesahub_recorder_options})
        together: dict[str, Any] = {**arguments, "transport": shared, **options}
        handle = mesahub.connect(given, **together)
        opened.append(handle)
        return handle

    yield connect
    try:
        for handle in opened:
            handle.close()
    finally:
        shared.close(failed=request.node.stash.get(FAILED, False))


@pytest.fixture
def mesahub_db(mesahub_connect: Callable[..., DatabaseHandle]) -> DatabaseHandle:
    """A database handle on the cassette of this test."""
    return mesahub_connect()


@pytest.fixture
def mesahub_aconnect(
    request: pytest.FixtureRequest, mesahub_recorder_options: dict[str, Any]
) -> Iterator[Callable[..., AsyncDatabaseHandle]]:
    """``mesahub_aconnect(url=None, **options)``: like `mesahub.aio.connect`, on the cassette of this test.

    The handles need not be closed. What is recorded is asked for by the transport ``urllib``, on threads, unless
    ``inner`` says otherwise: a loop that ends before its connections would complain.
    """
    if "mesahub_connect" in request.fixturenames:
        raise pytest.UsageError("A test has one cassette, so it takes mesahub_db or mesahub_adb, not both.")
    from mesahub_recorder.shared import AsyncShared

    shared = AsyncShared()

    def connect(url: str | None = None, **options: Any) -> AsyncDatabaseHandle:
        from mesahub import aio

        given, arguments = settings(request, url, {**mesahub_recorder_options})
        arguments.setdefault("inner", "urllib")
        together: dict[str, Any] = {**arguments, "transport": shared, **options}
        return aio.connect(given, **together)

    yield connect
    shared.close(failed=request.node.stash.get(FAILED, False))


@pytest.fixture
def mesahub_adb(mesahub_aconnect: Callable[..., AsyncDatabaseHandle]) -> AsyncDatabaseHandle:
    """A database handle for asyncio on the cassette of this test."""
    return mesahub_aconnect()


def settings(
    request: pytest.FixtureRequest, url: str | None, project: dict[str, Any] | None = None
) -> tuple[str, dict[str, Any]]:
    """(URL, arguments of `mesahub.connect`) for a test."""
    config = request.config
    name, options = marked(request.node)
    options = {**(project or {}), **options, **merged_lists(config, project or {}, options)}
    path = cassette_path(config, request.node, name)
    part = None if name is None else part_of(request.node)
    database = options.pop("database", None)
    asked = config.getoption("--mesahub-record")
    mode = effective_mode(asked or options.pop("mode", None) or "replay", recorded(path, part))
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
    if mode in ("record", "extend", "rewrite") and hasattr(config, "workerinput"):
        options["databases"] = worker_database(config, url, options)
    arguments = {"transport": "recorder", "cassette": str(path), "mode": mode, "unused": unused, "hints": "pytest"}
    return url, {**arguments, "unordered": unordered, "part": part, **options}


def merged_lists(config: pytest.Config, project: dict[str, Any], options: dict[str, Any]) -> dict[str, list[Any]]:
    """``redact`` and ``ignore_bindings``, as the ini file, the project's fixture and the marker say together."""
    lists = {}
    for name in LISTS:
        given = [config.getini(f"mesahub_{name}"), project.get(name, ()), options.get(name, ())]
        if any(isinstance(each, str) for each in given):
            raise pytest.UsageError(f"{name} must be a list of names.")
        lists[name] = [value for each in given for value in each]
    return lists


class WorkerDatabase:
    """The database that one worker of pytest-xdist records on, so that workers do not see one another's rows."""

    def __init__(self, url: str, worker: str) -> None:
        import mesahub

        self._admin = mesahub.connect(url)
        self.original = self._admin.name
        self.name = f"{self.original}-{worker}-{uuid.uuid4().hex[:8]}"
        self._is_local = url.startswith("mh://local/")
        try:
            if not self._is_local:
                self._admin.client.admin.databases.create(self.name, slug=self.name)
        except mesahub.MesahubError as error:
            self._admin.close()
            raise pytest.UsageError(
                f"Recording with several workers needs a database for each, and none could be created: {error} "
                "Use a key that may create databases, or record without -n."
            ) from None

    def drop(self) -> None:
        """Delete it."""
        import mesahub

        try:
            self._admin.client.admin.databases.delete(self.name)
        except mesahub.MesahubError as error:
            warnings.warn(pytest.PytestWarning(f"{self.name} could not be deleted: {error}"), stacklevel=1)
        finally:
            self._admin.close()


def worker_database(config: pytest.Config, url: str, options: dict[str, Any]) -> dict[str, str]:
    """{name in the cassette: name on the server} of a worker's database; created when it is first needed."""
    if options.get("inner", "embedded") != "embedded":
        return {}
    made = config.stash[WORKER_DATABASES]
    if url not in made:
        made[url] = WorkerDatabase(url, config.workerinput["workerid"])  # type: ignore[attr-defined]
    return {made[url].original: made[url].name}


def recorded(path: Path, part: str | None) -> bool:
    """Is there a cassette, and in it the part of the test, where it is shared?"""
    if part is None or not path.exists():
        return path.exists()
    from mesahub_recorder.cassette import Cassette

    return any(one.part == part for one in Cassette.load(path).interactions)


def part_of(item: pytest.Item) -> str:
    """What a test's calls are marked with in a cassette that is shared by name."""
    return item.nodeid


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
    """``cassettes/test_file/test_name[parameters].json`` next to the test file."""
    file = item.path
    given = Path(str(config.getini("mesahub_cassettes")))
    folder = file.parent / given
    if given.is_absolute():
        # Files of the same name in several folders must not share a cassette.
        folder = given / Path(os.path.relpath(file.parent, config.rootpath).replace("..", "_"))
    if name is not None:
        return folder / (name if name.endswith(".json") else f"{name}.json")
    test = item.nodeid.partition("::")[2]
    return folder / _safe(file.stem) / f"{_safe(test, test.replace('::', '.'))}.json"


_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def _safe(name: str, shown: str | None = None) -> str:
    """A file name that every system takes.

    What is changed, cut, or may differ from another in its case alone gets a short hash of the whole, so that two
    tests never share a file.
    """
    shown = name if shown is None else shown
    plain = re.sub(r"[^A-Za-z0-9_.,=+\[\]-]", "_", shown)[:120].rstrip(".")
    if plain == name == name.lower() and not _RESERVED.fullmatch(name):
        return plain
    import hashlib

    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:10]
    return f"{'_' if _RESERVED.fullmatch(plain) else ''}{plain}-{digest}"
