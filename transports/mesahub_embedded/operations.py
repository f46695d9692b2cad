"""Operations of the embedded transport beside query and exec, by name."""

from __future__ import annotations

from collections.abc import Callable

from mesahub.transport import Request, Response
from mesahub_embedded.store import Store

__all__ = ["OPERATIONS"]

OPERATIONS: dict[str, Callable[[Store, Request], Response]] = {}
