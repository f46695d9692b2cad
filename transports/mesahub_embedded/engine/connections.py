"""A connection to a SQLite file, set up as the server's are."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Generator
from typing import Any

from mesahub.errors import ConfigurationError
from mesahub.sql.analysis import TELLING_PRAGMAS
from mesahub_embedded.engine import forks
from mesahub_embedded.engine.limits import ResultLimits

__all__ = ["Connection", "open_connection"]

STEPS = 20_000
"""Instructions of SQLite's machine between two looks at the clock: about a millisecond."""

MARK = -(2**62) - 4004
"""A rowid that no insert gives unasked: found again after an INSERT, it says that nothing was inserted."""


MARK_TABLE = "mesahub_mark"
_MARK_ROWID = f"INSERT OR REPLACE INTO temp.{MARK_TABLE} VALUES (?)"
BUSY = 5.0
"""Seconds to wait for a lock of another process, at most."""

Permits = Callable[[int, str | None, str | None], bool]
"""May this be done? Asked with SQLite's action code and its two first arguments."""


class Connection:
    """A connection with a deadline, that asks for permission.

    Attributes:
        sqlite: the connection itself.
        cursor: one to use again: making one takes a tenth of the time of a short statement. Read all of its rows.
        interrupted: was the last statement stopped by its deadline?
        raised: what a signal handler raised while the last statement ran, such as KeyboardInterrupt.
        compiled: was a statement compiled since this was set to ``False``? SQLite asks for permission then. It
            compiles a statement again when the schema has changed, by whatever process; while one runs as it was
            compiled, its columns and their types are the same.
        missing: what the last statement named that is hidden here, as SQLite says it, or ``""``.
        altered: did a statement leave something with the connection: a TEMP object, a PRAGMA, an attached file?
        plans: what the user of the connection knows of its compiled statements, by their text.
        reads: those of them that read, and need no preparation (see `mesahub_embedded.engine.execution`).
        writes: those that write, likewise.
    """

    __slots__ = (
        "__weakref__", "_alive", "_busy", "_deadline", "_hidden", "_marking", "_permits", "_timeout", "_watching",
        "altered", "compiled", "cursor", "interrupted", "missing", "plans", "raised", "reads", "running", "sqlite",
        "writes",
    )  # fmt: skip

    def __init__(
        self, sqlite: sqlite3.Connection, permits: Permits, busy: float = 0.0, hidden: frozenset[str] = frozenset()
    ) -> None:
        self.sqlite = sqlite
        self.cursor = sqlite.cursor()
        self.compiled = True
        self.altered = False
        self.plans: dict[str, Any] = {}
        self.reads: dict[str, Any] = {}
        self.writes: dict[str, Any] = {}
        self._permits = permits
        self._hidden = hidden
        self.missing = ""
        self.interrupted = False
        self.raised: BaseException | None = None
        self.running = False
        self._busy = busy
        self._timeout: float | None = None
        self._deadline: float | None = None
        self._alive: Callable[[], bool] | None = None
        self._marking = False
        self._watching = self._watch()
        next(self._watching)
        sqlite.set_progress_handler(self._watching.__next__, STEPS)
        sqlite.set_authorizer(self._ask)
        forks.watch(self)

    def begin(self, timeout: float | None, alive: Callable[[], bool] | None) -> None:
        """Start a statement that may take ``timeout`` seconds."""
        self.running = True
        if forks.forking:
            forks.wait(self)
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._alive = alive
        self.interrupted = False
        self.missing = ""
        self.raised = None
        # Who can be stopped waits a short time only, and tries again: SQLite's own wait cannot be stopped.
        wait = timeout if alive is None else getattr(alive, "lock_timeout", timeout)
        if wait != self._timeout:
            self._wait_for_locks(wait)
            self._timeout = wait

    def _wait_for_locks(self, timeout: float | None) -> None:
        # SQLite waits for another process's lock without a look at our deadline.
        if timeout is not None and timeout != self._busy and (timeout < BUSY or self._busy != BUSY):
            busy = min(timeout, BUSY)
            self.own(f"PRAGMA busy_timeout = {max(int(busy * 1000), 1)}")
            self._busy = busy

    def end(self) -> None:
        """The statement is over."""
        self.running = False
        self._deadline = None
        self._alive = None

    def _watch(self) -> Generator[bool, None, None]:
        """SQLite's progress handler: stop the statement?

        A generator, because Python runs signal handlers where a function begins, before any ``try`` of its own; a
        generator goes on within its ``try``. What is raised in a progress handler would be lost in sqlite3.
        """
        stop = False
        while True:
            try:
                while True:
                    yield stop
                    stop = self._is_over()
            except GeneratorExit:
                return
            except BaseException as error:  # noqa: BLE001  (it is raised again where the statement was run)
                self.raised = error
                stop = True

    def _is_over(self) -> bool:
        late = self._deadline is not None and time.monotonic() > self._deadline
        if late or (self._alive is not None and not self._alive()):
            self.interrupted = True
        return self.interrupted or self.raised is not None

    def _ask(self, action: int, first: str | None, second: str | None, schema: str | None, _: str | None) -> int:
        self.compiled = True
        if self._marking:
            return sqlite3.SQLITE_OK
        if self._hidden and not self.missing:
            self.missing = self._hides(action, first or "", second or "")
        if self.missing:
            return sqlite3.SQLITE_DENY
        if first == MARK_TABLE or not self._permits(action, first, second):
            return sqlite3.SQLITE_DENY
        if action in _ALTERING or (action == sqlite3.SQLITE_PRAGMA and second is not None and _stays(first)):
            self.altered = True
        elif schema == "temp" and action not in _READING:
            self.altered = True  # CREATE TABLE temp.name is to SQLite no action on a TEMP table
        return sqlite3.SQLITE_OK

    def own(self, sql: str, *values: int) -> None:
        """Run a statement of ours, which needs no permission."""
        self._marking = True
        try:
            self.sqlite.execute(sql, values)
        finally:
            self._marking = False

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

    def schema_versions(self) -> tuple[int, int]:
        """The same, and that of TEMP objects."""
        temporary: int = self.sqlite.execute("PRAGMA temp.schema_version").fetchone()[0]
        return self.schema_version(), temporary

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
        try:
            self.own(_MARK_ROWID, MARK)
        except sqlite3.OperationalError:
            self.make_mark()
            self.own(_MARK_ROWID, MARK)

    def make_mark(self) -> None:
        """Make the table of `mark_rowid`: outside of any transaction, which would take it back."""
        self.own(f"CREATE TEMP TABLE IF NOT EXISTS {MARK_TABLE} (id INTEGER PRIMARY KEY)")

    @staticmethod
    def is_mark(rowid: Any) -> bool:
        """Is it the one of `mark_rowid`?"""
        return bool(rowid == MARK)

    def close(self) -> None:
        """Close it."""
        with forks.section():
            self.sqlite.set_progress_handler(None, 0)
            self.sqlite.set_authorizer(None)
            self.sqlite.close()
        self._watching.close()


