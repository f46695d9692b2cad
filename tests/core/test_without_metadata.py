"""Where no metadata is installed: vendored folders, archives, layers, a clone of the repository."""

from __future__ import annotations

import importlib.util
import os
import pickle
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import mesahub
from mesahub._util.built_in import BUILT_IN, EXTRAS
from mesahub.errors import ConfigurationError

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

EMBEDDED = """
import mesahub
with mesahub.connect("mh://local/shop", data=DATA) as db:
    db.table("t").insert_many([{"a": 1}, {"a": 2}], create=True)
    print(db.table("t").count())
"""
NAMES = """
import mesahub
print(*sorted(f"{one.name}={one.problem or 'ok'}" for one in mesahub.installed_transports()), sep="\\n")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages of the wheel, copied without their metadata."""
    target = tmp_path_factory.mktemp("vendored") / "lib"
    packages = [ROOT / "mesahub", *(path.parent for path in sorted((ROOT / "transports").glob("*/__init__.py")))]
    for package in packages:
        shutil.copytree(package, target / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    return target


@pytest.fixture(scope="module")
def archive(folder: Path) -> Path:
    target = folder.with_suffix(".zip")
    with zipfile.ZipFile(target, "w") as file:
        for path in folder.rglob("*.py"):
            file.write(path, path.relative_to(folder))
    return target


def run(code: str, path: Path | None, tmp_path: Path, *, blocked: tuple[str, ...] = (), cwd: Path | None = None) -> str:
    """Run a program in a Python that has nothing but the standard library and ``path``."""
    before = "import sys\n" + "".join(f"sys.modules[{name!r}] = None\n" for name in blocked)
    if path is not None:
        before += f"sys.path.insert(0, {str(path)!r})\n"
    if cwd is not None:
        before += "sys.path.insert(0, '')\n"
    program = before + code.replace("DATA", repr(str(tmp_path / "data")))
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MESAHUB", "COV"))}
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], cwd=cwd or tmp_path, env=bare, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_built_in_names_are_those_of_the_package() -> None:
    groups = PROJECT["entry-points"]
    assert {name: points for name, points in groups.items() if name.startswith("mesahub.")} == BUILT_IN


def test_the_extras_that_are_named_exist() -> None:
    optional = PROJECT["optional-dependencies"]
    for module, (extra, package) in EXTRAS.items():
        assert any(re.match(rf"{re.escape(package)}\b", each) for each in optional[extra]), module


