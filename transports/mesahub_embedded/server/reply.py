"""An answer of the server, and how its headers and its JSON are written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mesahub._util.json import dumps

__all__ = ["Reply", "content_disposition", "safe_header", "to_json"]

_UNSAFE = re.compile(r'["";\\\x00-\x1f\x7f]')
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


@dataclass(slots=True)
class Reply:
    """An answer: JSON (``payload``), or bytes, or pieces of bytes (``body``)."""

    status: int
    payload: Any = None
    body: bytes | Iterable[bytes] | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)


def to_json(value: Any) -> bytes:
    """JSON as Go writes it: ``<``, ``>``, ``&`` and the line separators escaped, a newline at the end."""
    try:
        text = dumps(value)
    except (TypeError, ValueError):
        # A lone surrogate.
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    for plain, escaped in _ESCAPES:
        if plain in text:
            text = text.replace(plain, escaped)
    return text + b"\n"


_ESCAPES = (
    (b"<", b"\\u003c"),
    (b">", b"\\u003e"),
    (b"&", b"\\u0026"),
    ("\u2028".encode(), b"\\u2028"),
    ("\u2029".encode(), b"\\u2029"),
)


def content_disposition(kind: str, filename: str) -> tuple[str, str]:
    """The header ``Content-Disposition``: the name as UTF-8, without what would end the quoted text.

    Args:
        kind: ``inline`` or ``attachment``.
        filename: any text; control characters, quotes, semicolons and backslashes are left out.
    """
    name = _UNSAFE.sub("", filename).encode("utf-8", "replace").decode("latin-1")
    # A header is bytes to HTTP and Latin-1 to WSGI.
    return ("Content-Disposition", f'{kind}; filename="{name}"')


def safe_header(value: str) -> bool:
    """Can a header have this value? Control characters end it early, or begin another one."""
    return _VALUE.fullmatch(value) is not None
