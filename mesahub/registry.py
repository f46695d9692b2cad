"""Finds transports by name: entry-point group ``mesahub.transports``.

mesahub names none of them in its code. A package of a stranger's registers its own in the same way as
the ones that come along::

    [project.entry-points."mesahub.transports"]
    mine = "my_package:MyTransport"
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from mesahub.errors import ConfigurationError
from mesahub.transport import Transport, TransportFactory, TransportOptions

__all__ = ["GROUP", "InstalledTransport", "find_factory", "installed_transports", "open_transport"]

GROUP = "mesahub.transports"


@dataclass(frozen=True, slots=True)
class InstalledTransport:
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


def installed_transports() -> list[InstalledTransport]:
    """All transports that are installed, by name, each tried by loading it."""
    found = []
    for point in sorted(entry_points(group=GROUP), key=lambda p: (p.name, p.value)):
        package = f"{point.dist.name} {point.dist.version}" if point.dist else "unknown"
        try:
            _load(point)
        except ConfigurationError as error:
            problem: str | None = str(error)
        else:
            problem = None
        found.append(InstalledTransport(point.name, point.value, package, problem))
    return found


def find_factory(name: str) -> TransportFactory:
    """The factory registered under a name.

    Raises:
        ConfigurationError: no such name (the nearest one is suggested), two plugins with that name, or
            one that does not load (says which extra to install).
    """
    points = list({(p.name, p.value): p for p in entry_points(group=GROUP, name=name)}.values())
    if len(points) > 1:
        owners = ", ".join(sorted(f"{p.value} ({p.dist.name if p.dist else 'unknown'})" for p in points))
        raise ConfigurationError(
            f"Two plugins register a transport named {name!r}: {owners}. Uninstall one of them, or give "
            "transport= the class itself."
        )
    if not points:
        names = sorted({p.name for p in entry_points(group=GROUP)})
        near = difflib.get_close_matches(name, names, 1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise ConfigurationError(
            f"There is no transport named {name!r}. {hint}Installed: {', '.join(names) or 'none'}."
        )
    return _load(points[0])


def open_transport(transport: Any, options: TransportOptions) -> Transport:
    """Make a transport of a name, a factory or an instance."""
    if isinstance(transport, str):
        transport = find_factory(transport)
    if isinstance(transport, type) or not isinstance(transport, Transport):
        if not callable(transport):
            raise ConfigurationError(
                "transport must be the name of an installed transport, a factory that takes "
                f"TransportOptions, or an object with send() and close(), not {type(transport).__name__}."
            )
        transport = transport(options)
    elif options.options:
        raise ConfigurationError(
            f"The transport is already made, so it cannot take the options {', '.join(options.options)}; "
            "give them where you make it."
        )
    return transport


def _load(point: EntryPoint) -> TransportFactory:
    try:
        factory: TransportFactory = point.load()
    except ImportError as error:
        missing = error.name or str(error)
        own = re.match(r"mesahub_(\w+)", point.module)
        if own and point.dist is not None and point.dist.name == "mesahub":
            remedy = f"Install it: pip install 'mesahub[{own[1]}]'"
        else:
            remedy = f"Install what {point.module.partition('.')[0]} needs"
        raise ConfigurationError(
            f"The transport {point.name!r} needs the package {missing!r}, which is not installed. {remedy}."
        ) from error
    except AttributeError as error:
        raise ConfigurationError(f"The transport {point.name!r} is registered wrongly: {error}.") from error
    return factory
