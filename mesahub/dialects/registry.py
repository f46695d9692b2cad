"""Finds dialects by scheme: entry-point group ``mesahub.dialects``."""

from __future__ import annotations

import os
from typing import Any, cast

from mesahub._util.built_in import remedy
from mesahub._util.entry_points import find_plugins
from mesahub._util.secret import Secret
from mesahub._util.suggest import near
from mesahub.dialects.base import Dialect
from mesahub.errors import ConfigurationError
from mesahub.url import ConnectionURL, parse_sqlite_url, parse_url

__all__ = ["GROUP", "dialect_of", "find_dialect", "is_database_url", "parse_any_url"]

GROUP = "mesahub.dialects"


def find_dialect(name: str) -> Any:
    """The factory that is registered under a name.

    Raises:
        ConfigurationError: there is none, there are two, or it cannot be imported.
    """
    if name == "mh":  # known without metadata, and without a look for it
        from mesahub.dialects.mesahub.dialect import MesahubDialect

        return MesahubDialect
    plugins = find_plugins(GROUP)
    chosen = [plugin for plugin in plugins if plugin.name == name]
    if not chosen:
        names = sorted({"mh", *(plugin.name for plugin in plugins)})
        raise ConfigurationError(f"Unknown dialect {name!r}.{near(name, names)} Installed: {', '.join(names)}.")
    if len(chosen) > 1:
        owners = ", ".join(sorted(f"{plugin.target} ({plugin.distribution})" for plugin in chosen))
        raise ConfigurationError(f"Two packages register a dialect named {name!r}: {owners}. Uninstall one of them.")
    try:
        return chosen[0].load()
    except ImportError as error:
        what = f"The dialect {name!r}"
        raise ConfigurationError(remedy(what, chosen[0].target, chosen[0].distribution, error)) from error
    except Exception as error:  # a plugin's module may raise anything while it is imported
        raise ConfigurationError(
            f"The dialect {name!r} of {chosen[0].distribution} cannot be imported: {type(error).__name__}: {error}."
        ) from error


def parse_any_url(url: str | os.PathLike[str]) -> tuple[ConnectionURL, Any]:
    """The parts of a connection string (or the path of a SQLite file), and the factory of its dialect.

    Raises:
        ConfigurationError: what is wrong. It never repeats a key.
    """
    if not isinstance(url, str) or url.startswith("sqlite:"):
        return parse_sqlite_url(url), find_dialect("mh")
    if url == ":memory:":  # what sqlite3.connect takes
        return parse_sqlite_url("sqlite://"), find_dialect("mh")
    factory = _factory_of(url)
    if factory is None:
        return parse_url(url), find_dialect("mh")
    target: ConnectionURL = factory.parse_url(Secret(url))
    return target, factory


def is_database_url(text: str) -> bool:
    """Does a text begin as a connection string of an installed dialect?"""
    return text.startswith(("mh://", "mh+", "sqlite:")) or ("://" in text and _factory_of(text) is not None)


def _factory_of(url: Any) -> Any:
    """The factory of another scheme than MesaHub's own. Nothing is raised of a text that may be a key."""
    if not isinstance(url, str) or url.startswith("mh://"):
        return None
    scheme = url.partition("://")[0].removeprefix("mh+")
    if scheme.isidentifier() and any(plugin.name == scheme for plugin in find_plugins(GROUP)):
        return find_dialect(scheme)
    return None


def dialect_of(dialect: Any, options: dict[str, Any]) -> Dialect:
    """A dialect of a name, a factory or an instance. The factory's own options are taken out of ``options``.

    Raises:
        ConfigurationError: it is none of these.
    """
    chosen: Any = find_dialect(dialect) if isinstance(dialect, str) else dialect
    own = getattr(chosen, "options", None)
    if callable(chosen) and isinstance(own, (set, frozenset)):
        return cast("Dialect", chosen({name: options.pop(name) for name in own & options.keys()}))
    if isinstance(chosen, type) or not hasattr(chosen, "answer"):
        raise ConfigurationError(
            f"dialect must be the name of an installed dialect, a factory or a Dialect, not {type(dialect).__name__}."
        )
    return cast("Dialect", chosen)
