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

from mesahub.errors import ArgumentError
from mesahub_embedded.engine.errors import RefusedError, TimedOutError
from mesahub_embedded.engine.rows import UnrepresentableError
from mesahub_embedded.server.access_log import log_request
from mesahub_embedded.server.counts import Counts
from mesahub_embedded.server.limits import Limits, results_of
from mesahub_embedded.server.origin import Origin
from mesahub_embedded.server.page.routes import Page
from mesahub_embedded.server.page.visit import PageMode
from mesahub_embedded.server.reply import Reply, safe_header, to_json
from mesahub_embedded.server.request import Request
from mesahub_embedded.server.routes import data as data_routes
from mesahub_embedded.server.routes import file_tokens
from mesahub_embedded.server.routing import ADMIN, WRITE, Route, Router
from mesahub_embedded.storage import signed_links as links
from mesahub_embedded.storage.data_folder import Store

__all__ = ["Application", "application"]

StartResponse = Callable[[str, list[tuple[str, str]]], Any]

logger = logging.getLogger("mesahub.server")

_REASONS = {
    200: "OK", 201: "Created", 204: "No Content", 206: "Partial Content", 303: "See Other", 304: "Not Modified",
    400: "Bad Request",
    401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 409: "Conflict",
    413: "Request Entity Too Large", 415: "Unsupported Media Type", 416: "Requested Range Not Satisfiable",
    429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable", 504: "Gateway Timeout",
}  # fmt: skip


def application(
    data: str | Path,
    admin_token: str | None = None,
    *,
    limits: Limits | None = None,
    public_url: str | None = None,
    page: PageMode = "read",
) -> Application:
    """The server as a WSGI application.

    Args:
        data: the folder that holds everything; created if missing.
        admin_token: the token for administration; default: a random one (`Application.admin_token`).
        limits: what one request may cost.
        public_url: the URL that links to files begin with; default: the address that the request came to, if it is
            one of this machine.
        page: what the page at ``/`` offers: ``"read"``, ``"write"`` (its query box may also write), or ``"off"``.

    Returns:
        An application for any WSGI server with threads. ``close()`` it at the end.
    """
    limits = limits or Limits()
    token = admin_token or secrets.token_urlsafe(24)
    return Application(
        Store(data, limits=results_of(limits)), token, limits=limits, origin=Origin(public_url), page=page
    )


