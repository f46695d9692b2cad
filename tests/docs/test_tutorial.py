"""The tutorial's files and commands, run in their order from an empty folder, print what the page shows."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.test_examples import ROOT
from tests.servers import start_server

PAGE = ROOT / "docs/tutorial.md"
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```', re.MULTILINE | re.DOTALL)
SECONDS = re.compile(r"in \d+\.\d+s")


def steps() -> Iterator[tuple[str, str, str]]:
    """What the page has its reader do: ``("file", name, content)``, ``("here" or "server", command, output)``."""
    for kind, title, text in BLOCK.findall(PAGE.read_text("utf-8")):
        if title and kind != "console":
            yield "file", title, text
        elif kind == "console":
            for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                command, _, output = part.partition("\n")
                yield "server" if title else "here", command, output


def run(python: str, folder: Path, command: str, **environment: str) -> str:
    """The output of one of the page's commands."""
    words = shlex.split(command)
    programs = {"python": [python], "mesahub": [python, "-m", "mesahub"]}
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "MESAHUB", "COV"))}
    done = subprocess.run(
        [*programs[words[0]], *words[1:]],
        cwd=folder,
        env={**clean, "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return done.stdout


def follow(python: str, folder: Path) -> int:
    """Do what the page says. Returns the number of commands."""
    count = 0
    on_server = []
    for kind, name, text in steps():
        if kind == "file":
            (folder / name).write_text(text, encoding="utf-8")
        elif kind == "here":
            assert SECONDS.sub("in 0s", run(python, folder, name)) == SECONDS.sub("in 0s", text), name
            count += 1
        else:
            on_server.append((name, text))
    with start_server(folder / "mesahub-data") as server:
        for command, output in on_server:
            assert run(python, folder, command, LINKS_URL=server.url("links")) == output, command
    return count + len(on_server)


def test_tutorial_files_fit_the_page() -> None:
    texts = [text for kind, name, text in steps() if kind == "file" and name.endswith(".py")]
    assert max(len(line) for text in texts for line in text.splitlines()) <= 88


@pytest.mark.peers
def test_tutorial_runs_with_the_built_wheel(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, ROOT], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", f"{wheel}[cli,serve]", "pytest"], check=True)
    (tmp_path / "links").mkdir()
    assert follow(str(python), tmp_path / "links") >= 10
