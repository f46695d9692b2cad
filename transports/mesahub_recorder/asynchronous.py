"""The recorder for asyncio. Its cassettes are the same files."""

from __future__ import annotations

import asyncio
import tempfile
from inspect import iscoroutinefunction
from typing import Any, BinaryIO, ClassVar, cast

from mesahub.transport import AsyncDownloadStream, AsyncResponse, Request, Response, TransportOptions
from mesahub.transport.asynchronous.threads import ThreadedTransport, Threads, as_async_response
from mesahub_recorder.call import Call
from mesahub_recorder.recording import Recording

__all__ = ["AsyncRecorderTransport"]

_PIECE = 256 * 1024
_IN_MEMORY = 1024 * 1024


class AsyncRecorderTransport(Recording):
    """Records the calls made over another asynchronous transport once, and replays them.

    What `mesahub_recorder.RecorderTransport` records is replayed here and the other way round; the options are the
    same, and ``inner`` is ``"asyncio"`` by default. A cancelled call is not recorded.
    """

    _default_inner: ClassVar[str] = "asyncio"

    def __init__(self, options: TransportOptions) -> None:
        super().__init__(options)
        self._files = Threads(4, "mesahub-recorder")
        inner: Any = self._inner
        if inner is not None and not iscoroutinefunction(inner.send):
            self._inner = ThreadedTransport(inner, options)

    async def send(self, request: Request, /) -> AsyncResponse:
        """Answer a request: from the cassette, from the inner transport, or first from one and then the other."""
        # A file is read for its hash.
        in_memory = request.body is None or isinstance(request.body, bytes)
        call = self._begin(request) if in_memory else await asyncio.to_thread(self._begin, request)
        if self.mode == "live":
            return await self._live(request)
        waits: list[float] = []
        refused = self._injection.before(call, waits.append)
        for seconds in waits:
            await asyncio.sleep(seconds)
        if refused is not None:
            return as_async_response(refused, self._files)
        replayed = self._replayed(request, call)
        if replayed is None:
            replayed = self._injection.after(call, await self._record(request, call))
        return as_async_response(replayed, self._files)

    async def _record(self, request: Request, call: Call) -> Response:
        with self._recording(request, call):
            response = await self._live(request)
            stream, response.async_stream = response.async_stream, None
            if stream is None:
                return self._kept(request, call, response)
            with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
                await _copy(stream, cast(BinaryIO, file))
                response.stream = _NotClosed(cast(BinaryIO, file))
                return await asyncio.to_thread(self._kept, request, call, response)

    async def _live(self, request: Request) -> AsyncResponse:
        request = self._renamed(request)
        response: AsyncResponse = await self._inner.send(request)
        return response

    async def discard(self) -> bool:
        """Close without writing or checking anything. Returns whether there was something to write."""
        if self._closed:
            return False
        self._closed = True
        await self._release()
        return self._has_recorded()

    async def close(self) -> None:
        """Write the recording, and report what was unused or has changed.

        Raises:
            CassetteError: a secret is in it, another recorder wrote the same file meanwhile, or (``unused="fail"``)
                something was never asked for.
            CassetteDriftError: (``mode="verify"``) the server answers otherwise.
        """
        if self._closed:
            return
        self._closed = True
        try:
            await asyncio.to_thread(self._save)
        finally:
            await self._release()
        self._report()

    async def _release(self) -> None:
        self._files.close()
        if self._inner is not None and self._owns_inner:
            await self._inner.close()
        self._remove_folder()


async def _copy(stream: AsyncDownloadStream, file: BinaryIO) -> None:
    try:
        while piece := await stream.read(_PIECE):
            await asyncio.to_thread(file.write, piece)
    finally:
        await stream.close()
    file.seek(0)


class _NotClosed:
    """A file as the stream of a response; whoever reads it to the end does not close it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int = -1, /) -> bytes:
        return self._file.read(size)

    def close(self) -> None:
        pass
