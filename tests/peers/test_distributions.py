"""The wheel in places where pip does not put it, and the sdist on its own."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.peers.conftest import ROOT, Environment, run, this_python

pytestmark = pytest.mark.peers

PROGRAM = """
import asyncio
import sys
import mesahub
import mesahub.aio

with mesahub.connect("mh://local/shop", data=sys.argv[1]) as db:
    db.table("t").insert_many([{"a": 1}, {"a": 2}], create=True)
    print(db.table("t").count())
options = {"transport": "recorder", "cassette": sys.argv[1] + "/c.jsonl"}
with mesahub.connect("mh://local/shop", inner="embedded", mode="record", data=sys.argv[1], **options) as db:
    db.query("SELECT 3 AS three")
with mesahub.connect("mh://local/shop", mode="replay", **options) as db:
    print(db.query("SELECT 3 AS three")["rows"])
for transport in ("urllib", "requests"):
    try:
        url = "mh://shk_1@127.0.0.1:9/shop"
        mesahub.connect(url, transport=transport, retry=mesahub.RetryPolicy.none()).query("SELECT 1")
    except mesahub.MesahubError as error:
        print(transport, type(error).__name__)
async def main():
    async with mesahub.aio.connect("mh://local/shop", data=sys.argv[1]) as db:
        print(await db.table("t").count())
    for url in ("mh://shk_1@127.0.0.1:9/shop", "rqlite://127.0.0.1:9/shop", "libsql://127.0.0.1:9/shop"):
        try:
            async with mesahub.aio.connect(url, retry=mesahub.RetryPolicy.none()) as db:
                await db.query("SELECT 1")
        except mesahub.NotSentError:
            print("not sent")
asyncio.run(main())
try:
    mesahub.connect("mh://shk_1@127.0.0.1:9/shop?transport=urlib")
except mesahub.ConfigurationError as error:
    print(error)
"""


def test_a_frozen_program_has_what_it_needs(wheel: Path, tmp_path: Path) -> None:
    freezer = Environment(tmp_path / "env", wheel, "pyinstaller", "requests")
    (tmp_path / "app.py").write_text(PROGRAM)
    freezer.run("-m", "PyInstaller", "--onefile", "--log-level", "ERROR", "app.py", cwd=tmp_path)
    program = tmp_path / "dist" / ("app.exe" if os.name == "nt" else "app")
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.move(program, alone)
    lines = run(alone / program.name, str(alone / "data"), cwd=alone).splitlines()
    assert lines[:4] == ["2", "[{'three': 3}]", "urllib NotSentError", "requests NotSentError"]
    assert lines[4:8] == ["2", "not sent", "not sent", "not sent"]
    assert "Did you mean 'urllib'?" in lines[8]


def test_a_zip_on_the_path_and_a_layer_without_metadata_work(wheel: Path, tmp_path: Path) -> None:
    layer = tmp_path / "layer" / "python"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(layer)
    shutil.rmtree(next(layer.glob("*.dist-info")))
    packed = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", layer))
    for place in (layer, packed, wheel):
        data = tmp_path / f"data-{place.stem}"
        program = f"import sys; sys.path.insert(0, {str(place)!r})\n{PROGRAM}"
        lines = run(this_python(), "-I", "-S", "-c", program, str(data), cwd=tmp_path).splitlines()
        assert lines[:3] == ["2", "[{'three': 3}]", "urllib NotSentError"], place
        assert lines[3] == "requests ConfigurationError", place
        assert lines[4:8] == ["2", "not sent", "not sent", "not sent"], place


def test_the_server_runs_from_a_zip(wheel: Path, tmp_path: Path) -> None:
    said = run(this_python(), "-c", _SERVED.format(place=str(wheel)), str(tmp_path / "data"), cwd=tmp_path)
    assert said.strip() == "[{'one': 1}]"


_SERVED = """
import sys, threading, waitress
sys.path.insert(0, {place!r})
for name in [name for name in sys.modules if name.startswith("mesahub")]:
    del sys.modules[name]
import mesahub
assert {place!r} in mesahub.__file__
import subprocess, os, re
server = subprocess.Popen(
    [sys.executable, "-c", "import sys; sys.path.insert(0, {place!r}); from mesahub.cli import main; main()",
     "serve", "--port", "0", "--data", sys.argv[1]], stdout=subprocess.PIPE, text=True)
url = re.search(r"mh://\\S+", server.stdout.readline())[0]
with mesahub.connect(url) as db:
    print(db.query("SELECT 1 AS one")["rows"])
server.terminate()
server.wait()
"""


def test_the_sdist_holds_what_it_names(sdist: Path) -> None:
    pages = [sdist / name for name in ("README.md", "CONTRIBUTING.md", "Makefile")]
    named = {
        path
        for page in pages
        for path in re.findall(r"\b((?:mesahub|transports|tests|docs)/[\w./-]*\.\w+)", page.read_text("utf-8"))
    }
    assert named
    assert [path for path in sorted(named) if not (sdist / path).exists()] == []
    navigation = re.findall(r": ([\w/.-]+\.md)$", (sdist / "mkdocs.yml").read_text("utf-8"), flags=re.MULTILINE)
    assert navigation
    assert [page for page in navigation if not (sdist / "docs" / page).exists()] == []


def test_the_sdist_s_tests_can_be_collected(sdist: Path) -> None:
    arguments = ["-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests"]
    said = run(this_python(), *arguments, cwd=sdist, PYTHONPATH=str(sdist / "transports"))
    found = re.search(r"^(\d+) tests collected", said, flags=re.MULTILINE)
    assert found
    assert int(found[1]) > 5000
    assert (sdist / "tests" / "data" / "transcripts.jsonl.xz").stat().st_size == (
        ROOT / "tests" / "data" / "transcripts.jsonl.xz"
    ).stat().st_size
