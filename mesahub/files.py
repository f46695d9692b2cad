"""Files of a database or a bucket."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO, Literal, TypedDict, cast

from mesahub._calls.downloads import Download, check_target, save
from mesahub._calls.executor import Sender
from mesahub._calls.uploads import Progress, Uploadable, guess_content_type, name_of, opened
from mesahub._util.suggest import near
from mesahub.dialects.mesahub.errors import error_from, raise_for_status
from mesahub.dialects.mesahub.json_responses import read_object, records, unexpected
from mesahub.dialects.mesahub.multipart import checked_content_type, encode_upload
from mesahub.errors import ArgumentError, MesahubError, ValidationError
from mesahub.results import FileList, FileRecord
from mesahub.transport import Request, Response
from mesahub.url import encode_segment

__all__ = ["DeletedFiles", "Files", "PresignedURL", "Sender"]

ALLOWED_TYPES = (
    "image/*, video/*, audio/*, text/*, application/pdf, application/json, application/zip, application/gzip"
)
"""What the server stores; compared exactly, in lower case (docs/protocol.md, section 7)."""

METADATA_LIMIT = 4096
"""Bytes of an upload's ``metadata``; the server answers 500 to more."""

PAGE = 1000
"""Maximum number of records per list request."""

DELETED_AT_ONCE = 100
"""Maximum number of ids per delete request (docs/protocol.md, end)."""

Sort = Literal["uploaded_at", "filename", "size_bytes", "content_type"]


class PresignedURL(TypedDict):
    """A link that works without a key until ``expires_at`` (RFC 3339)."""

    url: str
    expires_at: str
    expires_in: int
    token_id: str


class DeletedFiles(TypedDict):
    """What `Files.delete_many` did: files deleted, and ids that were not there."""

    deleted: int
    failed: int


