"""JSON, by orjson where the ``speed`` extra is installed, else by the standard library.

Both keep integers of 64 bits exact, write no NaN or infinity, and raise a ``ValueError`` on bad text.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

loads: Callable[[bytes | str], Any]
dumps: Callable[[Any], bytes]

try:
    import orjson
except ImportError:
    # One encoder for all calls: json.dumps() with keywords makes a new one each time.
    _encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode

    def dumps(value: Any) -> bytes:
        return _encode(value).encode()

    loads = json.loads
else:
    dumps = orjson.dumps
    loads = orjson.loads
