"""Has anybody written to a database? Its write-ahead log tells, for a tenth of what asking SQLite costs."""

from __future__ import annotations

import os
import threading
import time

__all__ = ["WriteAheadLog", "settled"]

SETTLED = 50_000_000
"""Nanoseconds after which another write has another time: the clocks of file systems tick every 4 to 10 ms."""


class WriteAheadLog:
    """The log of a database file, watched by its time and length.

    Whatever is written to a database in WAL mode goes into this file first, by any process. Where that cannot be
    trusted (Windows sets times late), nothing is ever called unchanged.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = f"{os.fspath(path)}-wal"
        self._file: int | None = None
        self._lock = threading.Lock()
        self._closed = os.name != "posix"

    def state(self) -> tuple[int, int] | None:
        """The log's time (nanoseconds) and length: nothing was written while they stay. ``None``: cannot tell.

        That holds for a state that has `settled`.
        """
        file = self._file
        if file is None:
            file = self._open()
            if file is None:
                return None
        try:
            status = os.fstat(file)
        except OSError:
            return None
        return (status.st_mtime_ns, status.st_size) if status.st_nlink else None

    def _open(self) -> int | None:
        with self._lock:
            if self._file is None and not self._closed:
                try:
                    self._file = os.open(self._path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
                except OSError:
                    return None
            return self._file

    def close(self) -> None:
        """Close it. May be called twice. (SQLite holds no locks on this file that closing it could drop.)"""
        with self._lock:
            file, self._file = self._file, None
            self._closed = True
            if file is not None:
                os.close(file)


def settled(state: tuple[int, int]) -> bool:
    """Is the last write so long ago that another one would have given the log another time?"""
    return time.time_ns() - state[0] > SETTLED
