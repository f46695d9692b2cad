"""The routes of files: upload, list, download, head, record, delete."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from mesahub_embedded.engine.errors import RefusedError
from mesahub_embedded.server.multipart import FilePart, read_form
from mesahub_embedded.server.reply import Reply, content_disposition
from mesahub_embedded.server.request import Request
from mesahub_embedded.server.routing import READ, Route
from mesahub_embedded.storage.files import FileStore, Incoming, Upload, is_media_type
from mesahub_embedded.storage.pieces import pieces

__all__ = ["FILE_ROUTES", "delete", "delete_many", "download", "list_files", "listed", "meta", "shown", "store_upload"]

IDS_LIMIT = 100
"""Files that one request may delete."""
_PASSIVE = re.compile(
    r"(?:image/(?!svg)[^+;]+|(?:video|audio)/[^+;]+|text/(?:plain|csv)|application/(?:pdf|json|zip|gzip))\s*(?:;|$)"
)
"""Types that a browser shows or saves without running anything in them."""
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def shown(record: dict[str, Any], url: str) -> dict[str, Any]:
    """A record as uploads and ``/meta`` answer it."""
    names = ("content_type", "expires_at", "filename", "folder_path", "id", "metadata", "size_bytes", "uploaded_at")
    answer = {name: record[name] for name in names}
    answer["url"] = url
    return answer


def listed(record: dict[str, Any], namespace: str, path: str) -> dict[str, Any]:
    """A record as the list shows it, in Go's names."""
    return {
        "ID": record["id"],
        "DBName": namespace,
        "ContentHash": record["hash"],
        "Filename": record["filename"],
        "FolderPath": record["folder_path"],
        "ContentType": _nullable(record["content_type"]),
        "SizeBytes": record["size_bytes"],
        "StoragePath": path,
        "UploadedAt": record["uploaded_at"],
        "ExpiresAt": _nullable(record["expires_at"]),
        "Metadata": _nullable(record["metadata"]),
    }


def _nullable(value: str | None) -> dict[str, Any]:
    return {"String": value or "", "Valid": value is not None}


def store_upload(request: Request, files: FileStore, namespace: str) -> dict[str, Any]:
    """Read an upload's form and keep its file: the record.

    Raises:
        RefusedError: 400 no form or no file in it, 409, 413, 415.
    """
    parts: list[FilePart] = []
    incoming: list[Incoming] = []
    with ExitStack() as stack:

        def open_file(part: FilePart) -> Any:
            if part.field != "file" or parts:
                return None
            parts.append(part)
            incoming.append(stack.enter_context(files.incoming()))
            return incoming[0].write

        fields = read_form(request.stream, request.length, request.header("content-type"), open_file)
        if not parts:
            raise RefusedError(400, "file field is required")
        expires = fields.get("expires_in", "")
        upload = Upload(
            filename=fields.get("filename") or parts[0].filename,
            content_type=fields.get("content_type") or parts[0].content_type,
            folder_path=fields.get("folder_path", ""),
            conflict_mode=fields.get("conflict_mode") or "replace",
            metadata=fields.get("metadata") or None,
            expires_in=int(expires) if re.fullmatch(r"[0-9]{1,10}", expires) else None,
        )
        return files.keep(namespace, upload, incoming[0])


def upload(request: Request) -> Reply:
    """Store a file."""
    namespace = request.arguments["slug"]
    record = store_upload(request, request.store.files, namespace)
    return Reply(201, shown(record, file_url(namespace, record["id"])))


def file_url(namespace: str, file_id: str) -> str:
    """The path that an upload's answer names."""
    return f"/api/db/{quote(namespace, safe='')}/files/{file_id}"


def list_files(request: Request) -> Reply:
    """A page of the files."""
    return Reply(200, list_answer(request.store.files, request.arguments["slug"], request.query))


def list_answer(files: FileStore, namespace: str, query: dict[str, str]) -> dict[str, Any]:
    """The answer to a list of files."""
    records, total, limit, offset = files.list(namespace, query)
    return {
        "Files": [listed(record, namespace, files.storage_path(record)) for record in records] or None,
        "Total": total,
        "Offset": offset,
        "Limit": limit,
    }


def meta(request: Request) -> Reply:
    """The record of a file."""
    namespace = request.arguments["slug"]
    record = request.store.files.get(namespace, request.arguments["id"])
    return Reply(200, shown(record, file_url(namespace, record["id"])))


def download(request: Request) -> Reply:
    """The content of a file."""
    files = request.store.files
    return send_file(request, files, files.get(request.arguments["slug"], request.arguments["id"]))


