"""The body of an upload, opened without blocking the loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mesahub._calls.uploads import Progress, Uploadable
from mesahub._calls.uploads import opened as blocking_opened
from mesahub.transport import FileBody

__all__ = ["opened"]


@asynccontextmanager
async def opened(data: Uploadable, progress: Progress | None = None) -> AsyncIterator[bytes | FileBody]:
    """`mesahub._calls.uploads.opened`. Files are opened, and pipes copied, in a thread."""
    context = blocking_opened(data, progress)
    if isinstance(data, (bytes, bytearray, memoryview)):
        with context as body:
            yield body
        return
    opening = asyncio.create_task(asyncio.to_thread(context.__enter__))
    try:
        body = await asyncio.shield(opening)
    except asyncio.CancelledError:
        # A read from a pipe cannot be stopped; what it gives is closed when it ends.
        opening.add_done_callback(lambda task: _close(task, context))
        raise
    try:
        yield body
    except BaseException as error:
        if not context.__exit__(type(error), error, error.__traceback__):
            raise
    else:
        context.__exit__(None, None, None)


def _close(task: asyncio.Task[bytes | FileBody], context: object) -> None:
    if not task.cancelled() and task.exception() is None:
        context.__exit__(None, None, None)  # type: ignore[attr-defined]
