"""The routes of the dashboard, ``/api/user/...``, as mesahub's management client asks them.

They are guarded by the admin token; databases are named by their id or their slug.
"""

from __future__ import annotations

import json
import re

from mesahub_embedded.engine.errors import RefusedError
from mesahub_embedded.server.routes import buckets
from mesahub_embedded.server.routes.admin import export_reply, import_reply, revoke_key
from mesahub_embedded.server.routing import Call, Handler, Reply, Route

__all__ = ["ROUTES"]

_NAME = re.compile(r"[a-z0-9_-]{3,50}")


def _slug(call: Call) -> str:
    wanted = call.arguments["id"]
    for record in call.store.catalog.list_databases():
        if wanted in (record["id"], record["slug"]):
            slug: str = record["slug"]
            return slug
    raise RefusedError(404, "Database not found")


def list_databases(call: Call) -> Reply:
    """All databases."""
    return Reply(200, call.store.catalog.list_databases())


def create_database(call: Call) -> Reply:
    """Make a database."""
    fields = call.json({"name": "string", "description": "string"})
    name = fields.get("name") or ""
    if not _NAME.fullmatch(name):
        raise RefusedError(400, "name must be 3-50 lowercase alphanumeric characters, dashes, or underscores")
    record = call.store.catalog.create_database(name, name, "admin", description=fields.get("description"))
    return Reply(201, record)


def get_database(call: Call) -> Reply:
    """One database."""
    return Reply(200, call.store.catalog.get_database(_slug(call)))


def change_database(call: Call) -> Reply:
    """Another name or description."""
    slug = _slug(call)
    fields = call.json({"name": "string", "description": "string"})
    call.store.catalog.describe(slug, name=fields.get("name"), description=fields.get("description"))
    return Reply(200, call.store.catalog.get_database(slug))


def delete_database(call: Call) -> Reply:
    """Put it aside."""
    call.store.catalog.soft_delete(_slug(call))
    return Reply(204)


def export_database(call: Call) -> Reply:
    """Some tables as a file."""
    return export_reply(call, _slug(call))


def import_database(call: Call) -> Reply:
    """Tables of a file into a database."""
    return import_reply(call, _slug(call))


def list_keys(call: Call) -> Reply:
    """All keys, with their scopes as a list."""
    keys = call.store.catalog.list_keys()
    return Reply(200, [{**key, "scopes": json.loads(key["scopes"])} for key in keys])


def create_key(call: Call) -> Reply:
    """Make a key; its text is in this answer alone."""
    fields = call.json({"name": "string", "scopes": "[]string"})
    if not fields.get("name"):
        raise RefusedError(400, "name is required")
    record = call.store.catalog.create_key(fields["name"], fields.get("scopes") or ())
    return Reply(201, {**record, "scopes": json.loads(record["scopes"])})


def _gone(handler: Handler) -> Handler:
    def reply(call: Call) -> Reply:
        handler(call)
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
    Route("POST", "/api/user/buckets", buckets.create_bucket),
    Route("GET", "/api/user/buckets/{id}", buckets.get_bucket),
    Route("PATCH", "/api/user/buckets/{id}", buckets.change_bucket),
    Route("DELETE", "/api/user/buckets/{id}", _gone(buckets.delete_bucket)),
    Route("GET", "/api/user/api-keys", list_keys),
    Route("POST", "/api/user/api-keys", create_key),
    Route("DELETE", "/api/user/api-keys/{id}", revoke_key),
]
