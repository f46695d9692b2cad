"""A single SQLite file in place, or a database in memory: without a data folder."""

from __future__ import annotations

import os

from mesahub.errors import ConfigurationError
from mesahub_embedded.engine.engine import Engine, Mode

__all__ = ["SingleDatabase", "mode_of"]

_MODES: dict[str, Mode] = {"ro": "ro", "rw": "rw", "rwc": "rwc", "memory": "memory"}


class SingleDatabase:
    """A database by its path. The file keeps its journal mode, and no other files are created next to it.

    Args:
        path: the file; ignored for a database in memory.
        mode: see `Engine`.

    Attributes:
        path: the file.
        in_memory: there is no file, and a single connection.

    Raises:
        ConfigurationError: the file is not there, or is not a database.
    """

    def __init__(self, path: str, mode: Mode) -> None:
        if mode != "memory":
            path = os.path.abspath(path)  # noqa: PTH100  (pathlib takes 3 ms to import)
            _check(path, mode)
        self.path = path
        self.in_memory = mode == "memory"
        self._engine: Engine | None = Engine(path, mode=mode)

    def engine(self, slug: str) -> Engine:  # noqa: ARG002
        """The database."""
        if self._engine is None:
            raise ConfigurationError("The embedded database was closed; connect again.")
        return self._engine

    def close(self) -> None:
        """Close the database. May be called twice."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()


def mode_of(mode: object, create: object, path: str) -> Mode:
    """Determine the mode from the options.

    Args:
        mode: ``"ro"``, ``"rw"``, ``"rwc"`` (the default) or ``"memory"``, as in SQLite's own URIs.
        create: ``False`` (``"0"`` in a URL) opens existing files only.
        path: ``":memory:"`` is a database in memory.

    Raises:
        ConfigurationError: the mode is invalid.
    """
    if mode not in (None, *_MODES):
        raise ConfigurationError(f"mode must be one of {', '.join(_MODES)}, not {mode!r:.40}.")
    if path == ":memory:" or mode == "memory":
        return "memory"
    chosen: Mode = _MODES[str(mode)] if mode is not None else "rwc"
    return "rw" if chosen == "rwc" and not creates(create) else chosen


def creates(create: object) -> bool:
    """May a missing database be created?"""
    return create is None or (create is not False and str(create).lower() not in ("0", "false", "no"))


def _check(path: str, mode: Mode) -> None:
    try:
        known = os.path.exists(path)  # noqa: PTH110
        folder = os.path.isdir(os.path.dirname(path))  # noqa: PTH112, PTH120
    except ValueError as error:
        raise ConfigurationError(f"{path!r:.200} cannot be a path: {error}.") from None
    if os.path.isdir(path):  # noqa: PTH112
        raise ConfigurationError(f"{path!r} is a folder; give the path of a SQLite file (or data=DIR).")
    if not known and mode != "rwc":
        raise ConfigurationError(f"The database {path!r} does not exist, and mode or create forbids creating it.")
    if not known and not folder:
        raise ConfigurationError(f"The folder of the database {path!r} does not exist.")