def send_file(request: Request, files: FileStore, record: dict[str, Any], disposition: str = "inline") -> Reply:
    """A file's content, or the part of it that ``Range`` asks for; 304 when the caller has it."""
    size = record["size_bytes"]
    uploaded = datetime.fromisoformat(record["uploaded_at"].replace("Z", "+00:00"))
    headers = [
        content_disposition(disposition, record["filename"]),
        *_content_type(record["content_type"]),
        ("Last-Modified", format_datetime(uploaded.astimezone(UTC), usegmt=True)),
        ("ETag", f'"{record["hash"]}"'),
        ("X-Content-Hash", record["hash"]),
        ("Accept-Ranges", "bytes"),
    ]
    if _unchanged(request, record["hash"], uploaded):
        return Reply(304, headers=headers)
    try:
        span = _span(request.header("range"), size) if _range_holds(request, record["hash"], uploaded) else None
    except ValueError:
        return Reply(416, body=b"", headers=[("Content-Range", f"bytes */{size}")])
    status, start, length = 200, 0, size
    if span is not None:
        status, (start, length) = 206, span
        headers.append(("Content-Range", f"bytes {start}-{start + length - 1}/{size}"))
    headers.append(("Content-Length", str(length)))
    if request.method == "HEAD":
        return Reply(status, body=(), headers=headers)
    source = files.open(record)
    source.seek(start)
    wrapper = request.environ.get("wsgi.file_wrapper")
    body: Iterable[bytes] = pieces(source, length) if span or wrapper is None else wrapper(source, 256 * 1024)
    return Reply(status, body=body, headers=headers)


def _content_type(stored: str | None) -> list[tuple[str, str]]:
    """The header of a stored type, and what keeps a browser from running the file as a page of this server."""
    kind = stored or "application/octet-stream"
    if not is_media_type(kind):  # stored by an earlier version, which took any text
        kind = "application/octet-stream"
    headers = [("Content-Type", kind)]
    if not _PASSIVE.match(kind):
        # HTML, SVG and other XML may hold scripts: without an origin they reach nothing.
        headers.append(("Content-Security-Policy", "sandbox; default-src 'none'; style-src 'unsafe-inline'"))
    return headers


def _unchanged(request: Request, digest: str, uploaded: datetime) -> bool:
    tags = request.header("if-none-match")
    if tags:
        return tags.strip() == "*" or f'"{digest}"' in tags
    since = _date(request.header("if-modified-since"))
    return since is not None and uploaded <= since


def _range_holds(request: Request, digest: str, uploaded: datetime) -> bool:
    condition = request.header("if-range")
    if not condition:
        return True
    if condition.startswith('"'):
        return condition == f'"{digest}"'
    return _date(condition) == uploaded


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _span(header: str, size: int) -> tuple[int, int] | None:
    """Start and length of a ``Range``; ``None`` for none, or for one that is not understood.

    Raises:
        ValueError: it is outside of the file.
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":
        length = min(int(match[2]), size)
        if length == 0:
            raise ValueError
        return size - length, length
    start = int(match[1])
    end = min(int(match[2]), size - 1) if match[2] else size - 1
    if match[2] and int(match[2]) < start:
        return None
    if start >= size:
        raise ValueError
    return start, end - start + 1


def delete(request: Request) -> Reply:
    """Remove a file."""
    if not request.store.files.delete(request.arguments["slug"], request.arguments["id"]):
        raise RefusedError(404, "files: not found or wrong db")
    return Reply(200, {"success": True})


def delete_many(request: Request) -> Reply:
    """Remove files."""
    return Reply(
        200, deletion(request.store.files, request.arguments["slug"], request.json({"ids": "[]string"}).get("ids"))
    )


def deletion(files: FileStore, namespace: str, ids: list[str] | None) -> dict[str, Any]:
    """Remove files, and say how many."""
    if not ids:
        raise RefusedError(400, "ids must be a non-empty array")
    if len(ids) > IDS_LIMIT:
        raise RefusedError(400, f"too many ids — maximum is {IDS_LIMIT}")
    deleted = files.delete_many(namespace, ids)
    failed = len(ids) - deleted
    return {"deleted": deleted, "failed": failed, "success": failed == 0}


FILE_ROUTES = [
    Route(method, pattern + tail, handler, READ, file_token=method in ("GET", "HEAD"))
    for pattern in ("/api/db/{slug}/files", "/v1/files/{slug}")
    for method, tail, handler in (
        ("GET", "", list_files),
        ("POST", "", upload),
        ("POST", "/bulk-delete", delete_many),
        ("GET", "/{id}/meta", meta),
        ("GET", "/{id}", download),
        ("HEAD", "/{id}", download),
        ("DELETE", "/{id}", delete),
    )
]
