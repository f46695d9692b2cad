"""What the tests of files share."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

import mesahub
from mesahub import DatabaseHandle
from tests.servers import Server

_number = itertools.count()


@pytest.fixture
def server_db(server: Server) -> Iterator[DatabaseHandle]:
    """A database of this test's own on the server."""
    with mesahub.connect(server.url(server.new_database(f"files-{next(_number)}"))) as handle:
        yield handle
