"""SQLAlchemy's suite for dialects, the tests of PEP 249, and a program of pandas, polars, the ORM, SQLModel, Alembic.

They run in an environment of their own, from the built wheel, on an embedded database and on a server.
"""

from __future__ import annotations

import json
import shutil
import tarfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.peers.conftest import ROOT, Environment
from tests.peers.recipes import files, write
from tests.servers import Server, start_server

pytestmark = pytest.mark.peers

HERE = Path(__file__).parent / "ecosystem"
# The list of failures belongs to this version of the suite.
SQLALCHEMY = "sqlalchemy==2.1.9"
PACKAGES = (
    SQLALCHEMY, "greenlet", "alembic", "pandas>=3", "polars>=1", "pyarrow", "sqlmodel", "dbapi-compliance", "pytest>=9",
)  # fmt: skip


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("ecosystem") / "env", wheel, *PACKAGES)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with start_server(tmp_path_factory.mktemp("server")) as running:
        yield running


def alchemy_url(server: Server, name: str) -> str:
    key = quote(server.admin_token, safe="")
    return f"mesahub+mh://:{key}@{server.host}:{server.port}/{server.new_database(name)}"


@pytest.fixture(scope="module")
def suite(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the suite and SQLAlchemy's own requirements for it, which only its sdist has."""
    folder = tmp_path_factory.mktemp("suite")
    environment.run(
        "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "sqlalchemy", SQLALCHEMY, "-d", str(folder)
    )
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        member = next(name for name in archive.getnames() if name.endswith("/test/requirements.py"))
        source = archive.extractfile(member)
        assert source is not None
        (folder / "sqlalchemy_requirements.py").write_bytes(source.read())
    for name in ("suite.py", "suite_requirements.py", "suite_asyncio.py"):
        shutil.copy(HERE / name, folder)
    shutil.copy(HERE / "suite_conftest.py", folder / "conftest.py")
    (folder / "setup.cfg").write_text(
        "[sqla_testing]\nrequirement_cls=suite_requirements:Requirements\nprofile_file=profiles.txt\n"
    )
    return folder


def expected_failures(way: str) -> dict[str, str]:
    """From test to reason."""
    known = tomllib.loads((HERE / "suite_failures.toml").read_text("utf-8"))["failure"]
    return {test: group["reason"] for group in known if way in group["ways"] for test in group["tests"]}


@pytest.mark.parametrize(
    ("way", "driver", "least"),
    [
        ("embedded", "sqlite", 1_254),
        ("http", "mh", 1_232),
        ("embedded", "asyncio", 1_254),
        ("http", "asyncio", 1_232),
    ],
)
def test_the_suite_of_sqlalchemy_fails_only_where_it_is_known_why(
    environment: Environment, suite: Path, server: Server, tmp_path: Path, way: str, driver: str, least: int
) -> None:
    url = "mesahub+sqlite://"
    if way == "http":
        url = f"{alchemy_url(server, f'suite-{driver}')}?on_rollback=ignore"
    url = f"mesahub+{driver}{url[url.index(':') :]}"
    code = "import sys, pytest; pytest.main(sys.argv[1:])"  # a test that fails is not yet an error here
    options = ["suite.py", "-q", "-p", "no:cacheprovider", "--maxfail", "10000", "-c", "setup.cfg", "--dburi", url]
    outcomes = tmp_path / "outcomes.json"
    said = environment.run("-c", code, *options, cwd=suite, WAY=way, OUTCOMES=str(outcomes), PYTHONPATH=str(suite))
    assert outcomes.exists(), said
    found: dict[str, Any] = json.loads(outcomes.read_text())
    expected = expected_failures(way)
    unknown = {test: why for test, why in found["failures"].items() if test not in expected}
    assert unknown == {}
    assert sorted(set(expected) - set(found["failures"])) == []
    assert found["passed"] >= least


@pytest.mark.parametrize("way", ["embedded", "http"])
def test_the_tests_of_pep_249_pass(environment: Environment, server: Server, tmp_path: Path, way: str) -> None:
    url = f"sqlite:///{tmp_path}/x.db" if way == "embedded" else server.url(server.new_database("compliance"))
    result = json.loads(environment.run(str(HERE / "compliance.py"), url))
    # Closing twice is not an error here.
    assert list(result["failed"]) == ["test_non_idempotent_close"], result["failed"]
    assert result["passed"] == 34


def test_tools_print_the_same_on_every_database(environment: Environment, server: Server, tmp_path: Path) -> None:
    urls = {
        "sqlite3": f"sqlite:///{tmp_path}/own.db",
        "embedded": f"mesahub+sqlite:///{tmp_path}/embedded.db",
        "http": alchemy_url(server, "tools"),
    }
    said = {}
    for way, url in urls.items():
        said[way] = environment.run(str(HERE / "tools.py"), url, str(tmp_path / way)).splitlines()
    assert len(said["sqlite3"]) >= 30
    assert said["embedded"] == said["sqlite3"]
    assert said["http"] == said["sqlite3"]


@pytest.mark.parametrize("program", ["data_frames.py", "migrations.py", "sqlalchemy_orm.py"])
def test_the_guides_programs_run(environment: Environment, server: Server, tmp_path: Path, program: str) -> None:
    example = str(ROOT / "docs" / "examples" / program)
    embedded = environment.run(example, cwd=tmp_path)
    url = alchemy_url(server, program.partition(".")[0].replace("_", "-"))
    assert embedded
    assert environment.run(example, url, cwd=tmp_path)


@pytest.mark.parametrize("section", ["Into a table", "Out of a query"])
def test_the_guide_to_data_frames_runs(environment: Environment, tmp_path: Path, section: str) -> None:
    write("guides/dataframes.md", section, tmp_path)
    for name in files("guides/dataframes.md", section):
        environment.run(name, cwd=tmp_path)


def test_values_of_frames_are_stored_or_refused_by_name(environment: Environment) -> None:
    assert environment.run(str(HERE / "values.py")).strip() == "done"
