"""Links and tokens that work without a key: their secret, what they open, and the address they name."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from mesahub import DatabaseHandle
from mesahub_embedded.engine.errors import RefusedError
from mesahub_embedded.server.origin import Origin
from mesahub_embedded.storage import signed_links
from mesahub_embedded.storage.data_folder import Store
from tests.servers import Server, start_server


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path)
    yield opened
    opened.close()


FOREIGN = ["evil.example", "evil.example:80", "localhost@evil.example", "localhost/x", "localhost.evil.example", "["]


def presigned(server: Server, name: str, file_id: str, **fields: Any) -> dict[str, Any]:
    status, _, body = server.call("POST", f"/api/db/{name}/files/{file_id}/presign", fields)
    assert status == 200, body
    answer: dict[str, Any] = json.loads(body)
    return answer


def path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33])
def test_secret_of_another_length_is_refused(store: Store, content: bytes) -> None:
    (store.data / "links.secret").write_bytes(content)
    with pytest.raises(RefusedError, match=r"links\.secret") as caught:
        signed_links.make(store, signed_links.FILE, "shop", "1", None)
    assert caught.value.status == 500
    with pytest.raises(RefusedError, match=r"links\.secret"):
        signed_links.check(store, "anything.anything", signed_links.FILE, "shop", "1")
    assert (store.data / "links.secret").read_bytes() == content


@pytest.mark.parametrize("failing", ["write", "fsync", "replace"])
def test_secret_is_whole_or_absent_after_a_full_disk(
    store: Store, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        if failing == "write":
            patch.setattr("secrets.token_bytes", full)
        elif failing == "fsync":
            patch.setattr("os.fsync", full)
        else:
            patch.setattr(Path, "replace", full)
        with pytest.raises(OSError, match="No space"):
            signed_links.make(store, signed_links.FILE, "shop", "1", None)
    assert [path.name for path in store.data.iterdir() if path.name.startswith("links.secret")] == []
    link = signed_links.make(store, signed_links.FILE, "shop", "1", None)
    signed_links.check(store, link.token, signed_links.FILE, "shop", "1")
    secret = store.data / "links.secret"
    assert len(secret.read_bytes()) == signed_links.SECRET_BYTES
    if os.name == "posix":
        assert secret.stat().st_mode & 0o777 == 0o600


def test_link_opens_only_what_it_was_made_for(store: Store) -> None:
    kinds = (signed_links.FILE, signed_links.FILES, signed_links.UPLOAD)
    places = [(kind, namespace, target) for kind in kinds for namespace in ("a", "bucket:a") for target in ("", "b")]
    for place in places:
        link = signed_links.make(store, *place, 60)
        for other in places:
            if other == place:
                signed_links.check(store, link.token, *other)
            else:
                with pytest.raises(RefusedError, match="Missing or invalid"):
                    signed_links.check(store, link.token, *other)


@pytest.mark.parametrize("token", ["", ".", "a.b", "\udcff.\udcff", "é.é", "W10=.", "." * 10_000])
def test_forged_link_is_refused(store: Store, token: str) -> None:
    with pytest.raises(RefusedError, match="Missing or invalid"):
        signed_links.check(store, token, signed_links.FILE, "shop", "1")


def test_presign_clamps_and_overflows_as_the_real_server_does(db: DatabaseHandle, server: Server) -> None:
    file_id = db.files.upload(b"x", "a.txt")["id"]
    assert presigned(server, db.name, file_id, expires_in=1)["expires_in"] == 60
    assert presigned(server, db.name, file_id)["expires_in"] == 30 * 86400
    far = presigned(server, db.name, file_id, expires_in=10**18)
    assert far["expires_at"].startswith("1807-")
    assert server.call("GET", path_of(far["url"]), token="")[0] == 401


def test_link_to_another_file_or_the_list_is_refused(db: DatabaseHandle, server: Server, name: str) -> None:
    first, second = (db.files.upload(content, f"{content!r}.txt")["id"] for content in (b"1", b"2"))
    path = path_of(presigned(server, name, first)["url"])
    assert server.call("GET", path, token="")[0::2] == (200, b"1")
    assert server.call("GET", path.replace(first, second), token="")[0] == 401
    token = path.partition("token=")[2].partition("&")[0]
    assert server.call("GET", f"/api/db/{name}/files?token={token}", token="")[0] == 401


def test_link_of_an_inactive_database_is_refused(db: DatabaseHandle, server: Server, name: str) -> None:
    path = path_of(presigned(server, name, db.files.upload(b"x", "a.txt")["id"])["url"])
    for status, expected in (("inactive", 503), ("active", 200)):
        server.call("PATCH", f"/api/db/{name}", {"action": "set_status", "status": status})
        assert server.call("GET", path, token="")[0] == expected
    assert server.call("DELETE", f"/api/db/{name}")[0] == 200
    assert server.call("GET", path, token="")[0] == 404


@pytest.mark.parametrize("kind", ["presign", "batch", "bucket", "upload"])
@pytest.mark.parametrize("host", FOREIGN)
def test_links_never_name_a_foreign_host(db: DatabaseHandle, server: Server, name: str, kind: str, host: str) -> None:
    headers = {"Host": host}
    if kind in ("presign", "batch"):
        file_id = db.files.upload(b"x", "a.txt")["id"]
        tail = f"{file_id}/presign" if kind == "presign" else "presign/batch"
        answer = server.call("POST", f"/api/db/{name}/files/{tail}", {"ids": [file_id]}, headers=headers)
    else:
        server.call("POST", "/api/buckets", {"name": name, "slug": name})
        record = server.upload(f"/api/buckets/{name}/files", b"x", "a.txt")[1]
        tail = f"{record['id']}/presign" if kind == "bucket" else "presign-upload"
        answer = server.call("POST", f"/api/buckets/{name}/files/{tail}", {"filename": "a.txt"}, headers=headers)
    status, _, body = answer
    assert status == 200, body
    assert f"//{host}" not in body.decode()
    assert f'"{server.base_url}/' in body.decode()


def test_links_begin_with_the_host_of_the_caller_if_it_is_this_machine(db: DatabaseHandle, server: Server) -> None:
    file_id = db.files.upload(b"x", "a.txt")["id"]
    path = f"/api/db/{db.name}/files/{file_id}/presign"
    for host in (f"localhost:{server.port}", "127.0.0.1:81", f"[::1]:{server.port}"):
        url = json.loads(server.call("POST", path, {}, headers={"Host": host})[2])["url"]
        assert url.startswith(f"http://{host}/")


def test_links_begin_with_the_public_url(tmp_path: Path) -> None:
    arguments = ("--public-url", "https://db.example.com/")
    with start_server(tmp_path, arguments=arguments) as server:
        token = json.loads(server.call("POST", "/api/db/main/files/presign/batch", {"ids": ["1"]})[2])
    assert token["results"][0]["url"].startswith("https://db.example.com/main/file/1?token=")


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({"HTTP_HOST": "localhost:81", "SERVER_NAME": "x"}, "http://localhost:81"),
        ({"HTTP_HOST": "EVIL", "SERVER_NAME": "db", "SERVER_PORT": "80"}, "http://db:80"),
        ({"HTTP_HOST": "db:9", "SERVER_NAME": "DB", "SERVER_PORT": "80"}, "http://db:9"),
        ({"SERVER_NAME": "db", "SERVER_PORT": "443", "wsgi.url_scheme": "https"}, "https://db:443"),
        ({"HTTP_HOST": "known", "SERVER_NAME": "x"}, "http://known"),
    ],
)
def test_origin_of(environ: dict[str, str], url: str) -> None:
    assert Origin(names=["Known"]).of(environ) == url


@pytest.mark.parametrize("seconds", [60.5, 2**63, 1e30, "60", [60]])
def test_presign_rejects_seconds_that_go_does_not_take(
    db: DatabaseHandle, server: Server, name: str, seconds: object
) -> None:
    file_id = db.files.upload(b"x", "a.txt")["id"]
    status, _, body = server.call("POST", f"/api/db/{name}/files/{file_id}/presign", {"expires_in": seconds})
    assert status == 400
    assert b"of type int" in body
