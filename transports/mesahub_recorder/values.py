"""Conversion of values to a cassette's JSON and back, and its layout."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from mesahub.sql import Statement

__all__ = ["LONG", "compact", "pack", "table_text", "unpack"]

LONG = 64 * 1024
"""Minimum length in characters of rows or a body that are stored in a separate file."""

_WRAPPERS = {"bytes", "float", "object"}
_compact = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(", ", ": ")).encode


def compact(value: Any) -> str:
    """JSON in one line."""
    return _compact(value)


def table_text(rows: Sequence[Any]) -> str:
    """Rows as JSON, one per line."""
    return "[\n" + ",\n".join([f"  {_compact(row)}" for row in rows]) + "]"


def pack(value: Any) -> Any:
    """Convert a value to JSON.

    Bytes become ``{"bytes": base64}``, infinities and NaN ``{"float": text}``; an object of such a form is
    wrapped. A `Statement` becomes an object of its SQL and bindings.
    """
    if type(value) is float and not isfinite(value):
        return {"float": repr(value)}
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        packed = {name: pack(inner) for name, inner in value.items()}
        return {"object": packed} if len(packed) == 1 and packed.keys() <= _WRAPPERS else packed
    if isinstance(value, (list, tuple)):
        return [pack(inner) for inner in value]
    if isinstance(value, Statement):
        statement = {"sql": value.sql, "bindings": pack(value.bindings)}
        return statement if value.rows is None else {**statement, "rows": pack(value.rows)}
    return value


def unpack(value: Any) -> Any:
    """The inverse of `pack`."""
    if isinstance(value, dict):
        if value.keys() == {"bytes"}:
            return base64.b64decode(value["bytes"], validate=True)
        if value.keys() == {"float"}:
            return float(value["float"])
        if value.keys() == {"object"}:
            value = value["object"]
        return {name: unpack(inner) for name, inner in value.items()}
    if isinstance(value, list):
        # Most rows need no conversion.
        return [unpack(inner) for inner in value] if any(type(x) in (dict, list) for x in value) else value
    return value
