"""Every route with every kind of credential: nothing but what the table grants, and never a fault of the server."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mesahub_embedded import application
from mesahub_embedded.server.app import Application

ROUTES = """
open       GET    /api/health
open       GET    /api/version
admin      GET    /api/db
admin      POST   /api/db
admin      GET    /api/db/deleted
admin      POST   /api/db/deleted/{slug}
admin      GET    /api/db/{slug}
admin      PATCH  /api/db/{slug}
admin      DELETE /api/db/{slug}
admin      POST   /api/db/{slug}/import
admin      GET    /api/apikeys
admin      POST   /api/apikeys
admin      DELETE /api/apikeys/{id}
read       POST   /api/db/{slug}/query
read       POST   /v1/query/{slug}
write      POST   /api/db/{slug}/exec
write      POST   /v1/exec/{slug}
read       POST   /api/db/{slug}/export
read       GET    /api/db/{slug}/rest/{table}
read       POST   /api/db/{slug}/rest/{table}
read       PATCH  /api/db/{slug}/rest/{table}
read       DELETE /api/db/{slug}/rest/{table}
file       GET    /api/db/{slug}/files
read       POST   /api/db/{slug}/files
read       POST   /api/db/{slug}/files/bulk-delete
read       POST   /api/db/{slug}/files/presign/batch
file       GET    /api/db/{slug}/files/{id}
file       HEAD   /api/db/{slug}/files/{id}
read       DELETE /api/db/{slug}/files/{id}
file       GET    /api/db/{slug}/files/{id}/meta
read       POST   /api/db/{slug}/files/{id}/presign
file       GET    /v1/files/{slug}
read       POST   /v1/files/{slug}
read       POST   /v1/files/{slug}/bulk-delete
file       GET    /v1/files/{slug}/{id}
file       HEAD   /v1/files/{slug}/{id}
read       DELETE /v1/files/{slug}/{id}
file       GET    /v1/files/{slug}/{id}/meta
read       POST   /v1/files/{slug}/{id}/presign
read       POST   /api/db/{slug}/tokens/files
read       POST   /api/db/{slug}/tokens/files/revoke
link       GET    /{slug}/file/{id}
page       GET    /
page       HEAD   /
page       GET    /ui/style.css
page       HEAD   /ui/style.css
page       GET    /ui/icon.svg
page       HEAD   /ui/icon.svg
page       POST   /ui/sign-in
session    GET    /ui/database
session    HEAD   /ui/database
session    GET    /ui/rows
session    HEAD   /ui/rows
session    GET    /ui/files
session    HEAD   /ui/files
session    GET    /ui/file
session    HEAD   /ui/file
session    GET    /ui/keys
session    HEAD   /ui/keys
session    GET    /ui/query
session    HEAD   /ui/query
session    POST   /ui/query
session    POST   /ui/sign-out
none       POST   /
none       PUT    /
none       PATCH  /
none       DELETE /
"""
TABLE: dict[tuple[str, ...], str] = {tuple(line.split()[1:]): line.split()[0] for line in ROUTES.strip().splitlines()}
"""(method, pattern) to the credential it takes. All routes of buckets and of the dashboard take the admin token.

