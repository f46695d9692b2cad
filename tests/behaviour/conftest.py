"""One database handle, over every transport in turn.

A test here takes ``db`` and runs once per way. For ``replayed`` its body runs twice: first against a
recording client, then against the recording alone, with the server's data out of reach.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import mesahub
from mesahub import DatabaseHandle
from tests.driven import Driver

if TYPE_CHECKING:
    from tests.engines.rqlite_cluster import Cluster
    from tests.engines.sqld_server import Sqld
    from tests.servers import Server

HTTP = ["urllib", "requests", "urllib3"]
ASYNC = ["asyncio", "async aiohttp", "async httpx", "async embedded", "async replayed"]
RQLITE = ["rqlite", "rqlite replayed", "rqlite over asyncio"]
LIBSQL = ["libsql", "libsql replica", "libsql replayed", "libsql over asyncio"]
WAYS = [
    "embedded",
    *HTTP,
    *(pytest.param(way, marks=pytest.mark.peers) if way == "async httpx" else way for way in ASYNC),
    "replayed",
    *(pytest.param(way, marks=pytest.mark.engines) for way in RQLITE + LIBSQL),
]
_number = itertools.count()


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def db(way: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseHandle]:
    recorder: dict[str, Any]
    if way == "embedded":
        with mesahub.connect("mh://local/behaviour", data=str(tmp_path)) as handle:
            yield handle
    elif way in ASYNC:
        url = "mh://local/behaviour" if way == "async embedded" else _fresh_database(request)
        transport = way.removeprefix("async ")
        if transport == "replayed":
            recorder = {"transport": "recorder", "cassette": str(tmp_path / "cassette.json")}
            with _awaited(url, mode="record", **recorder) as handle:
                _run_body(request, handle)
            with _awaited("mh://nobody@127.0.0.1:9/" + handle.name, mode="replay", **recorder) as handle:
                yield handle
            return
        options: dict[str, Any] = {"data": str(tmp_path)} if transport == "embedded" else {"transport": transport}
        with _awaited(url, **options) as handle:
            yield handle
    elif way in RQLITE:
        if request.module.__name__.endswith("test_files"):
            pytest.skip("rqlite has no files, and says so: tests/dialects/test_rqlite.py")
        cluster: Cluster = request.getfixturevalue("rqlite")
        if way == "rqlite":
            with mesahub.connect(cluster.url) as handle:
                yield handle
            return
        if way == "rqlite over asyncio":
            with _awaited(cluster.url) as handle:
                yield handle
            return
        recorder = {"transport": "recorder", "cassette": str(tmp_path / "cassette.json")}
        with mesahub.connect(cluster.url, mode="record", **recorder) as handle:
            _run_body(request, handle)
        with mesahub.connect("rqlite://127.0.0.1:9/", mode="replay", **recorder) as handle:
            yield handle
    elif way in LIBSQL:
        if request.module.__name__.endswith("test_files"):
            pytest.skip("libSQL has no files, and says so: tests/dialects/test_libsql.py")
        sqld: Sqld = request.getfixturevalue("sqld")
        name = sqld.new_database()
        if way == "libsql over asyncio":
            with _awaited(sqld.url(name)) as handle:
                yield handle
            return
        if way != "libsql replayed":
            with mesahub.connect(sqld.url(name, replicas=way == "libsql replica")) as handle:
                yield handle
            return
        recorder = {"transport": "recorder", "cassette": str(tmp_path / "cassette.json")}
        with mesahub.connect(sqld.url(name), mode="record", **recorder) as handle:
            _run_body(request, handle)
        with mesahub.connect(f"libsql://127.0.0.1:9/{name}", mode="replay", **recorder) as handle:
            yield handle
    elif way in HTTP:
        with mesahub.connect(_fresh_database(request), transport=way) as handle:
            yield handle
    else:
        cassette = str(tmp_path / "cassette.json")
        url = _fresh_database(request)
        recorder = {"transport": "recorder", "cassette": cassette, "inner": "urllib"}
        with mesahub.connect(url, mode="record", **recorder) as handle:
            _run_body(request, handle)
        with mesahub.connect("mh://nobody@127.0.0.1:9/" + handle.name, mode="replay", **recorder) as handle:
            yield handle


@contextmanager
def _awaited(url: str, **options: Any) -> Iterator[DatabaseHandle]:
    """A handle for asyncio, driven by blocking code."""
    driver = Driver()
    try:
        with driver.drive(mesahub.aio.connect(url, **options)) as handle:
            yield handle
    finally:
        driver.close()


@pytest.fixture(
    params=["embedded", "urllib", *(pytest.param(way, marks=pytest.mark.engines) for way in ("rqlite", "libsql"))]
)
def exact(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseHandle]:
    """One database for many examples."""
    if request.param == "libsql":
        sqld: Sqld = request.getfixturevalue("sqld")
        with mesahub.connect(sqld.url(sqld.new_database())) as handle:
            yield handle
        return
    if request.param == "rqlite":
        cluster: Cluster = request.getfixturevalue("rqlite")
        with mesahub.connect(cluster.url) as handle:
            yield handle
        return
    url = "mh://local/behaviour" if request.param == "embedded" else _fresh_database(request)
    options: dict[str, Any] = {"data": str(tmp_path)} if request.param == "embedded" else {}
    with mesahub.connect(url, **options) as handle:
        yield handle


def _fresh_database(request: pytest.FixtureRequest) -> str:
    server: Server = request.getfixturevalue("server")
    name = f"behaviour-{next(_number)}"
    server.new_database(name)
    return server.url(name)


def _run_body(request: pytest.FixtureRequest, handle: DatabaseHandle) -> None:
    function = request.function
    names = [name for name in inspect.signature(function).parameters if name not in ("db", "self")]
    arguments = {name: request.getfixturevalue(name) for name in names}
    if request.instance is not None:
        function = function.__get__(request.instance)
    function(db=handle, **arguments)
