"""Links of the page that PyPI shows."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
REPOSITORY = "https://github.com/mesahub-db/mesahub-pkg-python/blob/HEAD/"


def test_readme_links_are_absolute_and_lead_to_files() -> None:
    links = re.findall(r"\]\(([^)]+)\)", (ROOT / "README.md").read_text("utf-8"))
    assert links
    assert [link for link in links if not link.startswith("https://")] == []
    files = [link.removeprefix(REPOSITORY).partition("#")[0] for link in links if link.startswith(REPOSITORY)]
    assert [file for file in files if not (ROOT / file).exists()] == []
