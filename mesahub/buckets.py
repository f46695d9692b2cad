"""Buckets: files that belong to no database.

No exchange with a real server's bucket routes is on record. What stands here follows the routes that mesahub 1.0.1
names and the shapes of a database's files; ``mesahub serve`` answers it.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict, cast

from mesahub._calls.executor import Sender
from mesahub.dialects.mesahub.errors import raise_for_status
from mesahub.dialects.mesahub.json_responses import read_list, read_object
from mesahub.errors import ArgumentError
from mesahub.files import Files, PresignedURL, checked_seconds
from mesahub.transport import Request
from mesahub.url import encode_segment

__all__ = ["Bucket", "BucketFiles", "BucketRecord", "Buckets", "PresignedUpload"]

_PATH = "/api/buckets"


class BucketRecord(TypedDict):
    """A bucket as the server shows it."""

    id: str
    name: str
    description: NotRequired[str | None]
    created_at: NotRequired[str]
    updated_at: NotRequired[str | None]


class PresignedUpload(PresignedURL):
    """A link by which one file can be put into a bucket without a key.

    Send the file's bytes with ``method`` to ``url``, with the ``Content-Type`` that the link was made for.
    """

    method: NotRequired[str]


class BucketFiles(Files):
    """The files of a bucket: all that `Files` has, and links for uploads."""

    def presign_upload(
        self, filename: str, content_type: str | None = None, *, expires_in: int | None = None
    ) -> PresignedUpload:
        """A link by which one file can be put here without a key, for example by a browser.

        Args:
            filename: the name the file will have.
            content_type: its media type; guessed from the name when not given.
            expires_in: seconds it works; by default as long as the server says.
        """
        if not isinstance(filename, str) or not filename:
            raise ArgumentError(f"A file's name is text that is not empty, not {filename!r}.")
        if content_type is None:
            from mesahub._calls.uploads import guess_content_type

            content_type = guess_content_type(filename)
        given = {"filename": filename, "content_type": content_type, "expires_in": checked_seconds(expires_in)}
        payload = {name: value for name, value in given.items() if value is not None}
        answer = read_object(self._send("presign_upload", "POST", "presign-upload", payload=payload, safe=True))
        return cast(PresignedUpload, answer)


class Bucket:
    """One bucket; `MesahubClient.bucket` makes it.

    Example:
        >>> photos = client.bucket("photos")  # doctest: +SKIP
        >>> photos.files.upload("cat.jpg")  # doctest: +SKIP
    """

    def __init__(self, ref: str, client: Sender) -> None:
        self._ref = checked_ref(ref)
        self._client = client

    @property
    def name(self) -> str:
        """What it was named by: its id or its name."""
        return self._ref

    @property
    def files(self) -> BucketFiles:
        """Its files: the same interface as ``db.files``."""
        path = f"{_PATH}/{encode_segment(self._ref)}/files"
        return BucketFiles(self._ref, self._client, path=path, operation="buckets.files")

    def __repr__(self) -> str:
        return f"<Bucket {self._ref!r}>"


class Buckets:
    """All buckets of a server: ``client.buckets``."""

    def __init__(self, client: Sender) -> None:
        self._client = client

    def list(self) -> list[BucketRecord]:
        """All buckets."""
        return cast("list[BucketRecord]", read_list(self._client.send(self._request("list", "GET", _PATH, safe=True))))

    def get(self, ref: str) -> BucketRecord:
        """One bucket, by its id or name. Raises `NotFoundError`."""
        return cast(BucketRecord, read_object(self._client.send(self._request("get", "GET", _one(ref), safe=True))))

    def create(self, name: str, description: str | None = None) -> BucketRecord:
        """Make a bucket.

        Args:
            name: its name.
            description: a note for people.

        Raises:
            ConflictError: the name is taken.
        """
        payload: dict[str, Any] = {"name": checked_ref(name)}
        if description is not None:
            payload["description"] = description
        request = self._request("create", "POST", _PATH, payload=payload)
        return cast(BucketRecord, read_object(self._client.send(request)))

    def delete(self, ref: str) -> None:
        """Delete a bucket with all files in it, by its id or name."""
        raise_for_status(self._client.send(self._request("delete", "DELETE", _one(ref))))

    def _request(self, what: str, method: Literal["GET", "POST", "DELETE"], path: str, **options: Any) -> Request:
        return Request(f"buckets.{what}", method, path, timeout=self._client.timeout, **options)


def _one(ref: str) -> str:
    return f"{_PATH}/{encode_segment(checked_ref(ref))}"


def checked_ref(ref: str) -> str:
    """A bucket's id or name, which ends in a path."""
    if not isinstance(ref, str) or not ref.strip() or ref in (".", ".."):
        raise ArgumentError(f"A bucket is named by its id or name, text that is not empty, not {ref!r}.")
    return ref
