"""The databases of a data folder: their files, and the engines that are open."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from mesahub.errors import ConfigurationError
from mesahub_embedded.engine import forks
from mesahub_embedded.engine.engine import Engine
from mesahub_embedded.storage.naming import check_name, file_name

if TYPE_CHECKING:
    from pathlib import Path

    from mesahub_embedded.engine.limits import ResultLimits

MAX_OPEN_DATABASES = 24
"""Maximum number of databases with open connections: each needs about ten files, and the usual limit is 1,024."""


class Databases:
    """The databases of a folder.

    Args:
        data: the folder; created if it does not exist.
        limits: what a result may take; default: no limits.

    Raises:
        ConfigurationError: it cannot be made.
    """

    def __init__(self, data: str | os.PathLike[str], *, limits: ResultLimits | None = None) -> None:
        self._limits = limits
        self._folder = os.fspath(data)
        self._databases = os.path.join(self._folder, "databases")  # noqa: PTH118  (pathlib takes 3 ms to import)
        self._engines: dict[str, Engine] = {}
        self._open: dict[Engine, None] = {}
        self._lock = threading.RLock()
        self._closed = False
        forks.renew(self)
        try:
            os.makedirs(self._databases, exist_ok=True)  # noqa: PTH103
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"The data folder {self._folder!r} cannot be created: {getattr(error, 'strerror', None) or error}. "
                "Pass another one: data=DIR, ?data=DIR in the URL, or MESAHUB_DATA."
            ) from error

    def after_fork(self) -> None:
        """Reset the lock in a forked child: a thread of the parent may have held it."""
        self._lock = threading.RLock()

    @property
    def data(self) -> Path:
        """The folder."""
        from pathlib import Path

        return Path(self._folder)

    def path(self, slug: str) -> Path:
        """The file of a database."""
        return self.data / "databases" / file_name(check_name(slug))

    def engine(self, slug: str) -> Engine:
        """The database of this name; created if it does not exist.

        Raises:
            ConfigurationError: the name is invalid, the file cannot be opened, or the folder was closed.
        """
        engine = self._engines.get(slug)
        if engine is not None:
            return engine
        path = os.path.join(self._databases, file_name(check_name(slug)))  # noqa: PTH118
        with self._lock:
            if self._closed:
                raise ConfigurationError("The embedded database was closed; connect again.")
            engine = self._engines.get(slug)
            if engine is None:
                engine = self._engines[slug] = Engine(path, opened=self._close_idle, limits=self._limits)
                self._close_idle(engine)
        return engine

    def _close_idle(self, opened: Engine) -> None:
        with self._lock:
            self._open.pop(opened, None)
            self._open[opened] = None
            while len(self._open) > MAX_OPEN_DATABASES:
                eldest = next(iter(self._open))
                del self._open[eldest]
                eldest.rest()

    def release(self, slug: str) -> None:
        """Close a database's connections, before its file is moved or removed."""
        with self._lock:
            engine = self._engines.pop(slug, None)
            if engine is not None:
                self._open.pop(engine, None)
                engine.close()

    def close(self) -> None:
        """Close all databases. May be called twice."""
        with self._lock:
            self._closed = True
            engines, self._engines = self._engines, {}
        for engine in engines.values():
            engine.close()
