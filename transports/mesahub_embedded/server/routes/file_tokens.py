"""Tokens that read a database's files, all of them, and nothing else; and links to many files at once."""

from __future__ import annotations

from mesahub_embedded.engine.errors import RefusedError
from mesahub_embedded.server.routing import DATABASE, Call, Reply, Route
from mesahub_embedded.storage import signed_links as links
from mesahub_embedded.storage.catalog import now

__all__ = ["ROUTES", "opens"]

SCOPE = "files:read"
_TABLE = "CREATE TABLE IF NOT EXISTS revoked_tokens (token TEXT PRIMARY KEY, reason TEXT, revoked_at TEXT NOT NULL)"


def opens(call: Call) -> bool:
    """Does the call read files of a database and carry a token for them, as Bearer or as ``?token=``?"""
    if call.method not in ("GET", "HEAD") or "/files" not in call.path:
        return False
    token = call.token or call.query.get("token", "")
    try:
        links.check(call.store, token, call.arguments["slug"], SCOPE)
    except RefusedError:
        return False
    with call.store.catalog.transaction() as sqlite:
        sqlite.execute(_TABLE)
        return sqlite.execute("SELECT 1 FROM revoked_tokens WHERE token = ?", (token,)).fetchone() is None


def create_token(call: Call) -> Reply:
    """Make a token."""
    fields = call.json({"expires_in": "int"}) if call.length else {}
    link = links.make(call.store, call.arguments["slug"], SCOPE, fields.get("expires_in"))
    return Reply(201, {**link.shown(), "scope": SCOPE, "token": link.token})


def revoke_token(call: Call) -> Reply:
    """Make a token worthless."""
    fields = call.json({"token": "string", "reason": "string"})
    if not fields.get("token"):
        raise RefusedError(400, "token is required")
    with call.store.catalog.transaction() as sqlite:
        sqlite.execute(_TABLE)
        sqlite.execute(
            "INSERT OR IGNORE INTO revoked_tokens VALUES (?, ?, ?)", (fields["token"], fields.get("reason"), now())
        )
    return Reply(200, {"success": True})


def presign_many(call: Call) -> Reply:
    """Links to files; like the real server, it does not look whether they are there."""
    fields = call.json({"ids": "[]string", "expires_in": "int"})
    slug = call.arguments["slug"]
    results = []
    for file_id in fields.get("ids") or []:
        link = links.make(call.store, slug, file_id, fields.get("expires_in"))
        results.append({"id": file_id, "url": f"http://{call.header('host')}/{slug}/file/{file_id}?token={link.token}"})
    return Reply(200, {"results": results})


ROUTES: list[Route] = [
    Route("POST", "/api/db/{slug}/tokens/files", create_token, DATABASE),
    Route("POST", "/api/db/{slug}/tokens/files/revoke", revoke_token, DATABASE),
    Route("POST", "/api/db/{slug}/files/presign/batch", presign_many, DATABASE),
]