def open_connection(
    path: str | os.PathLike[str],
    busy: float,
    *,
    read_only: bool = False,
    limits: ResultLimits | None = None,
    in_place: bool = False,
    create: bool = True,
) -> Connection:
    """Open a database file; it is made when it is not there.

    Args:
        path: the file.
        busy: seconds to wait for another process's lock.
        read_only: refuse every write.
        limits: what a result may take.
        in_place: somebody else's file: its journal mode stays as it is.
        create: make the file when it is not there.

    Raises:
        ConfigurationError: the file cannot be opened or is not a database.
    """
    with forks.section():
        return _opened(path, busy, read_only=read_only, limits=limits, in_place=in_place, create=create)


def _opened(
    path: str | os.PathLike[str],
    busy: float,
    *,
    read_only: bool,
    limits: ResultLimits | None,
    in_place: bool,
    create: bool,
) -> Connection:
    try:
        sqlite = _connect(path, busy, read_only=read_only and in_place, create=create)
    except (sqlite3.Error, ValueError) as error:
        raise ConfigurationError(f"The database file {path} cannot be opened: {error}.") from error
    try:
        wal = _is_wal(sqlite) if in_place or read_only else True
        if not read_only and not in_place:
            _write_ahead(sqlite, busy)
        if wal:
            sqlite.execute("PRAGMA synchronous = NORMAL")
        sqlite.execute("PRAGMA foreign_keys = ON")
        sqlite.execute("PRAGMA cache_size = -8000")
        if sqlite3.sqlite_version_info < (3, 41):
            sqlite.create_function("unhex", 1, _unhex, deterministic=True)
            sqlite.create_function("unhex", 2, _unhex, deterministic=True)
        if limits is not None and limits.value_bytes is not None:
            sqlite.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, limits.value_bytes)
        _harden(sqlite)
        if read_only:
            sqlite.execute("PRAGMA query_only = ON")
        hidden = limits.hidden if limits is not None else frozenset()
        connection = Connection(sqlite, _permits_reading if read_only else _permits, busy, hidden)
        if not read_only:
            connection.make_mark()
    except sqlite3.Error as error:
        sqlite.close()
        raise ConfigurationError(f"The file {path} cannot be used as a database: {error}.") from error
    return connection


