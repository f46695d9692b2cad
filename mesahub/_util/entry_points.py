"""Entry points of installed packages, without `importlib.metadata`.

That module imports email, csv, zipfile and more, which takes several times as long as all of mesahub, and
every client looks up its transport here. The lookup itself is the same: the folders on ``sys.path`` hold
``NAME-VERSION.dist-info/entry_points.txt``. Where one of them is an archive, the standard library is asked. What comes
with this package is found without metadata too (`mesahub._util.built_in`).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from mesahub._util.built_in import BUILT_IN, PREFIX, load


class Plugin(NamedTuple):
    """An entry point.

    Attributes:
        name: its name.
        target: ``module:attribute``.
        distribution: the name of the package that registers it.
        version: the version of that package.
    """

    name: str
    target: str
    distribution: str
    version: str

    @property
    def module(self) -> str:
        """The module of the target."""
        return self.target.partition(":")[0].strip()

    def load(self) -> Any:
        """Import it. Raises whatever the import raises, or ``AttributeError``."""
        return load(self.target)


def find_plugins(group: str) -> list[Plugin]:
    """The entry points of a group. Of a package that is installed twice, the one first on ``sys.path``."""
    plugins = _installed(group)
    if PREFIX:  # a mesahub that is installed as well is another one
        plugins = [plugin for plugin in plugins if plugin.distribution != "mesahub"]
    known = {plugin.name for plugin in plugins if plugin.distribution == "mesahub"}
    for name, target in BUILT_IN.get(group, {}).items():
        if name not in known:
            plugins.append(Plugin(name, PREFIX + target, "mesahub", ""))
    return plugins


def _installed(group: str) -> list[Plugin]:
    plugins: list[Plugin] = []
    seen: set[str] = set()
    try:
        for metadata, stem in _metadata_folders():
            distribution, _, version = stem.partition("-")
            normal = re.sub(r"[-_.]+", "-", distribution).lower()
            if normal not in seen:
                seen.add(normal)
                # A version may be followed by the Python's, as in egg-info: 1.0-py3.11.
                plugins += _read(metadata, group, normal, version.partition("-")[0])
    except NotADirectoryError:
        return _by_standard_library(group)
    return plugins


def _metadata_folders() -> Iterator[tuple[str, str]]:
    for folder in sys.path:
        try:
            entries = list(os.scandir(folder or os.curdir))
        except NotADirectoryError:
            raise
        except (OSError, ValueError, TypeError):  # not there, not readable, or no path at all
            continue
        for entry in entries:
            stem, dot, suffix = entry.name.rpartition(".")
            if dot and suffix in ("dist-info", "egg-info"):
                yield entry.path, stem


def _read(metadata: str, group: str, distribution: str, version: str) -> Iterator[Plugin]:
    try:
        with open(f"{metadata}/entry_points.txt", encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs
            text = file.read()
    except OSError:  # most packages have none; in old ones the metadata is a file
        return
    if f"[{group}]" not in text:
        return
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            section = line.strip("[]").strip()
        elif section == group and "=" in line and not line.startswith(("#", ";")):
            name, _, target = line.partition("=")
            yield Plugin(name.strip(), target.partition("[")[0].strip(), distribution, version)


def _by_standard_library(group: str) -> list[Plugin]:
    try:
        from importlib.metadata import entry_points
    except ImportError:  # left out of a frozen program
        return []

    return [
        Plugin(
            point.name,
            point.value,
            *((point.dist.name, point.dist.version) if point.dist else ("unknown", "")),
        )
        for point in entry_points(group=group)
    ]
