# Made by scripts/asyncify.py of mesahub/files.py: change that, and run `make aio`.
"""Files of a database or a bucket."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable
from typing import Any, BinaryIO, Literal, cast

from mesahub._aio.opening import opening
from mesahub._aio.uploads import opened
from mesahub._calls.downloads import check_target
from mesahub._calls.uploads import Progress, Uploadable, guess_content_type, name_of
from mesahub.aio._calls.downloads import AsyncDownload, save
from mesahub.aio._calls.executor import AsyncSender
from mesahub.dialects.mesahub.errors import raise_for_status
from mesahub.dialects.mesahub.json_responses import read_object, records, unexpected
from mesahub.dialects.mesahub.multipart import checked_content_type, encode_upload
from mesahub.errors import ArgumentError, MesahubError
from mesahub.files import (
    DELETED_AT_ONCE,
    PAGE,
    DeletedFiles,
    PresignedURL,
    Sort,
    _number,
    _one_of,
    _pick,
    _record,
    _refused_upload,
    _sendable,
    _upload_fields,
    checked_file_id,
    checked_seconds,
)
from mesahub.results import FileList, FileRecord
from mesahub.transport import AsyncResponse, Request
from mesahub.url import encode_segment

__all__ = ["AsyncFiles"]


class AsyncFiles:
    """Files of one database or bucket: upload, download, list, delete.

    Args:
        ref: the database's slug, or the bucket's id.
        client: sends the requests.
        path: the files' own path, for a bucket; by default that of the database ``ref``.
        operation: how the operations are named, before ``.upload``, ``.list``, ...
    """

    def __init__(self, ref: str, client: AsyncSender, *, path: str | None = None, operation: str = "files") -> None:
        self._ref = ref
        self._client = client
        self._path = path or client.routes.database(ref, "files")
        self._operation = operation

    async def upload(
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
        async with opened(data, progress) as body:
            response = await self._send(
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

    async def list(
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
        response = await self._send("list", "GET", params=params, safe=True)
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

    def iterate(self, folder_prefix: str | None = None, *, page_size: int = PAGE) -> AsyncIterator[FileRecord]:
        """Iterate over all files, oldest first, page by page.

        To delete what it yields, make a list of it first: the pages are counted from the start, and a
        deleted file moves later ones forward.
        """
        if type(page_size) is not int or not 1 <= page_size <= PAGE:
            raise ArgumentError(f"page_size must be an integer from 1 to {PAGE}, not {page_size!r:.100}.")
        return self._pages(folder_prefix, page_size)

    async def _pages(self, folder_prefix: str | None, page_size: int) -> AsyncIterator[FileRecord]:
        offset = 0
        while True:
            page = await self.list(page_size, offset, folder_prefix, sort="uploaded_at", order="asc")
            for each in page["files"]:
                yield each
            offset += len(page["files"])
            if not page["files"] or offset >= page["total"]:
                return

    async def meta(self, file_id: str) -> FileRecord:
        """The record of one file."""
        return _record(read_object(await self._send("meta", "GET", file_id, "/meta", safe=True)))

    async def download(
        self, file_id: str, *, progress: Progress | None = None, content_hash: str | None = None
    ) -> bytes:
        """The content of a file, in memory. For a large one: `download_to` or `stream`."""
        async with self.stream(file_id, progress=progress, content_hash=content_hash) as download:
            return await download.read()

    @opening
    async def stream(
        self, file_id: str, *, progress: Progress | None = None, content_hash: str | None = None
    ) -> AsyncDownload:
        """A file to read piece by piece: an asynchronous context manager, an iterator of ``bytes``, with ``read(size)``.

        A broken download is resumed. At the end the length is verified, and the content's
        hash if it is known: many servers report it only in the list, so pass it from there.

        Args:
            file_id: the file's id.
            progress: called with (bytes read, bytes in all; ``None`` if unknown).
            content_hash: the SHA-256 that the content must have, such as the ``content_hash`` of a list's record.

        Example:
            >>> async with db.files.stream(file_id) as download:  # doctest: +SKIP
            ...     async for piece in download:
            ...         print(len(piece), "bytes")
        """
        request = self._request("download", "GET", file_id, safe=True, streams=True)
        return await AsyncDownload(request, self._client.send, progress, content_hash=content_hash).begin()

    async def download_to(
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
        return await save(await self.stream(file_id, progress=progress, content_hash=content_hash), target)

    async def presign(
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
        answer = read_object(await self._send("presign", "POST", file_id, "/presign", payload=payload, safe=True))
        return cast(PresignedURL, answer)

    async def delete(self, file_id: str) -> None:
        """Delete one file. Raises `NotFoundError` when it is not there."""
        raise_for_status(await self._send("delete", "DELETE", file_id))

    async def delete_many(self, file_ids: Iterable[str]) -> DeletedFiles:
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
                answer = read_object(
                    await self._send("delete_many", "POST", "bulk-delete", payload=payload), write=True
                )
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

    async def _send(
        self, what: str, method: str, file_id: str | None = None, tail: str = "", **options: Any
    ) -> AsyncResponse:
        return await self._client.send(self._request(what, method, file_id, tail, **options))
