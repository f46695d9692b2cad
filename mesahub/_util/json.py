"""JSON: read by the standard library, and by msgspec from the first long text on, where the ``speed`` extra is there.

Both keep integers of 64 bits exact, take no NaN or infinity, and raise a ``ValueError`` on bad text. msgspec costs as
much to import as a client, so a program that only reads short answers never does. Writing is left to the standard
library: msgspec would write an infinity as null, and bytes as text, without a word.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

LONG = 16 * 1024
"""Bytes from which on a text is worth the import of msgspec."""


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


# The scanner itself: json.loads() goes through four functions of Python's for each text.
_decoder: Any = json.JSONDecoder(parse_constant=_no_constant)
_scan = _decoder.scan_once


def _loads(text: bytes | str) -> Any:
    """Parse a text. Raises ``ValueError`` for what is not JSON in UTF-8."""
    plain = (text if isinstance(text, str) else text.decode()).strip(" \t\n\r")
    try:
        value, end = _scan(plain, 0)
    except StopIteration:
        raise ValueError("this is not JSON") from None
    if end != len(plain):
        raise ValueError("something follows the JSON")
    return value


loads: Callable[[bytes | str], Any] = _loads
"""Parse a text. Call it through the module: it is replaced once msgspec is imported."""

# One encoder for all calls: json.dumps() with keywords makes a new one each time.
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def dumps(value: Any) -> bytes:
    """Compact JSON. Raises ``ValueError`` for what it cannot hold."""
    return _encode(value).encode()


def loads_long(text: bytes) -> Any:
    """Parse a text of `LONG` bytes or more."""
    _import_msgspec()
    return loads(text)


def loads_last(held: list[bytes]) -> Any:
    """Parse the last of ``held``, which may be taken out of it: then the bytes go before the objects come."""
    _import_msgspec()
    if loads is not _loads:
        return loads(held[-1])  # msgspec reads the bytes themselves
    text = held.pop().decode()
    try:
        return loads(text)
    except (ValueError, RecursionError):
        held.append(text.encode())
        raise


def _import_msgspec() -> None:
    global loads
    if loads is _loads:
        try:
            import msgspec
        except ImportError:
            return
        loads = msgspec.json.Decoder().decode  # its errors are ValueErrors too
