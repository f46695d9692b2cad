"""The administration of a server of one's own: databases and API keys. It needs the admin token.

>>> client = MesahubClient(admin_token, "http://localhost:4004", "api")  # doctest: +SKIP
>>> client.admin.databases.create("shop")["slug"]  # doctest: +SKIP
'shop'
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, BinaryIO, Literal, cast

from mesahub._calls.checks import checked_names, checked_text, given_texts
from mesahub._calls.json_api import Api, Sender, check_slug, segment
from mesahub._calls.sqlite_files import Progress, download_file, upload_form
from mesahub.errors import ArgumentError, ServerError

__all__ = ["Admin", "ApiKeys", "Databases", "Scope"]

Record = dict[str, Any]
# Within a class that has a method of this name, list[...] would mean that method.
Records = list[Record]
Names = list[str]


class Scope(str):
    """What an API key may do. Make it with a class method: one that grants nothing cannot be said.

    The server matches a database's **name**, not the slug of its URL; for a database made by
    `Databases.create` without a ``slug`` the two are the same. Reading is what every key may do; ``write``
    matters for ``exec`` alone (a read-only key may still upload and delete files).
    """

    __slots__ = ()

    @classmethod
    def all(cls, *, write: bool = False) -> Scope:
        """All databases."""
        return cls(f"all:{'w' if write else 'r'}")

    @classmethod
    def database(cls, name: str, *, write: bool = False) -> Scope:
        """One database, by its **name**."""
        if not isinstance(name, str) or not name or name == "*":
            raise ArgumentError(f"A scope needs the name of a database, not {name!r}; for all there is Scope.all().")
        return cls(f"db:{name}:{'w' if write else 'r'}")

    @classmethod
    def management(cls) -> Scope:
        """Everything on the routes of databases."""
        return cls("management")


_KNOWN = ("all:r", "all:w", "management", "db:*:r", "db:*:w")


def _scopes(scopes: Iterable[str]) -> list[str]:
    checked: list[str] = []
    for scope in checked_names("scopes", scopes):
        parts = scope.split(":")
        named = len(parts) >= 3 and parts[0] == "db" and ":".join(parts[1:-1]) and parts[-1] in ("r", "w")
        if scope not in _KNOWN and not named:
            raise ArgumentError(
                f"The scope {scope!r} would grant nothing, and the server would not say so. Scopes are "
                "Scope.database('name', write=True), Scope.all() and Scope.management(), or as text db:NAME:w, all:r "
                "and management."
            )
        checked.append(scope)
    if not checked:
        raise ArgumentError(
            "A key without scopes gets all:w, access to everything. If that is meant: Scope.all(write=True)."
        )
    return checked


class Admin:
    """What the admin token may do; `mesahub.MesahubClient.admin` makes it.

    Attributes:
        databases: make, list, switch off, delete, restore, export and import databases.
        api_keys: make, list and revoke API keys.
    """

    def __init__(self, client: Sender) -> None:
        self._api = Api(client, "admin")
        self.databases = Databases(self._api)
        self.api_keys = ApiKeys(self._api)

    def health(self) -> Record:
        """``{"status": "ok", "uptime_sec": ...}``. Needs no key."""
        return self._api.record("health", "GET", "/api/health")

    def version(self) -> Record:
        """``{"version": ..., "redis": ...}``. Needs no key."""
        return self._api.record("version", "GET", "/api/version")


class Databases:
    """All databases of a server.

    A record has ``id``, ``slug`` (its name in URLs), ``name`` (what scopes go by), ``owner``, ``status``,
    ``description``, ``size_bytes``, ``created_at`` and more.
    """

    def __init__(self, api: Api) -> None:
        self._api = api

    def create(
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
        return self._api.record("databases.create", "POST", "/api/db", payload=payload)

    def list(self) -> Records:
        """All databases that are not deleted."""
        return self._api.records("databases.list", "GET", "/api/db")

    def get(self, slug: str) -> Record:
        """One database. Raises `NotFoundError`."""
        return self._api.record("databases.get", "GET", f"/api/db/{segment('A slug', slug)}", database=slug)

    def set_status(self, slug: str, status: Literal["active", "inactive"]) -> None:
        """Switch a database off for all keys but the admin's, or on again."""
        if status not in ("active", "inactive"):
            raise ArgumentError(f"status must be 'active' or 'inactive', not {status!r}.")
        self._call("databases.set_status", "PATCH", slug, payload={"action": "set_status", "status": status})

    def reset(self, slug: str) -> None:
        """Empty a database: everything in it is lost."""
        self._call("databases.reset", "PATCH", slug, payload={"action": "reset_db"})

    def delete(self, slug: str) -> None:
        """Soft-delete a database; `restore` restores it, `hard_delete` removes it."""
        self._call("databases.delete", "DELETE", slug)

    def list_deleted(self) -> Records:
        """List soft-deleted databases, with the slugs for `restore`."""
        return self._api.records("databases.list_deleted", "GET", "/api/db/deleted")

    def restore(self, deleted_slug: str) -> Record:
        """Bring a deleted database back under its old slug.

        Raises:
            ConflictError: the slug is taken again.
        """
        path = f"/api/db/deleted/{segment('A slug', deleted_slug)}"
        payload = {"action": "restore"}
        return self._api.record("databases.restore", "POST", path, payload=payload, database=deleted_slug)

    def hard_delete(self, deleted_slug: str) -> None:
        """Remove a deleted database for good."""
        path = f"/api/db/deleted/{segment('A slug', deleted_slug)}"
        payload = {"action": "hard_delete"}
        self._api.call("databases.hard_delete", "POST", path, payload=payload, database=deleted_slug)

    def export(
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
        found = self._table_names(slug)
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
        return download_file(self._api, request, target, progress)

    def inspect(self, slug: str, file: str | os.PathLike[str] | BinaryIO | bytes) -> Records:
        """The tables of a SQLite file, as `import_tables` would see them: ``name``, ``rowCount``, ``createSql``."""
        answer = self._import(slug, file, None, None, "databases.inspect", safe=True)
        return cast(Records, answer.get("tables") or [])

    def import_tables(
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
        answer = self._import(slug, file, _tables(tables), progress, "databases.import", safe=False)
        return int(answer.get("totalImported") or 0)

    def _import(
        self, slug: str, file: Any, tables: Names | None, progress: Progress | None, what: str, *, safe: bool
    ) -> Record:
        path = f"/api/db/{segment('A slug', slug)}/import"
        fields: dict[str, str] = {} if tables is None else {"tables": json.dumps(tables)}
        return upload_form(self._api, what, path, file, fields, progress, database=slug, safe=safe)

    def _table_names(self, slug: str) -> Names:
        from mesahub.sql.schema import tables_statement

        path = f"/api/db/{segment('A slug', slug)}/query"
        payload = {"sql": tables_statement(by_creation=True).sql, "bindings": []}
        answer = self._api.call("databases.tables", "POST", path, payload=payload, database=slug, safe=True)
        rows = answer.get("rows")
        if not isinstance(rows, list) or not all(isinstance(row, dict) and "name" in row for row in rows):
            raise ServerError.of("The server, or a gateway in front of it, returned an unexpected list of tables.")
        return [row["name"] for row in rows]

    def _call(self, what: str, method: str, slug: str, **fields: Any) -> Any:
        return self._api.call(what, method, f"/api/db/{segment('A slug', slug)}", database=slug, **fields)


def _tables(tables: Iterable[str]) -> list[str]:
    names = checked_names("tables", tables)  # the server fails over a table that is named twice
    if not names:
        raise ArgumentError("Name at least one table.")
    return names


class ApiKeys:
    """All API keys of a server.

    A revoked key that was used shortly before keeps working for some minutes on the real server, which remembers it
    in memory; and ``expires_at`` is kept there and not enforced.
    """

    def __init__(self, api: Api) -> None:
        self._api = api

    def create(
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
        return _with_scopes(self._api.record("api_keys.create", "POST", "/api/apikeys", payload=payload))

    def list(self) -> Records:
        """All keys that are not revoked, without their text."""
        return [_with_scopes(key) for key in self._api.records("api_keys.list", "GET", "/api/apikeys")]

    def revoke(self, key_id: str) -> None:
        """Revoke a key. Whether it existed is unknown."""
        self._api.call("api_keys.revoke", "DELETE", f"/api/apikeys/{segment('A key id', key_id)}", safe=True)


def _with_scopes(record: Record) -> Record:
    # The core sends the list as a string of JSON.
    scopes = record.get("scopes")
    if isinstance(scopes, str):
        with suppress(ValueError):
            scopes = json.loads(scopes)
    return record | {"scopes": scopes}
