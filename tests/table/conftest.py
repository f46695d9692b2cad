"""A database in this process, in blocking code and over asyncio."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import mesahub
from mesahub import DatabaseHandle
from tests.driven import Driver

OF_BLOCKING_CODE = {
    "test_a_view_needs_a_key": "asyncio asks for the key with the first row: tests/aio/test_handles.py",
    "test_a_handle_shows_where_it_belongs": "the classes have other names",
    "test_insert_many_alter_accepts_a_column_that_another_client_added": "it patches the blocking class",
    "test_what_is_too_large_for_a_request_goes_in_halves": "it patches the blocking class",
}


@pytest.fixture(params=["blocking", "asyncio"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseHandle]:
    if request.param == "blocking":
        with mesahub.connect("mh://local/table", data=str(tmp_path)) as handle:
            yield handle
        return
    if request.node.originalname in OF_BLOCKING_CODE:
        pytest.skip(OF_BLOCKING_CODE[request.node.originalname])
    driver = Driver()
    try:
        with driver.drive(mesahub.aio.connect("mh://local/table", data=str(tmp_path))) as handle:
            yield handle
    finally:
        driver.close()
