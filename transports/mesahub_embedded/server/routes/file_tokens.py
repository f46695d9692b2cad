"""Tokens that read a database's files, all of them, and nothing else; and links to many files at once."""

from __future__ import annotations

from urllib.parse import quote

from mesahub_embedded.engine.errors import RefusedError
from mesahub_embedded.server.reply import Reply
from mesahub_embedded.server.request import Request
from mesahub_embedded.server.routing import READ, Route
from mesahub_embedded.storage import signed_links as links
from mesahub_embedded.storage.catalog import now

__all__ = ["ROUTES", "opens"]

SCOPE = "files:read"
"""What the answer calls it."""
_TABLE = "CREATE TABLE IF NOT EXISTS revoked_tokens (token TEXT PRIMARY KEY, reason TEXT, revoked_at TEXT NOT NULL)"


def opens(request: Request) -> bool:
    """Does the request carry a token for the files of its database, as Bearer or as ``?token=``?

    Whether such a token is enough is for the route to say (`Route.file_token`).
    """
    token = request.token or request.query.get("token", "")
    try:
        links.check(request.store, token, links.FILES, request.arguments["slug"], "")
    except RefusedError:
        return False
    with request.store.catalog.transaction() as sqlite:
        sqlite.execute(_TABLE)
        return sqlite.execute("SELECT 1 FROM revoked_tokens WHERE token = ?", (token,)).fetchone() is None


def create_token(request: Request) -> Reply:
    """Create a token."""
    fields = request.json({"expires_in": "int"}) if request.length else {}
    link = links.make(request.store, links.FILES, request.arguments["slug"], "", fields.get("expires_in"))
    return Reply(201, {**link.shown(), "scope": SCOPE, "token": link.token})


def revoke_token(request: Request) -> Reply:
    """Revoke a token."""
    fields = request.json({"token": "string", "reason": "string"})
    if not fields.get("token"):
        raise RefusedError(400, "token is required")
    with request.store.catalog.transaction() as sqlite:
        sqlite.execute(_TABLE)
        sqlite.execute(
            "INSERT OR IGNORE INTO revoked_tokens VALUES (?, ?, ?)", (fields["token"], fields.get("reason"), now())
        )
    return Reply(200, {"success": True})


def presign_many(request: Request) -> Reply:
    """Links to files; like the real server, it does not look whether they are there."""
    fields = request.json({"ids": "[]string", "expires_in": "int"})
    slug = request.arguments["slug"]
    results = []
    for file_id in fields.get("ids") or []:
        link = links.make(request.store, links.FILE, slug, file_id, fields.get("expires_in"))
        url = f"/{quote(slug, safe='')}/file/{quote(file_id, safe='', errors='replace')}?token={link.token}"
        results.append({"id": file_id, "url": request.link(url)})
    return Reply(200, {"results": results})


ROUTES: list[Route] = [
    Route("POST", "/api/db/{slug}/tokens/files", create_token, READ),
    Route("POST", "/api/db/{slug}/tokens/files/revoke", revoke_token, READ),
    Route("POST", "/api/db/{slug}/files/presign/batch", presign_many, READ),
]
