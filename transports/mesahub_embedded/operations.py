"""Handlers of the embedded transport for files, by operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, BinaryIO
from urllib.parse import unquote

from mesahub.transport import FileBody, Headers, Request, Response
from mesahub_embedded.engine.errors import RefusedError, TimedOutError
from mesahub_embedded.engine.execution import Alive
from mesahub_embedded.server.routes.files import deletion, file_url, list_answer, shown
from mesahub_embedded.storage.data_folder import Store
from mesahub_embedded.storage.files import Upload
from mesahub_embedded.storage.naming import check_name

__all__ = ["OPERATIONS", "upload"]


def _namespace(request: Request) -> str:
    return check_name(request.database or "")


def _file_id(request: Request) -> str:
    return unquote(request.path.removesuffix("/meta").rpartition("/")[2])


def upload(store: Store, request: Request, alive: Alive = None) -> Response:
    """Store a file; ``alive`` is called between its pieces and may cancel."""
    namespace = _namespace(request)
    fields: dict[str, Any] = request.payload or {}
    upload = Upload(
        filename=fields.get("filename") or "file",
        content_type=fields.get("content_type") or "",
        folder_path=fields.get("folder_path") or "",
        conflict_mode=fields.get("conflict_mode") or "replace",
        metadata=fields.get("metadata"),
        expires_in=fields.get("expires_in"),
    )
    store.engine(namespace)  # files belong to a database: to a server over this folder there would be none
    with store.files.incoming() as incoming:
        body = request.body if request.body is not None else b""
        for piece in body if isinstance(body, FileBody) else (body,):
            if alive is not None and not alive():
                raise TimedOutError("the caller went away")
            incoming.write(piece)
        record = store.files.keep(namespace, upload, incoming)
    return Response(201, payload=shown(record, file_url(namespace, record["id"])))


def _list(store: Store, request: Request) -> Response:
    return Response(200, payload=list_answer(store.files, _namespace(request), dict(request.params)))


def _meta(store: Store, request: Request) -> Response:
    namespace = _namespace(request)
    record = store.files.get(namespace, _file_id(request))
    return Response(200, payload=shown(record, file_url(namespace, record["id"])))


def _download(store: Store, request: Request) -> Response:
    record = store.files.get(_namespace(request), _file_id(request))
    headers = Headers(
        {
            "Content-Length": str(record["size_bytes"]),
            "Content-Type": record["content_type"] or "application/octet-stream",
            "X-Content-Hash": record["hash"],
        }
    )
    return Response(200, headers, stream=_OpenFile(store.files.open(record)))


class _OpenFile:
    """A stored file as the body of a response."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int = -1, /) -> bytes:
        return self._file.read(size)

    def close(self) -> None:
        self._file.close()


def _delete(store: Store, request: Request) -> Response:
    if not store.files.delete(_namespace(request), _file_id(request)):
        raise RefusedError(404, "files: not found or wrong db")
    return Response(200, payload={"success": True})


def _delete_many(store: Store, request: Request) -> Response:
    return Response(200, payload=deletion(store.files, _namespace(request), (request.payload or {}).get("ids")))


OPERATIONS: dict[str, Callable[[Store, Request], Response]] = {
    "files.upload": upload,
    "files.list": _list,
    "files.meta": _meta,
    "files.download": _download,
    "files.delete": _delete,
    "files.delete_many": _delete_many,
}
