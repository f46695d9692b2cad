# Made by scripts/asyncify.py of mesahub/_calls/sqlite_files.py: change that, and run `make aio`.
"""SQLite files on their way out of and into a server: in pieces, never as a whole in memory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, BinaryIO

from mesahub._aio.uploads import opened
from mesahub._calls.downloads import check_target
from mesahub._calls.uploads import Progress
from mesahub.aio._calls.downloads import AsyncDownload, save
from mesahub.aio._calls.json_api import AsyncApi
from mesahub.dialects.mesahub.multipart import encode_form
from mesahub.transport import BodyStream, Request

__all__ = ["download_file", "upload_form"]


async def download_file(
    api: AsyncApi, request: Request, target: str | os.PathLike[str] | BinaryIO, progress: Progress | None
) -> int:
    """Write the body of an answer to a path or file; gives its bytes."""
    check_target(target)
    return await save(await AsyncDownload(request, api.send, progress).begin(), target)


async def upload_form(
    api: AsyncApi,
    what: str,
    path: str,
    file: str | os.PathLike[str] | BinaryIO | bytes,
    fields: Mapping[str, str],
    progress: Progress | None,
    *,
    database: str,
    safe: bool,
    filename: str = "import.sqlite",
) -> dict[str, Any]:
    """Send a form with a file and give the JSON of the answer."""

    def encode(request: Request) -> tuple[bytes | BodyStream | None, str | None]:
        assert request.body is not None
        return encode_form(request.payload["fields"].items(), request.body, filename, "application/octet-stream")

    async with opened(file, progress) as body:
        answer: dict[str, Any] = await api.call(
            what,
            "POST",
            path,
            payload={"fields": dict(fields)},
            body=body,
            database=database,
            safe=safe,
            streams=True,
            encoder=encode,
        )
    return answer
