"""Every Python example of the README and the documentation runs, page by page, from top to bottom."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import mesahub

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^( *)```python\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[tuple[int, str]]:
    """(line number, code) of each ```python block; a block of another kind is not run."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in BLOCK.finditer(text):
        indent, code = match.group(1), match.group(2)
        code = re.sub(rf"^{indent}", "", code, flags=re.MULTILINE)
        found.append((text[: match.start(2)].count("\n"), code))
    return found


WITH_CODE = [page for page in PAGES if blocks(page)]


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_page_runs_from_top_to_bottom(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with mesahub.connect("mh://local/guide", data=str(tmp_path / "data")) as db:
        namespace: dict[str, object] = {"db": db, "__name__": "guide"}
        for line, code in blocks(page):
            # Padded, so that a traceback names the line of the page.
            exec(compile("\n" * line + code, str(page), "exec", dont_inherit=True), namespace)


def test_there_are_pages_to_run() -> None:
    assert len(WITH_CODE) > 8


def test_the_quickstart_runs_alone(tmp_path: Path) -> None:
    script = ROOT / "docs/examples/quickstart.py"
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "It works" in done.stdout


def test_the_files_that_the_pages_name_are_there() -> None:
    named = {
        (str(page.relative_to(ROOT)), path)
        for page in [*PAGES, ROOT / "CONTRIBUTING.md"]
        for path in re.findall(
            r"`(?:python )?((?:mesahub|transports|tests|docs)/[\w./-]*\.\w+)`", page.read_text("utf-8")
        )
    }
    assert len(named) > 10
    places = {page: (ROOT, (ROOT / page).parent) for page, _ in named}
    missing = [(page, path) for page, path in sorted(named) if not any((p / path).exists() for p in places[page])]
    assert missing == []


@pytest.mark.parametrize("page", ["README.md", "docs/index.md"])
def test_what_a_newcomer_pastes_runs_a_second_time(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        exec(compile(blocks(ROOT / page)[0][1], page, "exec", dont_inherit=True), {"__name__": "pasted"})
