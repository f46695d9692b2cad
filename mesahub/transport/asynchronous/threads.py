"""Blocking work for an event loop: `Threads`, and any blocking transport as an asynchronous one."""

from __future__ import annotations

import asyncio
import contextvars
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from time import monotonic
from typing import Any, Generic, TypeVar

from mesahub.errors import ConfigurationError, MesahubError, NotSentError
from mesahub.transport.asynchronous.cancellation import note_cancelled
from mesahub.transport.asynchronous.loops import running_loop
from mesahub.transport.base import Transport
from mesahub.transport.bodies import DownloadStream
from mesahub.transport.messages import AsyncResponse, Request, Response
from mesahub.transport.options import TransportOptions

__all__ = ["Job", "NotStartedError", "ThreadStream", "ThreadedTransport", "Threads", "as_async_response"]

T = TypeVar("T")

MOST_THREADS = 64
"""Threads of a transport at most: more would only wait for the interpreter."""


class NotStartedError(Exception):
    """All threads were busy for as long as the work could wait."""


class Threads:
    """Threads that run blocking functions, each with the context variables of its caller. They start when needed.

    Any event loop may use them. A forked process starts with new ones.

    Args:
        size: how many at most.
        name: what they are called.
    """

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._closed = False
        self._pid = os.getpid()
        self._executor: ThreadPoolExecutor | None = None

    def start(self, function: Callable[[], T]) -> Job[T]:
        """Run a function as soon as a thread is free.

        Raises:
            ConfigurationError: closed.
        """
        if self._closed:
            raise ConfigurationError("The transport is closed; make a new client.")
        running_loop()  # else a job would start that nothing can wait for
        if self._executor is None or self._pid != os.getpid():
            self._pid = os.getpid()
            self._executor = ThreadPoolExecutor(self._size, thread_name_prefix=self._name)
        return Job(self._executor.submit(contextvars.copy_context().run, function))

    def close(self) -> None:
        """Start nothing more, also of what waits for a thread. What runs ends by itself. May be called twice."""
        self._closed = True
        executor, self._executor = self._executor, None
        if executor is not None and self._pid == os.getpid():
            executor.shutdown(wait=False, cancel_futures=True)


class Job(Generic[T]):
    """A function that waits for a thread, runs, or is over. Made by `Threads.start`, for the running loop."""

    def __init__(self, future: Future[T]) -> None:
        self._future = future
        self._wrapped = asyncio.wrap_future(future)

    async def wait(self, timeout: float | None = None) -> T:
        """Wait for the function's result, or raise what it raised.

        Args:
            timeout: seconds until it must have started. Once it runs, it is up to the function to end.

        Raises:
            NotStartedError: it has not.
        """
        timer = None
        if timeout is not None:
            timer = asyncio.get_running_loop().call_later(timeout, self._future.cancel)
        try:
            await asyncio.wait([self._wrapped])
        finally:
            if timer is not None:
                timer.cancel()
        if self._wrapped.cancelled():
            raise NotStartedError
        return self._wrapped.result()

    def abandon(self, dispose: Callable[[T], None]) -> bool:
        """Leave it to itself: a function that runs is not stopped, and its result is handed to ``dispose``.

        Returns:
            Has it started?
        """
        if self._future.cancel():
            return False
        self._future.add_done_callback(lambda future: _dispose(future, dispose))
        self._wrapped.cancel()
        return True

    async def settle(self) -> bool:
        """Keep it from starting, or wait for its end, however often the waiting task is cancelled meanwhile.

        Returns:
            Did it run, and return a result?
        """
        if self._future.cancel():
            return False
        with suppress(asyncio.CancelledError):
            await self._join()
        return not self._wrapped.cancelled() and self._wrapped.exception() is None

    async def finish(self) -> T:
        """The result of a function that must run to its end: a cancellation is raised only then."""
        await self._join()
        return self._wrapped.result()

    async def _join(self) -> None:
        cancelled: asyncio.CancelledError | None = None
        while not self._wrapped.done():
            try:
                await asyncio.wait([self._wrapped])
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            if not self._wrapped.cancelled():
                self._wrapped.exception()  # it counts as seen
            raise cancelled


