"""What the tests of the embedded transport share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import mesahub
from mesahub import DatabaseHandle
from mesahub_embedded.engine.engine import Engine
from mesahub_embedded.storage.data_folder import Store


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder."""
    return tmp_path / "data"


@pytest.fixture
def db(data: Path) -> Iterator[DatabaseHandle]:
    """A database in this process."""
    with mesahub.connect("mh://local/shop", data=str(data)) as handle:
        yield handle


@pytest.fixture
def store(data: Path) -> Iterator[Store]:
    """The data folder, opened."""
    opened = Store(data)
    yield opened
    opened.close()


@pytest.fixture
def engine(store: Store) -> Engine:
    """One database of it."""
    return store.engine("shop")
