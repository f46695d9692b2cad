"""The entry points of this package, for where no metadata is installed, and what to do where one cannot be loaded.

Vendored folders, archives on ``sys.path``, AWS Lambda layers and frozen programs often have the modules and no
``dist-info``. A test compares this table with that of ``pyproject.toml``.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

__all__ = ["BUILT_IN", "EXTRAS", "PREFIX", "load", "remedy"]

BUILT_IN: dict[str, dict[str, str]] = {
    "mesahub.transports": {
        "urllib": "mesahub_urllib:UrllibTransport",
        "requests": "mesahub_requests:RequestsTransport",
        "urllib3": "mesahub_urllib3:Urllib3Transport",
        "embedded": "mesahub_embedded:EmbeddedTransport",
        "recorder": "mesahub_recorder:RecorderTransport",
    },
    "mesahub.async_transports": {
        "asyncio": "mesahub_asyncio:AsyncioTransport",
        "aiohttp": "mesahub_aiohttp:AiohttpTransport",
        "httpx": "mesahub_httpx:HttpxTransport",
        "embedded": "mesahub_embedded.asynchronous:AsyncEmbeddedTransport",
        "recorder": "mesahub_recorder.asynchronous:AsyncRecorderTransport",
    },
    "mesahub.dialects": {
        "mh": "mesahub.dialects.mesahub.dialect:MesahubDialect",
        "rqlite": "mesahub.dialects.rqlite.dialect:RqliteDialect",
        "libsql": "mesahub.dialects.libsql.dialect:LibsqlDialect",
    },
    "mesahub.commands": {
        "serve": "mesahub_embedded.server.serve:main",
        "cassette": "mesahub_recorder.cli:main",
    },
}
"""From group and name to target."""

EXTRAS = {
    "aiohttp": ("aiohttp", "aiohttp"),
    "click": ("cli", "click"),
    "httpx": ("httpx", "httpx"),
    "opentelemetry": ("opentelemetry", "opentelemetry-api"),
    "requests": ("requests", "requests"),
    "socks": ("socks", "pysocks"),
    "urllib3": ("urllib3", "urllib3"),
    "waitress": ("serve", "waitress"),
}
"""From a module of another package to the extra that installs it, and to that package's name."""

PREFIX = __name__.removesuffix("mesahub._util.built_in")
"""``"app.vendored."`` where this package was moved into another one, and its imports were rewritten; else ``""``."""

_MISSING_IN_PYTHON = {
    "sqlite3": "this Python has no sqlite3 module. Use a Python that was built with SQLite, or a server: over HTTP, "
    "nothing needs it",
    "ssl": "this Python has no ssl module. Use a Python that was built with OpenSSL, or an http:// URL in a private "
    "network",
}


def load(target: str) -> Any:
    """What ``module:attribute`` names. Raises whatever the import raises, or ``AttributeError``."""
    module, _, attributes = target.partition(":")
    try:
        found: Any = importlib.import_module(module.strip())
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0] or not _checkout():
            raise
        found = importlib.import_module(module.strip())
    for attribute in filter(None, attributes.strip().split(".")):
        found = getattr(found, attribute)
    return found


def _checkout() -> bool:
    """In a clone of the repository that was not installed, let the transports be imported from their folder."""
    # The parent of mesahub/_util.
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120
    folder = os.path.join(root, "transports")  # noqa: PTH118 - pathlib costs
    if folder in sys.path or not os.path.isfile(os.path.join(folder, "mesahub_urllib", "__init__.py")):  # noqa: PTH113, PTH118
        return False
    sys.path.append(folder)
    importlib.invalidate_caches()
    return True


def remedy(what: str, target: str, distribution: str, error: ImportError) -> str:
    """A sentence about something that cannot be imported, and what to do.

    Args:
        what: what was asked for: ``"The transport 'requests'"``.
        target: ``module:attribute``.
        distribution: the package that registers it.
        error: what the import raised.
    """
    missing = (error.name or "").removeprefix(PREFIX)
    root = missing.partition(".")[0]
    if root.lstrip("_") in _MISSING_IN_PYTHON:
        return f"{what} cannot be used: {_MISSING_IN_PYTHON[root.lstrip('_')]}."
    if distribution != "mesahub":
        return (
            f"{what} needs the package {missing or str(error)!r}, which is not installed. Install what {distribution} "
            "needs, or report it to its authors."
        )
    if root == target.removeprefix(PREFIX).partition(".")[0].partition(":")[0] or root.startswith("mesahub"):
        return (
            f"{what} needs the module {missing!r}, which is not here. It is a part of mesahub: copy the folder {root} "
            "along with the folder mesahub, or pip install mesahub."
        )
    if root in EXTRAS:
        extra, package = EXTRAS[root]
        return (
            f"{what} needs the package {root!r}, which is not installed. Install it: pip install 'mesahub[{extra}]' "
            f"(or pip install {package})."
        )
    return f"{what} cannot be imported: {error}."
