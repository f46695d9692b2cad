# Made by scripts/asyncify.py of mesahub/admin.py: change that, and run `make aio`.
"""The administration of a server of one's own: databases and API keys. It needs the admin token.

>>> client = AsyncMesahubClient(admin_token, "http://localhost:4004", "api")  # doctest: +SKIP
>>> (await client.admin.databases.create("shop"))["slug"]  # doctest: +SKIP
'shop'
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any, BinaryIO, Literal, cast

from mesahub._calls.checks import checked_text, given_texts
from mesahub._calls.json_api import check_slug, segment
from mesahub._calls.sqlite_files import Progress
from mesahub.admin import Names, Record, Records, _scopes, _tables, _with_scopes
from mesahub.aio._calls.json_api import AsyncApi, AsyncSender
from mesahub.aio._calls.sqlite_files import download_file, upload_form
from mesahub.errors import ArgumentError, ServerError

__all__ = ["AsyncAdmin", "AsyncApiKeys", "AsyncDatabases"]


class AsyncAdmin:
    """What the admin token may do; `mesahub.aio.AsyncMesahubClient.admin` makes it.

    Attributes:
        databases: make, list, switch off, delete, restore, export and import databases.
        api_keys: make, list and revoke API keys.
    """

    def __init__(self, client: AsyncSender) -> None:
        self._api = AsyncApi(client, "admin")
        self.databases = AsyncDatabases(self._api)
        self.api_keys = AsyncApiKeys(self._api)

    async def health(self) -> Record:
        """``{"status": "ok", "uptime_sec": ...}``. Needs no key."""
        return await self._api.record("health", "GET", "/api/health")

    async def version(self) -> Record:
        """``{"version": ..., "redis": ...}``. Needs no key."""
        return await self._api.record("version", "GET", "/api/version")


class AsyncDatabases:
    """All databases of a server.

    A record has ``id``, ``slug`` (its name in URLs), ``name`` (what scopes go by), ``owner``, ``status``,
    ``description``, ``size_bytes``, ``created_at`` and more.
    """

    def __init__(self, api: AsyncApi) -> None:
        self._api = api

    async def create(
        self,
        name: str,
        *,
        slug: str | None = None,
        owner: str = "admin",
        source: str | None = None,
        instance_id: str | None = None,
        description: str | None = None,
    ) -> Record:
        """Make a database.

        Args:
            name: what scopes of API keys go by.
            slug: what URLs go by; default: the name, which must then be fit for it.
            owner: a key of another owner gets 401.
            source: where it comes from.
            instance_id: of the instance it belongs to.
            description: for people.

        Raises:
            ConflictError: the slug is taken.
        """
        name = checked_text("name", name)
        check_slug(name if slug is None else slug)
        payload = {"name": name} | given_texts(
            slug=slug, owner=owner, source=source, instance_id=instance_id, description=description
        )
        return await self._api.record("databases.create", "POST", "/api/db", payload=payload)

    async def list(self) -> Records:
        """All databases that are not deleted."""
        return await self._api.records("databases.list", "GET", "/api/db")

    async def get(self, slug: str) -> Record:
        """One database. Raises `NotFoundError`."""
        return await self._api.record("databases.get", "GET", f"/api/db/{segment('A slug', slug)}", database=slug)

    async def set_status(self, slug: str, status: Literal["active", "inactive"]) -> None:
        """Switch a database off for all keys but the admin's, or on again."""
        if status not in ("active", "inactive"):
            raise ArgumentError(f"status must be 'active' or 'inactive', not {status!r}.")
        await self._call("databases.set_status", "PATCH", slug, payload={"action": "set_status", "status": status})

    async def reset(self, slug: str) -> None:
        """Empty a database: everything in it is lost."""
        await self._call("databases.reset", "PATCH", slug, payload={"action": "reset_db"})

    async def delete(self, slug: str) -> None:
        """Soft-delete a database; `restore` restores it, `hard_delete` removes it."""
        await self._call("databases.delete", "DELETE", slug)

    async def list_deleted(self) -> Records:
        """List soft-deleted databases, with the slugs for `restore`."""
        return await self._api.records("databases.list_deleted", "GET", "/api/db/deleted")

    async def restore(self, deleted_slug: str) -> Record:
        """Bring a deleted database back under its old slug.

        Raises:
            ConflictError: the slug is taken again.
        """
        path = f"/api/db/deleted/{segment('A slug', deleted_slug)}"
        payload = {"action": "restore"}
        return await self._api.record("databases.restore", "POST", path, payload=payload, database=deleted_slug)

    async def hard_delete(self, deleted_slug: str) -> None:
        """Remove a deleted database for good."""
        path = f"/api/db/deleted/{segment('A slug', deleted_slug)}"
        payload = {"action": "hard_delete"}
        await self._api.call("databases.hard_delete", "POST", path, payload=payload, database=deleted_slug)

    async def export(
        self,
        slug: str,
        target: str | os.PathLike[str] | BinaryIO,
        tables: Iterable[str] | None = None,
        *,
        progress: Progress | None = None,
    ) -> int:
        """Write tables of a database to a SQLite file, without holding it in memory.

        The file has the tables with their rows, and no indexes, views and triggers; `mesahub.copy` leaves out nothing.

        Args:
            slug: the database.
            target: a path, or a file opened for writing in binary mode.
            tables: their names; default: all.
            progress: called with (bytes written, bytes in all or ``None``).

        Returns:
            The bytes written.

        Raises:
            ArgumentError: there is no such table. (The server would leave it out, or send an empty file.)
        """
        path = f"/api/db/{segment('A slug', slug)}/export"
        found = await self._table_names(slug)
        wanted = found if tables is None else _tables(tables)
        missing = [name for name in wanted if name not in found]
        if missing or not wanted:
            has = ", ".join(found) or "none"
            what = f"has no table {missing[0]!r}" if missing else "has no tables to export"
            raise ArgumentError(f"The database {slug!r} {what}; its tables: {has}.")
        payload = {"tables": wanted}
        request = self._api.request(
            "databases.export", "POST", path, payload=payload, database=slug, safe=True, streams=True
        )
        return await download_file(self._api, request, target, progress)

    async def inspect(self, slug: str, file: str | os.PathLike[str] | BinaryIO | bytes) -> Records:
        """The tables of a SQLite file, as `import_tables` would see them: ``name``, ``rowCount``, ``createSql``."""
        answer = await self._import(slug, file, None, None, "databases.inspect", safe=True)
        return cast(Records, answer.get("tables") or [])

    async def import_tables(
        self,
        slug: str,
        file: str | os.PathLike[str] | BinaryIO | bytes,
        tables: Iterable[str],
        *,
        progress: Progress | None = None,
    ) -> int:
        """Take tables of a SQLite file into a database.

        Rows whose key is there already are left as they are, indexes are not taken over, and names of tables that the
        file does not have are skipped: `inspect` lists its content.

        Args:
            slug: the database.
            file: a path, a file opened in binary mode, or bytes.
            tables: their names.
            progress: called with (bytes sent, bytes in all).

        Returns:
            The rows that were taken.
        """
        answer = await self._import(slug, file, _tables(tables), progress, "databases.import", safe=False)
        return int(answer.get("totalImported") or 0)

    async def _import(
        self, slug: str, file: Any, tables: Names | None, progress: Progress | None, what: str, *, safe: bool
    ) -> Record:
        path = f"/api/db/{segment('A slug', slug)}/import"
        fields: dict[str, str] = {} if tables is None else {"tables": json.dumps(tables)}
        return await upload_form(self._api, what, path, file, fields, progress, database=slug, safe=safe)

    async def _table_names(self, slug: str) -> Names:
        from mesahub.sql.schema import tables_statement

        path = f"/api/db/{segment('A slug', slug)}/query"
        payload = {"sql": tables_statement(by_creation=True).sql, "bindings": []}
        answer = await self._api.call("databases.tables", "POST", path, payload=payload, database=slug, safe=True)
        rows = answer.get("rows")
        if not isinstance(rows, list) or not all(isinstance(row, dict) and "name" in row for row in rows):
            raise ServerError.of("The server, or a gateway in front of it, returned an unexpected list of tables.")
        return [row["name"] for row in rows]

    async def _call(self, what: str, method: str, slug: str, **fields: Any) -> Any:
        return await self._api.call(what, method, f"/api/db/{segment('A slug', slug)}", database=slug, **fields)


