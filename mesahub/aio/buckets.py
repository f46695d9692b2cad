# Made by scripts/asyncify.py of mesahub/buckets.py: change that, and run `make aio`.
"""Buckets: files that belong to no database.

Written to what a real server was seen to do (docs/protocol.md, end): it has no route to get one bucket, to read the
record of one file, or to delete many; these go through the list, or through one request for each file. A bucket is
addressed by its slug.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, cast

from mesahub._calls.checks import checked_text, given_texts
from mesahub._calls.json_api import check_slug
from mesahub.aio._calls.executor import AsyncSender
from mesahub.aio.files import AsyncFiles
from mesahub.buckets import _PATH, BucketRecord, PresignedUpload, _hidden, _one, checked_ref
from mesahub.dialects.mesahub.errors import raise_for_status
from mesahub.dialects.mesahub.json_responses import read_list, read_object
from mesahub.dialects.mesahub.multipart import checked_content_type
from mesahub.errors import ArgumentError, MesahubError, NotFoundError
from mesahub.files import DeletedFiles, checked_file_id, checked_seconds
from mesahub.results import FileRecord
from mesahub.transport import Request
from mesahub.url import encode_segment

__all__ = ["AsyncBucket", "AsyncBucketFiles", "AsyncBuckets"]


class AsyncBucketFiles(AsyncFiles):
    """The files of a bucket: all that `AsyncFiles` has, and links for uploads."""

    async def presign_upload(
        self, filename: str, content_type: str | None = None, *, expires_in: int | None = None
    ) -> PresignedUpload:
        """A link by which one file can be put here without a key, for example by a browser.

        Args:
            filename: the name the file will have.
            content_type: its media type; guessed from the name when not given.
            expires_in: seconds it works; by default as long as the server says.
        """
        filename = checked_text("filename", filename)
        if content_type is None:
            from mesahub._calls.uploads import guess_content_type

            content_type = guess_content_type(filename)
        given = {
            "filename": filename,
            "content_type": checked_content_type(content_type),
            "expires_in": checked_seconds(expires_in),
        }
        payload = {name: value for name, value in given.items() if value is not None}
        answer = read_object(await self._send("presign_upload", "POST", "presign-upload", payload=payload, safe=True))
        return cast(PresignedUpload, _hidden(answer, "confirm_token"))

    async def meta(self, file_id: str) -> FileRecord:
        """The record of one file. The server has no route for it, so the list is searched.

        Raises:
            NotFoundError: the bucket has no such file.
        """
        checked_file_id(file_id)
        async for record in self.iterate():
            if record["id"] == file_id:
                return record
        raise NotFoundError.of("File not found", status_code=404)

    async def delete_many(self, file_ids: Iterable[str]) -> DeletedFiles:
        """Delete files by their ids, one request for each; ids that are not there count as ``failed``."""
        if isinstance(file_ids, (str, bytes)) or not isinstance(file_ids, Iterable):
            raise ArgumentError("delete_many() takes a list of ids; for one file there is delete().")
        done = DeletedFiles(deleted=0, failed=0)
        for file_id in [checked_file_id(file_id) for file_id in file_ids]:
            try:
                await self.delete(file_id)
                done["deleted"] += 1
            except NotFoundError:
                done["failed"] += 1
            except MesahubError as error:
                error.details |= done
                raise
        return done


class AsyncBucket:
    """One bucket; `AsyncMesahubClient.bucket` makes it.

    Example:
        >>> photos = client.bucket("photos")  # doctest: +SKIP
        >>> await photos.files.upload("cat.jpg")  # doctest: +SKIP
    """

    def __init__(self, ref: str, client: AsyncSender) -> None:
        self._ref = checked_ref(ref)
        self._client = client

    @property
    def name(self) -> str:
        """What it was named by: its id or its name."""
        return self._ref

    @property
    def files(self) -> AsyncBucketFiles:
        """Its files: the same interface as ``db.files``."""
        path = f"{_PATH}/{encode_segment(self._ref)}/files"
        return AsyncBucketFiles(self._ref, self._client, path=path, operation="buckets.files")

    def __repr__(self) -> str:
        return f"<AsyncBucket {self._ref!r}>"


class AsyncBuckets:
    """All buckets of a server: ``client.buckets``."""

    def __init__(self, client: AsyncSender) -> None:
        self._client = client

    async def list(self) -> list[BucketRecord]:
        """All buckets."""
        return cast(
            "list[BucketRecord]", read_list(await self._client.send(self._request("list", "GET", _PATH, safe=True)))
        )

    async def get(self, ref: str) -> BucketRecord:
        """One bucket, by its slug, id or name. The server has no route for it, so the list is searched.

        Raises:
            NotFoundError: there is none.
        """
        checked_ref(ref)
        records = await self.list()
        for field in ("slug", "id", "name"):
            for record in records:
                if record.get(field) == ref:
                    return record
        raise NotFoundError.of("Bucket not found", status_code=404)

    async def create(self, name: str, description: str | None = None, *, slug: str | None = None) -> BucketRecord:
        """Make a bucket.

        Args:
            name: its name.
            description: a note for people.
            slug: how paths name it: ASCII letters, digits, ``_`` and ``-``; default: the name, where it is one.

        Returns:
            The record. Its ``api_key`` is a live key, shown this once: a `Secret`, which no ``repr`` shows.

        Raises:
            ArgumentError: the name is not a slug, and none was given.
            ConflictError: the slug is taken.
        """
        payload = {"name": checked_ref(name), "slug": check_slug(name if slug is None else slug)}
        payload |= given_texts(description=description)
        request = self._request("create", "POST", _PATH, payload=payload)
        return cast(BucketRecord, _hidden(read_object(await self._client.send(request), write=True), "api_key"))

    async def delete(self, ref: str) -> None:
        """Delete a bucket with all files in it, by its slug."""
        raise_for_status(await self._client.send(self._request("delete", "DELETE", _one(ref))))

    def _request(self, what: str, method: Literal["GET", "POST", "DELETE"], path: str, **options: Any) -> Request:
        return Request(f"buckets.{what}", method, path, timeout=self._client.timeout, **options)
