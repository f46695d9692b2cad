"""Uploads: what may be given, what it is called, what is refused, and how it travels."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path
from typing import Any

import pytest

import mesahub
from mesahub import AmbiguousResultError, ArgumentError, ConflictError, DatabaseHandle, RetryPolicy, ValidationError
from tests.faults.proxy import FaultProxy
from tests.servers import Server

CONTENT = bytes(range(256)) * 3000


class Seekless(io.RawIOBase):
    """A stream that can be read once, as a pipe or a socket."""

    def __init__(self, content: bytes) -> None:
        self._source = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._source.readinto(buffer)


def test_everything_that_can_be_uploaded(server_db: DatabaseHandle, tmp_path: Path) -> None:
    path = tmp_path / "content.txt"
    path.write_bytes(CONTENT)
    with path.open("rb") as file:
        givens: list[Any] = [CONTENT, bytearray(CONTENT), memoryview(CONTENT), path, str(path), file]
        givens += [io.BytesIO(CONTENT), Seekless(CONTENT), io.BufferedReader(Seekless(CONTENT))]
        for given in givens:
            record = server_db.files.upload(given, "a.txt")
            assert record["size_bytes"] == len(CONTENT)
            assert server_db.files.download(record["id"]) == CONTENT
        assert not file.closed


def test_a_pipe_can_be_uploaded(server_db: DatabaseHandle) -> None:
    read, write = os.pipe()

    def feed() -> None:
        with os.fdopen(write, "wb") as file:
            file.write(CONTENT)

    feeder = threading.Thread(target=feed)
    feeder.start()
    with os.fdopen(read, "rb") as pipe:
        record = server_db.files.upload(pipe, "a.txt")
    feeder.join()
    assert server_db.files.download(record["id"]) == CONTENT


def test_an_open_file_is_sent_from_where_it_stands(server_db: DatabaseHandle) -> None:
    file = io.BytesIO(CONTENT)
    file.seek(1000)
    assert server_db.files.download(server_db.files.upload(file, "a.txt")["id"]) == CONTENT[1000:]
    assert server_db.files.upload(file, "a.txt")["size_bytes"] == 0


def test_names(server_db: DatabaseHandle, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"a,b\n")
    with path.open("rb") as file:
        for given in (path, str(path), file):
            record = server_db.files.upload(given)
            assert (record["filename"], record["content_type"]) == ("table.csv", "text/csv")
    assert server_db.files.upload(b"x", "a.txt", "")["content_type"] in ("", None)
    with pytest.raises(ArgumentError, match="filename="):
        server_db.files.upload(b"x")
    with pytest.raises(ArgumentError, match="filename="):
        server_db.files.upload(io.BytesIO(b"x"))


@pytest.mark.parametrize(
    ("filename", "content_type"),
    [
        ("a.txt", "text/plain"),
        ("a.PNG", "image/png"),
        ("a.json", "application/json"),
        ("a.xml", "text/xml"),
        ("a.js", "text/javascript"),
        ("a.tar.gz", "application/gzip"),
        ("a.zip", "application/zip"),
        ("a.mp4", "video/mp4"),
        ("naïve 日本.md", "text/markdown"),
        ("noextension", "application/octet-stream"),
        ("a.bz2", "application/octet-stream"),
    ],
)
def test_the_type_follows_from_the_name(filename: str, content_type: str) -> None:
    from mesahub._calls.uploads import guess_content_type

    assert guess_content_type(filename) == content_type


def test_a_type_that_is_not_stored_is_explained(server_db: DatabaseHandle) -> None:
    with pytest.raises(
        ValidationError, match=r"application/octet-stream.*Allowed.*text/\*.*application/gzip"
    ) as caught:
        server_db.files.upload(b"\0", "a.bin")
    assert caught.value.status_code == 415
    assert caught.value.details["error"] == "file MIME type is not permitted"
    with pytest.raises(ValidationError, match="does not look like 'text/plain'"):
        server_db.files.upload(b"%PDF-1.7", "a.txt")


def test_what_is_refused_before_it_is_sent(server_db: DatabaseHandle, tmp_path: Path) -> None:
    upload: Any = server_db.files.upload
    text = tmp_path / "a.txt"
    text.write_text("a")
    with text.open() as file, pytest.raises(ArgumentError, match="binary"):
        upload(file)
    with pytest.raises(ArgumentError, match=r"text\.encode"):
        upload("hello", "a.txt")
    for given in (5, None, ["a"], tmp_path, io.StringIO("a"), tmp_path / "nosuch"):
        with pytest.raises(ArgumentError):
            upload(given, "a.txt")
    closed = io.BytesIO(b"x")
    closed.close()
    with pytest.raises(ArgumentError):
        upload(closed, "a.txt")
    for wrong in (
        {"filename": ""},
        {"filename": 5},
        {"filename": "a\ud800.txt"},
        {"content_type": "text/plain\r\nX: y"},
        {"folder": "a/../b"},
        {"folder": "\ud800"},
        {"folder": 5},
        {"metadata": "\ud800"},
        {"content_type": 5},
        {"on_conflict": "ignore"},
        {"metadata": {"a": 1}},
        {"metadata": "é" * 2049},
        {"expires_in": 0},
        {"expires_in": 1.5},
        {"expires_in": True},
    ):
        with pytest.raises(ArgumentError):
            upload(b"x", **{"filename": "a.txt", **wrong})
    assert server_db.files.list()["total"] == 0


def test_what_is_kept_with_a_file(server_db: DatabaseHandle) -> None:
    given: dict[str, Any] = {"folder": "/a/b/", "metadata": '{"k": "é\r\n"}', "expires_in": 3600}
    record = server_db.files.upload(b"x", "a.txt", **given)
    assert (record["folder_path"], record["metadata"]) == ("a/b", '{"k": "é\r\n"}')
    assert record["expires_at"] is not None
    assert record["expires_at"] > record["uploaded_at"]
    assert server_db.files.meta(record["id"]) == record
    with pytest.raises(ConflictError):
        server_db.files.upload(b"y", "a.txt", folder="a/b", on_conflict="error")
    assert server_db.files.upload(b"y", "a.txt", on_conflict="error")["folder_path"] == ""


@pytest.mark.parametrize("transport", ["urllib", "requests", "urllib3", "embedded"])
def test_progress_counts_up_to_the_length(transport: str, server: Server, tmp_path: Path) -> None:
    url = "mh://local/main" if transport == "embedded" else server.url(server.new_database(f"up-{transport}"))
    options: dict[str, Any] = {"data": str(tmp_path / "data")} if transport == "embedded" else {}
    steps: list[tuple[int, int | None]] = []
    with mesahub.connect(url, transport=transport, **options) as db:
        db.files.upload(CONTENT, "a.txt", progress=lambda *step: steps.append(step))
    assert [done for done, _ in steps] == sorted({done for done, _ in steps})
    assert {total for _, total in steps} == {len(CONTENT)}
    assert steps[-1][0] == len(CONTENT)
    assert len(steps) > 1


def test_a_file_that_shrinks_on_its_way_is_told(server_db: DatabaseHandle, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(CONTENT)

    def cut(done: int, total: int | None) -> None:
        os.truncate(path, done)

    with pytest.raises((ArgumentError, AmbiguousResultError)) as caught:
        server_db.files.upload(path, progress=cut)
    assert "changed" in str(caught.value) or "changed" in str(caught.value.__cause__)
    assert server_db.files.list()["total"] == 0


@pytest.mark.parametrize("transport", ["urllib", "requests", "urllib3"])
def test_an_upload_is_repeated_where_that_is_safe(transport: str, server: Server) -> None:
    name = server.new_database(f"repeat-{transport}")
    proxy = FaultProxy(server.host, server.port)
    url = server.url(name).replace(f":{server.port}/", f":{proxy.port}/")
    policy = RetryPolicy(attempts=8, backoff=0.001)
    try:
        with mesahub.connect(url, transport=transport, retry=policy, timeout=10) as db:
            proxy.play(1, {"throttle_with_time": 1, "none": 2})
            for number in range(5):
                # Refused by the server: sent again whatever it is; what cannot be rewound is kept aside for that.
                given: Any = Seekless(CONTENT) if number % 2 else CONTENT
                db.files.upload(given, f"{number}.txt")
            proxy.play(2, {"reset_after": 1})
            with pytest.raises(AmbiguousResultError):
                db.files.upload(CONTENT, "lost.txt")
            proxy.play(5, {"reset_after": 1, "none": 1})
            record = db.files.upload(CONTENT, "twice.txt", idempotent=True)
            proxy.play(4, {"none": 1})
            assert db.files.download(record["id"]) == CONTENT
            names = sorted(file["filename"] for file in db.files.iterate())
            assert names == sorted([*(f"{number}.txt" for number in range(5)), "lost.txt", "twice.txt"])
    finally:
        proxy.close()
