"""The file store: contents by their hash, written whole or not at all, gone with their last name."""

from __future__ import annotations

import hashlib
import io
import os
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import mesahub
from mesahub import ConflictError, DatabaseHandle, MesahubError, NotFoundError, ValidationError
from mesahub_embedded.storage.data_folder import Store

MEGABYTE = 1024 * 1024


def blobs(data: Path) -> list[str]:
    return sorted(path.name for path in (data / "blobs").rglob("*") if path.is_file())


def test_a_content_is_named_after_its_hash_and_kept_once(db: DatabaseHandle, data: Path) -> None:
    one = db.files.upload(b"same", "one.txt")
    two = db.files.upload(b"same", "two.txt", folder="b")
    assert blobs(data) == [hashlib.sha256(b"same").hexdigest()]
    db.files.delete(one["id"])
    assert db.files.download(two["id"]) == b"same"
    db.files.delete(two["id"])
    assert blobs(data) == []


def test_a_replaced_content_goes(db: DatabaseHandle, data: Path) -> None:
    old = db.files.upload(b"old", "a.txt")
    new = db.files.upload(b"new", "a.txt")
    assert blobs(data) == [hashlib.sha256(b"new").hexdigest()]
    with pytest.raises(NotFoundError):
        db.files.download(old["id"])
    same = db.files.upload(b"new", "a.txt")
    assert same["id"] != new["id"]
    assert db.files.download(same["id"]) == b"new"


def test_a_refused_upload_leaves_nothing(db: DatabaseHandle, data: Path) -> None:
    db.files.upload(b"one", "a.txt")
    kept = blobs(data)
    with pytest.raises(ConflictError):
        db.files.upload(b"two", "a.txt", on_conflict="error")
    with pytest.raises(ValidationError):
        db.files.upload(b"\0", "b.bin")
    with pytest.raises(ValidationError, match="detected"):
        db.files.upload(b"%PDF-1.7", "c.txt")
    assert blobs(data) == kept
    assert db.files.list()["total"] == 1


def test_an_upload_that_breaks_off_leaves_nothing(db: DatabaseHandle, data: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 0:
                raise OSError("the disk is gone")
            return super().read(size)

    with pytest.raises((OSError, MesahubError)):
        db.files.upload(Broken(b"x" * MEGABYTE), "a.txt")
    assert blobs(data) == []
    assert db.files.list()["total"] == 0


def test_listing_pages_sorts_and_filters(db: DatabaseHandle) -> None:
    for name, folder in (("b.txt", "docs"), ("a.txt", "docs/2024"), ("c.csv", "docs-old"), ("d.txt", None)):
        db.files.upload(name.encode() * len(name), name, folder=folder)
    names = [file["filename"] for file in db.files.list(sort="filename", order="asc")["files"]]
    assert names == ["a.txt", "b.txt", "c.csv", "d.txt"]
    page = db.files.list(2, 1, sort="filename", order="desc")
    assert [file["filename"] for file in page["files"]] == ["c.csv", "b.txt"]
    assert (page["total"], page["limit"], page["offset"]) == (4, 2, 1)
    assert db.files.list(folder_prefix="docs")["total"] == 3
    assert db.files.list(folder_prefix="docs/")["total"] == 1
    assert [file["filename"] for file in db.files.iterate(page_size=1)] == ["b.txt", "a.txt", "c.csv", "d.txt"]


def test_files_of_two_databases_are_apart(data: Path) -> None:
    with mesahub.MesahubClient(transport="embedded", data=str(data)) as client:
        record = client.db("one").files.upload(b"x", "a.txt")
        with pytest.raises(NotFoundError):
            client.db("two").files.download(record["id"])
        with pytest.raises(NotFoundError):
            client.db("two").files.delete(record["id"])
        assert client.db("two").files.list()["files"] == []
        assert client.db("one").files.delete_many([record["id"], "nosuch"]) == {"deleted": 1, "failed": 1}


def test_a_large_file_takes_no_memory(db: DatabaseHandle, tmp_path: Path) -> None:
    source = tmp_path / "large.txt"
    with source.open("wb") as file:
        file.truncate(100 * MEGABYTE)
    target = tmp_path / "copy.txt"
    tracemalloc.start()
    try:
        record = db.files.upload(source)
        written = db.files.download_to(record["id"], target)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert written == target.stat().st_size == 100 * MEGABYTE
    assert peak < 16 * MEGABYTE


def test_a_file_beyond_the_limit_is_refused(db: DatabaseHandle, tmp_path: Path, data: Path) -> None:
    source = tmp_path / "large.txt"
    with source.open("wb") as file:
        file.truncate(100 * MEGABYTE + 1)
    with pytest.raises(ValidationError, match="104857600") as caught:
        db.files.upload(source)
    assert caught.value.status_code == 413
    assert blobs(data) == []


def test_threads_that_store_and_remove_the_same_content(db: DatabaseHandle, data: Path) -> None:
    def run(number: int) -> None:
        for _ in range(5):
            record = db.files.upload(b"shared", f"{number}.txt")
            assert db.files.download(record["id"]) == b"shared"
            db.files.delete(record["id"])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, range(4)))
    assert blobs(data) == []


def test_a_forgotten_content_is_not_found(db: DatabaseHandle, data: Path) -> None:
    record = db.files.upload(b"gone", "a.txt")
    next(path for path in (data / "blobs").rglob("*") if path.is_file()).unlink()
    with pytest.raises(NotFoundError):
        db.files.download(record["id"])


def test_two_processes_see_each_others_files(data: Path) -> None:
    stores = [Store(data), Store(data)]
    try:
        with mesahub.connect("mh://local/shop", data=str(data)) as db:
            record = db.files.upload(b"x", "a.txt")
        for store in stores:
            assert store.files.get("shop", record["id"])["size_bytes"] == 1
    finally:
        for store in stores:
            store.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_has_its_own_connections(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (n)")
    record = db.files.upload(b"x", "a.txt")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            db.exec("INSERT INTO t VALUES (1)")
            assert db.query("SELECT n FROM t").rows == [{"n": 1}]
            assert db.files.download(record["id"]) == b"x"
            db.files.upload(b"y", "b.txt")
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert db.query("SELECT n FROM t").rows == [{"n": 1}]
    assert db.files.list()["total"] == 2
