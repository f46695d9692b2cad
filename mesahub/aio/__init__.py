# Made by scripts/asyncify.py of scripts/asyncify_words.py: change that, and run `make aio`.
"""Databases for asyncio: `mesahub.connect`, `mesahub.MesahubClient` and their API, awaited."""

from __future__ import annotations

from mesahub.aio import middleware
from mesahub.aio.batch import AsyncBatch
from mesahub.aio.client import AsyncMesahubClient, connect
from mesahub.aio.database import AsyncDatabaseHandle
from mesahub.aio.management import AsyncMesahubManagementClient
from mesahub.aio.session import AsyncSession
from mesahub.aio.table import AsyncTableHandle
from mesahub.copying.asynchronous import copy

__all__ = [
    "middleware",
    "AsyncMesahubClient",
    "connect",
    "AsyncMesahubManagementClient",
    "AsyncDatabaseHandle",
    "AsyncTableHandle",
    "AsyncBatch",
    "AsyncSession",
    "copy",
]