class Application:
    """The server.

    Args:
        store: the data folder.
        admin_token: the token for administration.
        limits: what one request may cost.
        origin: the address that links begin with.
        page: what the page at ``/`` offers.

    Attributes:
        store: the data folder.
        admin_token: the token for administration.
        origin: the address that links begin with.
    """

    def __init__(
        self,
        store: Store,
        admin_token: str,
        *,
        limits: Limits | None = None,
        origin: Origin | None = None,
        page: PageMode = "read",
    ) -> None:
        self.store = store
        self.admin_token = admin_token
        self.origin = origin or Origin()
        self._limits = limits or Limits()
        self._started = time.monotonic()
        routes = _all_routes()
        if page != "off":
            routes += Page(store, admin_token, page, self.origin.public_url).routes()
        self._router = Router(routes)
        self._stopping = threading.Event()
        self._counts = Counts()
        self._touched: dict[str, float] = {}

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("REQUEST_URI") or quote(environ.get("PATH_INFO", ""), encoding="latin-1")
        started = time.perf_counter()
        request = Request(environ, self.store, path.partition("?")[0])
        request.uptime = time.monotonic() - self._started
        request.stopping = self._stopping
        request.limits = self._limits
        request.counts = self._counts
        request.origin = self.origin
        try:
            reply = self._reply(request)
        except RefusedError as refused:
            reply = Reply(refused.status, {"error": refused.text})
        except UnrepresentableError:
            # As the real server answers it: 200 without a body. The client knows what that means.
            reply = Reply(200, body=b"", headers=[("Content-Type", "application/json")])
        except TimedOutError as error:
            reply = Reply(504, {"error": str(error)})
        except ArgumentError as error:
            reply = Reply(400, {"error": str(error)})
        except MemoryError:
            reply = Reply(500, {"error": "out of memory"})
        except Exception:
            logger.exception("%s %s failed", request.method, request.path)
            reply = Reply(500, {"error": "internal server error"})
        return _send(reply, request, start_response, started)

    def stop(self) -> None:
        """Interrupt the statements that run: the server is about to end."""
        self._stopping.set()

    def close(self) -> None:
        """Interrupt what runs, and close all databases."""
        self.stop()
        self.store.close()

    def _reply(self, request: Request) -> Reply:
        if request.method == "OPTIONS":
            return Reply(204)
        found = self._router.find(request.path)
        if found is None:
            return Reply(404, body=b"404 page not found\n", headers=[("Content-Type", "text/plain; charset=utf-8")])
        routes, request.arguments = found
        route = routes.get(request.method)
        if route is None:
            return Reply(405, headers=[("Allow", method) for method in sorted(routes)])
        if route.access == ADMIN:
            self._require_admin(request)
        elif route.of_database:
            self._require_database(request, route)
        return route.handler(request)

    def admits(self, token: str, link: str) -> bool:
        """Is this a caller that may send a large body: with a bearer token that is known, or with a link's?"""
        known = self.is_admin(token) or (bool(token) and self.store.catalog.find_key(token) is not None)
        return known or links.is_genuine(self.store, link)

    def is_admin(self, token: str) -> bool:
        """Is it the admin token?"""
        return bool(token) and hmac.compare_digest(token.encode("utf-8", "replace"), self.admin_token.encode())

    def _require_admin(self, request: Request) -> None:
        request.admin = self.is_admin(request.token)
        if not request.admin:
            raise RefusedError(401, "Unauthorized")

    def _require_database(self, request: Request, route: Route) -> None:
        database = request.database = self.store.catalog.database(request.arguments["slug"])
        if database is None:
            raise RefusedError(404, route.missing)
        request.admin = self.is_admin(request.token)
        if request.admin:
            return
        if database["status"] != "active":
            raise RefusedError(503, "This database is inactive")
        key = request.key = self.store.catalog.find_key(request.token) if request.token else None
        deleted = database["deleted_at"] is not None
        if key is None and route.file_token and not deleted and file_tokens.opens(request):
            return
        if key is None or deleted or key["owner"] not in ("admin", database["owner"]):
            raise RefusedError(401, "Unauthorized")
        self._touch(key["id"])
        if not _allows(json.loads(key["scopes"]), database["name"], write=route.access == WRITE):
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
    return any(f"{subject}:{level}" in scopes for level in levels for subject in ("all", "db:*", f"db:{name}"))


def _all_routes() -> list[Route]:
    from mesahub_embedded.server.routes import admin, buckets, dashboard

    return [*data_routes.ROUTES, *admin.ROUTES, *file_tokens.ROUTES, *buckets.ROUTES, *dashboard.ROUTES]


def _send(reply: Reply, request: Request, start_response: StartResponse, started: float) -> Iterable[bytes]:
    if not all(safe_header(value) for _, value in reply.headers):
        logger.error("%s %s: a header has a value that cannot be sent", request.method, request.path)
        _close(reply.body)
        reply = Reply(500, {"error": "internal server error"})
    # A browser must not take an error's text, or a file, for a page.
    headers = [*reply.headers, ("X-Content-Type-Options", "nosniff")]
    body = reply.body
    if reply.payload is not None:
        try:
            body = to_json(reply.payload)
        except ValueError:
            body = b""
        headers.append(("Content-Type", "application/json"))
    if body is None:
        body = b""
    length = next((int(value) for name, value in headers if name == "Content-Length"), None)
    if isinstance(body, bytes):
        length = len(body)
        if reply.status not in (204, 304):
            headers.append(("Content-Length", str(len(body))))
        body = [] if request.method == "HEAD" else [body]
    log_request(request, reply.status, length, started)
    start_response(f"{reply.status} {_REASONS.get(reply.status, 'Status')}", headers)
    return body


def _close(body: object) -> None:
    close = getattr(body, "close", None)
    if close is not None:
        close()
