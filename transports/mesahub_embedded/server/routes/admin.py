"""The routes of the administration: databases, API keys, export and import, links to files."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from typing import Any

from mesahub_embedded.engine.errors import RefusedError
from mesahub_embedded.server.multipart import FilePart, read_form
from mesahub_embedded.server.routes.files import send_file
from mesahub_embedded.server.routing import DATABASE, OPEN, Call, Reply, Route
from mesahub_embedded.storage import signed_links as links
from mesahub_embedded.storage.archive import export_tables, import_rows, inspect_archive
from mesahub_embedded.storage.files import Incoming

__all__ = ["ROUTES", "export_reply", "import_reply"]


def _slug(call: Call) -> str:
    return call.arguments["slug"]


def get_database(call: Call) -> Reply:
    """One database."""
    return Reply(200, call.store.catalog.get_database(_slug(call)))


def change_database(call: Call) -> Reply:
    """Switch it on or off, or empty it."""
    fields = call.json({"action": "string", "status": "string"})
    catalog = call.store.catalog
    catalog.get_database(_slug(call))
    if fields.get("action") == "set_status":
        if fields.get("status") not in ("active", "inactive"):
            raise RefusedError(400, "status must be 'active' or 'inactive'")
        catalog.set_status(_slug(call), fields["status"])
        return Reply(200, {"status": fields["status"], "success": True})
    if fields.get("action") == "reset_db":
        catalog.reset(_slug(call))
        return Reply(200, {"success": True})
    raise RefusedError(400, "Invalid action")


def delete_database(call: Call) -> Reply:
    """Put it aside."""
    call.store.catalog.soft_delete(_slug(call))
    return Reply(200, {"success": True})


def list_deleted(call: Call) -> Reply:
    """Those put aside."""
    return Reply(200, call.store.catalog.list_databases(deleted=True))


def change_deleted(call: Call) -> Reply:
    """Bring it back, or remove it for good."""
    action = call.json({"action": "string"}).get("action")
    if action == "restore":
        return Reply(200, call.store.catalog.restore(_slug(call)))
    if action == "hard_delete":
        call.store.catalog.hard_delete(_slug(call))
        return Reply(200, {"success": True})
    raise RefusedError(400, "Invalid action. Use 'restore' or 'hard_delete'")


def list_keys(call: Call) -> Reply:
    """All keys that are not revoked."""
    return Reply(200, call.store.catalog.list_keys())


def create_key(call: Call) -> Reply:
    """Make a key; its text is in this answer alone."""
    kinds = {"name": "string", "scopes": "[]string", "owner": "string", "key_type": "string", "expires_at": "string"}
    fields = call.json(kinds)
    if not fields.get("name"):
        raise RefusedError(400, "name is required")
    record = call.store.catalog.create_key(
        fields["name"],
        fields.get("scopes") or (),
        owner=fields.get("owner") or "admin",
        key_type=fields.get("key_type"),
        expires_at=fields.get("expires_at"),
    )
    return Reply(201, record)


def revoke_key(call: Call) -> Reply:
    """Revoke a key; 204 also for one that is not there."""
    call.store.catalog.revoke_key(call.arguments["id"])
    return Reply(204)


def export_reply(call: Call, slug: str) -> Reply:
    """Some tables as a SQLite file of their own."""
    fields = call.json({"tables": "[]string", "filename": "string"})
    tables = fields.get("tables") or []
    if not tables:
        raise RefusedError(400, "tables array is required and must not be empty")
    name = re.sub(r'[";\\\r\n/]', "", fields.get("filename") or f"{slug}.sqlite")
    headers = [
        ("Content-Type", "application/octet-stream"),
        ("Content-Disposition", f'attachment; filename="{name}"'.encode().decode("latin-1")),
    ]
    size, body = export_tables(call.store.path(slug), tables)
    return Reply(200, body=body, headers=[*headers, ("Content-Length", str(size))])


def import_reply(call: Call, slug: str) -> Reply:
    """Look into a SQLite file, or take rows out of it."""
    incoming: list[Incoming] = []
    with ExitStack() as stack:

        def open_file(part: FilePart) -> Any:
            if part.field != "file" or incoming:
                return None
            incoming.append(stack.enter_context(call.store.files.incoming()))
            return incoming[0].write

        kind = call.header("content-type")
        if not kind.startswith("multipart/form-data"):
            raise RefusedError(400, "invalid multipart form: request Content-Type isn't multipart/form-data")
        fields = read_form(call.stream, call.length, kind, open_file)
        if not incoming:
            raise RefusedError(400, "file is required")
        incoming[0].finish()
        if not fields.get("tables"):
            return Reply(200, {"tables": inspect_archive(incoming[0].path)})
        tables = _table_names(fields["tables"])
        count = import_rows(call.store.engine(slug), incoming[0].path, tables)
    answer = {
        "size_bytes": call.store.path(slug).stat().st_size,
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


def export_database(call: Call) -> Reply:
    """Some tables of a database as a file."""
    call.store.catalog.get_database(_slug(call))
    return export_reply(call, _slug(call))


def import_database(call: Call) -> Reply:
    """Tables of a file into a database."""
    call.store.catalog.get_database(_slug(call))
    return import_reply(call, _slug(call))


def presign(call: Call) -> Reply:
    """A link to a file that works without a key."""
    record = call.store.files.get(_slug(call), call.arguments["id"])
    fields = call.json({"expires_in": "int", "disposition": "string"}) if call.length else {}
    link = links.make(call.store, _slug(call), record["id"], fields.get("expires_in"))
    disposition = "inline" if fields.get("disposition") == "inline" else "attachment"
    url = f"http://{call.header('host')}/{_slug(call)}/file/{record['id']}?token={link.token}&dis={disposition}"
    return Reply(200, {**link.shown(), "url": url})


def follow_link(call: Call) -> Reply:
    """The file that a link leads to."""
    links.check(call.store, call.query.get("token", ""), _slug(call), call.arguments["id"])
    files = call.store.files
    disposition = "attachment" if call.query.get("dis") == "attachment" else "inline"
    return send_file(call, files, files.get(_slug(call), call.arguments["id"]), disposition)


ROUTES: list[Route] = [
    # "deleted" stands before {slug}: the first route that fits is taken.
    Route("GET", "/api/db/deleted", list_deleted),
    Route("POST", "/api/db/deleted/{slug}", change_deleted),
    Route("GET", "/api/db/{slug}", get_database),
    Route("PATCH", "/api/db/{slug}", change_database),
    Route("DELETE", "/api/db/{slug}", delete_database),
    # To the real server an export is a read like any other.
    Route("POST", "/api/db/{slug}/export", export_database, DATABASE),
    Route("POST", "/api/db/{slug}/import", import_database),
    Route("GET", "/api/apikeys", list_keys),
    Route("POST", "/api/apikeys", create_key),
    Route("DELETE", "/api/apikeys/{id}", revoke_key),
    Route("POST", "/api/db/{slug}/files/{id}/presign", presign, DATABASE),
    Route("POST", "/v1/files/{slug}/{id}/presign", presign, DATABASE),
    Route("GET", "/{slug}/file/{id}", follow_link, OPEN),
]
