"""The dialect of SQLAlchemy for asyncio: ``create_async_engine`` with the URLs of `mesahub.integrations.sqlalchemy`.

SQLAlchemy runs its own code in a greenlet, in which ``await_only`` suspends until an awaitable is done. So the same
connections of `mesahub.dbapi` serve, over handles of `mesahub.aio` whose calls are awaited there.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import Any

from sqlalchemy import pool
from sqlalchemy.engine import URL
from sqlalchemy.util import await_only

from mesahub.aio.client import connect
from mesahub.aio.database import AsyncDatabaseHandle
from mesahub.aio.session import AsyncSession
from mesahub.dbapi.connection import Connection, connect_with
from mesahub.dbapi.cursor import Cursor
from mesahub.errors import MesahubError
from mesahub.integrations.sqlalchemy import MesahubDialect
from mesahub.transport.capabilities import Capabilities

__all__ = ["AsyncMesahubDialect"]


class _Client:
    """What `mesahub.dbapi` needs of a client, awaited in the greenlet."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.prepare = client.prepare
        self.require = client.require

    def run_rows(self, *arguments: Any, **options: Any) -> Any:
        """See `mesahub.database.Client`, as all of these."""
        return await_only(self._client.run_rows(*arguments, **options))

    def run_returning(self, *arguments: Any, **options: Any) -> Any:
        return await_only(self._client.run_returning(*arguments, **options))

    def run_exec(self, *arguments: Any, **options: Any) -> Any:
        return await_only(self._client.run_exec(*arguments, **options))

    def run_batch(self, *arguments: Any, **options: Any) -> Any:
        return await_only(self._client.run_batch(*arguments, **options))


class _Handle:
    """What `mesahub.dbapi` needs of a `mesahub.DatabaseHandle`."""

    def __init__(self, handle: AsyncDatabaseHandle) -> None:
        self.awaited = handle
        self.client = _Client(handle.client)
        self.name = handle.name

    @property
    def capabilities(self) -> Capabilities:
        return self.awaited.capabilities

    def session(self) -> _Session:
        return _Session(await_only(self.awaited.session()))

    def close(self) -> None:
        await_only(self.awaited.close())


class _Session(_Handle):
    """What `mesahub.dbapi` needs of a `mesahub.session.Session`."""

    awaited: AsyncSession

    def __init__(self, session: Any) -> None:
        super().__init__(session)

    @property
    def in_transaction(self) -> bool:
        return self.awaited.in_transaction

    def begin(self, mode: Any = "immediate") -> None:
        await_only(self.awaited.begin(mode))

    def commit(self) -> None:
        await_only(self.awaited.commit())

    def rollback(self) -> None:
        await_only(self.awaited.rollback())


class _Cursor(Cursor):
    async def _async_soft_close(self) -> None:
        """SQLAlchemy calls it when it has fetched all rows, which are here already."""


class _Connection(Connection):
    def cursor(self) -> Cursor:
        return self._cursor(_Cursor)

    def _error_in_flight(self) -> BaseException | None:
        # A greenlet handles no exception of those who await it; what they await sees theirs.
        return await_only(_current_error())


async def _current_error() -> BaseException | None:
    return sys.exc_info()[1]


class AsyncMesahubDialect(MesahubDialect):
    """The dialect ``mesahub`` for asyncio."""

    is_async = True
    has_terminate = True
    supports_statement_cache = True

    @classmethod
    def get_pool_class(cls, url: URL) -> type[pool.Pool]:
        """As `MesahubDialect.get_pool_class`, with a queue for tasks."""
        found = super().get_pool_class(url)
        return pool.AsyncAdaptedQueuePool if found is pool.QueuePool else found

    def _open(self, *arguments: Any, **options: Any) -> Any:
        return _Handle(connect(*arguments, **options))

    def _connected(self, handle: Any, own: dict[str, Any]) -> Connection:
        return connect_with(_Connection, handle, **own)

    def do_terminate(self, dbapi_connection: Any) -> None:
        """Close a connection where nothing can be awaited: in a task of its own, or with the process."""
        handle, session = self._forget(), dbapi_connection.detached()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        task = loop.create_task(_close([each.awaited for each in (session, handle) if each is not None]))
        _closing.add(task)
        task.add_done_callback(_closing.discard)

    def get_driver_connection(self, connection: Any) -> Connection:
        """The connection itself; its ``handle.awaited`` is the `mesahub.aio.AsyncDatabaseHandle`."""
        driver: Connection = connection
        return driver


async def _close(handles: list[Any]) -> None:
    for each in handles:
        with suppress(MesahubError):
            await each.close()


_closing: set[asyncio.Task[None]] = set()
"""Tasks, which the loop itself does not keep alive."""
