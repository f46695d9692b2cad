"""Values as Hrana has them: each with its storage class, integers as text, bytes as base64."""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import Any

from mesahub.errors import RequestTooLargeError

__all__ = ["MAX_VALUE", "LossyValueError", "read_value", "typed"]

MAX_VALUE = 5_000_000
"""Bytes of a text or blob that sqld takes, and a row can hold."""
_NULL = {"type": "null"}


class LossyValueError(Exception):
    """A value came as something that may stand for several: an infinity, whose sign is lost."""


def typed(value: Any) -> dict[str, Any]:
    """A value to bind.

    Raises:
        RequestTooLargeError: it has more bytes than the server takes.
    """
    kind = type(value)
    if kind is str:
        # (A character has at most 4 bytes.)
        if len(value) > MAX_VALUE // 4 and len(value.encode()) > MAX_VALUE:
            raise _too_large("text", len(value.encode()))
        return {"type": "text", "value": value}
    if kind is int or kind is bool:
        return {"type": "integer", "value": str(int(value))}
    if value is None:
        return _NULL
    if kind is float:
        return {"type": "float", "value": value}
    if len(value) > MAX_VALUE:
        raise _too_large("value", len(value))
    return {"type": "blob", "base64": binascii.b2a_base64(value, newline=False).decode()}


def _too_large(what: str, size: int) -> RequestTooLargeError:
    return RequestTooLargeError.of(
        f"A {what} has {size:,} bytes, and the libSQL server takes {MAX_VALUE:,} in one value. Nothing was sent. Store "
        "it in several rows."
    )


def read_value(value: Mapping[str, Any]) -> Any:
    """A value of a result.

    Raises:
        LossyValueError: an infinity.
        TypeError, KeyError, ValueError: it is not a value.
    """
    return _READERS[value["type"]](value)


def _text(value: Mapping[str, Any]) -> str:
    text = value["value"]
    if type(text) is not str:
        raise TypeError("a text")
    return text


def _integer(value: Mapping[str, Any]) -> int:
    number = value["value"]
    if type(number) is str:
        # int() takes "1_0" and other digits than those of ASCII, too.
        if not number.isascii() or not number.removeprefix("-").isdigit():
            raise ValueError("an integer")
        return int(number)
    if type(number) is not int:
        raise TypeError("an integer")
    return number


def _float(value: Mapping[str, Any]) -> float:
    number = value["value"]
    if type(number) is float:
        return number
    if number is None:
        raise LossyValueError
    if type(number) is not int:
        raise TypeError("a float")
    return float(number)


def _blob(value: Mapping[str, Any]) -> bytes:
    text = value["base64"]
    if type(text) is not str:
        raise TypeError("base64")
    return binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True) if text else b""


def _null(_: Mapping[str, Any]) -> None:
    return None


_READERS: dict[str, Any] = {"text": _text, "integer": _integer, "null": _null, "float": _float, "blob": _blob}
