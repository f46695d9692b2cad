"""Read a file in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

__all__ = ["pieces"]


def pieces(source: BinaryIO, length: int, size: int = 256 * 1024) -> Iterator[bytes]:
    """Iterate over the next ``length`` bytes of a file, then close it."""
    with source:
        while length > 0:
            piece = source.read(min(size, length))
            if not piece:
                return
            length -= len(piece)
            yield piece
