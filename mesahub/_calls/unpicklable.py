"""Clients hold connections and a key, so they do not travel to other processes."""

from __future__ import annotations

from typing import Any, NoReturn

from mesahub.errors import ConfigurationError

__all__ = ["Unpicklable"]


class Unpicklable:
    """Says what to do in place of pickling (or copying) it."""

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        name = type(self).__name__
        of_asyncio = name.startswith("Async")
        sharing = "Tasks of a loop" if of_asyncio else "Threads"
        connect = "mesahub.aio.connect()" if of_asyncio else "mesahub.connect()"
        raise ConfigurationError(
            f"A {name} cannot be pickled or copied: it holds connections and a key. {sharing} can share it as it is. "
            f"Another process makes its own: give it the URL (or the arguments) and call {connect} there, once per "
            "process."
        )
