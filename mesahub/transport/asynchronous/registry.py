"""Find asynchronous transports by name: entry-point group ``mesahub.async_transports``.

A name that only blocking transports have (``"urllib"``, ``"requests"``, a third party's) works as well: its calls run
on threads, see `mesahub.transport.asynchronous.threads`.
"""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import Any, cast

from mesahub._util.entry_points import find_plugins
from mesahub.transport.asynchronous.endpoints import AsyncEndpointsTransport
from mesahub.transport.asynchronous.threads import ThreadedTransport
from mesahub.transport.base import AsyncTransport
from mesahub.transport.factories import AsyncTransportFactory, TransportFactory
from mesahub.transport.options import TransportOptions
from mesahub.transport.registry import (
    GROUP,
    chosen_plugin,
    endpoints_for,
    factory_of,
    load_factory,
    open_transport,
    unknown,
)

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
    raise unknown(name, [*plugins, *blocking])


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
    factory = factory_of(find_async_factory(transport) if isinstance(transport, str) else transport, options)
    if factory is None:
        return _as_async(transport, options)
    endpoints = endpoints_for(factory, options)
    if endpoints is None:
        return _as_async(factory(options), options)
    return AsyncEndpointsTransport(
        endpoints, lambda url: _as_async(factory(options.replace(base_url=url, endpoints=None)), options)
    )


def _as_async(transport: Any, options: TransportOptions) -> AsyncTransport:
    if iscoroutinefunction(transport.send):
        return cast(AsyncTransport, transport)
    return ThreadedTransport(transport, options)
