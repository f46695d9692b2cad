"""`AsyncTransportContract`: the contract of a transport, asked of an asynchronous one, and what holds for it alone."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from mesahub.errors import MesahubError
from mesahub.testing.asynchronous.cancellation import Cancellation
from mesahub.testing.asynchronous.event_loops import EventLoops
from mesahub.testing.base import AMPLE, Fixtures
from mesahub.testing.contract import TransportContract
from mesahub.transport import (
    AsyncDownloadStream,
    AsyncTransport,
    AsyncTransportFactory,
    Request,
    Response,
    TransportFactory,
    TransportOptions,
)

T = TypeVar("T")


class OnLoop(Fixtures):
    """The parts of `TransportContract` for an asynchronous transport: put it first among the bases."""

    @pytest.fixture
    def async_transport(self) -> AsyncTransportFactory:
        """The transport's factory: yours."""
        raise NotImplementedError(
            f"{type(self).__name__} must define a fixture named async_transport that returns the transport's class, or "
            "a function that takes TransportOptions and returns the transport."
        )

    @pytest.fixture
    def transport(self, async_transport: AsyncTransportFactory) -> Iterator[TransportFactory]:
        """The transport, as blocking code sees it."""
        made: list[OnALoop] = []

        def make(options: TransportOptions) -> OnALoop:
            made.append(OnALoop(async_transport, options))
            return made[-1]

        yield make
        for each in made:
            each.stop()


class AsyncTransportContract(OnLoop, EventLoops, Cancellation, TransportContract):
    """Subclass it, define the fixture ``async_transport``, and have pytest collect the subclass.

    Class attributes are those of `TransportContract`. Every test of that contract runs too, over a loop in a thread.
    Of its own it asks that

    * a cancelled call drops its connection, hands its place and its turn on, and lets ``CancelledError`` pass, with a
      note where a write may have been carried out (`mesahub.transport.asynchronous.cancellation.note_cancelled`);
    * no task and no socket is left when the transport is closed;
    * the loop goes on while a call waits, and another loop starts with new connections.
    """


class OnALoop:
    """A blocking transport over an asynchronous one: its loop runs in a thread."""

    def __init__(self, factory: AsyncTransportFactory, options: TransportOptions) -> None:
        self._pid = 0
        self._loop: asyncio.AbstractEventLoop
        self._start()
        try:
            self._transport: AsyncTransport = factory(options)
        except BaseException:
            self._end()
            raise

    def send(self, request: Request, /) -> Response:
        """Send a request and wait for its answer."""
        if self._pid != os.getpid():
            self._start()
        response = self._run(lambda: self._transport.send(request))
        stream, response.async_stream = response.async_stream, None
        if stream is not None:
            response.stream = _Stream(self, stream)
        return response

    def close(self) -> None:
        """Close the transport."""
        self._run(self._transport.close)

    def stop(self) -> None:
        """Close the transport, and end the loop."""
        if self._loop.is_running():
            self.close()
            self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(AMPLE)
        self._loop.close()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="contract-loop")
        self._thread.start()

    def _run(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        async def run() -> T:
            return await make()

        try:
            return asyncio.run_coroutine_threadsafe(run(), self._loop).result(AMPLE * 2)
        except MesahubError as error:
            raise error.with_traceback(None) from error.__cause__


class _Stream:
    """The body of an answer, read in blocking code."""

    def __init__(self, owner: OnALoop, stream: AsyncDownloadStream) -> None:
        self._owner = owner
        self._stream = stream
        self._finalizer = weakref.finalize(self, _drop, owner, stream)

    def read(self, size: int = -1, /) -> bytes:
        return self._owner._run(lambda: self._stream.read(size))

    def close(self) -> None:
        self._finalizer()


def _drop(owner: OnALoop, stream: AsyncDownloadStream) -> None:
    if owner._loop.is_running():
        owner._run(stream.close)
