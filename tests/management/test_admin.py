"""The administration of a server of one's own, over a socket."""

from __future__ import annotations

import io
import json
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import mesahub
from mesahub import (
    ArgumentError,
    AuthenticationError,
    AuthorizationError,
    ConflictError,
    DatabaseInactiveError,
    MesahubClient,
    NotFoundError,
)
from mesahub.admin import Scope
from tests.servers import Server


@pytest.fixture(params=["urllib", "requests"])
def client(request: pytest.FixtureRequest, server: Server) -> Iterator[MesahubClient]:
    with MesahubClient(server.admin_token, server.base_url, "api", transport=request.param) as made:
        yield made


@pytest.fixture(params=["urllib", "urllib3", "embedded"])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MesahubClient]:
    """An administrator of a server, or of a folder in this process."""
    if request.param == "embedded":
        made = MesahubClient(transport="embedded", data=str(tmp_path / "data"))
    else:
        server: Server = request.getfixturevalue("server")
        made = MesahubClient(server.admin_token, server.base_url, "api", transport=request.param)
    with made:
        yield made


def fresh(client: MesahubClient, name: str) -> str:
    """A database that nobody else uses."""
    slug = f"{name}-{len(client.admin.databases.list())}-{len(client.admin.databases.list_deleted())}"
    client.admin.databases.create(slug)
    return slug


def test_health_and_version_need_no_key(server: Server) -> None:
    with MesahubClient("nobody", server.base_url, "api") as client:
        assert client.admin.health()["status"] == "ok"
        assert "version" in client.admin.version()


def test_a_databases_life(anywhere: MesahubClient) -> None:
    client = anywhere
    databases = client.admin.databases
    slug = fresh(client, "life")
    assert databases.get(slug)["status"] == "active"
    assert slug in [record["slug"] for record in databases.list()]
    with pytest.raises(ConflictError):
        databases.create(slug)
    db = client.db(slug)
    db.exec("CREATE TABLE t (a)")
    databases.reset(slug)
    assert db.query("SELECT count(*) AS n FROM sqlite_schema").rows == [{"n": 0}]
    databases.delete(slug)
    with pytest.raises(NotFoundError):
        databases.get(slug)
    (deleted,) = [record for record in databases.list_deleted() if record["original_slug"] == slug]
    assert databases.restore(deleted["slug"])["slug"] == slug
    databases.delete(slug)
    (deleted,) = [record for record in databases.list_deleted() if record["original_slug"] == slug]
    databases.hard_delete(deleted["slug"])
    assert slug not in [record["original_slug"] for record in databases.list_deleted()]


def test_a_database_that_is_switched_off(client: MesahubClient, server: Server) -> None:
    slug = fresh(client, "off")
    key = client.admin.api_keys.create("k", [Scope.database(slug, write=True)])["key"]
    client.admin.databases.set_status(slug, "inactive")
    with mesahub.connect(server.url(slug, str(key))) as db, pytest.raises(DatabaseInactiveError):
        db.query("SELECT 1")
    client.admin.databases.set_status(slug, "active")
    with mesahub.connect(server.url(slug, str(key))) as db:
        assert db.query("SELECT 1 AS a").rows == [{"a": 1}]
    with pytest.raises(ArgumentError):
        client.admin.databases.set_status(slug, "asleep")  # type: ignore[arg-type]


def test_keys_do_what_their_scopes_say(client: MesahubClient, server: Server) -> None:
    slug = fresh(client, "keys")
    made = client.admin.api_keys.create("reader", [Scope.database(slug)])
    assert made["scopes"] == [f"db:{slug}:r"]
    assert str(made["key"]).startswith("shk_")
    assert str(made["key"]) not in repr(made)
    with mesahub.connect(server.url(slug, str(made["key"]))) as db:
        assert db.query("SELECT 1 AS a").rows == [{"a": 1}]
        with pytest.raises(AuthorizationError):
            db.exec("CREATE TABLE t (a)")
    listed = [key for key in client.admin.api_keys.list() if key["id"] == made["id"]]
    assert listed[0]["scopes"] == [f"db:{slug}:r"]
    assert "key" not in listed[0]
    client.admin.api_keys.revoke(made["id"])
    with mesahub.connect(server.url(slug, str(made["key"]))) as db, pytest.raises(AuthenticationError):
        db.query("SELECT 1")
    stranger = MesahubClient(str(made["key"]), server.base_url, "api")
    with stranger, pytest.raises(AuthenticationError):
        stranger.admin.databases.list()


@pytest.mark.parametrize("scopes", [[], ["db:x"], ["all"], ["db::r"], "all:w", ["read"], [5]])
def test_a_scope_that_grants_nothing_cannot_be_said(client: MesahubClient, scopes: Any) -> None:
    with pytest.raises(ArgumentError):
        client.admin.api_keys.create("k", scopes)
    with pytest.raises(ArgumentError):
        Scope.database("")


