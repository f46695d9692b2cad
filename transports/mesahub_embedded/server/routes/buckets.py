"""The routes of buckets: files that belong to no database.

As on the real server there is no route for one bucket, for a file's record, or to delete many files.
"""

from __future__ import annotations

import re
import sqlite3
import time
from typing import Any
from urllib.parse import quote

from mesahub_embedded.engine.errors import RefusedError
from mesahub_embedded.server.reply import Reply
from mesahub_embedded.server.request import Request
from mesahub_embedded.server.routes.files import list_answer, send_file, shown, store_upload
from mesahub_embedded.server.routing import OPEN, Route
from mesahub_embedded.storage import signed_links as links
from mesahub_embedded.storage.catalog import new_id, now
from mesahub_embedded.storage.data_folder import Store
from mesahub_embedded.storage.files import Upload

__all__ = [
    "ROUTES",
    "add_bucket",
    "bucket_namespace",
    "change_bucket",
    "delete_bucket",
    "find_bucket",
    "get_bucket",
    "list_buckets",
]

_TABLE = """
CREATE TABLE IF NOT EXISTS buckets (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, slug TEXT, description TEXT, status TEXT NOT NULL DEFAULT 'active',
    created_at TEXT NOT NULL, updated_at TEXT, deleted_at TEXT
)
"""
_ADDED = {"slug": "TEXT", "status": "TEXT NOT NULL DEFAULT 'active'", "deleted_at": "TEXT"}
"""Columns that a data folder of an earlier version lacks."""
_SLUG = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def _create_table(sqlite: sqlite3.Connection) -> None:
    sqlite.execute(_TABLE)
    there = {row[1] for row in sqlite.execute("PRAGMA table_info(buckets)")}
    for name, kind in _ADDED.items():
        if name not in there:
            sqlite.execute(f"ALTER TABLE buckets ADD COLUMN {name} {kind}")
    sqlite.execute("UPDATE buckets SET slug = name WHERE slug IS NULL")


def _rows(store: Store, sql: str = "", values: tuple[Any, ...] = ()) -> list[dict[str, Any]]:
    with store.catalog.transaction() as sqlite:
        _create_table(sqlite)
        rows = [dict(row) for row in sqlite.execute(f"SELECT * FROM buckets {sql}", values).fetchall()]
        for row in rows:
            sizes = "SELECT coalesce(sum(size_bytes), 0) FROM files WHERE place = ?"
            row["size_bytes"] = sqlite.execute(sizes, (bucket_namespace(row),)).fetchone()[0]
            row["storage_backend"] = "local"
    return rows


def _execute(store: Store, sql: str, values: tuple[Any, ...]) -> None:
    with store.catalog.transaction() as sqlite:
        _create_table(sqlite)
        sqlite.execute(sql, values)


def find_bucket(store: Store, wanted: str) -> dict[str, Any]:
    """A bucket that is not deleted, by slug or id. Raises `RefusedError` (404)."""
    rows = _rows(store, "WHERE deleted_at IS NULL AND ?1 IN (slug, id) ORDER BY slug = ?1 DESC", (wanted,))
    if not rows:
        raise RefusedError(404, "Bucket not found")
    return rows[0]


def _bucket(request: Request) -> dict[str, Any]:
    return find_bucket(request.store, request.arguments["id"])


def list_buckets(request: Request) -> Reply:
    """All buckets that are not deleted."""
    return Reply(200, _rows(request.store, "WHERE deleted_at IS NULL ORDER BY id"))


def create_bucket(request: Request) -> Reply:
    """Create a bucket; a key for it is in this answer alone."""
    fields = request.json({"name": "string", "slug": "string", "description": "string"})
    name, slug = fields.get("name") or "", fields.get("slug") or ""
    if not name or not slug:
        raise RefusedError(400, "name and slug are required")
    record = add_bucket(request.store, name, slug, fields.get("description"))
    key = request.store.catalog.create_key(f"bucket {slug}", [f"bucket:{slug}:w"])
    return Reply(201, {**record, "api_key": key["key"]})


def add_bucket(store: Store, name: str, slug: str, description: str | None) -> dict[str, Any]:
    """Create a bucket: its record.

    Raises:
        RefusedError: 400 this cannot be a slug, 409 it is taken.
    """
    if not _SLUG.fullmatch(slug):
        raise RefusedError(400, "slug must match ^[A-Za-z0-9_-]+$")
    if _rows(store, "WHERE slug = ?", (slug,)):
        raise RefusedError(409, "Bucket already exists")
    bucket_id = new_id()
    sql = "INSERT INTO buckets (id, name, slug, description, created_at) VALUES (?, ?, ?, ?, ?)"
    _execute(store, sql, (bucket_id, name, slug, description, now()))
    return _rows(store, "WHERE id = ?", (bucket_id,))[0]


def get_bucket(request: Request) -> Reply:
    """One bucket, by id or name."""
    return Reply(200, _bucket(request))


def change_bucket(request: Request) -> Reply:
    """Update the name or description."""
    bucket = _bucket(request)
    fields = request.json({"name": "string", "description": "string"})
    changed = {**bucket, **{name: value for name, value in fields.items() if value is not None}}
    sql = "UPDATE buckets SET name = ?, description = ?, updated_at = ? WHERE id = ?"
    _execute(request.store, sql, (changed["name"], changed["description"], now(), bucket["id"]))
    return Reply(200, _rows(request.store, "WHERE id = ?", (bucket["id"],))[0])


