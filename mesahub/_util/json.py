"""JSON: read by msgspec where the ``speed`` extra is installed, else by the standard library.

Both keep integers of 64 bits exact, take no NaN or infinity, and raise a ``ValueError`` on bad text. Writing is left to
the standard library: msgspec would write an infinity as null, and bytes as text, without a word.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

loads: Callable[[bytes | str], Any]

# One encoder for all calls: json.dumps() with keywords makes a new one each time.
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def dumps(value: Any) -> bytes:
    """Compact JSON. Raises ``ValueError`` for what it cannot hold."""
    return _encode(value).encode()


try:
    import msgspec
except ImportError:
    loads = json.loads

    def loads_last(held: list[bytes]) -> Any:
        """Parse the last of ``held``, which is taken out of it: nobody else needs to hold these bytes."""
        text = held.pop().decode()
        try:
            return loads(text)
        except ValueError:
            held.append(text.encode())
            raise

else:
    # Its errors are ValueErrors too.
    loads = msgspec.json.Decoder().decode

    def loads_last(held: list[bytes]) -> Any:
        """Parse the last of ``held``. (msgspec reads the bytes themselves.)"""
        return loads(held[-1])
