"""Buckets: files that belong to no database, over every transport that has them."""

from __future__ import annotations

import itertools
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mesahub import ArgumentError, ConflictError, MesahubClient, NotFoundError, ValidationError
from tests.servers import Server

_number = itertools.count()


@pytest.fixture(params=["urllib", "requests", "urllib3", "embedded"])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MesahubClient]:
    if request.param == "embedded":
        opened = MesahubClient(transport="embedded", data=str(tmp_path))
    else:
        server: Server = request.getfixturevalue("server")
        opened = MesahubClient(server.admin_token, server.base_url, "api", transport=request.param)
    with opened:
        yield opened


@pytest.fixture
def name() -> str:
    return f"bucket-{next(_number)}"


def test_a_buckets_life(client: MesahubClient, name: str) -> None:
    made = client.buckets.create(name, "for tests")
    assert (made["name"], made.get("description")) == (name, "for tests")
    key = made.pop("api_key")  # in this answer alone
    assert str(key).startswith("shk_")
    assert key not in repr(client.buckets.list())
    assert client.buckets.get(made["id"]) == made
    assert client.buckets.get(name) == made
    assert made in client.buckets.list()
    with pytest.raises(ConflictError):
        client.buckets.create(name)
    client.buckets.delete(made["id"])
    assert made not in client.buckets.list()
    with pytest.raises(NotFoundError):
        client.buckets.get(made["id"])
    with pytest.raises(NotFoundError):
        client.buckets.delete(made["id"])


def test_its_files_are_like_a_databases(client: MesahubClient, name: str, tmp_path: Path) -> None:
    made = client.buckets.create(name)
    files = client.bucket(made["id"]).files
    content = bytes(range(256)) * 3000
    record = files.upload(content, "a.txt", folder="x/y", metadata="m")
    assert (record["filename"], record["folder_path"], record["size_bytes"]) == ("a.txt", "x/y", len(content))
    meta = files.meta(record["id"])
    assert {name: meta.get(name) for name in record} == record
    assert files.download(record["id"]) == content
    assert files.download_to(record["id"], tmp_path / "a.txt") == len(content)
    assert client.bucket(name).files.list()["total"] == 1
    assert [file["id"] for file in files.iterate("x")] == [record["id"]]
    with pytest.raises(ConflictError):
        files.upload(b"y", "a.txt", folder="x/y", on_conflict="error")
    with pytest.raises(ValidationError, match="Allowed"):
        files.upload(b"\0", "a.bin")
    other = files.upload(b"z", "b.txt")
    assert files.delete_many([other["id"], "nosuch"]) == {"deleted": 1, "failed": 1}
    files.delete(record["id"])
    with pytest.raises(NotFoundError):
        files.download(record["id"])
    with pytest.raises(NotFoundError):
        client.bucket("nosuch").files.list()
    client.buckets.delete(name)


def test_files_go_with_their_bucket(client: MesahubClient, name: str) -> None:
    first = client.buckets.create(name)
    client.bucket(name).files.upload(b"x", "a.txt")
    client.buckets.delete(name)
    again = client.buckets.create(name)
    assert again["id"] != first["id"]
    assert client.bucket(name).files.list()["files"] == []
    client.buckets.delete(name)


def test_links(server: Server, name: str) -> None:
    with MesahubClient(server.admin_token, server.base_url, "api") as client:
        client.buckets.create(name)
        files = client.bucket(name).files
        link = files.presign_upload("näme.csv", expires_in=60)
        sent = urllib.request.Request(link["upload_url"], b"a,b\n", {"Content-Type": "text/csv"}, method=link["method"])
        with urllib.request.urlopen(sent) as answer:
            assert answer.status == 201
        (record,) = files.list()["files"]
        assert (record["filename"], record["content_type"]) == ("näme.csv", "text/csv")
        with urllib.request.urlopen(files.presign(record["id"])["url"]) as answer:
            assert answer.read() == b"a,b\n"
        with pytest.raises(ArgumentError, match="expires_in"):
            files.presign_upload("a.txt", expires_in=0)
        with pytest.raises(ArgumentError, match="name"):
            files.presign_upload("")
        client.buckets.delete(name)


@pytest.mark.parametrize("wrong", ["", " ", ".", "..", None, 5])
def test_names_are_checked_before_they_are_sent(wrong: Any) -> None:
    class Silent:
        def send(self, request: object, /) -> Any:
            raise AssertionError("nothing may be sent")

        def close(self) -> None:
            pass

    client = MesahubClient(transport=Silent())
    for call in (client.buckets.get, client.buckets.create, client.buckets.delete, client.bucket):
        with pytest.raises(ArgumentError, match="bucket"):
            call(wrong)
