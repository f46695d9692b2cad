"""The server as a WSGI application: who may call what, in the order in which the real one checks it."""

from __future__ import annotations

import hmac
import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mesahub_embedded.engine.errors import RefusedError, TimedOutError
from mesahub_embedded.engine.rows import UnrepresentableError
from mesahub_embedded.server.routes import data as data_routes
from mesahub_embedded.server.routes import file_tokens
from mesahub_embedded.server.routing import ADMIN, DATABASE, Call, Reply, Route, Table, to_json
from mesahub_embedded.storage.data_folder import Store

__all__ = ["Application", "application"]

StartResponse = Callable[[str, list[tuple[str, str]]], Any]

logger = logging.getLogger("mesahub.server")

_REASONS = {
    200: "OK", 201: "Created", 204: "No Content", 206: "Partial Content", 304: "Not Modified", 400: "Bad Request",
    401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 409: "Conflict",
    413: "Request Entity Too Large", 415: "Unsupported Media Type", 416: "Requested Range Not Satisfiable",
    429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable", 504: "Gateway Timeout",
}  # fmt: skip


def application(data: str | Path, admin_token: str | None = None) -> Application:
    """The server as a WSGI application.

    Args:
        data: the folder that holds everything; made when it is not there.
        admin_token: what administers it; one is made when none is given (`Application.admin_token`).

    Returns:
        An application for any WSGI server with threads. ``close()`` it at the end.
    """
    return Application(Store(data), admin_token or secrets.token_urlsafe(24))


class Application:
    """The server.

    Args:
        store: the data folder.
        admin_token: what administers it.

    Attributes:
        store: the data folder.
        admin_token: what administers it.
    """

    def __init__(self, store: Store, admin_token: str) -> None:
        self.store = store
        self.admin_token = admin_token
        self._started = time.monotonic()
        self._table = Table(_all_routes())
        self._stopping = threading.Event()
        self._touched: dict[str, float] = {}

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("REQUEST_URI") or quote(environ.get("PATH_INFO", ""), encoding="latin-1")
        call = Call(environ, self.store, path.partition("?")[0])
        call.uptime = time.monotonic() - self._started
        call.stopping = self._stopping
        try:
            reply = self._reply(call)
        except RefusedError as refused:
            reply = Reply(refused.status, {"error": refused.text})
        except UnrepresentableError:
            # As the real server answers it: 200 without a body. The client knows what that means.
            reply = Reply(200, body=b"", headers=[("Content-Type", "application/json")])
        except TimedOutError as error:
            reply = Reply(504, {"error": str(error)})
        except Exception:
            logger.exception("%s %s failed", call.method, call.path)
            reply = Reply(500, {"error": "internal server error"})
        return _send(reply, call, start_response)

    def stop(self) -> None:
        """Interrupt the statements that run: the server is about to end."""
        self._stopping.set()

    def close(self) -> None:
        """Interrupt what runs, and close all databases."""
        self.stop()
        self.store.close()

    def _reply(self, call: Call) -> Reply:
        if call.method == "OPTIONS":
            return Reply(204)
        found = self._table.find(call.path)
        if found is None:
            return Reply(404, body=b"404 page not found\n", headers=[("Content-Type", "text/plain; charset=utf-8")])
        routes, call.arguments = found
        route = routes.get(call.method)
        if route is None:
            return Reply(405, headers=[("Allow", method) for method in sorted(routes)])
        if route.access == ADMIN:
            self._require_admin(call)
        elif route.access == DATABASE:
            self._require_database(call)
        return route.handler(call)

    def _is_admin(self, token: str) -> bool:
        return bool(token) and hmac.compare_digest(token.encode("utf-8", "replace"), self.admin_token.encode())

    def _require_admin(self, call: Call) -> None:
        call.admin = self._is_admin(call.token)
        if not call.admin:
            raise RefusedError(401, "Unauthorized")

    def _require_database(self, call: Call) -> None:
        database = call.database = self.store.catalog.database(call.arguments["slug"])
        if database is None:
            raise RefusedError(404, "database not found" if "/rest/" in call.path else "Database not found")
        call.admin = self._is_admin(call.token)
        if call.admin:
            return
        if database["status"] != "active":
            raise RefusedError(503, "This database is inactive")
        key = call.key = self.store.catalog.find_key(call.token) if call.token else None
        if key is None and database["deleted_at"] is None and file_tokens.opens(call):
            return
        if key is None or key["owner"] not in ("admin", database["owner"]) or database["deleted_at"] is not None:
            raise RefusedError(401, "Unauthorized")
        self._touch(key["id"])
        if not _allows(json.loads(key["scopes"]), database["name"], write="/exec" in call.path):
            raise RefusedError(403, "This API key does not have access to this database")

    def _touch(self, key_id: str) -> None:
        # Once a minute is often enough for "last used", and a write per request is not.
        moment = time.monotonic()
        if moment - self._touched.get(key_id, -60.0) >= 60.0:
            self._touched[key_id] = moment
            self.store.catalog.touch_key(key_id)


def _allows(scopes: list[str], name: str, *, write: bool) -> bool:
    if "management" in scopes:
        return True
    levels = ("w",) if write else ("r", "w")
    return any(f"{what}:{level}" in scopes for level in levels for what in ("all", "db:*", f"db:{name}"))


def _all_routes() -> list[Route]:
    from mesahub_embedded.server.routes import admin, buckets, dashboard

    return [*data_routes.ROUTES, *admin.ROUTES, *file_tokens.ROUTES, *buckets.ROUTES, *dashboard.ROUTES]


def _send(reply: Reply, call: Call, start_response: StartResponse) -> Iterable[bytes]:
    headers = list(reply.headers)
    body = reply.body
    if reply.payload is not None:
        try:
            body = to_json(reply.payload)
        except ValueError:
            body = b""
        headers.append(("Content-Type", "application/json"))
    if body is None:
        body = b""
    if isinstance(body, bytes):
        if reply.status not in (204, 304):
            headers.append(("Content-Length", str(len(body))))
        body = [] if call.method == "HEAD" else [body]
    start_response(f"{reply.status} {_REASONS.get(reply.status, 'Status')}", headers)
    return body
