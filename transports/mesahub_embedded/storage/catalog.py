"""The catalog of a data folder: its databases and API keys, in a separate SQLite file."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mesahub_embedded.engine import forks
from mesahub_embedded.engine.connections import Connection, open_connection
from mesahub_embedded.engine.errors import RefusedError
from mesahub_embedded.storage.databases import Databases
from mesahub_embedded.storage.naming import SUFFIX, name_of

__all__ = ["Catalog", "new_id", "now"]

Record = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS databases (
    id TEXT PRIMARY KEY, slug TEXT NOT NULL UNIQUE, name TEXT NOT NULL, owner TEXT NOT NULL, source TEXT,
    instance_id TEXT, description TEXT, status TEXT NOT NULL DEFAULT 'active', original_slug TEXT,
    created_at TEXT NOT NULL, updated_at TEXT, deleted_at TEXT
);
CREATE TABLE IF NOT EXISTS api_keys (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, hash TEXT NOT NULL UNIQUE, scopes TEXT NOT NULL, owner TEXT NOT NULL,
    key_type TEXT, created_at TEXT NOT NULL, expires_at TEXT, last_used_at TEXT, revoked_at TEXT
);
CREATE TABLE IF NOT EXISTS files (
    id TEXT PRIMARY KEY, place TEXT NOT NULL, hash TEXT NOT NULL, filename TEXT NOT NULL, folder_path TEXT NOT NULL,
    content_type TEXT, size_bytes INTEGER NOT NULL, uploaded_at TEXT NOT NULL, expires_at TEXT, metadata TEXT,
    UNIQUE (place, folder_path, filename)
);
CREATE INDEX IF NOT EXISTS files_by_hash ON files (hash);
"""


