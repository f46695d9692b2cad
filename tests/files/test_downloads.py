"""Downloads: whole, verified, in one step, and resumed after a break."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import mesahub
from mesahub import (
    ArgumentError,
    ConnectionLostError,
    DatabaseHandle,
    NotFoundError,
    ResultError,
    RetryPolicy,
    ServerError,
)
from tests.files.origin import Origin, serve

CONTENT = os.urandom(300_000)
HASH = hashlib.sha256(CONTENT).hexdigest()
HTTP = ["urllib", "requests", "urllib3"]


@contextmanager
def downloading(transport: str = "urllib", **options: Any) -> Iterator[tuple[DatabaseHandle, Origin]]:
    with ExitStack() as stack:
        origin = stack.enter_context(serve(Origin(CONTENT, **options)))
        policy = RetryPolicy(backoff=0.001)
        yield stack.enter_context(mesahub.connect(origin.url, transport=transport, retry=policy)), origin


@pytest.mark.parametrize("transport", HTTP)
def test_a_broken_download_goes_on_where_it_broke_off(transport: str, tmp_path: Path) -> None:
    with downloading(transport, breaks=[100_000, 50_000]) as (db, origin):
        done: list[tuple[int, int | None]] = []
        written = db.files.download_to("f", tmp_path / "f", progress=lambda *step: done.append(step))
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert written == len(CONTENT)
    assert origin.asked[0] is None
    # What the system had not handed over when the reset came is asked for again.
    starts = [int(asked[6:-1]) for asked in origin.asked[1:] if asked]
    assert len(starts) == len(origin.asked) - 1
    assert all(0 < start <= 150_000 for start in starts)
    counts = [count for count, _ in done]
    assert counts == sorted(set(counts))
    assert done[-1] == (len(CONTENT), len(CONTENT))


def test_download_of_one_byte_for_each_connection_ends() -> None:
    with downloading(breaks=[1] * 200) as (db, origin):
        with pytest.raises(ConnectionLostError):
            db.files.download("f")
        assert len(origin.asked) <= 10


@pytest.mark.parametrize("transport", HTTP)
def test_a_download_that_breaks_before_its_first_byte(transport: str) -> None:
    with downloading(transport, breaks=[0, 0]) as (db, origin):
        assert db.files.download("f") == CONTENT
    assert origin.asked == [None, None, None]


def test_a_download_that_never_gets_on_gives_up(tmp_path: Path) -> None:
    with downloading(breaks=[1000] + [0] * 50) as (db, _), pytest.raises(ConnectionLostError):
        db.files.download_to("f", tmp_path / "f")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_replaced_meanwhile_is_not_joined_on() -> None:
    options: dict[str, Any] = {"breaks": [100_000], "replacement": b"x" * len(CONTENT)}
    with downloading(**options) as (db, _), pytest.raises(ResultError, match="again"):
        db.files.download("f")


def test_a_server_without_ranges_cannot_go_on() -> None:
    with downloading(breaks=[100_000], ranges=False) as (db, _), pytest.raises(ResultError, match="again"):
        db.files.download("f")


def test_a_file_that_was_replaced_without_a_sign_is_found_by_its_hash() -> None:
    options: dict[str, Any] = {"breaks": [100_000], "replacement": b"x" * len(CONTENT), "modified": False}
    with downloading(**options) as (db, _), pytest.raises(ResultError, match="SHA-256"):
        db.files.download("f", content_hash=HASH)


def test_the_hash_that_the_server_announces_is_verified(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"before")
    with downloading(headers={"X-Content-Hash": HASH.upper()}) as (db, _):
        assert db.files.download("f") == CONTENT
    with downloading(headers={"X-Content-Hash": "0" * 64}) as (db, _), pytest.raises(ResultError, match="SHA-256"):
        db.files.download_to("f", tmp_path / "f")
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f").read_bytes() == b"before"


def test_placeholders_that_a_front_left_in_its_headers_are_no_hash() -> None:
    headers = {
        "X-Content-Hash": "{http.reverse_proxy.header.X-Content-Hash}",
        "Etag": "{http.reverse_proxy.header.ETag}",
    }
    with downloading(headers=headers) as (db, _):
        assert db.files.download("f", content_hash=HASH) == CONTENT
        with pytest.raises(ResultError, match="SHA-256"):
            db.files.download("f", content_hash="0" * 64)
        with pytest.raises(ArgumentError, match="64"):
            db.files.download("f", content_hash="sha256:abc")


@pytest.mark.parametrize("transport", HTTP)
def test_a_body_shorter_than_announced_is_not_handed_over(transport: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"length": len(CONTENT) + 1, "breaks": [len(CONTENT)] * 50}
    with downloading(transport, **options) as (db, _), pytest.raises((ConnectionLostError, ResultError)):
        db.files.download_to("f", tmp_path / "f")
    assert list(tmp_path.iterdir()) == []


def test_a_core_that_leaves_bodies_to_its_front_is_explained() -> None:
    with downloading(headers={"X-Sendfile": "/abc"}) as (db, _), pytest.raises(ServerError, match="front"):
        db.files.download("f")


def test_the_list_tells_the_hash_to_verify(server_db: DatabaseHandle) -> None:
    server_db.files.upload(CONTENT, "a.txt")
    record = server_db.files.list()["files"][0]
    assert record.get("content_hash") == HASH
    assert server_db.files.download(record["id"], content_hash=record.get("content_hash")) == CONTENT


def test_reading_in_pieces(server_db: DatabaseHandle) -> None:
    file_id = server_db.files.upload(CONTENT, "a.txt")["id"]
    with server_db.files.stream(file_id) as download:
        assert (download.length, download.content_type) == (len(CONTENT), "text/plain")
        assert download.read(0) == b""
        head = download.read(10)
        assert 0 < len(head) <= 10
        assert head + b"".join(download) == CONTENT
        assert download.read(1) == b""
    half = server_db.files.stream(file_id)
    half.read(10)
    half.close()
    half.close()
    with pytest.raises(ArgumentError, match="closed"):
        half.read(10)
    assert "a.txt" not in repr(half)


def test_targets(server_db: DatabaseHandle, tmp_path: Path) -> None:
    file_id = server_db.files.upload(CONTENT, "a.txt")["id"]
    buffer = io.BytesIO()
    assert server_db.files.download_to(file_id, buffer) == len(CONTENT)
    assert buffer.getvalue() == CONTENT
    assert server_db.files.download_to(file_id, str(tmp_path / "b")) == len(CONTENT)
    targets: list[Any] = [tmp_path, tmp_path / "no" / "such", 5, None]
    for target in targets:
        with pytest.raises(ArgumentError):
            server_db.files.download_to(file_id, target)
    with pytest.raises(NotFoundError):
        server_db.files.download_to("nosuch", tmp_path / "c")
    for wrong in ("", ".", ".."):
        with pytest.raises(ArgumentError, match="id"):
            server_db.files.download(wrong)
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_a_callback_that_raises_leaves_no_file(server_db: DatabaseHandle, tmp_path: Path) -> None:
    file_id = server_db.files.upload(CONTENT, "a.txt")["id"]

    def stop(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        server_db.files.download_to(file_id, tmp_path / "a", progress=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="this system has no posix_fadvise")
@pytest.mark.parametrize("failing", [False, True])
def test_a_download_to_a_path_is_stored_early_and_synced_once(
    server_db: DatabaseHandle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: bool
) -> None:
    files = server_db.files
    content = os.urandom(1 << 19).hex().encode() * 9  # 9 MiB
    record = files.upload(content, "long.txt", "text/plain")
    begun: list[tuple[int, int]] = []
    synced: list[int] = []
    sync = os.fsync

    def advise(descriptor: int, start: int, length: int, advice: int) -> None:
        begun.append((start, start + length))
        if failing:
            raise OSError(22, "Invalid argument")

    def count(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_size)
        sync(descriptor)

    monkeypatch.setattr(os, "posix_fadvise", advise)
    monkeypatch.setattr(os, "fsync", count)
    target = tmp_path / "got.bin"
    assert files.download_to(record["id"], target) == len(content)
    assert target.read_bytes() == content
    assert begun[0][0] == 0
    assert all(before[1] == after[0] for before, after in pairwise(begun))
    assert len(content) - begun[-1][1] <= 4 * 1024 * 1024
    assert synced == [len(content)]
