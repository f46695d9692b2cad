"""What the tests of the server share."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

import mesahub
from mesahub import DatabaseHandle
from mesahub_embedded.storage.data_folder import Store
from tests.server.browser import Browser
from tests.servers import Server

_number = itertools.count()


@pytest.fixture
def name(server: Server) -> str:
    """A database of this test's own on the server."""
    return server.new_database(f"server-{next(_number)}")


@pytest.fixture
def db(server: Server, name: str) -> Iterator[DatabaseHandle]:
    """That database over HTTP."""
    with mesahub.connect(server.url(name)) as handle:
        yield handle


@pytest.fixture
def new_key(server: Server) -> Iterator[Callable[..., str]]:
    """Makes API keys, in the server's data folder: it shares it with other processes."""
    store = Store(server.data)
    yield lambda *scopes, **fields: store.catalog.create_key("test", scopes, **fields)["key"]
    store.close()


@pytest.fixture
def browser(server: Server) -> Browser:
    """A browser that is signed in."""
    return Browser(server).sign_in()