def delete_bucket(request: Request) -> Reply:
    """Soft-delete a bucket. As with databases, its slug is free again; its files stay with it."""
    bucket = _bucket(request)
    sql = "UPDATE buckets SET deleted_at = ?, status = 'deleted', slug = ? WHERE id = ?"
    _execute(request.store, sql, (now(), f"{bucket['slug']}-{int(time.time())}", bucket["id"]))
    return Reply(200, {"success": True})


# --- its files ---------------------------------------------------------------------------------------------


def bucket_namespace(bucket: dict[str, Any]) -> str:
    """Where its files are kept."""
    # A colon cannot be in a database's slug.
    return f"bucket:{bucket['id']}"


def _url(bucket: dict[str, Any], file_id: str) -> str:
    return f"/api/buckets/{bucket['id']}/files/{file_id}"


def upload(request: Request) -> Reply:
    """Store a file."""
    bucket = _bucket(request)
    record = store_upload(request, request.store.files, bucket_namespace(bucket))
    return Reply(201, shown(record, _url(bucket, record["id"])))


def list_files(request: Request) -> Reply:
    """A page of the files."""
    return Reply(200, list_answer(request.store.files, bucket_namespace(_bucket(request)), request.query))


def _record(request: Request) -> tuple[dict[str, Any], dict[str, Any]]:
    bucket = _bucket(request)
    return bucket, request.store.files.get(bucket_namespace(bucket), request.arguments["file"])


def download(request: Request) -> Reply:
    """The content of a file."""
    return send_file(request, request.store.files, _record(request)[1])


def delete_file(request: Request) -> Reply:
    """Remove a file."""
    if not request.store.files.delete(bucket_namespace(_bucket(request)), request.arguments["file"]):
        raise RefusedError(404, "files: not found or wrong bucket")
    return Reply(200, {"success": True})


def presign(request: Request) -> Reply:
    """A link to a file that works without a key."""
    bucket, record = _record(request)
    fields = request.json({"expires_in": "int", "disposition": "string"}) if request.length else {}
    link = links.make(request.store, links.FILE, bucket_namespace(bucket), record["id"], fields.get("expires_in"))
    disposition = "inline" if fields.get("disposition") == "inline" else "attachment"
    path = f"/bucket/{bucket['id']}/file/{record['id']}?token={link.token}&dis={disposition}"
    return Reply(200, {**link.shown(), "url": request.link(path)})


def presign_upload(request: Request) -> Reply:
    """A link by which one file can be put into the bucket without a key."""
    bucket = _bucket(request)
    fields = request.json({"filename": "string", "content_type": "string", "expires_in": "int"})
    name = fields.get("filename") or ""
    if not name:
        raise RefusedError(400, "filename is required")
    link = links.make(request.store, links.UPLOAD, bucket_namespace(bucket), name, fields.get("expires_in"))
    path = f"/bucket/{bucket['id']}/upload/{quote(name, safe='')}?token={link.token}"
    # The names are the real server's; there, an upload is confirmed, here it is complete.
    answer = {
        "upload_url": request.link(path),
        "method": "PUT",
        "confirm_url": request.link(f"/bucket/{bucket['id']}/confirm"),
        "confirm_token": link.token,
        "expires_at": link.shown()["expires_at"],
    }
    return Reply(200, answer)


def confirm_upload(request: Request) -> Reply:
    """Confirm an upload. Here it is complete once the link was followed: only the token is looked at."""
    token = request.json({"confirm_token": "string"}).get("confirm_token") or ""
    if not links.is_genuine(request.store, token):
        raise RefusedError(401, "Missing or invalid file access token")
    return Reply(200, {"success": True})


def follow_link(request: Request) -> Reply:
    """The file that a link leads to."""
    bucket, record = _record(request)
    links.check(request.store, request.query.get("token", ""), links.FILE, bucket_namespace(bucket), record["id"])
    disposition = "attachment" if request.query.get("dis") == "attachment" else "inline"
    return send_file(request, request.store.files, record, disposition)


def follow_upload(request: Request) -> Reply:
    """Take the file that a link is for; the body is the file."""
    bucket = _bucket(request)
    name = request.arguments["file"]
    links.check(request.store, request.query.get("token", ""), links.UPLOAD, bucket_namespace(bucket), name)
    with request.store.files.incoming() as incoming:
        left = request.length
        while left > 0 and (piece := request.stream.read(min(left, 256 * 1024))):
            left -= len(piece)
            incoming.write(piece)
        upload_ = Upload(filename=name, content_type=request.header("content-type"), conflict_mode="replace")
        record = request.store.files.keep(bucket_namespace(bucket), upload_, incoming)
    return Reply(201, shown(record, _url(bucket, record["id"])))


ROUTES: list[Route] = [
    Route("GET", "/api/buckets", list_buckets),
    Route("POST", "/api/buckets", create_bucket),
    Route("DELETE", "/api/buckets/{id}", delete_bucket),
    Route("GET", "/api/buckets/{id}/files", list_files),
    Route("POST", "/api/buckets/{id}/files", upload),
    Route("POST", "/api/buckets/{id}/files/presign-upload", presign_upload),
    Route("POST", "/api/buckets/{id}/files/{file}/presign", presign),
    Route("GET", "/api/buckets/{id}/files/{file}", download),
    Route("HEAD", "/api/buckets/{id}/files/{file}", download),
    Route("DELETE", "/api/buckets/{id}/files/{file}", delete_file),
    Route("GET", "/bucket/{id}/file/{file}", follow_link, OPEN),
    Route("PUT", "/bucket/{id}/upload/{file}", follow_upload, OPEN),
    Route("POST", "/bucket/{id}/confirm", confirm_upload, OPEN),
]
