"""Functions on threads that stop when the task that waits for them is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import ClassVar, TypeVar

from mesahub.errors import RequestTimeoutError
from mesahub.transport import Request, Response
from mesahub.transport.asynchronous.cancellation import note_cancelled
from mesahub.transport.asynchronous.threads import NotStartedError, Threads
from mesahub_embedded.engine.connections import BUSY
from mesahub_embedded.turns import not_begun

__all__ = ["Patience", "Stoppable", "patiently", "run_stoppable", "timed"]

T = TypeVar("T")


def timed(request: Request, end: float | None) -> Request:
    """The request with the time that is left of it.

    Raises:
        RequestTimeoutError: none is.
    """
    if end is None:
        return request
    left = end - monotonic()
    if left <= 0:
        raise not_begun()
    return request.replace(timeout=left)


class Stoppable:
    """Asked by a statement whether to go on, from another thread.

    Attributes:
        gone: the caller is gone: stop.
        lock_timeout: seconds to wait for a lock of another process before asking.
    """

    __slots__ = ("gone",)

    lock_timeout: ClassVar[float] = 0.02

    def __init__(self) -> None:
        self.gone = False

    def __call__(self) -> bool:
        return not self.gone


class Patience:
    """How long to wait for locks of other processes: as long as SQLite would."""

    def __init__(self, end: float | None) -> None:
        most = monotonic() + BUSY
        self._end = most if end is None else min(end, most)

    def is_left(self) -> bool:
        """Try again?"""
        return monotonic() < self._end


def patiently(
    send: Callable[[Request, Stoppable], Response], request: Request, alive: Stoppable, end: float | None
) -> Response:
    """Send a request, and again while another process has locked the database: then nothing was done."""
    patience = Patience(end)
    attempt = timed(request, end)
    while True:
        response = send(attempt, alive)
        payload = response.payload if response.status == 503 else None
        locked = isinstance(payload, dict) and payload.get("error") == "database is locked"
        if not (locked and alive() and patience.is_left()):
            return response
        try:
            attempt = timed(request, end)
        except RequestTimeoutError:
            return response


async def run_stoppable(
    threads: Threads, run: Callable[[Stoppable], T], request: Request | None, end: float | None
) -> T:
    """Run a function on a thread; a cancelled task has it stopped, and waits until it is.

    Args:
        threads: where.
        run: the function. Its argument is asked now and then whether to go on.
        request: what it carries out, for the note on a ``CancelledError``.
        end: when it must have begun (monotonic seconds).

    Raises:
        RequestTimeoutError: it has not.
    """
    alive = Stoppable()
    job = threads.start(lambda: run(alive))
    try:
        return await job.wait(None if end is None else max(end - monotonic(), 0))
    except NotStartedError:
        raise not_begun() from None
    except asyncio.CancelledError as error:
        alive.gone = True
        if await job.settle() and request is not None:
            note_cancelled(error, request, ran=True)
        raise
