"""Files: uploads and downloads."""

from __future__ import annotations

import asyncio
import io
import time
from pathlib import Path

import pytest

from mesahub.transport import FileBody, Request
from mesahub_embedded import AsyncEmbeddedTransport
from tests.embedded.asynchronous.running import (
    run,
    started,
)


def test_upload_and_download(tmp_path: Path) -> None:
    content = bytes(range(256)) * 4000
    body = FileBody(len(content), lambda: io.BytesIO(content))

    async def use(transport: AsyncEmbeddedTransport) -> None:
        fields = {"filename": "file.bin"}
        upload = Request("files.upload", "POST", "/v1/files/demo", database="demo", payload=fields, body=body)
        made = await transport.send(upload)
        assert made.status == 201
        path = f"/v1/files/demo/{made.payload['id']}"
        response = await transport.send(Request("files.download", "GET", path, database="demo", streams=True))
        assert response.async_stream is not None
        assert await response.async_stream.read(10) == bytes(range(10))
        await response.aclose()
        response = await transport.send(Request("files.download", "GET", path, database="demo", streams=True))
        assert await response.aread() == content

    run({"data": tmp_path / "data"}, use)


def test_cancelled_upload_stores_no_file(tmp_path: Path) -> None:
    class Slow:
        def read(self, size: int) -> bytes:
            time.sleep(0.01)
            return bytes(min(size, 1000))

    body = FileBody(10_000_000, Slow, chunk_size=1000)  # type: ignore[arg-type]

    async def use(transport: AsyncEmbeddedTransport) -> None:
        upload = Request("files.upload", "POST", "/", database="demo", payload={"filename": "x"}, body=body)
        task = asyncio.ensure_future(transport.send(upload))
        await started(task)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        listed = await transport.send(Request("files.list", "GET", "/", database="demo"))
        assert listed.payload["Total"] == 0

    run({"data": tmp_path}, use)
