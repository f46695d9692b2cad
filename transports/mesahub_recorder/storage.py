"""A cassette's files: validated when read, written atomically, one writer at a time."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mesahub_recorder.errors import CassetteError

__all__ = ["NAME", "BodyFile", "lock", "opened", "read", "spooled", "write"]

NAME = re.compile(r"[0-9a-f]{64}")
"""Names of files next to a cassette: the SHA-256 of their content."""

LARGEST = 1024 * 1024 * 1024
"""Maximum size of a cassette file in bytes."""

_PIECE = 256 * 1024


class BodyFile:
    """A long body in a file: read in pieces, never held in memory.

    Attributes:
        path: the file.
        name: the SHA-256 of its content.
        size: its bytes.
    """

    __slots__ = ("name", "path", "size")

    def __init__(self, path: Path, name: str, size: int) -> None:
        self.path = path
        self.name = name
        self.size = size

    def open(self) -> BinaryIO:
        """Open it for reading. Raises `CassetteError`."""
        return opened(self.path)

    def pieces(self) -> Iterator[bytes]:
        """Iterate over the content."""
        with self.open() as file:
            while piece := file.read(_PIECE):
                yield piece

    def verify(self) -> None:
        """Raise `ValueError` if the content does not match the name."""
        digest = hashlib.sha256()
        for piece in self.pieces():
            digest.update(piece)
        if digest.hexdigest() != self.name:
            raise ValueError(f"the file {self.name} was changed")


def opened(path: Path, *, follow: bool = False) -> BinaryIO:
    """Open a regular file. Devices and FIFOs, which could block, are rejected.

    Raises:
        CassetteError: it is not a regular file, or too large, or cannot be read.
        FileNotFoundError: it does not exist.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if not follow:
        flags |= getattr(os, "O_NOFOLLOW", 0)
    try:
        handle = os.open(path, flags)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise CassetteError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
        os.close(handle)
        what = "not a regular file" if not stat.S_ISREG(found.st_mode) else f"larger than {LARGEST:,} bytes"
        raise CassetteError(f"{path} is {what}, so it is not read as a cassette.")
    return os.fdopen(handle, "rb")


def read(path: Path, *, follow: bool = False) -> bytes:
    """The content of a regular file. Raises as `opened`."""
    with opened(path, follow=follow) as file:
        return file.read()


def spooled(stream: object, folder: Path, limit: int) -> bytes | BodyFile:
    """Read a stream to its end: into memory up to ``limit`` bytes, otherwise into a file in ``folder``."""
    source: BinaryIO = stream  # type: ignore[assignment]
    first = b""
    while len(first) <= limit:
        piece = source.read(_PIECE)
        if not piece:
            return first
        first += piece
    digest = hashlib.sha256(first)
    handle, name = tempfile.mkstemp(dir=folder)
    size = len(first)
    with os.fdopen(handle, "wb") as file:
        file.write(first)
        while piece := source.read(_PIECE):
            digest.update(piece)
            file.write(piece)
            size += len(piece)
    return BodyFile(Path(name), digest.hexdigest(), size)


def write(path: Path, content: bytes | BodyFile) -> None:
    """Write a file atomically. A symbolic link is replaced, not followed."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
    try:
        with os.fdopen(handle, "wb") as file:
            for piece in [content] if isinstance(content, bytes) else content.pieces():
                file.write(piece)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Lock a cassette for writing; other recorders, including those in other processes, wait."""
    whole = os.path.normcase(os.path.realpath(path)).lower()
    user = os.getuid() if hasattr(os, "getuid") else 0
    name = f"mesahub-cassette-{user}-{hashlib.sha256(whole.encode(errors='surrogateescape')).hexdigest()[:32]}.lock"
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    handle = os.open(Path(tempfile.gettempdir()) / name, flags, 0o600)
    try:
        _acquire(handle)
        yield
    finally:
        os.close(handle)  # which also unlocks it


def _acquire(handle: int) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        while True:
            with contextlib.suppress(OSError):  # after ten seconds
                msvcrt.locking(handle, msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined]
                return
    else:
        fcntl.flock(handle, fcntl.LOCK_EX)
