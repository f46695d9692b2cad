"""The routes of buckets: files that belong to no database."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from mesahub_embedded.engine.errors import RefusedError
from mesahub_embedded.server.routes.files import deletion, list_answer, send_file, shown, store_upload
from mesahub_embedded.server.routing import OPEN, Call, Reply, Route
from mesahub_embedded.storage import signed_links as links
from mesahub_embedded.storage.catalog import new_id, now
from mesahub_embedded.storage.data_folder import Store
from mesahub_embedded.storage.files import Upload

__all__ = ["ROUTES", "change_bucket", "create_bucket", "delete_bucket", "get_bucket", "list_buckets"]

_TABLE = """
CREATE TABLE IF NOT EXISTS buckets (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, description TEXT, created_at TEXT NOT NULL, updated_at TEXT
)
"""


def _rows(store: Store, sql: str = "", values: tuple[Any, ...] = ()) -> list[dict[str, Any]]:
    with store.catalog.transaction() as sqlite:
        sqlite.execute(_TABLE)
        return [dict(row) for row in sqlite.execute(f"SELECT * FROM buckets {sql}", values).fetchall()]


def _execute(store: Store, sql: str, values: tuple[Any, ...]) -> None:
    with store.catalog.transaction() as sqlite:
        sqlite.execute(_TABLE)
        sqlite.execute(sql, values)


def _bucket(call: Call) -> dict[str, Any]:
    rows = _rows(call.store, "WHERE id = ?1 OR name = ?1", (call.arguments["id"],))
    if not rows:
        raise RefusedError(404, "Bucket not found")
    return rows[0]


def list_buckets(call: Call) -> Reply:
    """All buckets."""
    return Reply(200, _rows(call.store, "ORDER BY id"))


def create_bucket(call: Call) -> Reply:
    """Make a bucket."""
    fields = call.json({"name": "string", "description": "string"})
    name = fields.get("name") or ""
    if not name:
        raise RefusedError(400, "name is required")
    if _rows(call.store, "WHERE name = ?", (name,)):
        raise RefusedError(409, "Bucket already exists")
    bucket_id = new_id()
    sql = "INSERT INTO buckets (id, name, description, created_at) VALUES (?, ?, ?, ?)"
    _execute(call.store, sql, (bucket_id, name, fields.get("description"), now()))
    return Reply(201, _rows(call.store, "WHERE id = ?", (bucket_id,))[0])


def get_bucket(call: Call) -> Reply:
    """One bucket, by id or name."""
    return Reply(200, _bucket(call))


def change_bucket(call: Call) -> Reply:
    """Another name or description."""
    bucket = _bucket(call)
    fields = call.json({"name": "string", "description": "string"})
    changed = {**bucket, **{name: value for name, value in fields.items() if value is not None}}
    sql = "UPDATE buckets SET name = ?, description = ?, updated_at = ? WHERE id = ?"
    _execute(call.store, sql, (changed["name"], changed["description"], now(), bucket["id"]))
    return Reply(200, _rows(call.store, "WHERE id = ?", (bucket["id"],))[0])


def delete_bucket(call: Call) -> Reply:
    """Remove a bucket with its files."""
    bucket = _bucket(call)
    call.store.files.delete_all(_place(bucket))
    _execute(call.store, "DELETE FROM buckets WHERE id = ?", (bucket["id"],))
    return Reply(200, {"success": True})


# --- its files ---------------------------------------------------------------------------------------------


def _place(bucket: dict[str, Any]) -> str:
    # A colon cannot be in a database's slug.
    return f"bucket:{bucket['id']}"


def _url(bucket: dict[str, Any], file_id: str) -> str:
    return f"/api/buckets/{bucket['id']}/files/{file_id}"


def upload(call: Call) -> Reply:
    """Keep a file."""
    bucket = _bucket(call)
    record = store_upload(call, call.store.files, _place(bucket))
    return Reply(201, shown(record, _url(bucket, record["id"])))


def list_files(call: Call) -> Reply:
    """A page of the files."""
    return Reply(200, list_answer(call.store.files, _place(_bucket(call)), call.query))


def _record(call: Call) -> tuple[dict[str, Any], dict[str, Any]]:
    bucket = _bucket(call)
    return bucket, call.store.files.get(_place(bucket), call.arguments["file"])


def meta(call: Call) -> Reply:
    """The record of a file."""
    bucket, record = _record(call)
    return Reply(200, shown(record, _url(bucket, record["id"])))


def download(call: Call) -> Reply:
    """The content of a file."""
    return send_file(call, call.store.files, _record(call)[1])


def delete_file(call: Call) -> Reply:
    """Remove a file."""
    if not call.store.files.delete(_place(_bucket(call)), call.arguments["file"]):
        raise RefusedError(404, "files: not found or wrong bucket")
    return Reply(200, {"success": True})


def delete_files(call: Call) -> Reply:
    """Remove files."""
    ids = call.json({"ids": "[]string"}).get("ids")
    return Reply(200, deletion(call.store.files, _place(_bucket(call)), ids))


def presign(call: Call) -> Reply:
    """A link to a file that works without a key."""
    bucket, record = _record(call)
    fields = call.json({"expires_in": "int", "disposition": "string"}) if call.length else {}
    link = links.make(call.store, _place(bucket), record["id"], fields.get("expires_in"))
    disposition = "inline" if fields.get("disposition") == "inline" else "attachment"
    path = f"/bucket/{bucket['id']}/file/{record['id']}?token={link.token}&dis={disposition}"
    return Reply(200, {**link.shown(), "url": f"http://{call.header('host')}{path}"})


def presign_upload(call: Call) -> Reply:
    """A link by which one file can be put into the bucket without a key."""
    bucket = _bucket(call)
    fields = call.json({"filename": "string", "content_type": "string", "expires_in": "int"})
    name = fields.get("filename") or ""
    if not name:
        raise RefusedError(400, "filename is required")
    link = links.make(call.store, _place(bucket), f"upload:{name}", fields.get("expires_in"))
    path = f"/bucket/{bucket['id']}/upload/{quote(name, safe='')}?token={link.token}"
    return Reply(200, {**link.shown(), "method": "PUT", "url": f"http://{call.header('host')}{path}"})


def follow_link(call: Call) -> Reply:
    """The file that a link leads to."""
    bucket, record = _record(call)
    links.check(call.store, call.query.get("token", ""), _place(bucket), record["id"])
    disposition = "attachment" if call.query.get("dis") == "attachment" else "inline"
    return send_file(call, call.store.files, record, disposition)


def follow_upload(call: Call) -> Reply:
    """Take the file that a link is for; the body is the file."""
    bucket = _bucket(call)
    name = call.arguments["file"]
    links.check(call.store, call.query.get("token", ""), _place(bucket), f"upload:{name}")
    with call.store.files.incoming() as incoming:
        left = call.length
        while left > 0 and (piece := call.stream.read(min(left, 256 * 1024))):
            left -= len(piece)
            incoming.write(piece)
        upload_ = Upload(filename=name, content_type=call.header("content-type"), conflict_mode="replace")
        record = call.store.files.keep(_place(bucket), upload_, incoming)
    return Reply(201, shown(record, _url(bucket, record["id"])))


ROUTES: list[Route] = [
    Route("GET", "/api/buckets", list_buckets),
    Route("POST", "/api/buckets", create_bucket),
    Route("GET", "/api/buckets/{id}", get_bucket),
    Route("PATCH", "/api/buckets/{id}", change_bucket),
    Route("DELETE", "/api/buckets/{id}", delete_bucket),
    Route("GET", "/api/buckets/{id}/files", list_files),
    Route("POST", "/api/buckets/{id}/files", upload),
    Route("POST", "/api/buckets/{id}/files/bulk-delete", delete_files),
    Route("POST", "/api/buckets/{id}/files/presign-upload", presign_upload),
    Route("GET", "/api/buckets/{id}/files/{file}/meta", meta),
    Route("POST", "/api/buckets/{id}/files/{file}/presign", presign),
    Route("GET", "/api/buckets/{id}/files/{file}", download),
    Route("HEAD", "/api/buckets/{id}/files/{file}", download),
    Route("DELETE", "/api/buckets/{id}/files/{file}", delete_file),
    Route("GET", "/bucket/{id}/file/{file}", follow_link, OPEN),
    Route("PUT", "/bucket/{id}/upload/{file}", follow_upload, OPEN),
]
