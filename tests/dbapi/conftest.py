"""Connections of PEP 249 to an embedded database and to a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mesahub import dbapi
from tests.servers import Server

Connect = Callable[..., dbapi.Connection]


@pytest.fixture(params=["embedded", "http"])
def way(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture
def connect(way: str, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connect]:
    """Connects to one new database."""
    folder = tmp_path_factory.mktemp("dbapi")
    url = f"mh://local/d?data={folder}" if way == "embedded" else server.url(server.new_database(folder.name))
    opened: list[dbapi.Connection] = []

    def make(**options: Any) -> dbapi.Connection:
        opened.append(dbapi.connect(url, **options))
        return opened[-1]

    yield make
    for connection in opened:
        connection.close()


@pytest.fixture
def connection(connect: Connect) -> dbapi.Connection:
    made = connect()
    made.cursor().execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, value, at DATETIME, ok BOOLEAN)")
    made.commit()
    return made