def _connect(path: str | os.PathLike[str], busy: float, *, read_only: bool, create: bool) -> sqlite3.Connection:
    uri = read_only or not create
    target: str | os.PathLike[str] = path
    if uri:
        from urllib.parse import quote

        mode = "ro" if read_only else "rw"
        target = f"file:{quote(os.path.abspath(path))}?mode={mode}"  # noqa: PTH100
    return sqlite3.connect(
        target, timeout=busy, isolation_level=None, check_same_thread=False, cached_statements=256, uri=uri
    )


def _is_wal(sqlite: sqlite3.Connection) -> bool:
    return bool(sqlite.execute("PRAGMA journal_mode").fetchone()[0] == "wal")


def _harden(sqlite: sqlite3.Connection) -> None:
    """Switch off what no statement of a caller needs (from Python 3.12 on; the authorizer denies it everywhere)."""
    setconfig = getattr(sqlite, "setconfig", None)
    if setconfig is not None:
        for name, on in (("DEFENSIVE", True), ("ENABLE_FTS3_TOKENIZER", False), ("ENABLE_LOAD_EXTENSION", False)):
            option = getattr(sqlite3, f"SQLITE_DBCONFIG_{name}", None)
            if option is not None:
                setconfig(option, on)


# PRAGMAs that may be given a value. These stay in the file, or do their work and are over ...
_LASTING = frozenset(
    {
        "analysis_limit", "application_id", "auto_vacuum", "encoding", "incremental_vacuum", "optimize", "page_size",
        "secure_delete", "shrink_memory", "user_version", "wal_checkpoint",
    }
)  # fmt: skip
# ... and these hold for the request alone: the connection is replaced after it.
_FOR_THE_REQUEST = frozenset(
    {
        "automatic_index", "cache_size", "cache_spill", "case_sensitive_like", "cell_size_check",
        "checkpoint_fullfsync",
        "count_changes", "defer_foreign_keys", "empty_result_callbacks", "foreign_keys", "full_column_names",
        "fullfsync", "ignore_check_constraints", "legacy_alter_table", "read_uncommitted",
        "recursive_triggers", "reverse_unordered_selects", "short_column_names", "temp_store", "trusted_schema",
    }
)  # fmt: skip
_READING = frozenset({sqlite3.SQLITE_READ, sqlite3.SQLITE_SELECT})
_ALTERING = frozenset(
    {
        sqlite3.SQLITE_CREATE_TEMP_INDEX, sqlite3.SQLITE_CREATE_TEMP_TABLE, sqlite3.SQLITE_CREATE_TEMP_TRIGGER,
        sqlite3.SQLITE_CREATE_TEMP_VIEW, sqlite3.SQLITE_ATTACH,
    }
)  # fmt: skip
_DENIED_FUNCTIONS = frozenset({"fts3_tokenizer", "load_extension"})
"""They hand out and take pointers, and load code."""


def _stays(pragma: str | None) -> bool:
    return (pragma or "").lower() in _FOR_THE_REQUEST


def _permits(action: int, first: str | None, second: str | None) -> bool:
    """May a statement do this?

    No ATTACH: a database reaches no file but its own (VACUUM attaches a nameless one). And only PRAGMAs that are known
    to leave nothing for the next caller.
    """
    if action == sqlite3.SQLITE_ATTACH:
        return first in ("", None)
    if action == sqlite3.SQLITE_FUNCTION:
        return (second or "").lower() not in _DENIED_FUNCTIONS
    if action == sqlite3.SQLITE_PRAGMA and second is not None:
        name = (first or "").lower()
        return name in TELLING_PRAGMAS or name in _LASTING or name in _FOR_THE_REQUEST
    return True


def _permits_reading(action: int, first: str | None, second: str | None) -> bool:
    """On a connection that reads, no PRAGMA sets anything."""
    if action == sqlite3.SQLITE_PRAGMA:
        return second is None or (first or "").lower() in TELLING_PRAGMAS
    return _permits(action, first, second)


def _write_ahead(sqlite: sqlite3.Connection, busy: float) -> None:
    """Switch the file to WAL. Two processes that do it at once get "locked" without being made to wait."""
    end = time.monotonic() + busy
    while True:
        try:
            if sqlite.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                sqlite.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            # Anything else, such as a folder that cannot be written to, does not get better by waiting.
            locked = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not locked or time.monotonic() > end:
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
