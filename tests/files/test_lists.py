"""Lists, pages, links and deletions; in either shape that servers answer in."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any

import pytest

import mesahub
from mesahub import ArgumentError, DatabaseHandle, MesahubClient, NotFoundError, RetryPolicy, ServerError
from mesahub.transport import Request, Response


class Scripted:
    """A transport that answers from a list."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.seen: list[Request] = []

    def send(self, request: Request, /) -> Response:
        self.seen.append(request)
        answer = self.answers.pop(0)
        return answer if isinstance(answer, Response) else Response(200, payload=answer)

    def close(self) -> None:
        pass


GO = {
    "Files": [
        {
            "ID": "1",
            "DBName": "main",
            "ContentHash": "ab" * 32,
            "Filename": "a.txt",
            "FolderPath": "docs",
            "ContentType": {"String": "text/plain", "Valid": True},
            "SizeBytes": 5,
            "StoragePath": "/data/x",
            "UploadedAt": "2026-11-23T17:28:07Z",
            "ExpiresAt": {"String": "", "Valid": False},
            "Metadata": {"String": "m", "Valid": True},
        }
    ],
    "Total": 7,
    "Offset": 2,
    "Limit": 1,
}
RECORD = {
    "id": "1",
    "filename": "a.txt",
    "folder_path": "docs",
    "size_bytes": 5,
    "content_type": "text/plain",
    "uploaded_at": "2026-11-23T17:28:07Z",
    "expires_at": None,
    "metadata": "m",
    "content_hash": "ab" * 32,
    "url": "/api/db/main/files/1",
}


def test_both_shapes_of_a_list_are_one() -> None:
    transport = Scripted(GO, {"files": [RECORD], "total": 7, "limit": 1, "offset": 2})
    db = MesahubClient(transport=transport).db("main")
    expected = {"files": [RECORD], "total": 7, "limit": 1, "offset": 2}
    assert db.files.list(1, 2, "docs", sort="filename", order="asc") == expected
    assert db.files.list(1, 2) == expected
    assert transport.seen[0].params == (
        ("limit", "1"),
        ("offset", "2"),
        ("folder_prefix", "docs"),
        ("sort", "filename"),
        ("order", "asc"),
    )


@pytest.mark.parametrize("answer", [{"Files": None, "Total": 0, "Offset": 0, "Limit": 100}, {"files": []}, {}])
def test_an_empty_list(answer: dict[str, Any]) -> None:
    listed = MesahubClient(transport=Scripted(answer)).db("main").files.list()
    assert listed == {"files": [], "total": 0, "limit": 100, "offset": 0}


@pytest.mark.parametrize("response", [Response(200, content=b"<html>"), Response(200, content=b"[]"), Response(200)])
def test_what_is_no_list(response: Response) -> None:
    with pytest.raises(ServerError, match="expected"):
        MesahubClient(transport=Scripted(response), retry=RetryPolicy.none()).db("main").files.list()


def test_pages(server_db: DatabaseHandle) -> None:
    ids = [server_db.files.upload(bytes([65 + n]), f"{n}.txt", folder="p" if n % 2 else None)["id"] for n in range(7)]
    for size in (1, 2, 7, 1000):
        assert [file["id"] for file in server_db.files.iterate(page_size=size)] == ids
    assert [file["id"] for file in server_db.files.iterate("p", page_size=2)] == ids[1::2]
    for wrong in (0, 1001, -1):
        with pytest.raises(ArgumentError, match="page_size"):
            next(server_db.files.iterate(page_size=wrong))


def test_links_work_without_a_key(server_db: DatabaseHandle) -> None:
    record = server_db.files.upload(b"hello", "a.txt")
    link = server_db.files.presign(record["id"], 60, disposition="attachment")
    assert link["expires_in"] == 60
    with urllib.request.urlopen(link["url"]) as answer:
        assert answer.read() == b"hello"
        assert answer.headers["Content-Disposition"].startswith("attachment")
    assert server_db.files.presign(record["id"])["expires_in"] == 30 * 86400
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(link["url"].replace("token=", "token=x"))
    assert caught.value.code == 401
    caught.value.close()
    with pytest.raises(NotFoundError):
        server_db.files.presign("nosuch")
    with pytest.raises(ArgumentError, match="expires_in"):
        server_db.files.presign(record["id"], -1)


def test_deleting(server_db: DatabaseHandle) -> None:
    ids = [server_db.files.upload(bytes([65 + n]), f"{n}.txt")["id"] for n in range(4)]
    server_db.files.delete(ids[0])
    with pytest.raises(NotFoundError):
        server_db.files.delete(ids[0])
    assert server_db.files.delete_many([ids[0], *ids[1:3]]) == {"deleted": 2, "failed": 1}
    assert server_db.files.delete_many(file["id"] for file in server_db.files.iterate()) == {"deleted": 1, "failed": 0}
    assert server_db.files.delete_many([]) == {"deleted": 0, "failed": 0}
    with pytest.raises(ArgumentError, match="a list of ids"):
        server_db.files.delete_many("abc")


def test_many_ids_go_in_several_requests() -> None:
    # At most 100 are taken at once (docs/protocol.md, end).
    transport = Scripted({"deleted": 100, "failed": 0}, {"deleted": 100, "failed": 0}, {"deleted": 0, "failed": 5})
    files = mesahub.MesahubClient(transport=transport).db("main").files
    assert files.delete_many(str(n) for n in range(205)) == {"deleted": 200, "failed": 5}
    assert [len(request.payload["ids"]) for request in transport.seen] == [100, 100, 5]
