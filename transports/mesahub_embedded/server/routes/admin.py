"""The routes of the administration: databases, API keys, export and import, links to files."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Any
from urllib.parse import quote

from mesahub_embedded.engine.errors import RefusedError
from mesahub_embedded.server.multipart import FilePart, read_form
from mesahub_embedded.server.reply import Reply, content_disposition
from mesahub_embedded.server.request import Request
from mesahub_embedded.server.routes.files import send_file
from mesahub_embedded.server.routing import OPEN, READ, Route
from mesahub_embedded.storage import signed_links as links
from mesahub_embedded.storage.archive import export_tables, import_rows, inspect_archive
from mesahub_embedded.storage.files import Incoming

__all__ = ["ROUTES", "export_reply", "import_reply"]


def _slug(request: Request) -> str:
    return request.arguments["slug"]


def get_database(request: Request) -> Reply:
    """One database."""
    return Reply(200, request.store.catalog.get_database(_slug(request)))


def change_database(request: Request) -> Reply:
    """Activate, deactivate or empty a database."""
    fields = request.json({"action": "string", "status": "string"})
    catalog = request.store.catalog
    catalog.get_database(_slug(request))
    if fields.get("action") == "set_status":
        if fields.get("status") not in ("active", "inactive"):
            raise RefusedError(400, "status must be 'active' or 'inactive'")
        catalog.set_status(_slug(request), fields["status"])
        return Reply(200, {"status": fields["status"], "success": True})
    if fields.get("action") == "reset_db":
        catalog.reset(_slug(request))
        return Reply(200, {"success": True})
    raise RefusedError(400, "Invalid action")


def delete_database(request: Request) -> Reply:
    """Soft-delete a database."""
    request.store.catalog.soft_delete(_slug(request))
    return Reply(200, {"success": True})


def list_deleted(request: Request) -> Reply:
    """Soft-deleted databases."""
    return Reply(200, request.store.catalog.list_databases(deleted=True))


def change_deleted(request: Request) -> Reply:
    """Restore or purge a soft-deleted database."""
    action = request.json({"action": "string"}).get("action")
    if action == "restore":
        return Reply(200, request.store.catalog.restore(_slug(request)))
    if action == "hard_delete":
        slug = _slug(request)
        request.store.catalog.deleted(slug)
        request.store.files.delete_all(slug)
        request.store.catalog.hard_delete(slug)
        return Reply(200, {"success": True})
    raise RefusedError(400, "Invalid action. Use 'restore' or 'hard_delete'")


def list_keys(request: Request) -> Reply:
    """All keys that are not revoked."""
    return Reply(200, request.store.catalog.list_keys())


def create_key(request: Request) -> Reply:
    """Create a key; its text is in this answer alone."""
    kinds = {"name": "string", "scopes": "[]string", "owner": "string", "key_type": "string", "expires_at": "string"}
    fields = request.json(kinds)
    if not fields.get("name"):
        raise RefusedError(400, "name is required")
    record = request.store.catalog.create_key(
        fields["name"],
        fields.get("scopes") or (),
        owner=fields.get("owner") or "admin",
        key_type=fields.get("key_type"),
        expires_at=fields.get("expires_at"),
    )
    return Reply(201, record)


def revoke_key(request: Request) -> Reply:
    """Revoke a key; 204 also for one that is not there."""
    request.store.catalog.revoke_key(request.arguments["id"])
    return Reply(204)


def export_reply(request: Request, slug: str) -> Reply:
    """Some tables as a SQLite file of their own."""
    fields = request.json({"tables": "[]string", "filename": "string"})
    tables = fields.get("tables") or []
    if not tables:
        raise RefusedError(400, "tables array is required and must not be empty")
    name = (fields.get("filename") or f"{slug}.sqlite").replace("/", "")
    headers = [("Content-Type", "application/octet-stream"), content_disposition("attachment", name)]
    size, body = export_tables(request.store.path(slug), tables)
    return Reply(200, body=body, headers=[*headers, ("Content-Length", str(size))])


def import_reply(request: Request, slug: str) -> Reply:
    """Inspect a SQLite file, or import rows from it."""
    incoming: list[Incoming] = []
    with ExitStack() as stack:

        def open_file(part: FilePart) -> Any:
            if part.field != "file" or incoming:
                return None
            incoming.append(stack.enter_context(request.store.files.incoming()))
            return incoming[0].write

        kind = request.header("content-type")
        if not kind.startswith("multipart/form-data"):
            raise RefusedError(400, "invalid multipart form: request Content-Type isn't multipart/form-data")
        fields = read_form(request.stream, request.length, kind, open_file)
        if not incoming:
            raise RefusedError(400, "file is required")
        incoming[0].finish()
        if not fields.get("tables"):
            return Reply(200, {"tables": inspect_archive(incoming[0].path)})
        tables = _table_names(fields["tables"])
        count = import_rows(request.store.engine(slug), incoming[0].path, tables)
    answer = {
        "size_bytes": request.store.path(slug).stat().st_size,
        "success": True,
        "tables": tables,
        "totalImported": count,
    }
    return Reply(200, answer)


def _table_names(text: str) -> list[str]:
    try:
        names = json.loads(text)
    except ValueError:
        names = None
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise RefusedError(400, "tables must be a non-empty JSON array of table names")
    return names


def export_database(request: Request) -> Reply:
    """Some tables of a database as a file."""
    request.store.catalog.get_database(_slug(request))
    return export_reply(request, _slug(request))


def import_database(request: Request) -> Reply:
    """Tables of a file into a database."""
    request.store.catalog.get_database(_slug(request))
    return import_reply(request, _slug(request))


def presign(request: Request) -> Reply:
    """A link to a file that works without a key."""
    record = request.store.files.get(_slug(request), request.arguments["id"])
    fields = request.json({"expires_in": "int", "disposition": "string"}) if request.length else {}
    link = links.make(request.store, links.FILE, _slug(request), record["id"], fields.get("expires_in"))
    disposition = "inline" if fields.get("disposition") == "inline" else "attachment"
    url = f"/{quote(_slug(request), safe='')}/file/{record['id']}?token={link.token}&dis={disposition}"
    return Reply(200, {**link.shown(), "url": request.link(url)})


def follow_link(request: Request) -> Reply:
    """The file that a link leads to."""
    links.check(request.store, request.query.get("token", ""), links.FILE, _slug(request), request.arguments["id"])
    database = request.store.catalog.database(_slug(request))
    if database is None or database["deleted_at"] is not None:
        raise RefusedError(404, "File not found")
    if database["status"] != "active":
        raise RefusedError(503, "This database is inactive")
    files = request.store.files
    disposition = "attachment" if request.query.get("dis") == "attachment" else "inline"
    return send_file(request, files, files.get(_slug(request), request.arguments["id"]), disposition)


ROUTES: list[Route] = [
    # "deleted" comes before {slug}: the first route that fits is taken.
    Route("GET", "/api/db/deleted", list_deleted),
    Route("POST", "/api/db/deleted/{slug}", change_deleted),
    Route("GET", "/api/db/{slug}", get_database),
    Route("PATCH", "/api/db/{slug}", change_database),
    Route("DELETE", "/api/db/{slug}", delete_database),
    # To the real server an export is a read like any other.
    Route("POST", "/api/db/{slug}/export", export_database, READ),
    Route("POST", "/api/db/{slug}/import", import_database),
    Route("GET", "/api/apikeys", list_keys),
    Route("POST", "/api/apikeys", create_key),
    Route("DELETE", "/api/apikeys/{id}", revoke_key),
    Route("POST", "/api/db/{slug}/files/{id}/presign", presign, READ),
    Route("POST", "/v1/files/{slug}/{id}/presign", presign, READ),
    Route("GET", "/{slug}/file/{id}", follow_link, OPEN),
]
