"""SQLite files on their way out of and into a server: in pieces, never as a whole in memory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, BinaryIO

from mesahub._calls.downloads import Download, check_target, save
from mesahub._calls.json_api import Api
from mesahub._calls.uploads import Progress, opened
from mesahub.dialects.mesahub.multipart import encode_form
from mesahub.transport import BodyStream, Request

__all__ = ["Progress", "download_file", "upload_form"]


def download_file(
    api: Api, request: Request, target: str | os.PathLike[str] | BinaryIO, progress: Progress | None
) -> int:
    """Write the body of an answer to a path or file; gives its bytes."""
    check_target(target)
    return save(Download(request, api.send, progress).begin(), target)


def upload_form(
    api: Api,
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

    with opened(file, progress) as body:
        answer: dict[str, Any] = api.call(
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
