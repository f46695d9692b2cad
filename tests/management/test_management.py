"""The management client, as mesahub 1.0.1 has it, against our server's dashboard routes."""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable, Iterator

import pytest

from mesahub import (
    AmbiguousResultError,
    AuthenticationError,
    ConfigurationError,
    ConflictError,
    MesahubClient,
    MesahubManagementClient,
    NotFoundError,
    ServerError,
    ValidationError,
)
from mesahub.transport import Request, Response
from tests.servers import Server


@pytest.fixture
def management(server: Server) -> Iterator[MesahubManagementClient]:
    with MesahubManagementClient(server.base_url + "/", server.admin_token) as client:
        yield client


def test_databases(management: MesahubManagementClient, server: Server) -> None:
    made = management.databases.create("managed-db", "a description")
    assert made["name"] == "managed-db"
    assert made in management.databases.list()
    changed = management.databases.update(made["id"], description="another")
    assert changed["description"] == "another"
    assert management.databases.get(made["id"])["description"] == "another"
    with MesahubClient(server.admin_token, server.base_url, "api") as client:
        client.db("managed-db").exec("CREATE TABLE t (a)")
        client.db("managed-db").table("t").insert_many([{"a": 1}, {"a": 2}])
    exported = management.databases.export(made["id"], ["t"], filename="t.sqlite")
    assert exported.startswith(b"SQLite format 3")
    tables = management.databases.import_inspect(made["id"], io.BytesIO(exported))
    assert [(t["name"], t["rowCount"]) for t in tables["tables"]] == [("t", 2)]
    done = management.databases.import_tables(made["id"], io.BytesIO(exported), ["t"])
    assert done["totalImported"] == 2
    management.databases.delete(made["id"])
    with pytest.raises(NotFoundError):
        management.databases.get(made["id"])


def test_errors_are_of_the_right_class_with_the_right_fields(
    management: MesahubManagementClient, server: Server
) -> None:
    with pytest.raises(ValidationError, match="3-50") as caught:
        management.databases.create("X")
    assert (caught.value.status_code, caught.value.code) == (400, "VALIDATION_ERROR")
    management.databases.create("taken-db")
    with pytest.raises(ConflictError):
        management.databases.create("taken-db")
    with pytest.raises(NotFoundError) as missing:
        management.databases.export("nosuch", ["t"])
    assert missing.value.status_code == 404
    with MesahubManagementClient(server.base_url, "shs_wrong") as stranger, pytest.raises(AuthenticationError):
        stranger.databases.list()
    with pytest.raises(ConfigurationError):
        MesahubManagementClient("www.mesahub.app", "key")


def test_buckets(management: MesahubManagementClient) -> None:
    made = management.buckets.create("managed-bucket")
    assert management.buckets.update(made["id"], name="renamed")["name"] == "renamed"
    assert management.buckets.get(made["id"])["name"] == "renamed"
    assert "renamed" in [bucket["name"] for bucket in management.buckets.list()]
    management.buckets.delete(made["id"])
    with pytest.raises(NotFoundError):
        management.buckets.get(made["id"])


def test_keys(management: MesahubManagementClient) -> None:
    made = management.api_keys.create("ci-key")
    assert made["key"].startswith("shk_")
    assert made["id"] in [key["id"] for key in management.api_keys.list()]
    management.api_keys.revoke(made["id"])
    assert made["id"] not in [key["id"] for key in management.api_keys.list()]


def test_the_surface_is_that_of_1_0_1(management: MesahubManagementClient) -> None:
    expected = {
        "databases": ["list", "get", "create", "delete", "update", "export", "import_inspect", "import_tables"],
        "buckets": ["list", "get", "create", "delete", "update"],
        "api_keys": ["list", "create", "revoke"],
    }
    for namespace, names in expected.items():
        assert [name for name in names if not callable(getattr(getattr(management, namespace), name, None))] == []
    assert list(inspect.signature(MesahubManagementClient).parameters)[:3] == ["dashboard_url", "api_key", "timeout"]
    assert list(inspect.signature(management.databases.import_tables).parameters) == [
        "id",
        "file",
        "tables",
        "filename",
    ]
    assert list(inspect.signature(management.databases.export).parameters) == ["id", "tables", "filename"]


def test_a_new_key_shows_in_no_repr() -> None:
    class Answering:
        def send(self, request: Request, /) -> Response:
            return Response(200, payload={"id": "1", "name": "ci", "key": "shs_T0pS3cret", "api_key": "shs_T0pS3cret"})

        def close(self) -> None: ...

    management = MesahubManagementClient("http://localhost:1", "k", transport=Answering())
    for record in (management.api_keys.create("ci"), management.buckets.create("photos")):
        assert "T0pS3cret" not in repr(record)
    assert management.api_keys.create("ci")["key"] == "shs_T0pS3cret"


@pytest.mark.parametrize("answer", [None, [], "x", 5, {"error": "no"}])
def test_a_write_that_answers_something_else_is_ambiguous(answer: object) -> None:
    class Odd:
        def send(self, request: Request, /) -> Response:
            return Response(200, payload=answer)

        def close(self) -> None: ...

    management = MesahubManagementClient("http://localhost:1", "k", transport=Odd())
    client = MesahubClient("k", transport=Odd())
    writes: list[Callable[[], object]] = [
        lambda: management.api_keys.create("ci"),
        lambda: management.databases.create("name"),
        lambda: client.admin.databases.create("name"),
        lambda: client.admin.api_keys.create("name", ["all:r"]),
        lambda: client.buckets.create("name"),
        lambda: client.db("db").files.upload(b"x", "x.txt"),
    ]
    for write in writes:
        with pytest.raises(AmbiguousResultError):
            write()
    with pytest.raises(ServerError):
        management.databases.get("1")
