"""For PyInstaller, which finds this by the entry-point group ``pyinstaller40``."""

from __future__ import annotations

import os

__all__ = ["hook_folders"]


def hook_folders() -> list[str]:
    """The folders that hold hooks."""
    return [os.path.dirname(__file__)]  # noqa: PTH120
