"""Large files take no memory, whichever way they travel."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import pytest

import mesahub
from tests.servers import Server

MEGABYTE = 1024 * 1024
SIZE = 32 * MEGABYTE


@pytest.mark.parametrize("transport", ["embedded", "urllib", "requests", "urllib3"])
def test_memory_stays_flat(transport: str, server: Server, tmp_path: Path) -> None:
    """The issue asks for less than 16 MB at 100 MB; flat means that a third of the size needs a third of nothing."""
    url = "mh://local/main" if transport == "embedded" else server.url(server.new_database(f"memory-{transport}"))
    options: dict[str, Any] = {"data": str(tmp_path / "data")} if transport == "embedded" else {}
    source, target = tmp_path / "large.txt", tmp_path / "copy.txt"
    with source.open("wb") as file:
        file.truncate(SIZE)
    with mesahub.connect(url, transport=transport, **options) as db:
        warm = db.files.upload(b"x", "warm.txt")
        db.files.download_to(warm["id"], target)
        tracemalloc.start()
        try:
            record = db.files.upload(source)
            uploading = tracemalloc.get_traced_memory()[1]
            tracemalloc.reset_peak()
            written = db.files.download_to(record["id"], target)
            downloading = tracemalloc.get_traced_memory()[1]
            tracemalloc.reset_peak()
            with db.files.stream(record["id"]) as download:
                streamed = sum(len(piece) for piece in download)
            streaming = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert written == streamed == target.stat().st_size == SIZE
    assert max(uploading, downloading, streaming) < 4 * MEGABYTE


def test_a_download_into_memory_is_held_once(server: Server) -> None:
    with mesahub.connect(server.url(server.new_database("memory-once"))) as db:
        record = db.files.upload(bytes(SIZE), "large.txt")
        tracemalloc.start()
        try:
            content = db.files.download(record["id"])
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert len(content) == SIZE
    assert peak < 1.3 * SIZE
