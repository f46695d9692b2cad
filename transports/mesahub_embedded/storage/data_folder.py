"""A data folder: databases, their files, keys. Shared by all processes that open it.

Its layout::

    databases/<name>.db     one SQLite file per database (see `naming`)
    catalog.sqlite          which databases there are, API keys, the files' records
    blobs/ab/abcd...        the files' contents, named after their SHA-256
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from mesahub.errors import ConfigurationError
from mesahub_embedded.engine.engine import Engine
from mesahub_embedded.storage.naming import check_name, file_name

if TYPE_CHECKING:
    from pathlib import Path

    from mesahub_embedded.engine.limits import ResultLimits
    from mesahub_embedded.storage.catalog import Catalog
    from mesahub_embedded.storage.files import FileStore

__all__ = ["DEFAULT_DATA", "Store"]

AWAKE = 24
"""Databases with open connections, of which each needs about ten files; a process may often have no more than 1,024."""

DEFAULT_DATA = "mesahub-data"
"""The data folder where none is given: in the working directory."""


class Store:
    """A data folder, opened.

    Args:
        data: the folder; made when it is not there.
        limits: what a result may take; default: no limits.

    Raises:
        ConfigurationError: it cannot be made.
    """

    def __init__(self, data: str | os.PathLike[str], *, limits: ResultLimits | None = None) -> None:
        self._limits = limits
        self._folder = os.fspath(data)
        self._databases = os.path.join(self._folder, "databases")  # noqa: PTH118  (pathlib takes 3 ms to import)
        self._engines: dict[str, Engine] = {}
        self._awake: dict[Engine, None] = {}
        self._lock = threading.RLock()
        self._catalog: Catalog | None = None
        self._files: FileStore | None = None
        self._closed = False
        try:
            os.makedirs(self._databases, exist_ok=True)  # noqa: PTH103
        except OSError as error:
            raise ConfigurationError(
                f"The data folder {self._folder} cannot be made: {error.strerror or error}. Give another one: "
                "data=DIR, ?data=DIR in the URL, or MESAHUB_DATA."
            ) from error

    @property
    def data(self) -> Path:
        """The folder."""
        from pathlib import Path

        return Path(self._folder)

    def path(self, slug: str) -> Path:
        """The file of a database."""
        return self.data / "databases" / file_name(check_name(slug))

    def engine(self, slug: str) -> Engine:
        """The database of this name; made when it is not there.

        Raises:
            ConfigurationError: this cannot be a name, the file cannot be opened, or the store was closed.
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
                engine = self._engines[slug] = Engine(path, opened=self._keep_few_awake, limits=self._limits)
                self._keep_few_awake(engine)
        return engine

    def _keep_few_awake(self, opened: Engine) -> None:
        with self._lock:
            self._awake.pop(opened, None)
            self._awake[opened] = None
            while len(self._awake) > AWAKE:
                eldest = next(iter(self._awake))
                del self._awake[eldest]
                eldest.rest()

    def release(self, slug: str) -> None:
        """Close a database's connections, before its file is moved or removed."""
        with self._lock:
            engine = self._engines.pop(slug, None)
            if engine is not None:
                self._awake.pop(engine, None)
                engine.close()

    @property
    def catalog(self) -> Catalog:
        """Which databases and keys there are."""
        from mesahub_embedded.storage.catalog import Catalog

        with self._lock:
            if self._catalog is None:
                self._catalog = Catalog(self)
            return self._catalog

    @property
    def files(self) -> FileStore:
        """The files beside the databases."""
        from mesahub_embedded.storage.files import FileStore

        with self._lock:
            if self._files is None:
                self._files = FileStore(self)
            return self._files

    def close(self) -> None:
        """Close all databases. May be called twice."""
        with self._lock:
            self._closed = True
            engines, self._engines = self._engines, {}
            catalog, self._catalog = self._catalog, None
        for engine in engines.values():
            engine.close()
        if catalog is not None:
            catalog.close()