class Files:
    """Files of one database or bucket: upload, download, list, delete.

    Args:
        ref: the database's slug, or the bucket's id.
        client: sends the requests.
        path: the files' own path, for a bucket; by default that of the database ``ref``.
        operation: how the operations are named, before ``.upload``, ``.list``, ...
    """

    def __init__(self, ref: str, client: Sender, *, path: str | None = None, operation: str = "files") -> None:
        self._ref = ref
        self._client = client
        self._path = path or client.routes.database(ref, "files")
        self._operation = operation

    def upload(
        self,
        data: Uploadable,
        filename: str | None = None,
        content_type: str | None = None,
        *,
        folder: str | None = None,
        on_conflict: Literal["replace", "error"] = "replace",
        metadata: str | None = None,
        expires_in: int | None = None,
        idempotent: bool = False,
        progress: Progress | None = None,
    ) -> FileRecord:
        """Store a file. It is read and sent in pieces: a large one takes no memory.

        Args:
            data: the bytes, the path of a file, or a file opened in binary mode (sent from its current position).
            filename: its name in the store; by default that of the path or the open file.
            content_type: its media type; guessed from the name when not given. ``""`` sends none.
            folder: a path such as ``"invoices/2026"``.
            on_conflict: when folder and name are taken: ``"replace"`` the file (the new one has a new id,
                the old id is gone), or raise an ``"error"``.
            metadata: text of at most 4096 bytes that is kept with it.
            expires_in: seconds after which the server may remove it.
            idempotent: storing it twice does no harm, so it may be retried if the response is lost.
            progress: called with (bytes sent, bytes in all).

        Returns:
            The record of the stored file.

        Raises:
            ArgumentError: refused before anything was sent.
            ValidationError: the server does not store this type (415) or this size (413).
            ConflictError: the name is taken, with ``on_conflict="error"``.
            AmbiguousResultError: it was sent and may or may not have been stored.
        """
        if filename is None:
            filename = name_of(data)
        elif not isinstance(filename, str) or not filename:
            raise ArgumentError(f"filename must be a non-empty string, not {filename!r}.")
        payload: dict[str, Any] = {"filename": _sendable("filename", filename)}
        if content_type is None:
            content_type = guess_content_type(filename)
        if content_type:
            payload["content_type"] = checked_content_type(content_type)
        payload |= _upload_fields(folder, on_conflict, metadata, expires_in)
        with opened(data, progress) as body:
            response = self._send(
                "upload",
                "POST",
                payload=payload,
                body=body,
                streams=True,
                safe=idempotent,
                encoder=encode_upload,
            )
            if response.status in (413, 415):
                raise _refused_upload(response, content_type)
        return _record(read_object(response, write=not idempotent))

    def list(
        self,
        limit: int | None = None,
        offset: int | None = None,
        folder_prefix: str | None = None,
        *,
        sort: Sort | None = None,
        order: Literal["asc", "desc"] | None = None,
    ) -> FileList:
        """One page of the files.

        Args:
            limit: maximum number of records; the server's default is 100, its maximum 1000.
            offset: records to skip.
            folder_prefix: the folder's beginning, compared by LIKE: ``docs`` finds ``docs``, ``docs-old`` and
                ``docs/2024``; ``%`` and ``_`` are wildcards.
            sort: what to sort by; default ``uploaded_at``.
            order: default ``desc``, the latest first.

        Returns:
            ``files``, ``total`` (all that match), ``limit`` and ``offset``.
        """
        given = {
            "limit": limit,
            "offset": offset,
            "folder_prefix": folder_prefix,
            "sort": sort,
            "order": order,
        }
        _one_of("sort", sort, ("uploaded_at", "filename", "size_bytes", "content_type"))
        _one_of("order", order, ("asc", "desc"))
        for name in ("limit", "offset"):
            number = given[name]
            if number is not None and (type(number) is not int or number < 0):
                raise ArgumentError(f"{name} must be an integer from 0 on, not {number!r:.100}.")
        params = tuple((name, _sendable(name, str(value))) for name, value in given.items() if value is not None)
        response = self._send("list", "GET", params=params, safe=True)
        answer = read_object(response)
        files = records(response, _pick(answer, "files"))
        if not all("id" in file or "ID" in file for file in files):
            raise unexpected(response, "a list of files")
        return FileList(
            files=[_record(file) for file in files],
            total=_number(_pick(answer, "total"), len(files)),
            limit=_number(_pick(answer, "limit"), limit or 100),
            offset=_number(_pick(answer, "offset"), offset or 0),
        )

    def iterate(self, folder_prefix: str | None = None, *, page_size: int = PAGE) -> Iterator[FileRecord]:
        """Iterate over all files, oldest first, page by page.

        To delete what it yields, make a list of it first: the pages are counted from the start, and a
        deleted file moves later ones forward.
        """
        if type(page_size) is not int or not 1 <= page_size <= PAGE:
            raise ArgumentError(f"page_size must be an integer from 1 to {PAGE}, not {page_size!r:.100}.")
        return self._pages(folder_prefix, page_size)

    def _pages(self, folder_prefix: str | None, page_size: int) -> Iterator[FileRecord]:
        offset = 0
        while True:
            page = self.list(page_size, offset, folder_prefix, sort="uploaded_at", order="asc")
            yield from page["files"]
            offset += len(page["files"])
            if not page["files"] or offset >= page["total"]:
                return

    def meta(self, file_id: str) -> FileRecord:
        """The record of one file."""
        return _record(read_object(self._send("meta", "GET", file_id, "/meta", safe=True)))

    def download(self, file_id: str, *, progress: Progress | None = None, content_hash: str | None = None) -> bytes:
        """The content of a file, in memory. For a large one: `download_to` or `stream`."""
        with self.stream(file_id, progress=progress, content_hash=content_hash) as download:
            return download.read()

    def stream(self, file_id: str, *, progress: Progress | None = None, content_hash: str | None = None) -> Download:
        """A file to read piece by piece: a context manager, an iterator of ``bytes``, with ``read(size)``.

        A broken download is resumed. At the end the length is verified, and the content's
        hash if it is known: many servers report it only in the list, so pass it from there.

        Args:
            file_id: the file's id.
            progress: called with (bytes read, bytes in all; ``None`` if unknown).
            content_hash: the SHA-256 that the content must have, such as the ``content_hash`` of a list's record.

        Example:
            >>> with db.files.stream(file_id) as download:  # doctest: +SKIP
            ...     for piece in download:
            ...         print(len(piece), "bytes")
        """
        request = self._request("download", "GET", file_id, safe=True, streams=True)
        return Download(request, self._client.send, progress, content_hash=content_hash).begin()

    def download_to(
        self,
        file_id: str,
        target: str | os.PathLike[str] | BinaryIO,
        *,
        progress: Progress | None = None,
        content_hash: str | None = None,
    ) -> int:
        """Write a file to a path or to an open file, without holding it in memory.

        A path appears when all of it is there and verified, in one step; a failure leaves no trace of it, and what
        was there before. An open file gets the pieces as they come.

        Args:
            file_id: the file's id.
            target: a path, or a file opened for writing in binary mode.
            progress: called with (bytes written, bytes in all).
            content_hash: the SHA-256 that the content must have; see `stream`.

        Returns:
            The bytes written.

        Raises:
            ResultError: it is not what was announced, or it was replaced while it was on its way.
            OSError: the disk is full, or may not be written to.
        """
        check_target(target)
        return save(self.stream(file_id, progress=progress, content_hash=content_hash), target)

    def presign(
        self,
        file_id: str,
        expires_in: int | None = None,
        *,
        disposition: Literal["inline", "attachment"] | None = None,
    ) -> PresignedURL:
        """A link to a file that works without a key.

        Args:
            file_id: the file's id.
            expires_in: seconds it works; the server's default is 30 days.
            disposition: what a browser should do: show it or save it.
        """
        _one_of("disposition", disposition, ("inline", "attachment"))
        given = {"expires_in": checked_seconds(expires_in), "disposition": disposition}
        payload = {name: value for name, value in given.items() if value is not None}
        answer = read_object(self._send("presign", "POST", file_id, "/presign", payload=payload, safe=True))
        return cast(PresignedURL, answer)

    def delete(self, file_id: str) -> None:
        """Delete one file. Raises `NotFoundError` when it is not there."""
        raise_for_status(self._send("delete", "DELETE", file_id))

    def delete_many(self, file_ids: Iterable[str]) -> DeletedFiles:
        """Delete files by their ids; ids that are not there count as ``failed``.

        The server takes 100 ids at once, so more are sent in several requests. When one of them fails, the error's
        ``details`` say how many were ``deleted`` and ``failed`` before.
        """
        if isinstance(file_ids, (str, bytes)) or not isinstance(file_ids, Iterable):
            raise ArgumentError("delete_many() takes a list of ids; for one file there is delete().")
        ids = [checked_file_id(file_id) for file_id in file_ids]
        done = DeletedFiles(deleted=0, failed=0)
        for start in range(0, len(ids), DELETED_AT_ONCE):
            payload = {"ids": ids[start : start + DELETED_AT_ONCE]}
            try:
                answer = read_object(self._send("delete_many", "POST", "bulk-delete", payload=payload), write=True)
            except MesahubError as error:
                error.details |= done
                raise
            done["deleted"] += _number(answer.get("deleted"), 0)
            done["failed"] += _number(answer.get("failed"), 0)
        return done

    def _request(self, what: str, method: str, file_id: str | None = None, tail: str = "", **options: Any) -> Request:
        path = self._path
        if file_id is not None:
            path = f"{path}/{encode_segment(checked_file_id(file_id))}{tail}"
        return Request(
            f"{self._operation}.{what}",
            method,
            path,
            database=self._ref,
            timeout=self._client.timeout,
            **options,
        )

    def _send(self, what: str, method: str, file_id: str | None = None, tail: str = "", **options: Any) -> Response:
        return self._client.send(self._request(what, method, file_id, tail, **options))


