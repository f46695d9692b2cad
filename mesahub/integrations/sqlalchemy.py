"""SQLAlchemy 2 on mesahub (extra ``sqlalchemy``).

    from sqlalchemy import create_engine

    create_engine("mesahub+mh://:KEY@host:4004/shop")  # a server; the key is where SQLAlchemy hides it
    create_engine("mesahub+mh://local/shop")  # an embedded database
    create_engine("mesahub+sqlite:///shop.db")  # a SQLite file
    create_engine("mesahub+libsql://:TOKEN@primary:8080/shop")
    create_engine("mesahub+rqlite://user:password@a:4001/?host=b:4001&host=c:4001")

That is ``mesahub+`` before a URL of `mesahub.connect`, with a key in place of the password, and further hosts in the
query string; ``create_async_engine`` takes the same. A database in memory has one connection, which threads and tasks
share. ``mesahub://`` alone takes ``MESAHUB_URL``. Options of `mesahub.dbapi.connect` may be in the query string
or in ``connect_args``.

The dialect is SQLAlchemy's for SQLite (https://docs.sqlalchemy.org/en/20/dialects/sqlite.html) on `mesahub.dbapi`; its
name is ``sqlite``, so that Alembic, pandas and others treat it as one.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, unquote, urlencode

from sqlalchemy import exc, pool, text
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.engine import URL, Connection
from sqlalchemy.engine.interfaces import IsolationLevel
from sqlalchemy.sql.compiler import InsertmanyvaluesSentinelOpts

import mesahub
from mesahub import dbapi
from mesahub._util.secret import Secret, SecretDict
from mesahub.errors import TransactionLostError
from mesahub.transport.capabilities import Capabilities

__all__ = ["MesahubDialect", "mesahub_url"]

_OWN = ("on_rollback", "unit_of_work")
_PARAMETERS = 32_766
_MARK = "mesahub_mark"
_LEVELS = {"DEFERRED": "SERIALIZABLE", "IMMEDIATE": "SERIALIZABLE", "EXCLUSIVE": "SERIALIZABLE", None: "AUTOCOMMIT"}


def mesahub_url(url: URL) -> str | None:
    """The URL of `mesahub.connect` for one of SQLAlchemy; ``None`` for ``mesahub://``.

    Raises:
        sqlalchemy.exc.ArgumentError: a key is where SQLAlchemy would show it, or a part has no meaning here.

    Example:
        >>> from sqlalchemy import make_url
        >>> mesahub_url(make_url("mesahub+rqlite://u:p@a:4001/?host=b:4001"))
        'rqlite://u:p@a:4001,b:4001/'
    """
    scheme = url.drivername.partition("+")[2] or "mh"
    database = url.database or ""
    query = {name: value for name, value in url.query.items() if name not in _OWN and name != "host"}
    options = f"?{urlencode(query, doseq=True)}" if query else ""
    if scheme == "sqlite" and (url.host or url.username or url.password is not None or url.port is not None):
        raise exc.ArgumentError(
            "A SQLite URL has three slashes, mesahub+sqlite:///relative.db, or four, mesahub+sqlite:////absolute/path.db."
        )
    if scheme == "sqlite":
        return f"sqlite:///{quote(database)}{options}" if database else f"sqlite://{options}"
    if not url.host:
        if url.username or url.password is not None:
            raise exc.ArgumentError(f"The URL has a key and no host: mesahub+{scheme}://:KEY@host/database.")
        if not database and scheme == "mh":
            return None
        return f"{scheme}://local/{quote(database, safe='')}{options}"
    if scheme != "rqlite" and url.username:
        raise exc.ArgumentError(
            f"Put the key where the password goes, mesahub+{scheme}://:KEY@host/database: SQLAlchemy shows user names."
        )
    login = ""
    if url.password is not None:
        user = f"{quote(url.username or '', safe='')}:" if scheme == "rqlite" else ""
        login = f"{user}{quote(str(url.password), safe='')}@"
    more = url.query.get("host", ())
    first = f"[{url.host}]" if ":" in url.host else url.host
    hosts = [f"{first}:{url.port}" if url.port else first, *([more] if isinstance(more, str) else more)]
    path = database if database.startswith("/") else quote(database, safe="")
    return f"{scheme}://{login}{','.join(hosts)}/{path}{options}"


class MesahubDialect(SQLiteDialect):
    """The dialect ``mesahub``. What it supports depends on the engine (`mesahub.Capabilities`)."""

    driver = "mesahub"
    supports_statement_cache = True
    default_paramstyle = "qmark"
    # SQLite gives the rowids of VALUES in their order, so a thousand rows with their keys are one request.
    insertmanyvalues_implicit_sentinel = InsertmanyvaluesSentinelOpts.ANY_AUTOINCREMENT
    insertmanyvalues_max_parameters = _PARAMETERS

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._lock = threading.Lock()
        self._handle: mesahub.DatabaseHandle | None = None
        self._connections = 0
        self._level: str | None = "DEFERRED"

    @classmethod
    def import_dbapi(cls) -> Any:
        """The module of PEP 249."""
        return dbapi

    @classmethod
    def get_async_dialect_cls(cls, url: URL) -> type[MesahubDialect]:  # noqa: ARG003
        """The dialect of ``create_async_engine``."""
        found: type[MesahubDialect] = registry.load("mesahub.aio")
        return found

    @classmethod
    def get_pool_class(cls, url: URL) -> type[pool.Pool]:
        """One connection for a database in memory; a queue of connections for others."""
        address = mesahub_url(url) or os.environ.get("MESAHUB_URL", "")
        path, _, query = unquote(address).partition("?")
        in_memory = path.rstrip("/") == "sqlite:" or path.endswith(":memory:") or "mode=memory" in query.split("&")
        return pool.StaticPool if in_memory else pool.QueuePool

    def create_connect_args(self, url: URL) -> tuple[Sequence[Any], dict[str, Any]]:
        """The arguments of `mesahub.dbapi.connect`."""
        address = mesahub_url(url)
        own = {name: str(url.query[name]) for name in _OWN if name in url.query}
        return [None if address is None else Secret(address)], own

    def connect(self, *arguments: Any, **options: Any) -> Any:
        """Connect; all connections of an engine share one client, which is closed with the last of them."""
        own = {name: options.pop(name) for name in (*_OWN, "isolation_level") if name in options}
        self._level = own.get("isolation_level", "DEFERRED")
        given = SecretDict(options)
        options = {}  # a traceback may show this function's variables
        with self._lock:
            if self._handle is None:
                with dbapi.errors.TRANSLATED:
                    self._handle = self._open(*arguments, **given)
                self._connections = 0
            connection = self._connected(self._handle, own)
            self._connections += 1
        return connection

    def _open(self, *arguments: Any, **options: Any) -> Any:
        """A handle for `mesahub.dbapi.connect`."""
        return mesahub.connect(*arguments, **options)

    def _connected(self, handle: Any, own: dict[str, Any]) -> dbapi.Connection:
        return dbapi.connect(handle=handle, **own)

    def _forget(self) -> Any:
        """Count a connection less; the handle to close with the last one."""
        with self._lock:
            self._connections -= 1
            if self._connections > 0:
                return None
            handle, self._handle = self._handle, None
            return handle

    def do_close(self, dbapi_connection: Any) -> None:
        """Close a connection, and with the last one the client."""
        handle = self._forget()
        try:
            dbapi_connection.close()
        finally:
            if handle is not None:
                handle.close()

    def initialize(self, connection: Connection) -> None:
        """Take the engine's limits and abilities from its capabilities."""
        able = self._capabilities(connection.connection.dbapi_connection)
        # A parameter takes three bytes of the text, "?, ", and names need some too.
        by_text = _PARAMETERS if able.max_sql is None else able.max_sql // 4
        self.insertmanyvalues_max_parameters = min(able.max_bindings or _PARAMETERS, _PARAMETERS, by_text)
        self.insert_returning = self.update_returning = self.delete_returning = able.returning == "all"
        self.supports_sane_rowcount = able.counts
        # A batch on MesaHub, which has no transactions, does not return counts.
        self.supports_sane_multi_rowcount = able.counts and able.transactions == "interactive"
        super().initialize(connection)

    def _get_server_version_info(self, connection: Connection) -> tuple[int, ...]:
        version = connection.execute(text("SELECT sqlite_version()")).scalar_one()
        return tuple(int(part) for part in str(version).split(".") if part.isdigit())

    def get_isolation_level_values(self, dbapi_connection: Any) -> Any:
        """``AUTOCOMMIT``, and ``SERIALIZABLE`` where there are transactions."""
        if self._capabilities(dbapi_connection).transactions == "interactive":
            return ["AUTOCOMMIT", "SERIALIZABLE"]
        return ["AUTOCOMMIT"]

    def get_default_isolation_level(self, dbapi_conn: Any) -> IsolationLevel:
        """``SERIALIZABLE`` where there are transactions."""
        level: IsolationLevel = self.get_isolation_level(dbapi_conn)
        return level

    def get_isolation_level(self, dbapi_connection: Any) -> Any:
        """The level of a connection."""
        if self._capabilities(dbapi_connection).transactions != "interactive":
            return "AUTOCOMMIT"
        return _LEVELS[dbapi_connection.isolation_level]

    def set_isolation_level(self, dbapi_connection: Any, level: IsolationLevel) -> None:
        """``AUTOCOMMIT`` also means that no rollback is expected: see `mesahub.dbapi.Connection.rollback`."""
        dbapi_connection.isolation_level = None if level == "AUTOCOMMIT" else self._level or "DEFERRED"

    def reset_isolation_level(self, dbapi_conn: Any) -> None:
        """Back to what a connection begins with: by ``create_engine(isolation_level=...)``, or by ``connect_args``."""
        dbapi_conn.isolation_level = None if self._on_connect_isolation_level == "AUTOCOMMIT" else self._level

    def detect_autocommit_setting(self, dbapi_conn: Any) -> bool:
        """Whether every statement takes effect at once."""
        return bool(self.get_isolation_level(dbapi_conn) == "AUTOCOMMIT")

    def get_temp_table_names(self, connection: Connection, **options: Any) -> Any:  # type: ignore[override]
        """The temporary tables of the connection, without the one of the embedded engine."""
        found = super().get_temp_table_names(connection, **options)  # type: ignore[no-untyped-call]
        return [name for name in found if name != _MARK]

    def is_disconnect(self, e: Exception, connection: Any, cursor: Any) -> bool:  # noqa: ARG002
        """Whether the connection is lost: a server that forgot a session. (HTTP connects again by itself.)"""
        return isinstance(e.__cause__, TransactionLostError)

    @staticmethod
    def _capabilities(dbapi_connection: Any) -> Capabilities:
        able: Capabilities = dbapi_connection.handle.capabilities
        return able


dialect = MesahubDialect
registry.register("mesahub.aio", "mesahub.integrations.sqlalchemy_asyncio", "AsyncMesahubDialect")
