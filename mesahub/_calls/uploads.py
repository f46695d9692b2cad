"""What may be uploaded (bytes, a path, an open file) and the body that is made of it."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO

from mesahub._calls.checks import checked_progress
from mesahub.errors import ArgumentError, MesahubError
from mesahub.transport import FileBody

__all__ = ["Progress", "Uploadable", "guess_content_type", "name_of", "opened"]

Progress = Callable[[int, "int | None"], None]
"""Called with (bytes done, bytes in all); the second is ``None`` if unknown."""

Uploadable = bytes | bytearray | memoryview | str | os.PathLike[str] | BinaryIO
"""The content itself, the path of a file, or a file opened for reading in binary mode."""

_PIECE = 256 * 1024


@contextmanager
def opened(data: Uploadable, progress: Progress | None = None) -> Iterator[bytes | FileBody]:
    """The body of an upload. Files opened here are closed on exit; the caller's file is not.

    A file that cannot be rewound (a pipe, a socket) is first copied to a temporary file, so that its
    length is known and a lost attempt can be repeated.

    Raises:
        ArgumentError: nothing that can be uploaded, a file that is not there, or one that changed meanwhile.
    """
    checked_progress(progress)
    with ExitStack() as stack:
        if isinstance(data, (bytes, bytearray, memoryview)):
            content = bytes(data)
            if progress is None:
                body: bytes | FileBody = content
            else:
                body = _file_body(io.BytesIO(content), progress)
        elif isinstance(data, (str, os.PathLike)):
            body = _file_body(stack.enter_context(_open_path(data)), progress)
        elif isinstance(data, io.TextIOBase):
            raise ArgumentError("The file is opened as text. Open it in binary mode: open(path, 'rb').")
        elif callable(getattr(data, "read", None)):
            body = _file_body(_rewindable(data, stack), progress)
        else:
            raise ArgumentError(
                f"An upload takes bytes, a path or a file opened in binary mode, not {type(data).__name__}."
            )
        try:
            yield body
        except MesahubError:
            raise
        except (ValueError, OSError) as error:  # the file ended early, was closed, or cannot be read
            raise ArgumentError(f"The file cannot be read: {error}.") from error


def name_of(data: Uploadable) -> str:
    """The base name of a path or of an open file. Raises `ArgumentError` where there is none."""
    name = data if isinstance(data, (str, os.PathLike)) else getattr(data, "name", None)
    if isinstance(name, (str, os.PathLike)):
        base = os.fspath(name).rpartition(os.sep)[2]
        if base:
            return base
    raise ArgumentError("This content has no name of its own: give filename=.")


def guess_content_type(filename: str) -> str:
    """The media type for a file name; ``application/octet-stream`` if unknown."""
    import mimetypes  # reads the system's tables when it is first used

    guessed, encoding = mimetypes.guess_type(filename, strict=False)
    if encoding == "gzip":
        return "application/gzip"
    if encoding is not None:
        return "application/octet-stream"
    return _OWN_TYPES.get(guessed or "", guessed) or "application/octet-stream"


# Names that the server takes for what Python's table, which differs from system to system, may say.
_OWN_TYPES = {
    "application/xml": "text/xml",
    "application/javascript": "text/javascript",
    "application/x-zip-compressed": "application/zip",
}


def _open_path(path: str | os.PathLike[str]) -> BinaryIO:
    try:
        return open(path, "rb")  # noqa: PTH123  (pathlib is not needed for this)
    except (OSError, ValueError) as error:
        hint = " Text to upload is given as bytes: text.encode()." if isinstance(path, str) else ""
        shown = os.fspath(path)[:200]
        raise ArgumentError(f"The file {shown!r} cannot be opened: {error}.{hint}") from error


def _file_body(file: BinaryIO, progress: Progress | None) -> FileBody:
    try:
        start = file.tell()
        length = file.seek(0, os.SEEK_END) - start
        file.seek(start)
    except (OSError, ValueError) as error:
        raise ArgumentError(f"The file cannot be read: {error}.") from error

    def rewound() -> BinaryIO:
        file.seek(start)
        return file

    return FileBody(max(length, 0), rewound, progress)


def _rewindable(file: BinaryIO, stack: ExitStack) -> BinaryIO:
    seekable = getattr(file, "seekable", None)
    if seekable is not None and not getattr(file, "closed", False) and seekable():
        return file
    import tempfile

    copy: BinaryIO = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  (the stack closes it)
    try:
        while piece := file.read(_PIECE):
            copy.write(piece)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"The file must give bytes: {error}.") from error
    copy.seek(0)
    return copy
