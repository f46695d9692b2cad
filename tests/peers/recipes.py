"""Files that the pages of recipes show: code blocks with a title, by section."""

from __future__ import annotations

import re
from pathlib import Path

from tests.peers.conftest import ROOT

_BLOCK = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```', re.MULTILINE | re.DOTALL)


def files(page: str, section: str) -> dict[str, str]:
    """From title to text."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(_BLOCK.findall(parts[parts.index(section) + 1]))


def write(page: str, section: str, folder: Path) -> None:
    """Write the files of a section into a folder."""
    found = files(page, section)
    assert found, f"{page} has no files in {section!r}"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in found.items():
        (folder / name).write_text(text, "utf-8")
