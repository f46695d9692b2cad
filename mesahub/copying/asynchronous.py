"""`mesahub.copy` for asyncio: its work is done in a thread, and its requests go through the handles in their loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Protocol, TypeVar

from mesahub.client import MesahubClient
from mesahub.copying import BATCH, CopyResult, Progress
from mesahub.copying import copy as blocking_copy
from mesahub.database import DatabaseHandle
from mesahub.middleware.retry_policy import RetryPolicy
from mesahub.transport import Request, Response
from mesahub.transport.asynchronous.threads import Threads

__all__ = ["copy"]

T = TypeVar("T")


class AsyncHandle(Protocol):
    """A `mesahub.aio.AsyncDatabaseHandle`."""

    @property
    def name(self) -> str: ...

    @property
    def client(self) -> Any: ...


class _StoppedError(BaseException):
    """The task that waits for the copy was cancelled."""


class _Bridge:
    """Calls from the thread into the loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.stopped = False

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the loop, and wait for it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def view(self, db: AsyncHandle | str) -> DatabaseHandle | str:
        """A handle for the thread, whose requests go through the client of an asynchronous one."""
        if isinstance(db, str):
            return db
        client = db.client
        blocking = MesahubClient(
            transport=_Transport(self, client),
            timeout=client.timeout,
            dialect=client.dialect,
            retry=RetryPolicy.none(),
            consistency=client._hints.get("consistency"),
        )
        return DatabaseHandle(db.name, blocking)

    def callback(self, progress: Progress | None) -> Progress | None:
        """A function for the thread that calls the caller's in the loop."""
        if progress is None:
            return None

        async def call(table: str, done: int, total: int) -> None:
            progress(table, done, total)

        return lambda table, done, total: self.run(call(table, done, total))


class _Transport:
    """What a blocking client sends by: the whole of an asynchronous one."""

    def __init__(self, bridge: _Bridge, client: Any) -> None:
        self._bridge = bridge
        self._send: Callable[[Request], Coroutine[Any, Any, Response]] = client.send
        if client.capabilities is not client.dialect.capabilities:
            self.capabilities = client.capabilities  # it is in this process

    def send(self, request: Request, /) -> Response:
        """Send a request."""
        undoes = isinstance(request.payload, dict) and "foreign_keys" in str(request.payload.get("sql"))
        if self._bridge.stopped and not undoes:
            raise _StoppedError
        return self._bridge.run(self._send(request))

    def close(self) -> None:
        """Nothing: the caller's client stays open."""


async def copy(
    source: AsyncHandle | str,
    target: AsyncHandle | str,
    tables: Iterable[str] | None = None,
    *,
    batch_size: int = BATCH,
    progress: Progress | None = None,
    verify_progress: Progress | None = None,
    timeout: float | None = 300.0,
) -> CopyResult:
    """Copy a database. Arguments, result and errors are those of `mesahub.copy`.

    A cancelled copy stops after the request that is on its way; call it again to resume it.

    Args:
        source: a `mesahub.aio.AsyncDatabaseHandle`, or a URL.
        target: likewise.
        tables: as `mesahub.copy` takes it.
        batch_size: likewise.
        progress: a plain function, called in the loop.
        verify_progress: likewise.
        timeout: as `mesahub.copy` takes it.

    Example:
        >>> await mesahub.aio.copy(here, there)  # doctest: +SKIP
    """
    bridge = _Bridge()
    # Looked at in the thread, handles of one client would look like different ones.
    same = not isinstance(source, str) and not isinstance(target, str) and source.client is target.client
    here = bridge.view(source)
    there = here if same and _name(source) == _name(target) else bridge.view(target)
    threads = Threads(1, "mesahub-copy")
    job = threads.start(
        lambda: blocking_copy(
            here,
            there,
            tables,
            batch_size=batch_size,
            progress=bridge.callback(progress),
            verify_progress=bridge.callback(verify_progress),
            timeout=timeout,
        )
    )
    try:
        return await job.wait()
    except asyncio.CancelledError:
        bridge.stopped = True
        await job.settle()
        raise
    finally:
        threads.close()


def _name(db: AsyncHandle | str) -> str:
    return db if isinstance(db, str) else db.name
