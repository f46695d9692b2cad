"""Clients hold connections and a key, so they do not travel to other processes."""

from __future__ import annotations

from typing import Any, NoReturn

from mesahub.errors import ConfigurationError

__all__ = ["Unpicklable"]


class Unpicklable:
    """Says what to do in place of pickling (or copying) it."""

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise ConfigurationError(
            f"A {type(self).__name__} cannot be pickled or copied: it holds connections and a key. Threads can share "
            "it as it is. Another process makes its own: give it the URL (or the arguments) and call mesahub.connect() "
            "there, once per process."
        )
