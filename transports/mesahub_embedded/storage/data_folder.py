"""A data folder: databases, their files, keys. Shared by all processes that open it.

Its layout::

    databases/<name>.db     one SQLite file per database (see `naming`)
    catalog.sqlite          which databases there are, API keys, the files' records
    blobs/ab/abcd...        the files' contents, named after their SHA-256
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mesahub_embedded.storage.databases import Databases

if TYPE_CHECKING:
    from mesahub_embedded.engine.limits import ResultLimits
    from mesahub_embedded.storage.catalog import Catalog
    from mesahub_embedded.storage.files import FileStore

__all__ = ["DEFAULT_DATA", "Store"]

DEFAULT_DATA = "mesahub-data"
"""The default data folder, in the working directory."""


class Store(Databases):
    """An open data folder: its databases, the catalog and the files.

    Args:
        data: the folder; created if it does not exist.
        limits: what a result may take; default: no limits.

    Raises:
        ConfigurationError: it cannot be created.
    """

    def __init__(self, data: str | os.PathLike[str], *, limits: ResultLimits | None = None) -> None:
        super().__init__(data, limits=limits)
        self._catalog: Catalog | None = None
        self._files: FileStore | None = None

    @property
    def catalog(self) -> Catalog:
        """The databases and API keys."""
        from mesahub_embedded.storage.catalog import Catalog

        with self._lock:
            if self._catalog is None:
                self._catalog = Catalog(self)
            return self._catalog

    @property
    def files(self) -> FileStore:
        """The files stored with the databases."""
        from mesahub_embedded.storage.files import FileStore

        with self._lock:
            if self._files is None:
                self._files = FileStore(self.catalog, self.data / "blobs")
            return self._files

    def close(self) -> None:
        """Close all databases. May be called twice."""
        with self._lock:
            catalog, self._catalog = self._catalog, None
        super().close()
        if catalog is not None:
            catalog.close()
