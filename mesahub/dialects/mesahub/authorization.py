"""How a request to a MesaHub server is authenticated."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mesahub._util.secret import Secret
from mesahub.errors import ConfigurationError

__all__ = ["bearer"]


def bearer(key: object) -> Mapping[str, str]:
    """The header of a key.

    Raises:
        ConfigurationError: the key cannot stand in a header. It is not repeated.
    """
    # First of all: a traceback may show this function's variables.
    key = Secret(key) if isinstance(key, str) else key
    if not isinstance(key, str):
        kind, key = type(key).__name__, None
        raise ConfigurationError(f"The api_key must be text, not {kind}.")
    if not key or not key.isascii() or not key.isprintable() or key != key.strip():
        raise ConfigurationError(
            "The api_key must be printable ASCII text without blanks at its ends, as the server's dashboard shows "
            f"it; this one is {'empty' if not key else 'not'}."
        )
    return MappingProxyType({"Authorization": Secret(f"Bearer {key}")})
