"""The options of a client, taken apart: its own, and those of the transport."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mesahub._util.secret import SecretDict
from mesahub.errors import ConfigurationError
from mesahub.transport.options import MAX_RESPONSE_BYTES, hidden

_DEFAULTS: dict[str, Any] = {
    "transport": None,
    "middleware": (),
    "retry": None,
    "allow_insecure": False,
    "connect_timeout": 10.0,
    "tls": None,
    "proxies": None,
    "pool_size": 10,
    "max_response_bytes": MAX_RESPONSE_BYTES,
}


def transport_arguments(options: Mapping[str, Any]) -> SecretDict:
    """``options`` with ``transport_options`` among them. Neither shows its values in a traceback's variables.

    Raises:
        ConfigurationError: ``transport_options`` is not a dict by name.
    """
    given = SecretDict(options)
    more = given.pop("transport_options", None)
    if more is not None:
        if not isinstance(more, Mapping) or not all(isinstance(name, str) for name in more):
            raise ConfigurationError("transport_options must be a dict from names to values.")
        given |= SecretDict(more)
    if "proxies" in given:
        given["proxies"] = hidden(given["proxies"])
    return given


def split_options(options: Mapping[str, Any]) -> tuple[SecretDict, SecretDict]:
    """The client's own arguments, complete with their defaults; and those of the transport."""
    own, rest = SecretDict(_DEFAULTS), SecretDict()
    for name, value in options.items():
        (own if name in _DEFAULTS else rest)[name] = value
    return own, rest
