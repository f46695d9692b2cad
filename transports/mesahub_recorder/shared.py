"""One recorder for all clients of a test: what the pytest plugin hands to them as their transport."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

__all__ = ["AsyncShared", "Shared"]


class Shared:
    """One recorder for all that a test connects to: a factory of transports that share it."""

    _transport = "RecorderTransport"

    def __init__(self) -> None:
        self.recorder: Any = None
        self.base_url: str | None = None

    @staticmethod
    def needs_url(options: Any) -> bool:
        """As the recorder says."""
        from mesahub_recorder import RecorderTransport

        return RecorderTransport.needs_url(options)

    needs_key = needs_url

    def __call__(self, options: Any) -> Part | AsyncPart:
        import mesahub_recorder

        if self.recorder is None:
            self.recorder = getattr(mesahub_recorder, self._transport)(options)
            self.base_url = options.base_url
        elif self.recorder.mode != "replay" and options.base_url != self.base_url:
            raise pytest.UsageError("A cassette holds the calls to one server; this test connects to two.")
        return AsyncPart(self.recorder) if isinstance(self, AsyncShared) else Part(self.recorder)

    def close(self, *, failed: bool = False) -> None:
        """Write the cassette, and report what is wrong with it; after a failed test, write nothing."""
        if self.recorder is None:
            return
        if failed and self.recorder.mode != "replay":
            if self.recorder.discard():
                self._warn()
            return
        self.recorder.close()

    def _warn(self) -> None:
        warnings.warn(pytest.PytestWarning(f"The test failed, so {self.recorder.path} was not written."), stacklevel=1)


class AsyncShared(Shared):
    """The same for asyncio."""

    _transport = "AsyncRecorderTransport"

    def close(self, *, failed: bool = False) -> None:
        """As `Shared.close`, in a loop of its own: that of the test may be closed."""
        if self.recorder is None:
            return
        import asyncio

        loop = asyncio.new_event_loop()  # asyncio.run() would take the main thread's loop away
        try:
            loop.run_until_complete(self._aclose(failed=failed))
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            loop.close()

    async def _aclose(self, *, failed: bool) -> None:
        if failed and self.recorder.mode != "replay":
            if await self.recorder.discard():
                self._warn()
            return
        await self.recorder.close()


class AsyncPart:
    """A client's share of a recorder for asyncio."""

    def __init__(self, recorder: Any) -> None:
        self._recorder = recorder

    async def send(self, request: Any) -> Any:
        """Send a request."""
        return await self._recorder.send(request)

    async def close(self) -> None:
        """Nothing: the recorder is closed when the test is over."""


class Part:
    """A client's share of a recorder: closing it leaves the others their recorder."""

    def __init__(self, recorder: Any) -> None:
        self._recorder = recorder

    def send(self, request: Any) -> Any:
        """Send a request."""
        return self._recorder.send(request)

    def close(self) -> None:
        """Nothing: the recorder is closed when the test is over."""
