from __future__ import annotations

from collections.abc import Iterator

import pytest

import mesahub
from mesahub import DatabaseHandle

TABLE = (
    "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n INTEGER, total INTEGER GENERATED ALWAYS AS (n * 2), "
    "made TEXT NOT NULL DEFAULT 'now', full_name TEXT, tags TEXT)"
)


@pytest.fixture
def db() -> Iterator[DatabaseHandle]:
    """A table with two rows, of which the second has NULL in most columns."""
    with mesahub.connect(":memory:") as handle:
        handle.exec(TABLE)
        handle.table("t").insert_many(
            [{"id": 1, "name": "Ann", "n": 1, "full_name": "Ann A", "tags": "[1]"}, {"id": 2}]
        )
        yield handle
