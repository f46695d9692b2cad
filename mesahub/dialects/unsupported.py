"""What an engine cannot do, refused before anything is sent, and which engines can."""

from __future__ import annotations

from mesahub.dialects.base import Capabilities
from mesahub.errors import UnsupportedError

__all__ = ["check_consistency", "unsupported"]

_CAN = {
    "files": ("files", "MesaHub and embedded databases", ""),
    "admin": ("administration of databases and API keys", "MesaHub and embedded databases", ""),
    "databases": ("more than one database at its URL", "MesaHub, libSQL and embedded databases", ""),
    "batch": ("batches", "MesaHub, rqlite, libSQL and embedded databases", ""),
    "transactions": (
        "interactive transactions",
        "embedded databases and libSQL",
        " Send what belongs together as one batch: db.batch([...]).",
    ),
}


def unsupported(capabilities: Capabilities, what: str) -> UnsupportedError:
    """The error for a capability that is missing, by its name."""
    name, engines, instead = _CAN[what]
    return UnsupportedError(f"{capabilities.engine} does not support {name}; {engines} do.{instead}")


def check_consistency(capabilities: Capabilities, level: str) -> None:
    """Raise `UnsupportedError` for a level of consistency that the engine does not have."""
    if not isinstance(level, str) or level not in capabilities.consistency:
        levels = ", ".join(sorted(capabilities.consistency))
        has = f"it has: {levels}" if levels else "its reads always see every write before them; rqlite and libSQL do"
        raise UnsupportedError(f"{capabilities.engine} does not support consistency={level!r:.40}; {has}.")