def _upload_fields(
    folder: str | None, on_conflict: str, metadata: str | None, expires_in: int | None
) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if folder is not None:
        if ".." in _sendable("folder", folder).split("/"):
            raise ArgumentError(f"A folder is a plain path without '..', not {folder!r}.")
        if folder.strip("/"):
            fields["folder_path"] = folder.strip("/")
    if on_conflict not in ("replace", "error"):
        raise ArgumentError(f"on_conflict must be 'replace' or 'error', not {on_conflict!r}.")
    if on_conflict == "error":
        fields["conflict_mode"] = "error"
    if metadata is not None:
        if not isinstance(metadata, str):
            raise ArgumentError(f"metadata is text, not {type(metadata).__name__}: json.dumps() makes text of it.")
        size = len(_sendable("metadata", metadata).encode())
        if size > METADATA_LIMIT:
            raise ArgumentError(f"metadata may have {METADATA_LIMIT} bytes, this has {size}.")
        fields["metadata"] = metadata
    if expires_in is not None:
        fields["expires_in"] = checked_seconds(expires_in)
    return fields


def _sendable(what: str, text: str) -> str:
    if not isinstance(text, str):
        raise ArgumentError(f"{what} must be a string, not {type(text).__name__}.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ArgumentError(f"{what} holds a lone surrogate, which is not text: {text!r:.100}.") from None
    return text


def _one_of(name: str, value: Any, words: tuple[str, ...]) -> None:
    if value is not None and value not in words:
        raise ArgumentError(f"{name} must be one of {', '.join(words)}, not {value!r:.100}.{near(value, words)}")


def checked_seconds(value: int | None) -> int | None:
    """``expires_in``, checked."""
    if value is not None and (type(value) is not int or value < 1):
        raise ArgumentError(f"expires_in is a whole number of seconds, 1 or more, not {value!r}.")
    return value


def checked_file_id(file_id: str) -> str:
    """A file's id, checked."""
    # An empty id would make the path of the list out of the path of a file.
    if not isinstance(file_id, str) or file_id in ("", ".", ".."):
        raise ArgumentError(f"A file's id is a non-empty string, not {file_id!r:.100}.")
    return _sendable("A file's id", file_id)


def _refused_upload(response: Response, content_type: str) -> ValidationError:
    error = error_from(response)
    if response.status == 413:
        text = f"{error}: a file may have 104857600 bytes (100 MiB)."
    elif "detected" in str(error):
        text = f"{error}: the content does not look like {content_type!r}. Give the content_type it really has."
    else:
        text = (
            f"{error}: {content_type!r}. Allowed, spelled exactly so: {ALLOWED_TYPES}. Give the content_type that fits."
        )
    return ValidationError.of(text, code=error.code, status_code=response.status, details=error.details)


_GO_NAMES = {
    "id": "ID",
    "filename": "Filename",
    "folder_path": "FolderPath",
    "size_bytes": "SizeBytes",
    "content_type": "ContentType",
    "uploaded_at": "UploadedAt",
    "expires_at": "ExpiresAt",
    "metadata": "Metadata",
    "content_hash": "ContentHash",
}


def _record(source: Mapping[str, Any]) -> FileRecord:
    """A record in snake_case, of either shape: lists use Go's names, all other answers snake_case."""
    record: dict[str, Any] = {}
    for name, go_name in _GO_NAMES.items():
        if name in source:
            record[name] = source[name]
        elif go_name in source:
            value = source[go_name]
            if isinstance(value, dict):  # Go's sql.NullString
                value = value.get("String") if value.get("Valid") else None
            record[name] = value
    url = source.get("url")
    if url is None and "DBName" in source:
        owner = str(source["DBName"])
        place = f"buckets/{owner.removeprefix('bucket:')}" if owner.startswith("bucket:") else f"db/{owner}"
        url = f"/api/{place}/files/{record.get('id')}"
    if url is not None:
        record["url"] = url
    return cast(FileRecord, record)


def _pick(answer: Mapping[str, Any], name: str) -> Any:
    return answer.get(name, answer.get(name.capitalize()))


def _number(value: Any, default: int) -> int:
    return value if isinstance(value, int) else default