class Catalog:
    """The databases and API keys. Safe for threads and processes.

    Args:
        databases: the databases of the data folder.
    """

    def __init__(self, databases: Databases) -> None:
        self._store = databases
        self._path = databases.data / "catalog.sqlite"
        self._lock = threading.RLock()
        self._pid = os.getpid()
        self._connection: Connection | None = None
        forks.renew(self)
        with self.transaction() as sqlite:
            # Individually, because executescript() would commit the transaction.
            for statement in _SCHEMA.split(";\n"):
                if statement.strip():
                    sqlite.execute(statement)

    def after_fork(self) -> None:
        """Reset the lock in a forked child: a thread of the parent may have held it."""
        self._lock = threading.RLock()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Return the connection, for one statement."""
        with self._lock:
            if self._connection is None or self._pid != os.getpid():
                _inherited.append(self._connection)
                self._pid = os.getpid()
                self._connection = open_connection(self._path, 10.0)
                self._connection.sqlite.row_factory = sqlite3.Row
            connection = self._connection
            connection.begin(None, None)
            try:
                yield connection.sqlite
            finally:
                connection.end()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Return the connection in a write transaction, which excludes all other writers."""
        with self.reading() as sqlite:
            sqlite.execute("BEGIN IMMEDIATE")
            try:
                yield sqlite
            except BaseException:
                sqlite.execute("ROLLBACK")
                raise
            sqlite.execute("COMMIT")

    def close(self) -> None:
        """Close it. May be called twice."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None and self._pid == os.getpid():
            connection.close()

    # Databases

    def create_database(
        self,
        slug: str,
        name: str,
        owner: str,
        *,
        source: str | None = None,
        instance_id: str | None = None,
        description: str | None = None,
    ) -> Record:
        """Create a database. Raises `RefusedError` (409) if the slug is taken."""
        if self._find(slug) is not None or self._adopt(slug) is not None:
            raise RefusedError(409, "Database already exists")
        self._store.engine(slug)
        self._insert(slug, name, owner, source, instance_id, description)
        return self.get_database(slug)

    def _insert(
        self,
        slug: str,
        name: str,
        owner: str,
        source: str | None = None,
        instance_id: str | None = None,
        description: str | None = None,
    ) -> None:
        row = (new_id(), slug, name, owner, source, instance_id, description, now())
        try:
            with self.transaction() as sqlite:
                sqlite.execute(
                    "INSERT INTO databases (id, slug, name, owner, source, instance_id, description, "
                    "created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    row,
                )
        except sqlite3.IntegrityError:
            raise RefusedError(409, "Database already exists") from None

    def database(self, slug: str) -> Record | None:
        """The row of a database, including deleted ones, or ``None``."""
        return self._find(slug) or self._adopt(slug)

    def _find(self, slug: str) -> Record | None:
        with self.reading() as sqlite:
            row = sqlite.execute("SELECT * FROM databases WHERE slug = ?", (slug,)).fetchone()
        return dict(row) if row is not None else None

    def _adopt(self, slug: str) -> Record | None:
        """Register a database that was created in process (``mh://local/...``), without the catalog."""
        try:
            path = self._store.path(slug)
        except ValueError:
            return None
        if not path.is_file():
            return None
        with suppress(RefusedError):  # another thread was faster
            self._insert(slug, slug, "admin", "embedded")
        return self._find(slug)

    def get_database(self, slug: str) -> Record:
        """A database in the server's format. Raises `RefusedError` (404)."""
        row = self.database(slug)
        if row is None:
            raise RefusedError(404, "Not found")
        return self._shown(row)

    def list_databases(self, *, deleted: bool = False) -> list[Record]:
        """All databases, or all deleted ones, oldest first."""
        if not deleted:
            for path in self._store.data.joinpath("databases").glob(f"*{SUFFIX}"):
                slug = name_of(path.name)
                if slug is not None and self._find(slug) is None:
                    self._adopt(slug)
        condition = "deleted_at IS NOT NULL" if deleted else "deleted_at IS NULL"
        with self.reading() as sqlite:
            rows = sqlite.execute(f"SELECT * FROM databases WHERE {condition} ORDER BY rowid").fetchall()
        return [self._shown(dict(row)) for row in rows]

    def _shown(self, row: Record) -> Record:
        path = self._store.path(row["slug"])
        exists = path.is_file()
        names = (
            "created_at deleted_at description exists file_path id instance_id name original_slug owner size_bytes "
            "slug status updated_at"
        )
        extra = {"exists": exists, "file_path": str(path), "size_bytes": path.stat().st_size if exists else 0}
        return {name: extra[name] if name in extra else row[name] for name in names.split()}

    def set_status(self, slug: str, status: str) -> None:
        """Set a database's status to ``active`` or ``inactive``. Raises `RefusedError` (404)."""
        self._change(slug, "status = ?", status)

    def describe(self, slug: str, *, name: str | None = None, description: str | None = None) -> None:
        """Update the name or description; ``None`` keeps it. Raises `RefusedError` (404)."""
        self._change(slug, "name = coalesce(?, name), description = coalesce(?, description)", name, description)

    def reset(self, slug: str) -> None:
        """Empty a database. Raises `RefusedError` (404)."""
        self.get_database(slug)
        self._store.engine(slug).clear()

    def _change(self, slug: str, assignment: str, *values: Any) -> None:
        self.get_database(slug)
        with self.transaction() as sqlite:
            sqlite.execute(f"UPDATE databases SET {assignment} WHERE slug = ?", (*values, slug))

    def soft_delete(self, slug: str) -> Record:
        """Soft-delete a database, under the slug ``<slug>-<unix seconds>``. Raises `RefusedError` (404)."""
        row = self.database(slug)
        if row is None or row["deleted_at"] is not None:
            raise RefusedError(404, "Not found")
        stamp = int(time.time())
        while self.database(f"{slug}-{stamp}") is not None:
            stamp += 1
        self._move(row, f"{slug}-{stamp}", deleted_at=now(), original_slug=slug)
        return self.get_database(f"{slug}-{stamp}")

    def restore(self, slug: str) -> Record:
        """Restore a deleted database under its old slug. ``slug`` is the one assigned by the deletion.

        Raises:
            RefusedError: 404, or 409 if the old slug is taken.
        """
        row = self.deleted(slug)
        original = row["original_slug"]
        if self.database(original) is not None:
            raise RefusedError(409, f'A database with slug "{original}" already exists')
        self._move(row, original, deleted_at=None, original_slug=None)
        return self.get_database(original)

    def hard_delete(self, slug: str) -> None:
        """Purge a deleted database. Remove its files first. Raises `RefusedError` (404)."""
        row = self.deleted(slug)
        self._store.release(slug)
        with self.transaction() as sqlite:
            sqlite.execute("DELETE FROM databases WHERE id = ?", (row["id"],))
            for path in _with_companions(self._store.path(slug)):
                path.unlink(missing_ok=True)

    def deleted(self, slug: str) -> Record:
        """The row of a deleted database. Raises `RefusedError` (404)."""
        row = self.database(slug)
        if row is None or row["deleted_at"] is None:
            raise RefusedError(404, "Deleted database not found")
        return row

    def _move(self, row: Record, slug: str, *, deleted_at: str | None, original_slug: str | None) -> None:
        old = self._store.path(row["slug"])
        new = self._store.path(slug)
        self._store.release(row["slug"])
        with self.transaction() as sqlite:
            sqlite.execute(
                "UPDATE databases SET slug = ?, deleted_at = ?, original_slug = ?, status = ? WHERE id = ?",
                (slug, deleted_at, original_slug, "deleted" if deleted_at else "active", row["id"]),
            )
            sqlite.execute("UPDATE files SET place = ? WHERE place = ?", (slug, row["slug"]))
            for source, target in zip(_with_companions(old), _with_companions(new), strict=True):
                if source.exists():
                    source.rename(target)

    # API keys

    def create_key(
        self,
        name: str,
        scopes: Sequence[str] = (),
        *,
        owner: str = "admin",
        key_type: str | None = None,
        expires_at: str | None = None,
    ) -> Record:
        """Create a key. Only the response contains it in plain text; only its hash is stored."""
        key = f"shk_{secrets.token_hex(32)}"
        record = {
            "id": new_id(),
            "name": name,
            "scopes": json.dumps(list(scopes) or ["all:w"], ensure_ascii=False, separators=(",", ":")),
            "created_at": now(),
            "expires_at": expires_at,
        }
        with self.transaction() as sqlite:
            sqlite.execute(
                "INSERT INTO api_keys (id, name, hash, scopes, owner, key_type, created_at, expires_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    record["id"],
                    name,
                    _hash(key),
                    record["scopes"],
                    owner,
                    key_type,
                    record["created_at"],
                    expires_at,
                ),
            )
        return {**record, "key": key}

    def list_keys(self) -> list[Record]:
        """The valid keys, without their secrets."""
        with self.reading() as sqlite:
            rows = sqlite.execute(
                "SELECT id, name, scopes, created_at, expires_at, last_used_at FROM api_keys "
                "WHERE revoked_at IS NULL ORDER BY rowid"
            ).fetchall()
        return [dict(row) for row in rows]

    def revoke_key(self, key_id: str) -> bool:
        """Revoke a key. Returns whether it existed."""
        with self.transaction() as sqlite:
            cursor = sqlite.execute(
                "UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", (now(), key_id)
            )
            return cursor.rowcount > 0

    def find_key(self, key: str) -> Record | None:
        """The record of a valid key, by its plain text."""
        with self.reading() as sqlite:
            row = sqlite.execute(
                "SELECT * FROM api_keys WHERE hash = ? AND revoked_at IS NULL", (_hash(key),)
            ).fetchone()
        return dict(row) if row is not None else None

    def touch_key(self, key_id: str) -> None:
        """Update the time of a key's last use."""
        with self.transaction() as sqlite:
            sqlite.execute("UPDATE api_keys SET last_used_at = ? WHERE id = ?", (now(), key_id))


_inherited: list[Any] = []
"""Connections inherited by a forked child, which must not close them."""


def _with_companions(path: Path) -> list[Path]:
    return [path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")]


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def now() -> str:
    """The current time in the server's format: ``YYYY-MM-DD HH:MM:SS``, UTC."""
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"


def new_id() -> str:
    """An identifier that sorts by time (UUID version 7)."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))
