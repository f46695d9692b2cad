# Made by scripts/asyncify.py of mesahub/management.py: change that, and run `make aio`.
"""The management of the hosted service: databases, buckets and API keys of a user, over the dashboard's routes.

The names, arguments and results are those of mesahub 1.0.1; its errors are now of the right class, with the right
fields (1.0.1 passed them in the wrong order).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, BinaryIO, Self, Unpack, cast

from mesahub._calls.arguments import transport_arguments
from mesahub._calls.checks import checked_names, checked_text, given_texts
from mesahub._calls.json_api import segment
from mesahub._calls.unpicklable import Unpicklable
from mesahub._util.secret import Secret
from mesahub.aio._calls.json_api import AsyncApi
from mesahub.aio._calls.pipeline import AsyncStack
from mesahub.aio._calls.sqlite_files import upload_form
from mesahub.management import Names, Record, Records
from mesahub.url import checked_base_url

if TYPE_CHECKING:
    from mesahub.aio._calls.client_options import AsyncClientOptions

__all__ = ["AsyncManagedBuckets", "AsyncManagedDatabases", "AsyncManagedKeys", "AsyncMesahubManagementClient"]


class AsyncMesahubManagementClient(Unpicklable):
    """A client of the dashboard.

    Args:
        dashboard_url: its origin, such as ``https://www.mesahub.app``.
        api_key: a ``shs_`` key of the user's, or a function, ``async`` or not, that gives the current one.
        timeout: seconds for a call.
        **options: `mesahub.aio.AsyncClientOptions`, as `mesahub.aio.AsyncMesahubClient` takes them.

    Attributes:
        databases: the user's databases.
        buckets: the user's buckets.
        api_keys: the user's API keys.

    Example:
        >>> with AsyncMesahubManagementClient("https://www.mesahub.app", "shs_...") as management:  # doctest: +SKIP
        ...     await management.databases.create("my-app-db")
    """

    def __init__(
        self,
        dashboard_url: str,
        api_key: str | Callable[[], str | Awaitable[str]],
        timeout: float | None = 30.0,
        **options: Unpack[AsyncClientOptions],
    ) -> None:
        given = transport_arguments(options)
        options = {}  # a traceback may show this function's variables
        if isinstance(api_key, str):
            api_key = Secret(api_key)  # before anything may fail: a traceback may show this function's variables
        dashboard_url = Secret(dashboard_url) if isinstance(dashboard_url, str) else ""
        self._stack = AsyncStack(
            api_key,
            checked_base_url(dashboard_url, "dashboard_url"),
            timeout,
            options=given,
        )
        api = AsyncApi(cast(Any, self._stack), "management")
        self.databases = AsyncManagedDatabases(api, "databases")
        self.buckets = AsyncManagedBuckets(api, "buckets")
        self.api_keys = AsyncManagedKeys(api)

    async def close(self) -> None:
        """Close the connections."""
        await self._stack.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class _Named:
    """What databases and buckets have in common: records with an ``id``, a name and a description."""

    def __init__(self, api: AsyncApi, what: str) -> None:
        self._api = api
        self._what = what

    async def list(self) -> Records:
        """All of the user's."""
        return await self._api.records(f"{self._what}.list", "GET", self._path(None))

    async def get(self, id: str) -> Record:
        """One, by its id. Raises `NotFoundError`."""
        return await self._api.record(f"{self._what}.get", "GET", self._path(id))

    async def create(self, name: str, description: str | None = None) -> Record:
        """Make one.

        A database's name has 3 to 50 characters: lower case letters, digits, dashes, underscores.
        """
        payload = {"name": checked_text("name", name)} | given_texts(description=description)
        return await self._api.record(f"{self._what}.create", "POST", self._path(None), payload=payload)

    async def delete(self, id: str) -> None:
        """Delete one, by its id."""
        await self._api.call(f"{self._what}.delete", "DELETE", self._path(id))

    async def update(self, id: str, *, name: str | None = None, description: str | None = None) -> Record:
        """Give one another name or description."""
        payload = given_texts(name=name, description=description)
        return await self._api.record(f"{self._what}.update", "PATCH", self._path(id), payload=payload)

    def _path(self, id: str | None) -> str:
        path = f"/api/user/{self._what}"
        return path if id is None else f"{path}/{segment('An id', id)}"


class AsyncManagedBuckets(_Named):
    """The user's buckets."""


class AsyncManagedDatabases(_Named):
    """The user's databases."""

    async def export(self, id: str, tables: Names, filename: str | None = None) -> bytes:
        """Tables of a database as a SQLite file, in memory."""
        payload: dict[str, Any] = {"tables": checked_names("tables", tables)}
        payload |= given_texts(filename=filename or None)
        request = self._api.request(
            "databases.export", "POST", f"{self._path(id)}/export", payload=payload, safe=True, streams=True
        )
        response = await self._api.send(request)
        if response.status >= 300:
            self._api.answer(response)
        return await response.aread()

    async def import_inspect(self, id: str, file: BinaryIO, filename: str = "import.db") -> Record:
        """The tables of a SQLite file: ``{"tables": [{"name", "rowCount", "createSql"}]}``. Changes nothing."""
        return await self._import(id, file, filename, {}, safe=True)

    async def import_tables(self, id: str, file: BinaryIO, tables: Names, filename: str = "import.db") -> Record:
        """Take tables of a SQLite file into a database."""
        return await self._import(
            id, file, filename, {"tables": json.dumps(checked_names("tables", tables))}, safe=False
        )

    async def _import(self, id: str, file: BinaryIO, filename: str, fields: dict[str, str], *, safe: bool) -> Record:
        path = f"{self._path(id)}/import"
        what = "databases.inspect" if safe else "databases.import"
        filename = checked_text("filename", filename)
        return await upload_form(self._api, what, path, file, fields, None, database=id, safe=safe, filename=filename)


class AsyncManagedKeys:
    """The user's API keys."""

    def __init__(self, api: AsyncApi) -> None:
        self._api = api

    async def list(self) -> Records:
        """All keys, without their text."""
        return await self._api.records("api_keys.list", "GET", "/api/user/api-keys")

    async def create(self, name: str, scopes: Names | None = None) -> Record:
        """Make a key: ``id``, ``name``, and ``key``, its text, which is shown this once (its ``repr`` is hidden).

        Args:
            name: for people.
            scopes: what it may do; default ``["all:w"]``, everything. See `mesahub.admin.Scope`.
        """
        granted = ["all:w"] if scopes is None else checked_names("scopes", scopes)
        payload = {"name": checked_text("name", name), "scopes": granted}
        return await self._api.record("api_keys.create", "POST", "/api/user/api-keys", payload=payload)

    async def revoke(self, id: str) -> None:
        """Revoke a key, by its id."""
        await self._api.call("api_keys.revoke", "DELETE", f"/api/user/api-keys/{segment('An id', id)}")
