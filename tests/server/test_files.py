"""Files over HTTP: ranges, conditions, forms, and no memory for large ones."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
from pathlib import Path

import pytest

import mesahub
from mesahub import DatabaseHandle
from tests.servers import Server

MEGABYTE = 1024 * 1024
DATA = bytes(range(256)) * 40


@pytest.fixture
def path(db: DatabaseHandle, name: str) -> str:
    """The path of a file on the server."""
    record = db.files.upload(DATA, "numbers.txt")
    return f"/api/db/{name}/files/{record['id']}"


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=2-4", 2, 5),
        ("bytes=10-", 10, None),
        ("bytes=-10", len(DATA) - 10, None),
        ("bytes=10-999999", 10, None),
        ("bytes=-999999", 0, None),
    ],
)
def test_ranges(server: Server, path: str, asked: str, start: int, end: int | None) -> None:
    status, headers, body = server.call("GET", path, headers={"Range": asked})
    assert (status, body) == (206, DATA[start:end])
    assert headers["Content-Range"] == f"bytes {start}-{start + len(body) - 1}/{len(DATA)}"


def test_ranges_that_cannot_be(server: Server, path: str) -> None:
    for asked in ("bytes=20000-", "bytes=-0"):
        status, headers, _ = server.call("GET", path, headers={"Range": asked})
        assert (status, headers["Content-Range"]) == (416, f"bytes */{len(DATA)}")
    for asked in ("bytes=4-2", "lines=1-2", "bytes=1-2,4-5", "bytes=-"):
        assert server.call("GET", path, headers={"Range": asked})[0::2] == (200, DATA)


def test_conditions(server: Server, path: str) -> None:
    headers = server.call("GET", path)[1]
    for condition in (
        {"If-None-Match": headers["Etag"]},
        {"If-Modified-Since": headers["Last-Modified"]},
        {"If-Modified-Since": "Wed, 01 Jan 2031 00:00:00 GMT"},
    ):
        assert server.call("GET", path, headers=condition)[0::2] == (304, b"")
    for condition in ({"If-None-Match": '"other"'}, {"If-Modified-Since": "Wed, 01 Jan 2020 00:00:00 GMT"}):
        assert server.call("GET", path, headers=condition)[0] == 200
    half = {"Range": "bytes=0-1"}
    assert server.call("GET", path, headers={**half, "If-Range": headers["Etag"]})[0] == 206
    assert server.call("GET", path, headers={**half, "If-Range": headers["Last-Modified"]})[0] == 206
    assert server.call("GET", path, headers={**half, "If-Range": '"other"'})[0::2] == (200, DATA)


def test_the_head_is_that_of_the_file(server: Server, path: str) -> None:
    status, headers, body = server.call("HEAD", path)
    assert (status, body, headers["Content-Length"]) == (200, b"", str(len(DATA)))
    assert headers["X-Content-Hash"] == hashlib.sha256(DATA).hexdigest()
    assert headers["Content-Disposition"] == 'inline; filename="numbers.txt"'
    assert server.call("HEAD", path + "x")[0] == 404


@pytest.mark.parametrize("filename", ["naïve 日本.txt", 'q"uo;te\\.txt', "a b.txt", "percent%20.txt", "%22.txt"])
def test_names_of_every_kind(db: DatabaseHandle, filename: str) -> None:
    record = db.files.upload(b"x", filename, "text/plain")
    assert record["filename"] == filename
    assert db.files.meta(record["id"])["filename"] == filename
    assert db.files.download(record["id"]) == b"x"


@pytest.mark.parametrize("size", [0, 1, 262_143, 262_144, 262_145, 700_001])
def test_every_size_comes_back_whole(db: DatabaseHandle, size: int) -> None:
    # Beginnings of the form's boundary are in it, at the edges of the pieces too.
    data = (b"\r\n--mesahub-\r\n--" * (size // 16 + 1))[:size]
    assert db.files.download(db.files.upload(data, "a.txt")["id"]) == data


def form(*parts: bytes, end: bytes = b"\r\n--B--\r\n") -> bytes:
    return b"--B\r\n" + b"\r\n--B\r\n".join(parts) + end


FILE = b'Content-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nhello'


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (form(FILE), 201),
        (b"preamble\r\n" + form(FILE) + b"epilogue", 201),
        (form(FILE, b'Content-Disposition: form-data; name="metadata"\r\n\r\nafter the file'), 201),
        (form(FILE.replace(b"hello", b"")), 201),
        (form(FILE, end=b""), 400),
        (form(b'Content-Disposition: form-data; name="x"\r\n\r\ny'), 400),
        (form(FILE.replace(b'name="file"', b'name="other"')), 400),
        (form(FILE.replace(b'filename="a.txt"', b'filename=""')), 400),
        (form(b"Content-Type: text/plain\r\n\r\nno name"), 400),
        (form(b"x" * 70_000), 400),
        (b"no form", 400),
        (b"", 400),
    ],
)
def test_forms(server: Server, name: str, body: bytes, status: int) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    answer = server.call("POST", f"/v1/files/{name}", body=body, headers=headers)
    assert answer[0] == status, answer
    listed = json.loads(server.call("GET", f"/v1/files/{name}")[2])
    assert listed["Total"] == (1 if status == 201 else 0)
    assert not list((server.data / "blobs").glob("incoming-*"))


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data", "multipart/mixed; boundary=B", ""])
def test_what_is_no_form(server: Server, name: str, kind: str) -> None:
    headers = {"Content-Type": kind} if kind else {}
    assert server.call("POST", f"/v1/files/{name}", body=form(FILE), headers=headers)[0] == 400


def test_a_bad_list_to_delete(server: Server, name: str) -> None:
    payloads: list[dict[str, object]] = [{}, {"ids": []}, {"ids": "x"}, {"ids": [1]}]
    for payload in payloads:
        assert server.call("POST", f"/api/db/{name}/files/bulk-delete", payload)[0] == 400
    assert server.call("DELETE", f"/api/db/{name}/files/nosuch")[0] == 404


def resident(process: int, which: str) -> int:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(which):
            return int(line.split()[1]) * 1024
    raise AssertionError(which)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc here")
def test_a_large_file_takes_no_memory_in_the_server(tmp_path: Path) -> None:
    from tests.servers import start_server

    source = tmp_path / "large.txt"
    with source.open("wb") as file:
        file.truncate(100 * MEGABYTE)
    with start_server(tmp_path / "data") as server, mesahub.connect(server.url("main")) as db:
        db.files.download(db.files.upload(b"x" * MEGABYTE, "warm.txt")["id"])
        before = resident(server.process.pid, "VmRSS")
        record = db.files.upload(source)
        assert db.files.download_to(record["id"], tmp_path / "copy.txt") == 100 * MEGABYTE
        assert resident(server.process.pid, "VmHWM") - before < 16 * MEGABYTE


def test_a_caller_that_goes_away_amid_a_download(server: Server, db: DatabaseHandle, name: str) -> None:
    record = db.files.upload(os.urandom(8 * MEGABYTE), "a.txt")
    headers = {"Authorization": f"Bearer {server.admin_token}"}
    for _ in range(5):
        connection = http.client.HTTPConnection(server.host, server.port, timeout=30)
        connection.request("GET", f"/api/db/{name}/files/{record['id']}", headers=headers)
        connection.getresponse().read(1000)
        connection.close()
    assert len(db.files.download(record["id"])) == 8 * MEGABYTE
    folder = Path(f"/proc/{server.process.pid}/fd")
    if folder.exists():
        digest = db.files.list()["files"][0].get("content_hash", "")
        assert sum(digest in os.readlink(link) for link in folder.iterdir() if link.is_symlink()) <= 1
