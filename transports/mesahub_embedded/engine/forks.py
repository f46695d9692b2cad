"""Forks: SQLite must not run in any thread while the process forks, or the child inherits a mutex that is never freed.

A fork waits until no statement runs (a second at most), and statements wait until it is over.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
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
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and any(connection.running for connection in list(_connections)):
        time.sleep(0.0005)


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
