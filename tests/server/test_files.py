"""Files over HTTP: ranges, conditions, forms, and no memory for large ones."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

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


# --- what a file may put into the head of an answer ----------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain\r\nSet-Cookie: a=b",
        "text/plain\nX: y",
        "text/plain\r\n folded",
        "text/plain\0",
        "text/plain\x0b",
        "text/plain; a=\x7f",
        "text/é",
        "text/plain; x=日本",
        "text/\u2028plain",
        "text/",
        "text/a b",
        "text/html, text/plain",
    ],
)
def test_upload_rejects_content_type_that_is_no_header(server: Server, name: str, kind: str) -> None:
    path = f"/api/db/{name}/files"
    assert server.upload(path, b"x", "a.txt", content_type=kind)[0] == 415
    status, record = server.upload(path, b"x", "a.txt", kind)
    if status != 415:
        # A line break ends the part's header: what follows it is another one, which is not looked at.
        assert (status, record["content_type"]) in ((201, "text/plain"), (201, "text/plain folded"))
        headers = server.call("GET", f"{path}/{record['id']}")[1]
        assert "Set-Cookie" not in headers


def test_stored_content_type_of_another_version_is_not_sent(server: Server, db: DatabaseHandle, name: str) -> None:
    file_id = db.files.upload(b"x", "a.txt")["id"]
    with closing(sqlite3.connect(server.data / "catalog.sqlite")) as catalog, catalog:
        catalog.execute("UPDATE files SET content_type = ? WHERE id = ?", ("text/html\r\nSet-Cookie: a=b", file_id))
    status, headers, body = server.call("GET", f"/api/db/{name}/files/{file_id}")
    assert (status, headers["Content-Type"], body) == (200, "application/octet-stream", b"x")
    assert "Set-Cookie" not in headers


@pytest.mark.parametrize(
    "filename", ["a\r\nX: y.txt", "a\0b.txt", 'a"; x="b.txt', "a\x1b[2J.txt", "a\x7fb.txt", "日本\r.txt", "\\\"';.txt"]
)
def test_filename_cannot_end_content_disposition(server: Server, name: str, filename: str) -> None:
    status, record = server.upload(f"/api/db/{name}/files", b"x", "a.txt", filename=filename)
    assert status == 201
    _, headers, body = server.call("GET", f"/api/db/{name}/files/{record['id']}")
    assert body == b"x"
    assert "X" not in headers
    kind, _, shown = headers["Content-Disposition"].partition('; filename="')
    assert kind == "inline"
    assert not set(shown[:-1]) & set('";\\\r\n\0\x1b\x7f')
    exported = server.call("POST", f"/api/db/{name}/export", {"tables": ["t"], "filename": filename})
    assert (exported[0], "X" in exported[1]) == (200, False)


@pytest.mark.parametrize(
    ("kind", "sandboxed"),
    [
        ("text/html", True),
        ("text/html; charset=utf-8", True),
        ("image/svg+xml", True),
        ("image/SVG+xml", True),
        ("text/xml", True),
        ("text/xsl", True),
        ("text/javascript", True),
        ("image/x+xml", True),
        ("text/plain", False),
        ("image/png", False),
        ("application/pdf", False),
        ("video/mp4", False),
    ],
)
def test_active_content_is_sandboxed(server: Server, name: str, kind: str, sandboxed: bool) -> None:
    status, record = server.upload(f"/api/db/{name}/files", b"<script>", "a", kind)
    assert status == 201
    path = f"/api/db/{name}/files/{record['id']}"
    link = json.loads(server.call("POST", f"{path}/presign", {"disposition": "inline"})[2])["url"]
    for method, target in (("GET", path), ("HEAD", path), ("GET", link.partition(str(server.port))[2])):
        status, headers, _ = server.call(method, target)
        assert status == 200
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert ("sandbox" in headers.get("Content-Security-Policy", "")) is sandboxed


def test_upload_trims_names_as_the_real_server_does(server: Server, name: str) -> None:
    record = server.upload(f"/api/db/{name}/files", b"x", "  a.txt ", folder_path=" /b/c/ ")[1]
    assert (record["filename"], record["folder_path"]) == ("a.txt", "b/c")


@pytest.mark.parametrize("number", ["9" * 5000, str(2**63), str(10**18), "-1", "1e3", "\u0661"])
def test_upload_and_list_ignore_numbers_that_make_no_sense(server: Server, name: str, number: str) -> None:
    status, record = server.upload(f"/api/db/{name}/files", b"x", "a.txt", expires_in=number)
    assert (status, record["expires_at"]) == (201, None)
    target = f"/api/db/{name}/files?offset={quote(number)}&limit={quote(number)}"
    assert server.call("GET", target)[0] == 200
