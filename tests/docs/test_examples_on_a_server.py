"""What a newcomer runs, on a server that lacks what the published one lacks."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import mesahub
from tests.docs.test_examples import ROOT, blocks
from tests.servers import Server, start_server


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with start_server(tmp_path_factory.mktemp("strict"), arguments=("--strict",)) as running:
        yield running


def database(server: Server, name: str) -> str:
    with mesahub.MesahubClient(server.admin_token, server.base_url, "api") as client:
        client.admin.databases.create(name)
    return server.url(name)


@pytest.mark.parametrize("page", ["README.md", "docs/index.md"])
def test_the_first_example_runs_on_the_published_build(page: str, strict: Server) -> None:
    code = blocks(ROOT / page)[0][1]
    url = database(strict, f"first-{page.partition('.')[0].replace('/', '-')}")
    code, replaced = re.subn(r'"mh://local/\w+"', repr(url), code)
    assert replaced == 1
    exec(compile(code, page, "exec", dont_inherit=True), {"__name__": "pasted"})


def test_cookbook_runs_on_a_server(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs/cookbook.md"
    with mesahub.connect(database(server, "cookbook")) as db:
        namespace: dict[str, object] = {"db": db, "__name__": "guide"}
        for line, code in blocks(page):
            exec(compile("\n" * line + code, str(page), "exec", dont_inherit=True), namespace)


@pytest.mark.slow
def test_the_demo_runs_on_the_published_build(strict: Server, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("airportsdata")
    spec = importlib.util.spec_from_file_location("airports", ROOT / "docs/examples/airports.py")
    assert spec is not None
    assert spec.loader is not None
    airports = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(airports)
    with mesahub.connect(database(strict, "airports")) as db:
        airports.explore(db)
    assert "insert_many put" in capsys.readouterr().out
