"""Who may do what, in the order in which the real server checks it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from mesahub_embedded.storage.data_folder import Store
from tests.servers import Server

NewKey = Callable[..., str]
READ = {"sql": "SELECT 1 AS one"}


def said(body: bytes) -> str:
    text: str = json.loads(body)["error"]
    return text


@pytest.mark.parametrize(
    ("scopes", "reads", "writes"),
    [
        ([], True, True),  # none asked for: all:w
        (["all:r"], True, False),
        (["all:w"], True, True),
        (["db:*:r"], True, False),
        (["db:*:w"], True, True),
        (["db:{name}:r"], True, False),
        (["db:{name}:w"], True, True),
        (["management"], True, True),
        (["db:other:w"], False, False),
        (["bucket:photos:w", "db:{name}", "all", "whatever"], False, False),
    ],
)
def test_scopes(server: Server, name: str, new_key: NewKey, scopes: list[str], reads: bool, writes: bool) -> None:
    key = new_key(*(scope.format(name=name) for scope in scopes))
    assert server.call("POST", f"/api/db/{name}/query", READ, token=key)[0] == (200 if reads else 403)
    assert server.call("POST", f"/v1/exec/{name}", READ, token=key)[0] == (200 if writes else 403)
    status, _, body = server.call("GET", f"/api/db/{name}/files", token=key)
    assert status == (200 if reads else 403)
    if not reads:
        assert said(body) == "This API key does not have access to this database"


def test_a_scope_names_the_name_and_not_the_slug(server: Server, name: str, new_key: NewKey) -> None:
    server.new_database(f"Shop of {name}", slug=f"{name}-slug")
    for scope, status in ((f"db:{name}-slug:w", 403), (f"db:Shop of {name}:w", 200)):
        assert server.call("POST", f"/api/db/{name}-slug/query", READ, token=new_key(scope))[0] == status


def test_owners(server: Server, name: str, new_key: NewKey) -> None:
    server.new_database(f"{name}-alice", owner="alice")
    alice = new_key("all:w", owner="alice")
    assert server.call("POST", f"/api/db/{name}/query", READ, token=alice)[0] == 401
    assert server.call("POST", f"/api/db/{name}-alice/query", READ, token=alice)[0] == 200
    assert server.call("POST", f"/api/db/{name}-alice/query", READ, token=new_key("all:w"))[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer nope"},
        {"Authorization": "Bearer  {token}"},
        {"Authorization": "bearer {token}"},
        {"Authorization": "Basic {token}"},
        {"Authorization": "{token}"},
        {"X-API-Key": "{token}"},
    ],
)
def test_without_a_token_that_is_known(server: Server, name: str, headers: dict[str, str]) -> None:
    given = {header: value.format(token=server.admin_token) for header, value in headers.items()}
    status, _, body = server.call("POST", f"/api/db/{name}/query", READ, token="", headers=given)
    assert (status, said(body)) == (401, "Unauthorized")
    assert server.call("GET", "/api/db", token="", headers=given)[0] == 401


def test_the_order_of_the_checks(server: Server, name: str, new_key: NewKey) -> None:
    reader = new_key("db:other:w")
    assert server.call("POST", "/api/db/nosuch/query", token="")[0] == 404
    assert server.call("POST", f"/api/db/{name}/query", token="", body=b"{nope")[0] == 401
    assert server.call("POST", f"/api/db/{name}/query", token=reader, body=b"{nope")[0] == 403
    assert server.call("POST", f"/api/db/{name}/query", body=b"{nope")[0] == 400
    many = {"sql": "DROP TABLE t", "bindings": [0] * 5001}
    assert server.call("POST", f"/api/db/{name}/query", many)[0] == 403
    store = Store(server.data)
    store.catalog.set_status(name, "inactive")
    for token in ("", "nope", new_key("all:w")):
        status, _, body = server.call("POST", f"/api/db/{name}/query", READ, token=token)
        assert (status, said(body)) == (503, "This database is inactive")
    assert server.call("POST", f"/api/db/{name}/query", READ)[0] == 200
    store.catalog.set_status(name, "active")
    store.close()


def test_a_revoked_key_is_out_at_once(server: Server, name: str) -> None:
    store = Store(server.data)
    made = store.catalog.create_key("short", ["all:w"])
    assert server.call("POST", f"/api/db/{name}/query", READ, token=made["key"])[0] == 200
    assert store.catalog.revoke_key(made["id"])
    assert server.call("POST", f"/api/db/{name}/query", READ, token=made["key"])[0] == 401
    store.close()


def test_no_key_is_kept_in_plain_text(server: Server, name: str, new_key: NewKey) -> None:
    key = new_key("all:w")
    assert server.call("POST", f"/api/db/{name}/query", READ, token=key)[0] == 200
    for path in server.data.glob("catalog.sqlite*"):
        assert key.encode() not in path.read_bytes()


def test_a_key_is_no_admin(server: Server, new_key: NewKey) -> None:
    assert server.call("GET", "/api/db", token=new_key("management"))[0] == 401
    assert server.call("POST", "/api/db", {"name": "x", "owner": "x"}, token=new_key("management"))[0] == 401


@pytest.mark.parametrize(
    ("payload", "status", "text"),
    [
        ({"name": "a"}, 400, "name and owner are required"),
        ({"owner": "a"}, 400, "name and owner are required"),
        ({"name": "a b", "owner": "a"}, 400, "slug must match"),
        ({"name": "../x", "owner": "a"}, 400, "slug must match"),
        ({"name": "naïve", "owner": "a"}, 400, "slug must match"),
        ({"name": "x" * 260, "owner": "a"}, 500, "failed to create database file"),
        ({"name": 5, "owner": "a"}, 400, "cannot unmarshal number"),
    ],
)
def test_what_cannot_be_made(server: Server, payload: dict[str, object], status: int, text: str) -> None:
    answer = server.call("POST", "/api/db", payload)
    assert answer[0] == status
    assert text in said(answer[2])


def test_a_name_can_be_taken_once(server: Server, name: str) -> None:
    status, _, body = server.call("POST", "/api/db", {"name": name, "owner": "admin"})
    assert (status, said(body)) == (409, "Database already exists")
    assert server.new_database(name.upper()) == name.upper()
    listed = json.loads(server.call("GET", "/api/db")[2])
    assert {name, name.upper()} <= {database["slug"] for database in listed}


def test_what_was_made_in_process_is_a_database_of_the_server(server: Server, name: str) -> None:
    import mesahub

    with mesahub.connect(f"mh://local/{name}-Local", data=str(server.data)) as db:
        db.exec("CREATE TABLE t (n)")
        db.exec("INSERT INTO t VALUES (5)")
        with mesahub.connect(server.url(f"{name}-Local")) as remote:
            assert remote.query("SELECT n FROM t").rows == [{"n": 5}]
            remote.exec("INSERT INTO t VALUES (6)")
        assert db.table("t").count() == 2
    assert f"{name}-Local" in server.call("GET", "/api/db")[2].decode()
    assert server.call("POST", "/api/db", {"name": f"{name}-Local", "owner": "admin"})[0] == 409


# --- the route decides, never the text of a path -------------------------------------------------------------

NAMES_IN_ROUTES = ["files", "exec", "rest", "query", "tokens", "presign", "api", "v1"]


@pytest.fixture(scope="module")
def confusing(server: Server) -> list[str]:
    """Databases whose names are words of routes, each with a table of every such name."""
    for database in NAMES_IN_ROUTES:
        server.new_database(database)
        script = "".join(f'CREATE TABLE "{table}" (secret); ' for table in NAMES_IN_ROUTES)
        script += "".join(f"INSERT INTO \"{table}\" VALUES ('hidden'); " for table in NAMES_IN_ROUTES)
        assert server.call("POST", f"/api/db/{database}/exec", {"sql": script})[0] == 200
    return NAMES_IN_ROUTES


def test_file_token_never_reads_rows(server: Server, confusing: list[str]) -> None:
    for name in confusing:
        made = server.call("POST", f"/api/db/{name}/tokens/files", {})
        token = json.loads(made[2])["token"]
        assert server.call("GET", f"/api/db/{name}/files?token={token}", token="")[0] == 200
        assert server.call("GET", f"/v1/files/{name}", token=token)[0] == 200
        for table in (*confusing, "files%2Fx", "x%2Ffiles"):
            for path in (f"/api/db/{name}/rest/{table}?token={token}", f"/api/db/{name}/rest/{table}?a=/files"):
                for given in ("", token):
                    status, _, body = server.call("GET", path, token=given)
                    assert (status, b"hidden" in body) == (401, False), path
        for path in (f"/v1/query/{name}", f"/api/db/{name}/query", f"/v1/exec/{name}", f"/api/db/{name}/export"):
            assert server.call("POST", f"{path}?token={token}", READ, token=token)[0] == 401


def test_read_key_reads_whatever_the_database_is_called(server: Server, confusing: list[str], new_key: NewKey) -> None:
    reader = new_key("all:r")
    for name in confusing:
        for path, status in (
            (f"/v1/query/{name}", 200),
            (f"/api/db/{name}/query", 200),
            (f"/api/db/{name}/query?x=/exec", 200),
            (f"/v1/exec/{name}", 403),
            (f"/api/db/{name}/exec", 403),
            (f"/api/db/{name}/exec?x=/query", 403),
        ):
            assert server.call("POST", path, READ, token=reader)[0] == status, path
        for table in confusing:
            assert server.call("GET", f"/api/db/{name}/rest/{table}", token=reader)[0] == 200


def test_missing_database_is_named_as_the_route_does(server: Server) -> None:
    for path, text in (("/api/db/no/rest/t", "database not found"), ("/api/db/rest/files", "Database not found")):
        status, _, body = server.call("GET", path.replace("/rest/files", "/no-rest/files"))
        assert (status, said(body)) == (404, text)