def _dispose(future: Future[T], dispose: Callable[[T], None]) -> None:
    if not future.cancelled() and future.exception() is None:
        with suppress(MesahubError, OSError):
            dispose(future.result())


class ThreadedTransport:
    """A blocking transport, used by tasks: each call takes a thread for as long as it lasts.

    A cancelled call returns at once, but its thread works on until the transport has its answer or gives up. A
    transport made for asyncio is faster, and can be stopped.

    Args:
        transport: the blocking transport; closed with this one.
        options: those it was made with.
    """

    def __init__(self, transport: Transport, options: TransportOptions) -> None:
        self._transport = transport
        self._timeout = options.timeout
        self._threads = Threads(min(options.pool_size, MOST_THREADS), "mesahub")
        # Threads of their own: a call may wait for the connection that a stream or close() is about to free.
        self._streams = Threads(min(options.pool_size, MOST_THREADS), "mesahub-stream")
        self._closed = False
        capabilities = getattr(transport, "capabilities", None)
        if capabilities is not None:
            self.capabilities = capabilities

    async def send(self, request: Request, /) -> AsyncResponse:
        """Send one request and return the answer. See `mesahub.transport` for what it raises."""
        timeout = self._timeout if request.timeout is None else request.timeout
        end = None if timeout is None or request.streams else monotonic() + timeout
        job = self._threads.start(lambda: self._transport.send(_shortened(request, end)))
        try:
            return as_async_response(await job.wait(timeout), self._streams)
        except NotStartedError:
            if self._closed:
                raise ConfigurationError("The transport is closed; make a new client.") from None
            raise NotSentError(
                "All threads of the transport were busy for as long as the request could wait. Pass a larger "
                "pool_size, or use a transport made for asyncio."
            ) from None
        except asyncio.CancelledError as error:
            if job.abandon(Response.close):
                note_cancelled(error, request)
            raise

    async def close(self) -> None:
        """Close the blocking transport. May be called twice."""
        if self._closed:
            return
        self._closed = True
        self._threads.close()
        try:
            await Threads(1, "mesahub-close").start(self._transport.close).finish()
        finally:
            self._streams.close()


def _shortened(request: Request, end: float | None) -> Request:
    """The request with the time that is left, now that a thread is free."""
    return request if end is None else request.replace(timeout=max(end - monotonic(), 0.001))


def as_async_response(response: Response, threads: Threads) -> AsyncResponse:
    """A blocking transport's response, whose stream is read on threads."""
    stream = response.stream
    return AsyncResponse.of(response, None if stream is None else ThreadStream(stream, threads))


class ThreadStream:
    """A blocking stream, read on a thread.

    Args:
        stream: what to read; closed with this one.
        threads: where.
    """

    def __init__(self, stream: DownloadStream, threads: Threads) -> None:
        self._stream: DownloadStream | None = stream
        self._threads = threads

    async def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes, ``b""`` at the end; all that is left when ``size`` is negative."""
        stream = self._stream
        if stream is None:
            return b""
        job = self._threads.start(lambda: stream.read(size))
        try:
            return await job.wait()
        except asyncio.CancelledError:
            # Two threads must not use it at once: it is closed by the one that reads.
            self._stream = None
            if not job.abandon(lambda _: stream.close()):
                stream.close()
            raise

    async def close(self) -> None:
        """Close it. May be called twice."""
        stream, self._stream = self._stream, None
        if stream is not None:
            close: Any = stream.close
            try:
                job = self._threads.start(close)
            except ConfigurationError:  # the transport was closed first
                close()
            else:
                await job.wait()