class AsyncApiKeys:
    """All API keys of a server.

    A revoked key that was used shortly before keeps working for some minutes on the real server, which remembers it
    in memory; and ``expires_at`` is kept there and not enforced.
    """

    def __init__(self, api: AsyncApi) -> None:
        self._api = api

    async def create(
        self,
        name: str,
        scopes: Iterable[str],
        *,
        owner: str | None = None,
        key_type: str | None = None,
        expires_at: str | None = None,
    ) -> Record:
        """Make a key.

        Args:
            name: for people.
            scopes: what it may do, see `Scope`.
            owner: default: the admin.
            key_type: kept with it.
            expires_at: RFC 3339; the real server does not enforce it.

        Returns:
            ``id``, ``name``, ``scopes`` (a list), ``created_at``, ``expires_at``, and ``key``: its text, which the
            server shows this once (its ``repr`` is hidden).
        """
        payload: dict[str, Any] = {"name": checked_text("name", name), "scopes": _scopes(scopes)}
        payload |= given_texts(owner=owner, key_type=key_type, expires_at=expires_at)
        return _with_scopes(await self._api.record("api_keys.create", "POST", "/api/apikeys", payload=payload))

    async def list(self) -> Records:
        """All keys that are not revoked, without their text."""
        return [_with_scopes(key) for key in await self._api.records("api_keys.list", "GET", "/api/apikeys")]

    async def revoke(self, key_id: str) -> None:
        """Revoke a key. Whether it existed is unknown."""
        await self._api.call("api_keys.revoke", "DELETE", f"/api/apikeys/{segment('A key id', key_id)}", safe=True)
