"""A database in this process, and one that behaves as the test says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import mesahub
from mesahub import DatabaseHandle


@pytest.fixture
def db(tmp_path: Path) -> Iterator[DatabaseHandle]:
    with mesahub.connect("mh://local/table", data=str(tmp_path)) as handle:
        yield handle
