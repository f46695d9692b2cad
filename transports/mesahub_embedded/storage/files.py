"""The files of a database: contents named by their SHA-256, records in the catalog."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import tempfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from mesahub_embedded.engine.errors import RefusedError
from mesahub_embedded.storage.catalog import Catalog, new_id

__all__ = ["FileStore", "Incoming", "Upload", "is_media_type"]

SIZE_LIMIT = 104_857_600
METADATA_LIMIT = 4096
_ALLOWED = frozenset({"application/pdf", "application/json", "application/zip", "application/gzip"})
_MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+[ \t]*(?:;[\t\x20-\x7e]*)?", re.ASCII)
_FAMILIES = ("image/", "video/", "audio/", "text/")
# What a file's first bytes say; compared with the type that was given (docs/protocol.md, section 7).
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
)

Record = dict[str, Any]


@dataclass(slots=True)
class Upload:
    """Metadata of an upload."""

    filename: str
    content_type: str = ""
    folder_path: str = ""
    conflict_mode: str = "replace"
    metadata: str | None = None
    expires_in: int | None = None


class Incoming:
    """An incoming file: written to a temporary file and hashed on the fly.

    A context manager that removes the file unless `FileStore.keep` was called.
    """

    def __init__(self, folder: Path) -> None:
        with storing():
            folder.mkdir(parents=True, exist_ok=True)
            with _gate(folder, exclusive=False):  # until it is locked it looks abandoned
                handle, name = tempfile.mkstemp(prefix=_INCOMING, dir=folder)
                _lock(handle)
        self._file = os.fdopen(handle, "wb")
        self.path = Path(name)
        self.size = 0
        self.head = b""
        self._hash = hashlib.sha256()

    def write(self, piece: bytes) -> None:
        """Write the next piece. Raises `RefusedError` (413) beyond 100 MiB."""
        self.size += len(piece)
        if self.size > SIZE_LIMIT:
            raise RefusedError(413, "file exceeds maximum size limit")
        if len(self.head) < 16:
            self.head += piece[:16]
        self._hash.update(piece)
        with storing():
            self._file.write(piece)

    def finish(self) -> str:
        """Flush to disk; returns the SHA-256 in hex."""
        with storing():
            self._file.flush()
            os.fsync(self._file.fileno())
        self._file.close()
        return self._hash.hexdigest()

    def __enter__(self) -> Incoming:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._file.close()  # flushes, and the disk may be full
        with contextlib.suppress(OSError):
            self.path.unlink()


_INCOMING = "incoming-"


def _lock(handle: int) -> bool:
    """Lock a file while it is open; ``False`` if another process has locked it."""
    try:
        import fcntl
    except ImportError:  # Windows keeps an open file from being removed
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _gate(folder: Path, *, exclusive: bool) -> Iterator[None]:
    """Exclude the start of an upload and the removal of abandoned files from each other."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    gate = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(gate, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        yield
    finally:
        os.close(gate)


def _remove_abandoned(folder: Path) -> None:
    """Remove the temporary files of killed processes: those that no process has locked."""
    paths = list(folder.glob(f"{_INCOMING}*"))
    if paths:
        with contextlib.suppress(OSError), _gate(folder, exclusive=True):
            for path in paths:
                with contextlib.suppress(OSError), path.open("rb") as file:
                    if _lock(file.fileno()):
                        path.unlink()


