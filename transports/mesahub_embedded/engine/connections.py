"""A connection to a SQLite file, set up as the server's are."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from typing import Any

from mesahub.errors import ConfigurationError
from mesahub_embedded.engine.limits import ResultLimits

__all__ = ["Connection", "open_connection"]

STEPS = 20_000
"""Instructions of SQLite's machine between two looks at the clock: about a millisecond."""

MARK = -(2**62) - 4004
"""A rowid that no insert gives unasked: found again after an INSERT, it says that nothing was inserted."""


Permits = Callable[[int, str | None, str | None], bool]
"""May this be done? Asked with SQLite's action code and its two first arguments."""


class Connection:
    """A connection with a deadline, that asks for permission.

    Attributes:
        sqlite: the connection itself.
        interrupted: was the last statement stopped by its deadline?
        compiled: was a statement compiled since this was set to ``False``? SQLite asks for permission then. It
            compiles a statement anew when the schema has changed, by whatever process; while one runs as it was
            compiled, its columns and their types are the same.
        missing: what the last statement named that is hidden here, as SQLite says it, or ``""``.
        plans: what the user of the connection knows of its compiled statements, by their text.
    """

    __slots__ = (
        "_alive",
        "_deadline",
        "_hidden",
        "_marked",
        "_permits",
        "compiled",
        "interrupted",
        "missing",
        "plans",
        "sqlite",
    )

    def __init__(self, sqlite: sqlite3.Connection, permits: Permits, hidden: frozenset[str] = frozenset()) -> None:
        self.sqlite = sqlite
        self.compiled = True
        self.plans: dict[str, Any] = {}
        self._permits = permits
        self._hidden = hidden
        self.missing = ""
        self.interrupted = False
        self._deadline: float | None = None
        self._alive: Callable[[], bool] | None = None
        self._marked = False
        sqlite.set_progress_handler(self._look, STEPS)
        sqlite.set_authorizer(self._ask)

    def begin(self, timeout: float | None, alive: Callable[[], bool] | None) -> None:
        """A statement starts that may take ``timeout`` seconds."""
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._alive = alive
        self.interrupted = False
        self.missing = ""

    def end(self) -> None:
        """It is over."""
        self._deadline = None
        self._alive = None

    def _look(self) -> bool:
        late = self._deadline is not None and time.monotonic() > self._deadline
        if late or (self._alive is not None and not self._alive()):
            self.interrupted = True
        return self.interrupted

    def _ask(self, action: int, first: str | None, second: str | None, *_: str | None) -> int:
        self.compiled = True
        if self._hidden and not self.missing:
            self.missing = self._hides(action, first or "", second or "")
        if self.missing:
            return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK if self._permits(action, first, second) else sqlite3.SQLITE_DENY

    def _hides(self, action: int, first: str, second: str) -> str:
        if action == sqlite3.SQLITE_FUNCTION and second.lower() in self._hidden:
            return f"no such function: {second}"
        if action == sqlite3.SQLITE_CREATE_VTABLE and second.lower() in self._hidden:
            return f"no such module: {second}"
        if action == sqlite3.SQLITE_READ and first.lower() == "dbstat":  # a table that needs no CREATE
            return f"no such table: {first}"
        return ""

    def schema_version(self) -> int:
        """A number that changes with the schema."""
        version: int = self.sqlite.execute("PRAGMA schema_version").fetchone()[0]
        return version

    def changes(self) -> int:
        """Rows that the last INSERT, UPDATE or DELETE changed."""
        count: int = self.sqlite.execute("SELECT changes()").fetchone()[0]
        return count

    def last_rowid(self) -> int:
        """The rowid of the last INSERT, `MARK` when there was none since `mark_rowid`."""
        rowid: int = self.sqlite.execute("SELECT last_insert_rowid()").fetchone()[0]
        return rowid

    def mark_rowid(self) -> None:
        """Make the last rowid `MARK`."""
        if not self._marked:
            self.sqlite.execute("CREATE TEMP TABLE IF NOT EXISTS mesahub_mark (id INTEGER PRIMARY KEY)")
            # Created in a transaction, it is gone when that is rolled back.
            self._marked = not self.sqlite.in_transaction
        self.sqlite.execute("INSERT OR REPLACE INTO temp.mesahub_mark VALUES (?)", (MARK,))

    @staticmethod
    def is_mark(rowid: Any) -> bool:
        """Is it the one of `mark_rowid`?"""
        return bool(rowid == MARK)

    def close(self) -> None:
        """Close it."""
        self.sqlite.set_progress_handler(None, 0)
        self.sqlite.set_authorizer(None)
        self.sqlite.close()


