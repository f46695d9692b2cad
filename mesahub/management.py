"""The management of the hosted service: databases, buckets and API keys of a user, over the dashboard's routes.

The names, arguments and results are those of mesahub 1.0.1; its errors are now of the right class, with the right
fields (1.0.1 passed them in the wrong order).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO, Self, Unpack

from mesahub._calls.arguments import transport_arguments
from mesahub._calls.checks import checked_names, checked_text, given_texts
from mesahub._calls.json_api import Api, segment
from mesahub._calls.pipeline import Stack
from mesahub._calls.sqlite_files import upload_form
from mesahub._calls.unpicklable import Unpicklable
from mesahub._util.secret import Secret
from mesahub.url import checked_base_url

if TYPE_CHECKING:
    from mesahub._calls.client_options import ClientOptions

__all__ = ["MesahubManagementClient"]

Record = dict[str, Any]
# Within a class that has a method of this name, list[...] would mean that method.
Records = list[Record]
Names = list[str]


class MesahubManagementClient(Unpicklable):
    """A client of the dashboard.

    Args:
        dashboard_url: its origin, such as ``https://www.mesahub.app``.
        api_key: a ``shs_`` key of the user's, or a function that gives the current one.
        timeout: seconds for a call.
        **options: `mesahub.ClientOptions`, as `mesahub.MesahubClient` takes them.

    Attributes:
        databases: the user's databases.
        buckets: the user's buckets.
        api_keys: the user's API keys.

    Example:
        >>> with MesahubManagementClient("https://www.mesahub.app", "shs_...") as management:  # doctest: +SKIP
        ...     management.databases.create("my-app-db")
    """

    def __init__(
        self,
        dashboard_url: str,
        api_key: str | Callable[[], str],
        timeout: float | None = 30.0,
        **options: Unpack[ClientOptions],
    ) -> None:
        given = transport_arguments(options)
        options = {}  # a traceback may show this function's variables
        if isinstance(api_key, str):
            api_key = Secret(api_key)  # before anything may fail: a traceback may show this function's variables
        dashboard_url = Secret(dashboard_url) if isinstance(dashboard_url, str) else ""
        self._stack = Stack(
            api_key,
            checked_base_url(dashboard_url, "dashboard_url"),
            timeout,
            options=given,
        )
        api = Api(self._stack, "management")
        self.databases = ManagedDatabases(api, "databases")
        self.buckets = ManagedBuckets(api, "buckets")
        self.api_keys = ManagedKeys(api)

    def close(self) -> None:
        """Close the connections."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Named:
    """What databases and buckets have in common: records with an ``id``, a name and a description."""

    def __init__(self, api: Api, what: str) -> None:
        self._api = api
        self._what = what

    def list(self) -> Records:
        """All of the user's."""
        return self._api.records(f"{self._what}.list", "GET", self._path(None))

    def get(self, id: str) -> Record:
        """One, by its id. Raises `NotFoundError`."""
        return self._api.record(f"{self._what}.get", "GET", self._path(id))

    def create(self, name: str, description: str | None = None) -> Record:
        """Make one.

        A database's name has 3 to 50 characters: lower case letters, digits, dashes, underscores.
        """
        payload = {"name": checked_text("name", name)} | given_texts(description=description)
        return self._api.record(f"{self._what}.create", "POST", self._path(None), payload=payload)

    def delete(self, id: str) -> None:
        """Delete one, by its id."""
        self._api.call(f"{self._what}.delete", "DELETE", self._path(id))

    def update(self, id: str, *, name: str | None = None, description: str | None = None) -> Record:
        """Give one another name or description."""
        payload = given_texts(name=name, description=description)
        return self._api.record(f"{self._what}.update", "PATCH", self._path(id), payload=payload)

    def _path(self, id: str | None) -> str:
        path = f"/api/user/{self._what}"
        return path if id is None else f"{path}/{segment('An id', id)}"


class ManagedBuckets(_Named):
    """The user's buckets."""


class ManagedDatabases(_Named):
    """The user's databases."""

    def export(self, id: str, tables: Names, filename: str | None = None) -> bytes:
        """Tables of a database as a SQLite file, in memory."""
        payload: dict[str, Any] = {"tables": checked_names("tables", tables)}
        payload |= given_texts(filename=filename or None)
        request = self._api.request(
            "databases.export", "POST", f"{self._path(id)}/export", payload=payload, safe=True, streams=True
        )
        response = self._api.send(request)
        if response.status >= 300:
            self._api.answer(response)
        return response.read()

    def import_inspect(self, id: str, file: BinaryIO, filename: str = "import.db") -> Record:
        """The tables of a SQLite file: ``{"tables": [{"name", "rowCount", "createSql"}]}``. Changes nothing."""
        return self._import(id, file, filename, {}, safe=True)

    def import_tables(self, id: str, file: BinaryIO, tables: Names, filename: str = "import.db") -> Record:
        """Take tables of a SQLite file into a database."""
        return self._import(id, file, filename, {"tables": json.dumps(checked_names("tables", tables))}, safe=False)

    def _import(self, id: str, file: BinaryIO, filename: str, fields: dict[str, str], *, safe: bool) -> Record:
        path = f"{self._path(id)}/import"
        what = "databases.inspect" if safe else "databases.import"
        filename = checked_text("filename", filename)
        return upload_form(self._api, what, path, file, fields, None, database=id, safe=safe, filename=filename)


class ManagedKeys:
    """The user's API keys."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def list(self) -> Records:
        """All keys, without their text."""
        return self._api.records("api_keys.list", "GET", "/api/user/api-keys")

    def create(self, name: str, scopes: Names | None = None) -> Record:
        """Make a key: ``id``, ``name``, and ``key``, its text, which is shown this once (its ``repr`` is hidden).

        Args:
            name: for people.
            scopes: what it may do; default ``["all:w"]``, everything. See `mesahub.admin.Scope`.
        """
        granted = ["all:w"] if scopes is None else checked_names("scopes", scopes)
        payload = {"name": checked_text("name", name), "scopes": granted}
        return self._api.record("api_keys.create", "POST", "/api/user/api-keys", payload=payload)

    def revoke(self, id: str) -> None:
        """Revoke a key, by its id."""
        self._api.call("api_keys.revoke", "DELETE", f"/api/user/api-keys/{segment('An id', id)}")
