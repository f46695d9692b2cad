"""The routes of the dashboard, ``/api/user/...``, as mesahub's management client asks them.

They are guarded by the admin token; databases are named by their id or their slug.
"""

from __future__ import annotations

import json
import re

from mesahub_embedded.engine.errors import RefusedError
from mesahub_embedded.server.reply import Reply
from mesahub_embedded.server.request import Request
from mesahub_embedded.server.routes import buckets
from mesahub_embedded.server.routes.admin import export_reply, import_reply, revoke_key
from mesahub_embedded.server.routing import Handler, Route

__all__ = ["ROUTES"]

_NAME = re.compile(r"[a-z0-9_-]{3,50}")


def _slug(request: Request) -> str:
    wanted = request.arguments["id"]
    for record in request.store.catalog.list_databases():
        if wanted in (record["id"], record["slug"]):
            slug: str = record["slug"]
            return slug
    raise RefusedError(404, "Database not found")


def list_databases(request: Request) -> Reply:
    """All databases."""
    return Reply(200, request.store.catalog.list_databases())


def create_database(request: Request) -> Reply:
    """Create a database."""
    fields = request.json({"name": "string", "description": "string"})
    name = fields.get("name") or ""
    if not _NAME.fullmatch(name):
        raise RefusedError(400, "name must be 3-50 lowercase alphanumeric characters, dashes, or underscores")
    record = request.store.catalog.create_database(name, name, "admin", description=fields.get("description"))
    return Reply(201, record)


def get_database(request: Request) -> Reply:
    """One database."""
    return Reply(200, request.store.catalog.get_database(_slug(request)))


def change_database(request: Request) -> Reply:
    """Update the name or description."""
    slug = _slug(request)
    fields = request.json({"name": "string", "description": "string"})
    request.store.catalog.describe(slug, name=fields.get("name"), description=fields.get("description"))
    return Reply(200, request.store.catalog.get_database(slug))


def delete_database(request: Request) -> Reply:
    """Soft-delete a database."""
    request.store.catalog.soft_delete(_slug(request))
    return Reply(204)


def export_database(request: Request) -> Reply:
    """Some tables as a file."""
    return export_reply(request, _slug(request))


def import_database(request: Request) -> Reply:
    """Tables of a file into a database."""
    return import_reply(request, _slug(request))


def list_keys(request: Request) -> Reply:
    """All keys, with their scopes as a list."""
    keys = request.store.catalog.list_keys()
    return Reply(200, [{**key, "scopes": json.loads(key["scopes"])} for key in keys])


def create_key(request: Request) -> Reply:
    """Create a key; its text is in this answer alone."""
    fields = request.json({"name": "string", "scopes": "[]string"})
    if not fields.get("name"):
        raise RefusedError(400, "name is required")
    record = request.store.catalog.create_key(fields["name"], fields.get("scopes") or ())
    return Reply(201, {**record, "scopes": json.loads(record["scopes"])})


def create_bucket(request: Request) -> Reply:
    """Create a bucket; its slug is its name."""
    fields = request.json({"name": "string", "description": "string"})
    name = fields.get("name") or ""
    if not name:
        raise RefusedError(400, "name is required")
    return Reply(201, buckets.add_bucket(request.store, name, name, fields.get("description")))


def _gone(handler: Handler) -> Handler:
    def reply(request: Request) -> Reply:
        handler(request)
        return Reply(204)

    return reply


_DATABASE = "/api/user/databases/{id}"
ROUTES: list[Route] = [
    Route("GET", "/api/user/databases", list_databases),
    Route("POST", "/api/user/databases", create_database),
    Route("GET", _DATABASE, get_database),
    Route("PATCH", _DATABASE, change_database),
    Route("DELETE", _DATABASE, delete_database),
    Route("POST", f"{_DATABASE}/export", export_database),
    Route("POST", f"{_DATABASE}/import", import_database),
    Route("GET", "/api/user/buckets", buckets.list_buckets),
    Route("POST", "/api/user/buckets", create_bucket),
    Route("GET", "/api/user/buckets/{id}", buckets.get_bucket),
    Route("PATCH", "/api/user/buckets/{id}", buckets.change_bucket),
    Route("DELETE", "/api/user/buckets/{id}", _gone(buckets.delete_bucket)),
    Route("GET", "/api/user/api-keys", list_keys),
    Route("POST", "/api/user/api-keys", create_key),
    Route("DELETE", "/api/user/api-keys/{id}", revoke_key),
]