@pytest.mark.parametrize("slug", ["", "a b", "a/b", "ä", "deleted", "store", "x" * 201, None])
def test_names_are_checked_before_they_are_sent(client: MesahubClient, slug: Any) -> None:
    with pytest.raises(ArgumentError):
        client.admin.databases.create("name", slug=5 if slug is None else slug)  # type: ignore[arg-type]


def test_tables_go_out_and_in_as_a_file(anywhere: MesahubClient, tmp_path: Path) -> None:
    client = anywhere
    slug = fresh(client, "out")
    db = client.db(slug)
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB, r REAL, twice AS (id * 2))")
    db.exec("CREATE TABLE other (a)")
    rows = [{"id": i, "b": bytes([i % 256]), "r": i / 7} for i in range(500)]
    db.table("t").insert_many(rows)
    seen: list[tuple[int, Any]] = []
    path = tmp_path / "out.sqlite"
    size = client.admin.databases.export(slug, path, ["t", "t"], progress=lambda *args: seen.append(args))
    assert path.stat().st_size == size == seen[-1][0]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*), sum(twice) FROM t").fetchone() == (500, 249500)
        assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (1,)
    found = client.admin.databases.inspect(slug, path)
    assert [(table["name"], table["rowCount"]) for table in found] == [("t", 500)]
    target = fresh(client, "in")
    assert client.admin.databases.import_tables(target, path, ["t"]) == 500
    assert client.db(target).table("t").find(select=["id", "b", "r"]) == rows
    assert client.admin.databases.import_tables(target, io.BytesIO(path.read_bytes()), ["t"]) == 0
    with pytest.raises(mesahub.ValidationError, match="not a valid SQLite database file"):
        client.admin.databases.inspect(slug, b"this is no database, only text of some length " * 10)
    with pytest.raises(ArgumentError):
        client.admin.databases.export(slug, path, "t")
    with pytest.raises(ArgumentError, match=r"'nosuch'.*t, other"):
        client.admin.databases.export(slug, path, ["t", "nosuch"])
    assert path.stat().st_size == size
    client.admin.databases.export(slug, path)
    assert [table["name"] for table in client.admin.databases.inspect(slug, path)] == ["t", "other"]
    with pytest.raises(ArgumentError, match="no tables"):
        client.admin.databases.export(fresh(client, "empty"), path)
    with pytest.raises(NotFoundError):
        client.admin.databases.export("nosuch", path)


def test_a_link_to_a_databases_file(client: MesahubClient) -> None:
    slug = fresh(client, "links")
    files = client.db(slug).files
    record = files.upload(b"x" * 1000, "x.txt")
    link = files.presign(record["id"], 60, disposition="inline")
    with urllib.request.urlopen(link["url"]) as answer:
        assert (answer.read(), answer.headers["Content-Disposition"]) == (b"x" * 1000, 'inline; filename="x.txt"')
    wrong = link["url"].replace(record["id"], files.upload(b"y", "y.txt")["id"])
    with pytest.raises(urllib.error.HTTPError, match="401") as caught:
        urllib.request.urlopen(wrong)
    caught.value.close()


def test_a_token_that_reads_files_and_nothing_else(client: MesahubClient, server: Server) -> None:
    slug = fresh(client, "tokens")
    record = client.db(slug).files.upload(b"hello", "a.txt")
    status, _, body = server.call("POST", f"/api/db/{slug}/tokens/files", {"expires_in": 60})
    token = json.loads(body)["token"]
    assert (status, json.loads(body)["scope"]) == (201, "files:read")
    with MesahubClient(token, server.base_url, "api") as reader:
        assert reader.db(slug).files.download(record["id"]) == b"hello"
        assert reader.db(slug).files.list()["total"] == 1
        for forbidden in (
            lambda: reader.db(slug).files.upload(b"x", "b.txt"),
            lambda: reader.db(slug).files.delete(record["id"]),
            lambda: reader.db(slug).query("SELECT 1"),
            lambda: reader.db("main").files.list(),
            lambda: reader.admin.databases.list(),
        ):
            with pytest.raises(AuthenticationError):
                forbidden()
        by_query = server.call("GET", f"/api/db/{slug}/files?token={token}", token="")
        assert by_query[0] == 200
        assert server.call("POST", f"/api/db/{slug}/tokens/files/revoke", {"token": token})[0] == 200
        with pytest.raises(AuthenticationError):
            reader.db(slug).files.list()
    assert server.call("POST", f"/api/db/{slug}/tokens/files/revoke", {})[0] == 400
    _, _, body = server.call("POST", f"/api/db/{slug}/files/presign/batch", {"ids": [record["id"]], "expires_in": 60})
    with urllib.request.urlopen(json.loads(body)["results"][0]["url"]) as answer:
        assert answer.read() == b"hello"