What is marked ``page`` anyone may see; ``session`` takes the cookie of the server's page, so no token opens it;
``none`` is no route.
"""
REFUSED = {"page": (200, 415), "session": (303,), "none": (404,)}
"""What a caller with a token, or without one, is answered there."""

ADMIN_PREFIXES = ("/api/buckets", "/api/user")
BUCKET_LINKS = {
    ("GET", "/bucket/{id}/file/{file}"),
    ("PUT", "/bucket/{id}/upload/{file}"),
    ("POST", "/bucket/{id}/confirm"),  # its token is in the body, which may be no JSON
}

CREDENTIALS = {
    "none": set[str](),
    "unknown": set[str](),
    "wrong case": set[str](),
    "revoked": set[str](),
    "no scope": set[str](),
    "another database": set[str](),
    "another owner": set[str](),
    "file token of another database": set[str](),
    "link to another file": set[str](),
    "reads all": {"read", "file"},
    "reads this": {"read", "file"},
    "writes this": {"read", "write", "file"},
    "management": {"read", "write", "file"},
    "file token": {"file"},
    "file token in the query": {"file"},
    "link": {"link"},
    "admin": {"read", "write", "file", "admin"},
}


class World:
    """A server with two databases, and all credentials for it."""

    def __init__(self, folder: Path) -> None:
        self.app: Application = application(folder, "admin")
        catalog = self.app.store.catalog
        for slug, owner in (("shop", "alice"), ("other", "bob")):
            catalog.create_database(slug, slug, owner)
            self.app.store.engine(slug).execute("CREATE TABLE t (secret)")
            self.app.store.engine(slug).execute("INSERT INTO t VALUES ('hidden')")
        self.file = self._upload("shop")
        self.second = self._upload("shop")
        revoked = catalog.create_key("r", ["all:w"])
        catalog.revoke_key(revoked["id"])

        def key(*scopes: str, owner: str = "admin") -> str:
            text: str = catalog.create_key("k", scopes, owner=owner)["key"]
            return text

        file_token = self.json("POST", "/api/db/shop/tokens/files", "admin")["token"]
        self.tokens: dict[str, str] = {
            "none": "",
            "unknown": "shk_" + "0" * 64,
            "wrong case": "Admin",
            "revoked": revoked["key"],
            "no scope": key("all", "db:shop", "bucket:shop:w"),
            "another database": key("db:other:w"),
            "another owner": key("all:w", owner="bob"),
            "file token of another database": self.json("POST", "/api/db/other/tokens/files", "admin")["token"],
            "reads all": key("all:r"),
            "reads this": key("db:shop:r", owner="alice"),
            "writes this": key("db:shop:w"),
            "management": key("management"),
            "file token": file_token,
            "admin": "admin",
        }
        self.queries = {
            "file token in the query": file_token,
            "link": self._link(self.file),
            "link to another file": self._link(self.second),
        }

    def _upload(self, slug: str) -> str:
        body = b'--B\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\nhidden\r\n--B--'
        content = body % random.randbytes(4).hex().encode()
        status, answer = self.call("POST", f"/api/db/{slug}/files", "admin", content, "multipart/form-data; boundary=B")
        assert status == 201
        file_id: str = json.loads(answer)["id"]
        return file_id

    def _link(self, file_id: str) -> str:
        url: str = self.json("POST", f"/api/db/shop/files/{file_id}/presign", "admin")["url"]
        return url.partition("token=")[2].partition("&")[0]

    def call(
        self, method: str, path: str, token: str, body: bytes = b"{}", kind: str = "application/json", query: str = ""
    ) -> tuple[int, bytes]:
        environ = {
            "REQUEST_METHOD": method,
            "REQUEST_URI": path,
            "QUERY_STRING": f"token={query}" if query else "",
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": kind,
            "wsgi.input": io.BytesIO(body),
        }
        if token:
            environ["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        statuses: list[str] = []
        answer = b"".join(self.app(environ, lambda status, _: statuses.append(status)))
        return int(statuses[0].split()[0]), answer

    def json(self, method: str, path: str, token: str) -> Any:
        return json.loads(self.call(method, path, token)[1])


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.app.close()


def routes_of(app: Application) -> list[tuple[str, str]]:
    router = app._router
    plain = [(method, pattern) for pattern, routes in router._plain.items() for method in routes]
    patterns = [(method, pattern) for pattern, (_, routes) in router._patterns.items() for method in routes]
    return plain + patterns


def test_every_route_is_in_the_table(world: World) -> None:
    routes = routes_of(world.app)
    assert len(routes) >= 60
    assert len(CREDENTIALS) >= 13
    known = set(TABLE) | BUCKET_LINKS
    assert [route for route in routes if route not in known and not route[1].startswith(ADMIN_PREFIXES)] == []
    assert set(TABLE) <= set(routes)


BODIES = [
    b"{}",
    b'{"sql": "SELECT secret FROM t", "tables": ["t"], "ids": ["x"], "name": "fuzz", "slug": "fuzz", "owner": "x"}',
    b'{"sql": 5, "ids": "x", "expires_in": 1e400, "name": [], "action": {}}',
    b"[" * 2000,
    b"\xff\xfe{",
]


@pytest.mark.parametrize("credential", CREDENTIALS)
def test_routes_grant_what_the_table_says(world: World, credential: str) -> None:
    token, query = world.tokens.get(credential, ""), world.queries.get(credential, "")
    for method, pattern in routes_of(world.app):
        needed = TABLE.get((method, pattern), "admin")
        if (method, pattern) in BUCKET_LINKS:
            needed = "link to a bucket"
        path = pattern.replace("{slug}", "shop").replace("{table}", "t").replace("{id}", world.file)
        path = path.replace("{file}", "x")
        granted = needed == "open" or needed in CREDENTIALS[credential]
        if granted and method == "DELETE":
            continue  # it would remove what the next route asks for; these have tests of their own
        for body in BODIES:
            if granted and b"fuzz" in body and pattern == "/api/db/{slug}":
                continue
            status, answer = world.call(method, path, token, body, query=query)
            assert status < 500, (method, path, body, answer)
            if needed in REFUSED:
                assert status in REFUSED[needed], (method, path, body, status)
                assert b"hidden" not in answer
            elif granted:
                assert status not in (401, 403), (method, path, body)
            else:
                refused = (400, 401, 403, 404) if pattern.endswith("/confirm") else (401, 403, 404)
                assert status in refused, (method, path, body, status)
                assert b"hidden" not in answer
                assert needed == "link to a bucket" or status != 404, (method, path)


HOSTILE = [
    "%00",
    "..",
    "%2e%2e",
    "%2F",
    "shop%2F..",
    "%ff",
    "%F0%9F%92%A9",
    "a" * 300,
    "'",
    '"',
    "{slug}",
    "%0d%0aX: y",
]


@pytest.mark.parametrize("credential", ["none", "reads this", "admin"])
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_in_paths_are_no_fault(world: World, credential: str, text: str) -> None:
    token = world.tokens[credential]
    for method, pattern in routes_of(world.app):
        if "{" not in pattern:
            continue
        for name in ("slug", "id", "file", "table"):
            if "{" + name + "}" in pattern:
                path = pattern.replace("{" + name + "}", text).replace("{slug}", "shop").replace("{table}", "t")
                path = path.replace("{id}", "x").replace("{file}", "x")
                status, answer = world.call(method, path, token, BODIES[1])
                assert status < 500, (method, path, answer)
                if credential == "none":
                    assert b"hidden" not in answer
