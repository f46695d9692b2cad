"""Record the calls made over another transport, and replay them without a network.

It works with operations, SQL and values, not with HTTP's bytes: see `RecorderTransport`, and
`AsyncRecorderTransport` for asyncio.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mesahub_recorder.errors import CassetteDriftError, CassetteError, CassetteMissError
from mesahub_recorder.transport import RecorderTransport

if TYPE_CHECKING:
    from mesahub_recorder.asynchronous import AsyncRecorderTransport

__all__ = ["AsyncRecorderTransport", "CassetteDriftError", "CassetteError", "CassetteMissError", "RecorderTransport"]


def __getattr__(name: str) -> Any:
    if name == "AsyncRecorderTransport":  # blocking code needs no event loop
        from mesahub_recorder.asynchronous import AsyncRecorderTransport

        return AsyncRecorderTransport
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
