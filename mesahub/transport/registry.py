"""Find transports by name: entry-point group ``mesahub.transports``.

mesahub names none of them in its code. Third-party packages register theirs in the same
way as the bundled ones:

    [project.entry-points."mesahub.transports"]
    mine = "my_package:MyTransport"
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from mesahub._util.built_in import remedy
from mesahub._util.entry_points import Plugin, find_plugins
from mesahub._util.suggest import near
from mesahub.errors import ConfigurationError
from mesahub.transport import Transport, TransportFactory, TransportOptions

if TYPE_CHECKING:
    from mesahub.transport.endpoints import Endpoints

__all__ = [
    "GROUP",
    "InstalledTransport",
    "chosen_plugin",
    "endpoints_for",
    "factory_of",
    "find_factory",
    "installed_transports",
    "load_factory",
    "open_transport",
    "unknown",
]

GROUP = "mesahub.transports"


class InstalledTransport(NamedTuple):
    """One name in the registry.

    Attributes:
        name: what ``transport=`` takes.
        target: ``module:attribute``.
        package: the distribution it comes from, with its version.
        problem: why it cannot be loaded, ``None`` when it can.
    """

    name: str
    target: str
    package: str
    problem: str | None


def installed_transports(group: str = GROUP) -> list[InstalledTransport]:
    """All transports that are installed, by name, each tried by loading it.

    Args:
        group: ``"mesahub.async_transports"`` for those of asyncio.
    """
    found = []
    plugins = find_plugins(group)
    names = Counter(plugin.name for plugin in plugins)
    for plugin in sorted(plugins, key=lambda p: (p.name, p.target)):
        problem: str | None = None
        try:
            load_factory(plugin)
        except ConfigurationError as error:
            problem = str(error)
        if names[plugin.name] > 1:
            problem = "Another package registers a transport of this name: uninstall one of them."
        package = f"{plugin.distribution} {plugin.version}".strip()
        found.append(InstalledTransport(plugin.name, plugin.target, package, problem))
    return found


def find_factory(name: str) -> TransportFactory:
    """The factory registered under a name.

    Raises:
        ConfigurationError: no such name (the nearest one is suggested), two plugins with that name, or
            one that does not load (says which extra to install).
    """
    plugins = find_plugins(GROUP)
    chosen = chosen_plugin(plugins, name)
    if chosen is None:
        raise unknown(name, plugins)
    return load_factory(chosen)


def chosen_plugin(plugins: Sequence[Plugin], name: str) -> Plugin | None:
    """The plugin of a name, ``None`` if there is none. Raises `ConfigurationError` if there are two."""
    chosen = [plugin for plugin in plugins if plugin.name == name]
    if len(chosen) > 1:
        owners = ", ".join(sorted(f"{plugin.target} ({plugin.distribution})" for plugin in chosen))
        raise ConfigurationError(
            f"Two plugins register a transport named {name!r}: {owners}. Uninstall one of them, or give "
            "transport= the class itself."
        )
    return chosen[0] if chosen else None


def open_transport(transport: Any, options: TransportOptions) -> Transport:
    """Make a transport of a name, a factory or an instance.

    Raises:
        ConfigurationError: it is none of these, or its factory refuses the options.
    """
    factory = factory_of(find_factory(transport) if isinstance(transport, str) else transport, options)
    if factory is None:
        return cast(Transport, transport)
    endpoints = endpoints_for(factory, options)
    if endpoints is None:
        return cast(Transport, factory(options))
    from mesahub.transport.endpoints import EndpointsTransport

    return EndpointsTransport(endpoints, lambda url: factory(options.replace(base_url=url, endpoints=None)))


def factory_of(transport: Any, options: TransportOptions) -> Callable[[TransportOptions], Any] | None:
    """What makes a transport; ``None`` where it is made already.

    Raises:
        ConfigurationError: it is neither, or is made and cannot take the options.
    """
    if isinstance(transport, type) or not _has_methods(transport):
        if not callable(transport):
            raise ConfigurationError(
                "transport must be the name of an installed transport, a factory that takes "
                f"TransportOptions, or an object with send() and close(), not {type(transport).__name__}."
            )
        return cast("Callable[[TransportOptions], Any]", transport)
    if options.options:
        raise ConfigurationError(
            f"The transport is already made, so it cannot take the options {', '.join(options.options)}; "
            "give them where you make it."
        )
    return None


def endpoints_for(factory: Any, options: TransportOptions) -> Endpoints | None:
    """Several addresses, where each needs a transport of this factory; one that wraps another leaves them to that."""
    return None if getattr(factory, "wraps", False) else options.endpoints


def _has_methods(transport: Any) -> bool:
    return callable(getattr(transport, "send", None)) and callable(getattr(transport, "close", None))


def unknown(name: str, plugins: Iterable[Plugin]) -> ConfigurationError:
    """The error for a name that none of these has."""
    names = sorted({plugin.name for plugin in plugins})
    return ConfigurationError(
        f"Unknown transport {name!r}.{near(name, names)} Installed: {', '.join(names) or 'none'}."
    )


def load_factory(plugin: Plugin) -> TransportFactory:
    """Import what an entry point names. Raises `ConfigurationError` if that fails."""
    try:
        factory: TransportFactory = plugin.load()
    except ImportError as error:
        what = f"The transport {plugin.name!r}"
        raise ConfigurationError(remedy(what, plugin.target, plugin.distribution, error)) from error
    except AttributeError as error:
        raise ConfigurationError(f"The transport {plugin.name!r} is registered wrongly: {error}.") from error
    except Exception as error:  # a plugin's module may raise anything while it is imported
        raise ConfigurationError(
            f"The transport {plugin.name!r} of {plugin.distribution} cannot be imported: "
            f"{type(error).__name__}: {error}."
        ) from error
    if not callable(factory):
        raise ConfigurationError(
            f"The transport {plugin.name!r} is registered wrongly: {plugin.target} is of the type "
            f"{type(factory).__name__}, not a factory that takes TransportOptions."
        )
    return factory
