"""The body of a file on its way to the caller: counted, verified, and resumed after a break."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from mesahub._calls.checks import checked_progress, checked_text
from mesahub._calls.uploads import Progress
from mesahub.dialects.mesahub.errors import raise_for_status
from mesahub.errors import (
    ArgumentError,
    ConnectionLostError,
    RequestTimeoutError,
    ResultError,
    ServerError,
)
from mesahub.transport import Request, Response

if TYPE_CHECKING:
    from hashlib import _Hash
    from pathlib import Path

__all__ = ["Download", "check_target", "save"]

PIECE = 256 * 1024
"""Bytes read at a time."""

RESUMES = 4
"""Times that a broken body is resumed after less than `PROGRESS` new bytes, before the error is raised."""

PROGRESS = 64 * 1024
"""Bytes that a connection must give for its end to count as a new failure: else one byte each would never end."""

STORED_AT_ONCE = 4 * 1024 * 1024
"""Bytes after which the system is asked to begin to store them."""

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class Download:
    """A file that is being downloaded: `begin`, then iterate over it, or read from it.

    Use it as a context manager. If the connection breaks, the download is resumed with ``Range``. At
    the end the length is verified, and the content hash if it is known.

    Args:
        request: asks for the file.
        send: sends it.
        progress: called with (bytes read, bytes in all).
        content_hash: the SHA-256 that the content must have; default: what the server announces, if it does.

    Attributes:
        length: total bytes; ``None`` if unknown.
        content_type: the media type; ``None`` if unknown.
        received: bytes read so far.
    """

    def __init__(
        self,
        request: Request,
        send: Callable[[Request], Response],
        progress: Progress | None = None,
        *,
        content_hash: str | None = None,
    ) -> None:
        if content_hash is not None and not (isinstance(content_hash, str) and _SHA256.fullmatch(content_hash)):
            raise ArgumentError(f"content_hash is a SHA-256 in 64 hexadecimal digits, not {content_hash!r}.")
        self._request = request
        self._send = send
        self._progress = checked_progress(progress)
        self.received = 0
        self._failures = 0
        self._resumed_at = 0
        self._done = False
        self._response: Response | None = None
        self._rest = memoryview(b"")
        self._given_hash = content_hash
        self._hash: _Hash | None = None
        self.length: int | None = None
        self.content_type: str | None = None

    def begin(self) -> Self:
        """Ask for the file."""
        response = self._send(self._request)
        raise_for_status(response)
        self._refuse_empty_front(response)
        self._response, self._rest = response, memoryview(response.content)
        self.length = _length(response)
        self.content_type = response.headers.get("Content-Type")
        self._modified = response.headers.get("Last-Modified")
        # The front of today's server sends the literal text of a placeholder here, so: only real hashes.
        announced = self._given_hash or str(response.headers.get("X-Content-Hash", "")).strip()
        if _SHA256.fullmatch(announced):
            import hashlib

            self._announced = announced.lower()
            self._hash = hashlib.sha256()
        return self

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes, ``b""`` at the end; all that is left when ``size`` is negative.

        Raises:
            TransportError: the connection broke and the download could not be resumed.
            ResultError: the file is not the announced one, or changed during the download.
        """
        if size < 0:
            # Unlike a list of pieces that are joined, this never holds the content twice.
            whole = io.BytesIO()
            for piece in self:
                whole.write(piece)
            return whole.getvalue()
        if size == 0:
            return b""
        while not self._done:
            if self._response is None:
                raise ArgumentError("This download is closed.")
            try:
                piece = self._take(size)
                if not piece and self.length is not None and self.received < self.length:
                    raise ConnectionLostError(f"The file broke off after {self.received} of {self.length} bytes.")
            except (ConnectionLostError, RequestTimeoutError) as error:
                self._resume(error)
                continue
            if not piece:
                self._finish()
                break
            self.received += len(piece)
            if self._hash is not None:
                self._hash.update(piece)
            if self._progress is not None:
                self._progress(self.received, self.length)
            return piece
        return b""

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read(PIECE):
            yield piece

    def close(self) -> None:
        """Give up what was not read. May be called twice."""
        response, self._response = self._response, None
        if response is not None:
            response.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Download {self._request.path} {self.received} of {self.length} bytes>"

    def _take(self, size: int) -> bytes:
        response = self._response
        if response is not None and response.stream is not None:
            return response.stream.read(size)
        piece, self._rest = bytes(self._rest[:size]), self._rest[size:]
        return piece

    def _resume(self, error: Exception) -> None:
        if self.received - self._resumed_at >= PROGRESS:
            self._failures = 0
        self._resumed_at = self.received
        self._failures += 1
        if self._failures > RESUMES:
            self.close()
            raise error
        if self._response is not None:
            self._response.close()
        request = self._request
        if self.received:
            request = request.with_header("Range", f"bytes={self.received}-")
            if self._modified is not None:
                # A file that was replaced comes whole and is refused below, instead of being joined on.
                request = request.with_header("If-Range", self._modified)
        response = self._send(request)
        raise_for_status(response)
        if self.received:
            self._check_continues(response, error)
        self._response, self._rest = response, memoryview(response.content)

    def _check_continues(self, response: Response, error: Exception) -> None:
        match = _RANGE.fullmatch(str(response.headers.get("Content-Range", "")))
        fits = (
            response.status == 206
            and match is not None
            and int(match[1]) == self.received
            and (self.length is None or match[3] in ("*", str(self.length)))
        )
        if not fits:
            response.close()
            self.close()
            raise ResultError(
                f"The download broke off after {self.received} bytes and could not be resumed: the "
                "server does not send the rest of the same file. Download it again."
            ) from error

    def _finish(self) -> None:
        self._done = True
        self.close()
        if self.length is not None and self.received != self.length:
            raise ResultError(f"The file has {self.received} bytes where {self.length} were announced.")
        if self._hash is not None and self._hash.hexdigest() != self._announced:
            raise ResultError(
                "The file's content is not what the server announced: its SHA-256 differs. Download it again."
            )

    def _refuse_empty_front(self, response: Response) -> None:
        if "X-Sendfile" in response.headers:
            response.close()
            raise ServerError.of(
                "The server sends no file bodies by itself: it leaves them to the front (Caddy) that it "
                "ships with, and this URL goes past it. Use the front's URL for files.",
                status_code=response.status,
            )