@pytest.mark.parametrize("where", ["folder", "archive"])
def test_transports_and_dialects_are_found(where: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    path: Path = request.getfixturevalue(where)
    assert run(EMBEDDED, path, tmp_path) == "2"
    lines = dict(line.split("=", 1) for line in run(NAMES, path, tmp_path).splitlines())
    assert {name for name, problem in lines.items() if problem == "ok"} == {"urllib", "embedded", "recorder"}
    assert "pip install requests" in lines["requests"]
    assert "pip install urllib3" in lines["urllib3"]
    assert run("import mesahub; print(mesahub.connect('rqlite://127.0.0.1:9/x').client.dialect.name)", path, tmp_path)


@pytest.mark.parametrize("where", ["folder", "archive"])
def test_asyncio_is_found(where: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    code = """
import asyncio
import mesahub, mesahub.aio
async def main():
    async with mesahub.aio.connect("mh://local/shop", data=DATA) as db:
        print((await db.query("SELECT 1 AS one"))["rows"])
    for url in ("mh://shk_1@127.0.0.1:9/x", "rqlite://127.0.0.1:9/x", "libsql://127.0.0.1:9/x"):
        try:
            async with mesahub.aio.connect(url, retry=mesahub.RetryPolicy.none()) as db:
                await db.query("SELECT 1")
        except mesahub.NotSentError:
            print(url.partition(":")[0])
    try:
        mesahub.aio.connect("mh://shk_1@127.0.0.1:9/x", transport="aiohttp")
    except mesahub.ConfigurationError as error:
        print(error)
asyncio.run(main())
"""
    rows, *schemes, said = run(code, request.getfixturevalue(where), tmp_path).splitlines()
    assert rows == "[{'one': 1}]"
    assert schemes == ["mh", "rqlite", "libsql"]
    assert "pip install 'mesahub[aiohttp]' (or pip install aiohttp)" in said


def test_a_server_is_asked_over_http(folder: Path, tmp_path: Path) -> None:
    code = """
import mesahub
try:
    mesahub.connect("mh://shk_1@127.0.0.1:9/x", retry=mesahub.RetryPolicy.none()).query("SELECT 1")
except mesahub.NotSentError as error:
    print("not sent")
"""
    assert run(code, folder, tmp_path) == "not sent"


def test_a_recording_is_replayed(folder: Path, tmp_path: Path) -> None:
    code = """
import mesahub
for mode in ("record", "replay"):
    options = {"data": DATA} if mode == "record" else {}
    with mesahub.connect("mh://local/x", transport="recorder", inner="embedded", mode=mode, cassette="c.jsonl",
                         **options) as db:
        print(db.query("SELECT 1 AS one")["rows"])
"""
    assert run(code, folder, tmp_path) == "[{'one': 1}]\n[{'one': 1}]"


def test_a_clone_of_the_repository_runs_where_it_is(tmp_path: Path) -> None:
    assert run(EMBEDDED, None, tmp_path, cwd=ROOT) == "2"


def test_a_transport_that_was_not_copied_along_is_named(folder: Path, tmp_path: Path) -> None:
    code = """
import mesahub
try:
    mesahub.connect("mh://local/x", data=DATA)
except mesahub.ConfigurationError as error:
    print(error)
"""
    said = run(code, folder, tmp_path, blocked=("mesahub_embedded",))
    assert "copy the folder mesahub_embedded along" in said
    assert "mesahub[embedded]" not in said


@pytest.mark.skipif(importlib.util.find_spec("sqlite3") is None, reason="this Python has no sqlite3")
def test_without_sqlite3_http_works_and_embedded_says_why(folder: Path, tmp_path: Path) -> None:
    code = """
import mesahub
mesahub.connect("mh://shk_1@127.0.0.1:9/x").close()
try:
    mesahub.connect("mh://local/x", data=DATA)
except mesahub.ConfigurationError as error:
    print(error)
"""
    said = run(code, folder, tmp_path, blocked=("sqlite3", "_sqlite3"))
    assert "no sqlite3 module" in said
    assert "extra" not in said
    assert "mesahub[" not in said


def test_without_ssl_http_works_and_https_says_why(folder: Path, tmp_path: Path) -> None:
    code = """
import mesahub
try:
    mesahub.connect("mh://shk_1@127.0.0.1:9/x", retry=mesahub.RetryPolicy.none()).query("SELECT 1")
except mesahub.NotSentError:
    print("not sent")
try:
    mesahub.MesahubClient("shk_1", "https://core.test", retry=mesahub.RetryPolicy.none()).query("x", "SELECT 1")
except mesahub.ConfigurationError as error:
    print(error)
"""
    sent, said = run(code, folder, tmp_path, blocked=("ssl", "_ssl")).splitlines()
    assert sent == "not sent"
    assert "no ssl module" in said


@pytest.mark.parametrize(("blocked", "what"), [("sqlite3", "serve"), ("_sqlite3", "serve")])
def test_a_command_without_its_module_is_one_line(blocked: str, what: str) -> None:
    program = (
        # What measures coverage may have imported it already.
        "import sys; [sys.modules.pop(name) for name in list(sys.modules) if name.partition('.')[0] == 'sqlite3']; "
        f"sys.modules[{blocked!r}] = None; from mesahub.cli import main; sys.exit(main([{what!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "`mesahub serve` cannot be used: this Python has no sqlite3 module" in done.stderr


@pytest.mark.parametrize("blocked", ["sqlite3", "ssl"])
def test_the_command_line_works_without(blocked: str) -> None:
    program = (
        f"import sys; sys.modules[{blocked!r}] = sys.modules['_{blocked}'] = None; "
        "from mesahub.cli import main; sys.exit(main(['query', 'mh://shk_1@127.0.0.1:9/x', 'SELECT 1']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert "could not be reached" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_client_that_is_pickled_says_how_to_share_it(tmp_path: Path) -> None:
    with mesahub.connect("mh://local/x", data=str(tmp_path)) as db:
        for each in (db.client, db, db.table("t"), db.table("t").find):
            with pytest.raises(ConfigurationError, match=r"MesahubClient cannot be pickled.*once per process"):
                pickle.dumps(each)
    client = mesahub.MesahubManagementClient("https://core.test", "shk_1")
    with pytest.raises(ConfigurationError, match=r"MesahubManagementClient cannot be pickled") as caught:
        pickle.dumps(client)
    assert "shk_1" not in str(caught.value)
    client.close()


def test_a_copy_within_another_package_finds_its_own(folder: Path, tmp_path: Path) -> None:
    vendor = tmp_path / "app" / "vendored"
    shutil.copytree(folder, vendor)
    for path in vendor.rglob("*.py"):
        text = path.read_text("utf-8")
        text = re.sub(r"^(\s*)(from|import) (mesahub)", r"\1\2 app.vendored.\3", text, flags=re.MULTILINE)
        path.write_text(re.sub(r"^(\s*)import app\.vendored\.mesahub$", r"\1from app.vendored import mesahub", text,
                               flags=re.MULTILINE), "utf-8")  # fmt: skip
    for package in (vendor, vendor.parent):
        (package / "__init__.py").touch()
    code = EMBEDDED.replace("import mesahub", "from app.vendored import mesahub")
    assert run(code, tmp_path, tmp_path) == "2"
