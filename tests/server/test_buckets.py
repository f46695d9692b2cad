"""Buckets, as the real server was seen to answer (docs/protocol.md, end)."""

from __future__ import annotations

import itertools
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.servers import Server, start_server

_number = itertools.count()


@pytest.fixture
def slug(server: Server) -> str:
    """A bucket on the server."""
    name = f"served-{next(_number)}"
    assert server.call("POST", "/api/buckets", {"name": "Photos", "slug": name})[0] == 201
    return name


@pytest.mark.parametrize("payload", [{}, {"name": "a"}, {"slug": "a"}, {"name": "", "slug": "a"}])
def test_create_requires_name_and_slug(server: Server, payload: dict[str, str]) -> None:
    status, _, body = server.call("POST", "/api/buckets", payload)
    assert (status, json.loads(body)) == (400, {"error": "name and slug are required"})


def test_create_answers_a_live_key_once(server: Server) -> None:
    payload = {"name": "With a key", "slug": f"served-{next(_number)}"}
    made = json.loads(server.call("POST", "/api/buckets", payload)[2])
    assert made["api_key"].startswith("shk_")
    assert {"slug", "status", "size_bytes", "storage_backend", "deleted_at"} <= made.keys()
    listed = server.call("GET", "/api/buckets")[2].decode()
    assert made["api_key"] not in listed
    assert made["slug"] in listed


def test_routes_that_the_real_server_lacks(server: Server, slug: str) -> None:
    record = server.upload(f"/api/buckets/{slug}/files", b"x", "a.txt")[1]
    assert server.call("GET", f"/api/buckets/{slug}")[0] == 405
    assert server.call("GET", f"/api/buckets/{slug}/files/{record['id']}/meta")[0] == 404
    assert server.call("POST", f"/api/buckets/{slug}/files/bulk-delete", {"ids": [record["id"]]})[0] == 405
    assert server.call("GET", f"/api/buckets/{slug}/files/{record['id']}")[0::2] == (200, b"x")


def test_delete_is_soft_and_frees_the_slug(server: Server, slug: str) -> None:
    server.upload(f"/api/buckets/{slug}/files", b"x", "a.txt")
    assert server.call("DELETE", f"/api/buckets/{slug}")[0] == 200
    assert server.call("GET", f"/api/buckets/{slug}/files")[0] == 404
    assert server.call("POST", "/api/buckets", {"name": "again", "slug": slug})[0] == 201
    assert json.loads(server.call("GET", f"/api/buckets/{slug}/files")[2])["Total"] == 0
    with closing(sqlite3.connect(server.data / "catalog.sqlite")) as catalog:
        kept = catalog.execute("SELECT deleted_at FROM buckets WHERE slug LIKE ?", (f"{slug}-%",)).fetchall()
    assert len(kept) == 1
    assert kept[0][0]


def test_presign_upload_is_confirmed(server: Server, slug: str) -> None:
    link = json.loads(server.call("POST", f"/api/buckets/{slug}/files/presign-upload", {"filename": "a.txt"})[2])
    assert link.keys() == {"upload_url", "method", "confirm_url", "confirm_token", "expires_at"}
    put = link["upload_url"].removeprefix(server.base_url)
    headers = {"Content-Type": "text/plain"}
    assert server.call(link["method"], put, token="", body=b"x", headers=headers)[0] == 201
    confirm = link["confirm_url"].removeprefix(server.base_url)
    assert server.call("POST", confirm, {"confirm_token": link["confirm_token"]}, token="")[0] == 200
    assert server.call("POST", confirm, {"confirm_token": "x.y"}, token="")[0] == 401


def test_buckets_of_an_earlier_data_folder_stay(tmp_path: Path) -> None:
    with start_server(tmp_path) as server:
        server.call("GET", "/api/db")
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as catalog, catalog:
        catalog.execute(
            "CREATE TABLE buckets (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, description TEXT, "
            "created_at TEXT NOT NULL, updated_at TEXT)"
        )
        catalog.execute("INSERT INTO buckets VALUES ('1', 'old', NULL, '2026-01-01 00:00:00', NULL)")
    with start_server(tmp_path) as server:
        (record,) = json.loads(server.call("GET", "/api/buckets")[2])
        assert (record["slug"], record["status"], record["deleted_at"]) == ("old", "active", None)
        assert server.call("GET", "/api/buckets/old/files")[0] == 200


def test_bulk_delete_takes_a_hundred_ids(server: Server) -> None:
    name = server.new_database(f"served-{next(_number)}")
    record = server.upload(f"/api/db/{name}/files", b"x", "a.txt")[1]
    path = f"/api/db/{name}/files/bulk-delete"
    status, _, body = server.call("POST", path, {"ids": [record["id"]] + ["x"] * 100})
    assert (status, json.loads(body)["error"]) == (400, "too many ids — maximum is 100")
    assert server.call("GET", f"/api/db/{name}/files/{record['id']}")[0] == 200
    answer = json.loads(server.call("POST", path, {"ids": [record["id"]] + ["x"] * 99})[2])
    assert answer == {"deleted": 1, "failed": 99, "success": False}
