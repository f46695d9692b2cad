# Made by scripts/asyncify.py of mesahub/_calls/downloads.py: change that, and run `make aio`.
"""The body of a file on its way to the caller: counted, verified, and resumed after a break."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from mesahub._calls.checks import checked_progress
from mesahub._calls.downloads import (
    _RANGE,
    _SHA256,
    PIECE,
    PROGRESS,
    RESUMES,
    STORED_AT_ONCE,
    _absolute,
    _begin_to_store,
    _length,
)
from mesahub._calls.uploads import Progress
from mesahub.dialects.mesahub.errors import raise_for_status
from mesahub.errors import ArgumentError, ConnectionLostError, RequestTimeoutError, ResultError, ServerError
from mesahub.transport import AsyncResponse, Request

if TYPE_CHECKING:
    from hashlib import _Hash

__all__ = ["AsyncDownload", "save"]


class AsyncDownload:
    """A file that is being downloaded: `begin`, then iterate over it (``async for``), or read from it.

    Use it as an asynchronous context manager. If the connection breaks, the download is resumed with ``Range``. At
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
        send: Callable[[Request], Coroutine[Any, Any, AsyncResponse]],
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
        self._response: AsyncResponse | None = None
        self._rest = memoryview(b"")
        self._given_hash = content_hash
        self._hash: _Hash | None = None
        self.length: int | None = None
        self.content_type: str | None = None

    async def begin(self) -> Self:
        """Ask for the file."""
        response = await self._send(self._request)
        raise_for_status(response)
        await self._refuse_empty_front(response)
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

    async def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes, ``b""`` at the end; all that is left when ``size`` is negative.

        Raises:
            TransportError: the connection broke and the download could not be resumed.
            ResultError: the file is not the announced one, or changed during the download.
        """
        if size < 0:
            # Unlike a list of pieces that are joined, this never holds the content twice.
            whole = io.BytesIO()
            async for piece in self:
                whole.write(piece)
            return whole.getvalue()
        if size == 0:
            return b""
        while not self._done:
            if self._response is None:
                raise ArgumentError("This download is closed.")
            try:
                piece = await self._take(size)
                if not piece and self.length is not None and self.received < self.length:
                    raise ConnectionLostError(f"The file broke off after {self.received} of {self.length} bytes.")
            except (ConnectionLostError, RequestTimeoutError) as error:
                await self._resume(error)
                continue
            if not piece:
                await self._finish()
                break
            self.received += len(piece)
            if self._hash is not None:
                self._hash.update(piece)
            if self._progress is not None:
                self._progress(self.received, self.length)
            return piece
        return b""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await self.read(PIECE):
            yield piece

    async def close(self) -> None:
        """Give up what was not read. May be called twice."""
        response, self._response = self._response, None
        if response is not None:
            await response.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<AsyncDownload {self._request.path} {self.received} of {self.length} bytes>"

    async def _take(self, size: int) -> bytes:
        response = self._response
        if response is not None and response.async_stream is not None:
            return await response.async_stream.read(size)
        piece, self._rest = bytes(self._rest[:size]), self._rest[size:]
        return piece

    async def _resume(self, error: Exception) -> None:
        if self.received - self._resumed_at >= PROGRESS:
            self._failures = 0
        self._resumed_at = self.received
        self._failures += 1
        if self._failures > RESUMES:
            await self.close()
            raise error
        if self._response is not None:
            await self._response.aclose()
        request = self._request
        if self.received:
            request = request.with_header("Range", f"bytes={self.received}-")
            if self._modified is not None:
                # A file that was replaced comes whole and is refused below, instead of being joined on.
                request = request.with_header("If-Range", self._modified)
        response = await self._send(request)
        raise_for_status(response)
        if self.received:
            await self._check_continues(response, error)
        self._response, self._rest = response, memoryview(response.content)

    async def _check_continues(self, response: AsyncResponse, error: Exception) -> None:
        match = _RANGE.fullmatch(str(response.headers.get("Content-Range", "")))
        fits = (
            response.status == 206
            and match is not None
            and int(match[1]) == self.received
            and (self.length is None or match[3] in ("*", str(self.length)))
        )
        if not fits:
            await response.aclose()
            await self.close()
            raise ResultError(
                f"The download broke off after {self.received} bytes and could not be resumed: the "
                "server does not send the rest of the same file. Download it again."
            ) from error

    async def _finish(self) -> None:
        self._done = True
        await self.close()
        if self.length is not None and self.received != self.length:
            raise ResultError(f"The file has {self.received} bytes where {self.length} were announced.")
        if self._hash is not None and self._hash.hexdigest() != self._announced:
            raise ResultError(
                "The file's content is not what the server announced: its SHA-256 differs. Download it again."
            )

    async def _refuse_empty_front(self, response: AsyncResponse) -> None:
        if "X-Sendfile" in response.headers:
            await response.aclose()
            raise ServerError.of(
                "The server sends no file bodies by itself: it leaves them to the front (Caddy) that it "
                "ships with, and this URL goes past it. Use the front's URL for files.",
                status_code=response.status,
            )


async def save(download: AsyncDownload, target: str | os.PathLike[str] | BinaryIO) -> int:
    """Write a download to a path or to an open file, and close it.

    A path is written under a temporary name next to it and renamed once the content is complete and verified:
    a partial file is never visible, and a failure keeps the previous file.

    Returns:
        The bytes written.
    """
    async with download:
        if not isinstance(target, (str, os.PathLike)):
            await _write(download, target)
            return download.received
        path = _absolute(target)
        temporary = path.with_name(f"{path.name}.{os.urandom(6).hex()}.part")
        try:
            with temporary.open("xb") as file:
                await _write_for_good(download, file)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return download.received


async def _write(download: AsyncDownload, file: BinaryIO) -> None:
    async for piece in download:
        file.write(piece)


async def _write_for_good(download: AsyncDownload, file: BinaryIO) -> None:
    """Write, and return when all of it is on the disk.

    The system begins to store each part while the next one is on its way, so that little is left to wait for.
    """
    begun = 0
    async for piece in download:
        file.write(piece)
        if download.received - begun >= STORED_AT_ONCE:
            file.flush()
            _begin_to_store(file.fileno(), begun, download.received - begun)
            begun = download.received
    file.flush()
    await asyncio.to_thread(os.fsync, file.fileno())
