"""Bodies that are not in memory: uploads sent in pieces, downloads read in pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

from mesahub._util.frozen import Frozen

CHUNK_SIZE = 256 * 1024
"""Bytes per piece of a file, up and down."""


class BodyStream(Protocol):
    """A body that is not in memory. An HTTP transport sends it piece by piece, with its length."""

    def __len__(self) -> int:
        """Bytes in all."""
        ...

    def __iter__(self) -> Iterator[bytes]:
        """The pieces, from the start each time. Raises ``ValueError`` where that is impossible."""
        ...


class DownloadStream(Protocol):
    """The body of a response, read as a stream. ``read`` raises the contract's errors."""

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes, ``b""`` at the end; all that is left when ``size`` is negative."""
        ...

    def close(self) -> None:
        """Give the connection back, or drop it when the body was not read to the end."""
        ...


class AsyncDownloadStream(Protocol):
    """The body of an asynchronous transport's response, read as a stream."""

    async def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes, ``b""`` at the end; all that is left when ``size`` is negative."""
        ...

    async def close(self) -> None:
        """Give the connection back, or drop it when the body was not read to the end."""
        ...


class FileBody(Frozen):
    """A file to send, by length and by a function that opens it: from the start, once per attempt.

    Args:
        length: bytes in all.
        open: gives a binary file at its start. Raises ``ValueError`` when it cannot be read twice.
        progress: called with (bytes sent so far, bytes in all) as pieces are taken.
    """

    __slots__ = ("chunk_size", "length", "open", "progress")

    length: int
    open: Callable[[], BinaryIO]
    progress: Callable[[int, int], None] | None
    chunk_size: int

    def __init__(
        self,
        length: int,
        open: Callable[[], BinaryIO],
        progress: Callable[[int, int], None] | None = None,
        chunk_size: int = CHUNK_SIZE,
    ) -> None:
        self._set(length=length, open=open, progress=progress, chunk_size=chunk_size)

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[bytes]:
        sent = 0
        source = self.open()
        while sent < self.length:
            piece = source.read(min(self.chunk_size, self.length - sent))
            if not piece:
                raise ValueError(f"the file ended after {sent} of {self.length} bytes: it changed while it was sent")
            sent += len(piece)
            yield piece
            if self.progress is not None:
                self.progress(sent, self.length)