def _length(response: Response) -> int | None:
    text = response.headers.get("Content-Length")
    if text is not None and str(text).isdigit():
        return int(text)
    return len(response.content) if response.stream is None else None


def save(download: Download, target: str | os.PathLike[str] | BinaryIO) -> int:
    """Write a download to a path or to an open file, and close it.

    A path is written under a temporary name next to it and renamed once the content is complete and verified:
    a partial file is never visible, and a failure keeps the previous file.

    Returns:
        The bytes written.
    """
    with download:
        if not isinstance(target, (str, os.PathLike)):
            _write(download, target)
            return download.received
        path = _absolute(target)
        temporary = path.with_name(f"{path.name}.{os.urandom(6).hex()}.part")
        try:
            with temporary.open("xb") as file:
                _write_for_good(download, file)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return download.received


def check_target(target: Any) -> None:
    """Raise `ArgumentError` for something that cannot be written to, before anything is asked for."""
    if isinstance(target, (str, os.PathLike)):
        path = _absolute(target)
        if path.is_dir():
            raise ArgumentError(f"{str(path)!r} is a directory: give the path of the file to write.")
        if not path.parent.is_dir():
            raise ArgumentError(f"There is no directory {str(path.parent)!r} to write the file to.")
    elif not callable(getattr(target, "write", None)):
        raise ArgumentError(f"Give a path or a file opened in binary mode, not {type(target).__name__}.")


def _absolute(path: str | os.PathLike[str]) -> Path:
    from pathlib import Path  # only who writes to a path pays for it

    text = os.fspath(path)
    try:
        if isinstance(text, str):
            text = checked_text("A path", text)
            os.fsencode(text)
            if "\0" not in text:
                return Path(text).absolute()
    except UnicodeEncodeError:
        pass
    raise ArgumentError(f"The path {text!r:.100} cannot be one: it must be text without NUL characters.")


def _write(download: Download, file: BinaryIO) -> None:
    for piece in download:
        file.write(piece)


def _write_for_good(download: Download, file: BinaryIO) -> None:
    """Write, and return when all of it is on the disk.

    The system begins to store each part while the next one is on its way, so that little is left to wait for.
    """
    begun = 0
    for piece in download:
        file.write(piece)
        if download.received - begun >= STORED_AT_ONCE:
            file.flush()
            _begin_to_store(file.fileno(), begun, download.received - begun)
            begun = download.received
    file.flush()
    os.fsync(file.fileno())


def _begin_to_store(descriptor: int, start: int, length: int) -> None:
    # To Linux, "not needed" is: write it out, do not wait. What is being written stays readable from memory.
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            os.posix_fadvise(descriptor, start, length, os.POSIX_FADV_DONTNEED)
