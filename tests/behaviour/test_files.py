"""Files beside a database."""

from __future__ import annotations

import pytest

from mesahub import ConflictError, DatabaseHandle, NotFoundError


def test_a_file_goes_in_and_comes_out(db: DatabaseHandle) -> None:
    data = bytes(range(256)) * 300
    record = db.files.upload(data, "numbers.txt", "text/plain", folder="a/b", metadata="m")
    assert record["filename"] == "numbers.txt"
    assert record["folder_path"] == "a/b"
    assert record["size_bytes"] == len(data)
    assert db.files.download(record["id"]) == data
    listing = db.files.list(limit=10, folder_prefix="a")
    assert listing["total"] == 1
    assert [(f["id"], f["filename"], f["metadata"]) for f in listing["files"]] == [(record["id"], "numbers.txt", "m")]
    db.files.delete(record["id"])
    with pytest.raises(NotFoundError):
        db.files.download(record["id"])


def test_the_content_type_follows_from_the_name(db: DatabaseHandle) -> None:
    record = db.files.upload(b"a,b\n", "table.csv")
    assert record["content_type"] == "text/csv"


def test_an_empty_list_is_a_list(db: DatabaseHandle) -> None:
    assert db.files.list()["files"] == []


def test_a_name_that_is_taken_can_be_an_error(db: DatabaseHandle) -> None:
    db.files.upload(b"one", "a.txt")
    with pytest.raises(ConflictError):
        db.files.upload(b"two", "a.txt", on_conflict="error")
    replaced = db.files.upload(b"three", "a.txt")
    assert db.files.download(replaced["id"]) == b"three"


def test_a_type_that_the_server_does_not_take_is_explained(db: DatabaseHandle) -> None:
    from mesahub import MesahubError

    with pytest.raises(MesahubError, match="text/\\*"):
        db.files.upload(b"\x00", "a.bin", "application/octet-stream")
    assert db.files.list()["total"] == 0
