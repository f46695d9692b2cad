"""The event loop that runs."""

from __future__ import annotations

import asyncio

from mesahub.errors import ConfigurationError

__all__ = ["running_loop"]


def running_loop() -> asyncio.AbstractEventLoop:
    """The loop of asyncio that runs the caller.

    Raises:
        ConfigurationError: there is none, such as under Trio.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigurationError(
            "mesahub.aio needs a running event loop of asyncio (uvloop, and anyio on asyncio, are fine). Trio is not "
            "supported: use the blocking client on a thread, such as by trio.to_thread.run_sync()."
        ) from None
