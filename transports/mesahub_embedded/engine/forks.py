"""Forks: SQLite must not run in any thread while the process forks, or the child inherits a mutex that is never freed.

A fork waits until no statement runs (a second at most), and statements wait until it is over.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from importlib import import_module
from typing import Any

PATIENCE = 1.0
"""Seconds that a fork waits for statements that run."""

forking = False
_over = threading.Event()
_over.set()
_connections: weakref.WeakSet[Any] = weakref.WeakSet()
_owners: weakref.WeakSet[Any] = weakref.WeakSet()
_thread = 0


def watch(connection: Any) -> None:
    """Have forks wait for a connection while its attribute ``running`` is true."""
    _connections.add(connection)


def renew(owner: Any) -> None:
    """Call ``owner.after_fork()`` in forked children."""
    _owners.add(owner)


def wait(connection: Any) -> None:
    """Wait, before a statement, until the fork of another thread is over."""
    while forking and _thread != threading.get_ident():
        connection.running = False
        _over.wait(PATIENCE * 2)
        connection.running = True


def _before() -> None:
    global forking, _thread
    _thread = threading.get_ident()
    _over.clear()
    forking = True
    if not _connections:
        return
    _import_all()
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and (_runs() or _imports()):
        time.sleep(0.0005)


_LATE = (
    "mesahub.admin",
    "mesahub.buckets",
    "mesahub.files",
    "mesahub._calls.plans.bulk_insert",
    "mesahub._calls.plans.keyset",
    "mesahub._calls.uploads",
    "mesahub.dialects.mesahub.errors",
    "mesahub.middleware.retry_outcomes",
    "mesahub_embedded.inprocess",
    "mesahub_embedded.operations",
    "mesahub_embedded.engine.schema_copy",
    "mesahub_embedded.server.routes.admin",
    "mesahub_embedded.server.routes.buckets",
    "mesahub_embedded.server.routes.data",
    "mesahub_embedded.server.routes.files",
    "mesahub_embedded.storage.catalog",
    "mesahub_embedded.storage.files",
)
"""Modules that are imported when they are first needed: not by a thread that is not there any more."""


@lru_cache(maxsize=1)
def _import_all() -> None:
    for name in _LATE:
        with suppress(ImportError):
            import_module(name)


@contextmanager
def section() -> Iterator[None]:
    """Around other uses of SQLite than statements, such as opening a connection."""
    use = Use()
    _connections.add(use)
    if forking:
        wait(use)
    try:
        yield
    finally:
        use.running = False


class Use:
    """One use of SQLite."""

    running = True


def _runs() -> bool:
    return any(connection.running for connection in list(_connections))


def _imports() -> bool:
    """Is a module being imported? A child would wait for its lock, which the importing thread took along."""
    return any(
        getattr(getattr(module, "__spec__", None), "_initializing", False) for module in list(sys.modules.values())
    )


def _after_in_parent() -> None:
    global forking
    forking = False
    _over.set()


def _after_in_child() -> None:
    global forking, _over, _connections
    forking = False
    _over = threading.Event()
    _over.set()
    _connections = weakref.WeakSet()
    for owner in list(_owners):
        owner.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
