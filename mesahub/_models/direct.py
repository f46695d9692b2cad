"""Structs of msgspec out of the bytes of a response, without a dict for each row."""

from __future__ import annotations

import typing
from collections.abc import Callable, Sequence
from typing import Any

from mesahub._models.classes import Field, Shape

__all__ = ["parser_of"]


def parser_of(shape: Shape, fields: Sequence[Field]) -> Callable[[bytes], dict[str, Any]] | None:
    """What parses a long response whose rows have these fields; ``None`` if the class cannot be made so.

    Args:
        shape: the class.
        fields: the fields that are read.
    """
    if shape.maker != "msgspec" or not all(map(_is_plain, fields)):
        return None
    decode = _decoder_of(shape.cls, fields)
    if decode is None:
        return None
    columns = [field.column for field in fields]

    def parse(content: bytes) -> dict[str, Any]:
        try:
            answer = decode(content)
        except Exception as error:
            # A value that its field cannot hold, or an error of the server's: found, and said, by the usual way.
            raise ValueError("not such rows") from error
        if "headers" not in answer or "rows" not in answer:
            raise ValueError("not a result")
        answer["made"] = columns
        return answer

    return parse


def _decoder_of(cls: Any, fields: Sequence[Field]) -> Callable[[bytes], dict[str, Any]] | None:
    import msgspec  # the class is one of msgspec's, so it is there

    encoded = dict(zip(cls.__struct_fields__, cls.__struct_encode_fields__, strict=True))
    config = cls.__struct_config__
    if config.array_like or config.tag is not None or any(encoded[field.name] != field.column for field in fields):
        return None
    if any(getattr(base, "__parameters__", ()) for base in cls.__mro__):
        return None  # a type variable would be any value
    make: Any = typing.TypedDict
    rows = list.__class_getitem__(cls)
    answer = make("_Answer", {"headers": list[Any], "rows": rows, "stat": Any, "error": None}, total=False)
    try:
        decode: Callable[[bytes], dict[str, Any]] = msgspec.json.Decoder(answer).decode
    except Exception:  # noqa: BLE001 - another field of the class is not one of JSON's
        return None
    return decode


def _is_plain(field: Field) -> bool:
    """Whether JSON and the field have the same values: ``int``, ``float``, ``str``, and ``None``."""
    codec = field.codec
    if codec is None or field.left_out:
        return False
    exact = set(codec.exact - {type(None)})
    return len(exact) == 1 and set(codec.storage) in ({int}, {str}, {int, float}) and exact <= {int, float, str}