def open_connection(
    path: str | os.PathLike[str], busy: float, *, read_only: bool = False, limits: ResultLimits | None = None
) -> Connection:
    """Open a database file; it is made when it is not there.

    Args:
        path: the file.
        busy: seconds to wait for another process's lock.
        read_only: refuse every write.
        limits: what a result may take.

    Raises:
        ConfigurationError: the file cannot be opened or is no database.
    """
    try:
        sqlite = sqlite3.connect(
            path, timeout=busy, isolation_level=None, check_same_thread=False, cached_statements=256
        )
    except sqlite3.Error as error:
        raise ConfigurationError(f"The database file {path} cannot be opened: {error}.") from error
    try:
        if not read_only:
            _write_ahead(sqlite, busy)
        sqlite.execute("PRAGMA synchronous = NORMAL")
        sqlite.execute("PRAGMA foreign_keys = ON")
        sqlite.execute("PRAGMA cache_size = -8000")
        if sqlite3.sqlite_version_info < (3, 41):
            sqlite.create_function("unhex", 1, _unhex, deterministic=True)
            sqlite.create_function("unhex", 2, _unhex, deterministic=True)
        if limits is not None and limits.value_bytes is not None:
            sqlite.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, limits.value_bytes)
        if read_only:
            sqlite.execute("PRAGMA query_only = ON")
    except sqlite3.Error as error:
        sqlite.close()
        raise ConfigurationError(f"The file {path} cannot be used as a database: {error}.") from error
    hidden = limits.hidden if limits is not None else frozenset()
    return Connection(sqlite, _permits_reading if read_only else _permits, hidden)


# What belongs to the connection, which is not one caller's alone, or breaks the file.
_KEPT = frozenset(
    {
        "busy_timeout",
        "data_store_directory",
        "journal_mode",
        "locking_mode",
        "max_page_count",
        "mmap_size",
        "query_only",
        "schema_version",
        "synchronous",
        "temp_store_directory",
        "wal_autocheckpoint",
        "writable_schema",
    }
)

# PRAGMAs that only tell, though they take an argument.
_TELLING = frozenset(
    {
        "foreign_key_check",
        "foreign_key_list",
        "index_info",
        "index_list",
        "index_xinfo",
        "integrity_check",
        "quick_check",
        "table_info",
        "table_list",
        "table_xinfo",
    }
)


def _permits(action: int, first: str | None, second: str | None) -> bool:
    """No ATTACH: a database reaches no file beside its own (VACUUM attaches a nameless one). And no PRAGMA that
    would stay with the connection for the next caller."""
    if action == sqlite3.SQLITE_ATTACH:
        return first in ("", None)
    return action != sqlite3.SQLITE_PRAGMA or second is None or (first or "").lower() not in _KEPT


def _permits_reading(action: int, first: str | None, second: str | None) -> bool:
    """On a connection that reads, no PRAGMA sets anything."""
    if action == sqlite3.SQLITE_PRAGMA:
        return second is None or (first or "").lower() in _TELLING
    return _permits(action, first, second)


def _write_ahead(sqlite: sqlite3.Connection, busy: float) -> None:
    """Switch the file to WAL. Two processes that do it at once get "locked" without being made to wait."""
    end = time.monotonic() + busy
    while True:
        try:
            if sqlite.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                sqlite.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)


def _unhex(text: Any, ignored: Any = "") -> bytes | None:
    # SQLite has it from 3.41 on: https://sqlite.org/lang_corefunc.html#unhex
    if text is None or ignored is None:
        return None
    digits = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    if digits.isalnum() and digits.isascii():
        # Nearly always. (`fromhex` by itself would skip blanks.)
        try:
            return bytes.fromhex(digits)
        except ValueError:
            pass
    pairs = bytearray()
    position = 0
    while position < len(digits):
        if digits[position] in str(ignored):
            position += 1
            continue
        pair = digits[position : position + 2]
        if len(pair) < 2 or not all(digit in "0123456789abcdefABCDEF" for digit in pair):
            return None
        pairs.append(int(pair, 16))
        position += 2
    return bytes(pairs)
