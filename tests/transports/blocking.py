"""Asynchronous transports for tests of blocking ones."""

from __future__ import annotations

from mesahub.testing.asynchronous.contract import OnALoop
from mesahub.transport import Transport, TransportOptions
from mesahub.transport.asynchronous.registry import find_async_factory
from mesahub.transport.registry import find_factory

ASYNC = ["asyncio", "aiohttp", "httpx"]


class Stopping(OnALoop):
    """Its loop ends when it is closed."""

    def close(self) -> None:
        if self._loop.is_running():
            super().close()
            self._end()


def transport_of(name: str, options: TransportOptions) -> Transport:
    """A transport by its name, as blocking code sees it."""
    if name in ASYNC:
        return Stopping(find_async_factory(name), options)
    return find_factory(name)(options)
