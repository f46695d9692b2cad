"""Find asynchronous transports by name: entry-point group ``mesahub.async_transports``.

A name that only blocking transports have (``"urllib"``, ``"requests"``, a third party's) works as well: its calls run
on threads, see `mesahub.transport.asynchronous.threads`.
"""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import Any, cast

from mesahub._util.entry_points import find_plugins
from mesahub._util.suggest import near
from mesahub.errors import ConfigurationError
from mesahub.transport.asynchronous.endpoints import AsyncEndpointsTransport
from mesahub.transport.asynchronous.threads import ThreadedTransport
from mesahub.transport.base import AsyncTransport
from mesahub.transport.factories import AsyncTransportFactory, TransportFactory
from mesahub.transport.options import TransportOptions
from mesahub.transport.registry import GROUP, chosen_plugin, load_factory, open_transport

__all__ = ["ASYNC_GROUP", "find_async_factory", "open_async_transport"]

ASYNC_GROUP = "mesahub.async_transports"


def find_async_factory(name: str) -> AsyncTransportFactory:
    """The asynchronous factory registered under a name, or the blocking one, whose calls run on threads.

    Raises:
        ConfigurationError: no such name (the nearest one is suggested), two plugins with that name, or
            one that does not load (says which extra to install).
    """
    plugins = find_plugins(ASYNC_GROUP)
    chosen = chosen_plugin(plugins, name)
    if chosen is not None:
        return cast(AsyncTransportFactory, load_factory(chosen))
    blocking = find_plugins(GROUP)
    chosen = chosen_plugin(blocking, name)
    if chosen is not None:
        return OnThreads(load_factory(chosen))
    names = sorted({plugin.name for plugin in plugins} | {plugin.name for plugin in blocking})
    raise ConfigurationError(f"Unknown transport {name!r}.{near(name, names)} Installed: {', '.join(names) or 'none'}.")


class OnThreads:
    """Makes a blocking transport whose calls run on threads. What it says of itself is the blocking one's."""

    def __init__(self, factory: TransportFactory) -> None:
        self._factory = factory

    def __call__(self, options: TransportOptions) -> AsyncTransport:
        # What it wraps, if it wraps one, runs on the same threads.
        return ThreadedTransport(self._factory(options.replace(open=open_transport)), options)

    def __getattr__(self, name: str) -> Any:
        if name not in ("needs_url", "needs_key", "wraps"):  # it is not an instance, with a send()
            raise AttributeError(name)
        return getattr(self._factory, name)


def open_async_transport(transport: Any, options: TransportOptions) -> AsyncTransport:
    """Make an asynchronous transport of a name, a factory or an instance. Blocking ones run on threads.

    Raises:
        ConfigurationError: it is none of these, or its factory refuses the options.
    """
    if isinstance(transport, str):
        transport = find_async_factory(transport)
    if isinstance(transport, type) or not _has_methods(transport):
        if not callable(transport):
            raise ConfigurationError(
                "transport must be the name of an installed transport, a factory that takes "
                f"TransportOptions, or an object with send() and close(), not {type(transport).__name__}."
            )
        if options.endpoints is not None and not getattr(transport, "wraps", False):
            return AsyncEndpointsTransport(
                options.endpoints,
                lambda url: _as_async(transport(options.replace(base_url=url, endpoints=None)), options),
            )
        return _as_async(transport(options), options)
    if options.options:
        raise ConfigurationError(
            f"The transport is already made, so it cannot take the options {', '.join(options.options)}; "
            "give them where you make it."
        )
    return _as_async(transport, options)


def _has_methods(transport: Any) -> bool:
    return callable(getattr(transport, "send", None)) and callable(getattr(transport, "close", None))


def _as_async(transport: Any, options: TransportOptions) -> AsyncTransport:
    if iscoroutinefunction(transport.send):
        return cast(AsyncTransport, transport)
    return ThreadedTransport(transport, options)
