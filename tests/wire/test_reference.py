"""The page of errors is complete: each has its row, with when it comes and what to do."""

from __future__ import annotations

import re
from pathlib import Path

from mesahub import MesahubError, errors

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "errors.md"


def test_each_error_has_a_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    names = [name for name, cls in vars(errors).items() if isinstance(cls, type) and issubclass(cls, MesahubError)]
    assert [row[0] for row in rows] == names, "a row per class, in the order of the module"
