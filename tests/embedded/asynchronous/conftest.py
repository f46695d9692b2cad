"""Where the database is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(params=["folder", "file", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Where the database is."""
    places: dict[str, dict[str, Any]] = {
        "folder": {"data": tmp_path},
        "file": {"file": tmp_path / "x.db"},
        "memory": {"file": ":memory:"},
    }
    return places[str(request.param)]
