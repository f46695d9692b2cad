"""JSON bodies as the server's Go takes them: the first value counts, field names match without case."""

from __future__ import annotations

import json
import re
from typing import Any

from mesahub_embedded.engine.errors import RefusedError

__all__ = ["decode_first"]

_KINDS = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}
_ACCEPTS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "*string": (str,),
    "bool": (bool,),
    "int": (int,),
    "int64": (int,),
    "[]string": (list,),
    "[]interface {}": (list,),
    "map[string]interface {}": (dict,),
}
_WORDS = ("null", "true", "false")


def _constant(name: str) -> Any:
    raise ValueError(name)


_decoder = json.JSONDecoder(parse_constant=_constant)


def decode_first(data: bytes, kinds: dict[str, str] | None, limit: int) -> dict[str, Any]:
    """The first JSON value of a body; what follows it is ignored.

    Args:
        data: the body, or its first ``limit + 1`` bytes.
        kinds: field name to Go type. Other fields are left out; missing and null ones too. ``None``: any
            fields of any types.
        limit: bytes that a value may take.

    Raises:
        RefusedError: 400, in Go's words.
    """
    text = data.decode("utf-8", "replace")
    start = len(text) - len(text.lstrip(" \t\r\n"))
    try:
        value, end = _decoder.raw_decode(text, start)
    except json.JSONDecodeError as error:
        if len(data) > limit:
            raise _invalid("http: request body too large") from None
        raise _invalid(_syntax(data, text, start, error)) from None
    except ValueError as error:  # NaN, Infinity, -Infinity
        first = str(error)[1] if str(error)[0] == "-" else str(error)[0]
        where = "in numeric literal" if str(error)[0] == "-" else "looking for beginning of value"
        raise _invalid(f"invalid character '{first}' {where}") from None
    except RecursionError:
        raise _invalid("exceeded max depth") from None
    if len(data) > limit and end >= len(text):
        raise _invalid("http: request body too large")
    if not isinstance(value, dict):
        if value is None:
            return {}
        kind = _KINDS[type(value)]
        raise _invalid(f"json: cannot unmarshal {kind} into Go value of type {_struct(kinds or {})}")
    return value if kinds is None else _fields(value, kinds, text)


def _fields(value: dict[str, Any], kinds: dict[str, str], text: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, item in value.items():
        wanted = name if name in kinds else next((kind for kind in kinds if kind == name.lower()), None)
        if wanted is None or item is None:
            continue
        kind = kinds[wanted]
        if kind in ("int", "int64") and not _fits(item):
            raise _invalid(
                f"json: cannot unmarshal number {json.dumps(item)} into Go struct field .{wanted} of type {kind}"
            )
        if type(item) not in _ACCEPTS.get(kind, (type(item),)):
            raise _invalid(f"json: cannot unmarshal {_KINDS[type(item)]} into Go struct field .{wanted} of type {kind}")
        if kind == "[]interface {}":
            for element in item:
                if type(element) is float and element in (float("inf"), float("-inf")):
                    number = re.search(r"-?\d[\d.]*[eE]\+?\d{3,}", text)
                    shown = number[0] if number else "1e400"
                    raise _invalid(
                        f"json: cannot unmarshal number {shown} into Go struct field .{wanted} of type float64"
                    )
        elif kind == "[]string":
            for element in item:
                if type(element) is not str:
                    raise _invalid(
                        f"json: cannot unmarshal {_KINDS.get(type(element), 'null')} into Go struct field "
                        f".{wanted} of type string"
                    )
        fields[wanted] = item
    return fields


def _fits(item: Any) -> bool:
    """Is it a number of 64 bits? What is not a number has another message."""
    if type(item) is int:
        return -(2**63) <= item < 2**63
    return type(item) is not float


def _syntax(data: bytes, text: str, start: int, error: json.JSONDecodeError) -> str:
    position = error.pos
    if start >= len(text):
        return "EOF"
    rest = text[position:]
    for word in _WORDS:
        # Go names the letter that breaks a literal which began well.
        if rest[:1] == word[0] and error.msg.startswith("Expecting value"):
            for index, letter in enumerate(word):
                if position + index >= len(text):
                    return "unexpected EOF"
                if rest[index] != letter:
                    return f"invalid character {_quoted(rest[index])} in literal {word} (expecting '{letter}')"
    if position >= len(text) or error.msg.startswith("Unterminated"):
        return "unexpected EOF"
    byte = data[len(text[:position].encode()) :][:1] if "\ufffd" not in text[: position + 1] else data[:1]
    character = _quoted(byte.decode("latin-1"))
    if error.msg.startswith("Expecting property name"):
        where = "looking for beginning of object key string"
    elif error.msg.startswith("Expecting ':'"):
        where = "after object key"
    elif error.msg.startswith("Expecting ','"):
        where = "after object key:value pair" if _in_object(text[:position]) else "after array element"
    elif error.msg.startswith("Invalid control"):
        where = "in string literal"
    elif error.msg.startswith("Invalid \\"):
        where = "in string escape code"
    else:
        where = "looking for beginning of value"
    return f"invalid character {character} {where}"


def _in_object(text: str) -> bool:
    return text.rfind("{") > text.rfind("[")


def _quoted(character: str) -> str:
    if character in "'\\":
        return f"'\\{character}'"
    return f"'{character}'" if character.isprintable() else repr(character)


def _struct(kinds: dict[str, str]) -> str:
    names = {"sql": "SQL"}
    fields = [f'{names.get(name, name.title())} {kind} "json:\\"{name}\\""' for name, kind in kinds.items()]
    return f"struct {{ {'; '.join(fields)} }}"


def _invalid(text: str) -> RefusedError:
    return RefusedError(400, f"invalid JSON: {text}")