@contextlib.contextmanager
def storing() -> Iterator[None]:
    """Convert an error of the file system to the server's.

    Raises:
        RefusedError: 507 if the disk is full, otherwise 500.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise RefusedError(507, "the disk is full") from error
        raise RefusedError(500, "the data folder cannot be read or written") from error


class FileStore:
    """The files of all databases and buckets of a data folder. ``place`` is the database's slug.

    Args:
        catalog: holds their records.
        blobs: the folder of their contents.
    """

    def __init__(self, catalog: Catalog, blobs: Path) -> None:
        self._catalog = catalog
        self._blobs = blobs
        _remove_abandoned(blobs)

    def incoming(self) -> Incoming:
        """Start a new file."""
        return Incoming(self._blobs)

    def check(self, upload: Upload) -> None:
        """Raise `RefusedError` if the metadata of an upload is invalid."""
        if upload.metadata is not None and len(upload.metadata.encode("utf-8", "replace")) > METADATA_LIMIT:
            raise RefusedError(500, "metadata field exceeds maximum size")
        if ".." in upload.folder_path or "\0" in upload.folder_path or "\\" in upload.folder_path:
            raise RefusedError(500, "folderPath contains invalid characters")
        if upload.conflict_mode not in ("", "replace", "error"):
            raise RefusedError(500, "conflictMode must be 'replace' or 'error'")

    def keep(self, place: str, upload: Upload, incoming: Incoming) -> Record:
        """Create a file from an existing content.

        Raises:
            RefusedError: 409 if the name is taken, 415 if the type is not allowed or does not match the content.
        """
        self.check(upload)
        content_type = _checked_type(upload.content_type, incoming.head)
        digest = incoming.finish()
        folder = upload.folder_path.strip().strip("/")
        filename = base_name(upload.filename.strip())
        moment = datetime.now(UTC)
        expires = moment + timedelta(seconds=upload.expires_in) if upload.expires_in else None
        row = (
            new_id(),
            place,
            digest,
            filename,
            folder,
            content_type,
            incoming.size,
            _time(moment),
            _time(expires) if expires else None,
            upload.metadata,
        )
        with self._catalog.transaction() as sqlite:
            # Contents are created and removed within transactions only, so no other process removes this one now.
            taken = sqlite.execute(
                "SELECT id, hash FROM files WHERE place = ? AND folder_path = ? AND filename = ?",
                (place, folder, filename),
            ).fetchone()
            if taken is not None:
                if upload.conflict_mode == "error":
                    raise RefusedError(409, "a file with that name already exists")
                sqlite.execute("DELETE FROM files WHERE id = ?", (taken["id"],))
            target = self._blob(digest)
            with storing():
                if not target.exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    incoming.path.replace(target)
                    _sync_folder(target.parent)
            sqlite.execute(
                "INSERT INTO files (id, place, hash, filename, folder_path, content_type, size_bytes, uploaded_at, "
                "expires_at, metadata) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )
        if taken is not None:
            self._sweep([taken["hash"]])
        return self.get(place, row[0])

    def get(self, place: str, file_id: str) -> Record:
        """The record of a file. Raises `RefusedError` (404)."""
        with self._catalog.reading() as sqlite:
            row = sqlite.execute("SELECT * FROM files WHERE id = ? AND place = ?", (file_id, place)).fetchone()
        if row is None:
            raise RefusedError(404, "File not found")
        return dict(row)

    def storage_path(self, record: Record) -> str:
        """The path of a file's content."""
        return str(self._blob(record["hash"]))

    def open(self, record: Record) -> BinaryIO:
        """Open the content of a file. Raises `RefusedError` (404) if it has been removed."""
        try:
            return self._blob(record["hash"]).open("rb")
        except FileNotFoundError:
            raise RefusedError(404, "File not found") from None

    def list(self, place: str, query: dict[str, str]) -> tuple[list[Record], int, int, int]:
        """A page of files: the records, the total, and the effective limit and offset.

        Args:
            place: the database's slug.
            query: ``limit``, ``offset``, ``folder_prefix``, ``sort``, ``order``, as text. Invalid values are ignored.
        """
        limit = min(max(_number(query.get("limit"), 100), 1), 1000)
        offset = _number(query.get("offset"), 0)
        sort = query.get("sort", "")
        if sort not in ("uploaded_at", "filename", "size_bytes", "content_type"):
            sort = "uploaded_at"
        order = "ASC" if query.get("order") == "asc" else "DESC"
        condition, values = "place = ?", [place]
        if query.get("folder_prefix"):
            condition += " AND folder_path LIKE ?"
            values.append(query["folder_prefix"] + "%")
        with self._catalog.reading() as sqlite:
            total: int = sqlite.execute(f"SELECT count(*) FROM files WHERE {condition}", values).fetchone()[0]
            rows = sqlite.execute(
                f"SELECT * FROM files WHERE {condition} ORDER BY {sort} {order}, rowid {order} LIMIT ? OFFSET ?",
                [*values, limit, offset],
            ).fetchall()
        return [dict(row) for row in rows], total, limit, offset

    def delete(self, place: str, file_id: str) -> bool:
        """Remove a file. Returns whether it existed."""
        return self.delete_many(place, [file_id]) == 1

    def delete_many(self, place: str, file_ids: Iterable[str]) -> int:
        """Remove files. Returns the number of those that existed."""
        hashes: list[str] = []
        with self._catalog.transaction() as sqlite:
            for file_id in file_ids:
                row = sqlite.execute(
                    "DELETE FROM files WHERE id = ? AND place = ? RETURNING hash", (file_id, place)
                ).fetchone()
                if row is not None:
                    hashes.append(row["hash"])
        self._sweep(hashes)
        return len(hashes)

    def delete_all(self, place: str) -> int:
        """Remove all files of a database. Returns their number."""
        with self._catalog.transaction() as sqlite:
            rows = sqlite.execute("DELETE FROM files WHERE place = ? RETURNING hash", (place,)).fetchall()
        self._sweep([row["hash"] for row in rows])
        return len(rows)

    def _sweep(self, hashes: Collection[str]) -> None:
        """Remove contents that no record refers to.

        In a separate transaction, after the deletion of the records was committed: a crash in between leaves an
        unused content, never a record without its content.
        """
        if hashes:
            with self._catalog.transaction() as sqlite:
                for digest in set(hashes):
                    if sqlite.execute("SELECT 1 FROM files WHERE hash = ?", (digest,)).fetchone() is None:
                        self._blob(digest).unlink(missing_ok=True)

    def _blob(self, digest: str) -> Path:
        return self._blobs / digest[:2] / digest


def _checked_type(content_type: str, head: bytes) -> str:
    """The content type to store: the one passed, or the one detected from the first bytes."""
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            if not content_type:
                return kind
            if content_type.partition(";")[0].strip() != kind:
                raise RefusedError(415, "detected MIME type does not match claimed type")
    if content_type and content_type not in _ALLOWED and not content_type.startswith(_FAMILIES):
        raise RefusedError(415, "file MIME type is not permitted")
    if content_type and not is_media_type(content_type):
        raise RefusedError(415, "file MIME type is not permitted")
    return content_type


def is_media_type(text: str) -> bool:
    """Is it safe in a ``Content-Type`` header? Line breaks and control characters would allow header injection."""
    return _MEDIA_TYPE.fullmatch(text) is not None


def base_name(filename: str) -> str:
    """A file's name for storage: without folders, at most 255 bytes."""
    name = filename.rpartition("/")[2]
    return name.encode("utf-8", "replace")[:255].decode("utf-8", "ignore")


def _number(text: str | None, default: int) -> int:
    try:
        number = int(text or default)
    except ValueError:
        return default
    return number if abs(number) < 2**63 else default


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}Z"


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
