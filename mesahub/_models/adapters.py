"""The adapters of `mesahub.stored`, for the types of fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mesahub._models.annotations import shown
from mesahub._models.codecs import Codec, of_adapter, of_scalar
from mesahub._models.json_values import json_codec
from mesahub.errors import ArgumentError
from mesahub.stored import Adapter

__all__ = ["adapters_for", "codec_for"]

_TEXTS = {
    ("decimal", "Decimal"), ("_decimal", "Decimal"), ("_pydecimal", "Decimal"), ("uuid", "UUID"),
    ("fractions", "Fraction"), ("pathlib", "PurePath"), ("pathlib._local", "PurePath"),
    ("ipaddress", "_BaseAddress"), ("ipaddress", "_BaseNetwork"),
}  # fmt: skip
_IN_JSON = ("__total__", "__struct_fields__", "__pydantic_fields__")
"""What TypedDicts and classes of msgspec and pydantic have."""
_TIMES = {("datetime", "datetime"), ("datetime", "date"), ("datetime", "time")}


def adapters_for(hint: Any) -> tuple[str, ...]:
    """The adapters that fit a type, the usual one first, for the advice of a message."""
    if isinstance(hint, type):
        names = _names(hint)
        for found, advice in (
            ({("enum", "Enum")}, ("stored.value",)),
            ({("uuid", "UUID")}, ("stored.text", "stored.blob")),
            ({("datetime", "datetime")}, ("stored.iso", "stored.unix", "stored.unix_ms")),
            (_TIMES, ("stored.iso",)),
            (_TEXTS, ("stored.text",)),
        ):
            if names & found:
                return advice
    plain = getattr(hint, "__origin__", hint)
    is_json = plain in (list, dict) or any(hasattr(plain, mark) for mark in _IN_JSON)
    return ("stored.json",) if is_json else ("stored.using(load, dump)",)


def codec_for(adapter: Adapter, hint: Any, maker: str) -> Codec:
    """The codec of an adapter for a type.

    Args:
        adapter: as the field declares it.
        hint: the field's type, without None.
        maker: what made the class: classes of its own within JSON are those of ``"msgspec"`` and ``"pydantic"``.

    Raises:
        ArgumentError: it is not an adapter for this type; the message is a clause.
    """
    if adapter.load is not None and adapter.dump is not None:
        kind = hint if isinstance(hint, type) and of_scalar(hint) is None else None
        return of_adapter(shown(hint), adapter.stored, adapter.load, adapter.dump, kind=kind)
    if adapter.name == "json":
        return json_codec(hint, maker, codec_for)
    make = _MAKERS[adapter.name]
    codec = make(hint) if isinstance(hint, type) else None
    if codec is None:
        raise ArgumentError(f"{adapter!r} does not convert {shown(hint)}; use {' or '.join(adapters_for(hint))}")
    return codec


def _names(kind: type) -> set[tuple[str, str]]:
    """The classes of a type, by name: none of their modules has to be imported."""
    return {(base.__module__, base.__qualname__) for base in kind.__mro__}


def _checked(kind: type, dump: Callable[[Any], Any], *, but: type | None = None) -> Callable[[Any], Any]:
    def checked(value: Any) -> Any:
        if not isinstance(value, kind) or (but is not None and isinstance(value, but)):
            raise TypeError(type(value).__name__)
        return dump(value)

    return checked


def _iso(kind: type) -> Codec | None:
    names = _names(kind)
    if not names & _TIMES:
        return None
    load: Callable[[Any], Any] = kind.fromisoformat  # type: ignore[attr-defined]
    if ("datetime", "datetime") in names:
        return of_adapter("datetime in ISO 8601", str, load, _checked(kind, lambda value: value.isoformat(" ")))
    if ("datetime", "date") in names:
        from datetime import datetime

        return of_adapter("date in ISO 8601", str, load, _checked(kind, lambda value: value.isoformat(), but=datetime))
    return of_adapter("time in ISO 8601", str, load, _checked(kind, lambda value: value.isoformat()))


def _since_1970(unit: str) -> Callable[[type], Codec | None]:
    def make(kind: type) -> Codec | None:
        if ("datetime", "datetime") not in _names(kind):
            return None
        from datetime import UTC, datetime, timedelta

        start, step = datetime(1970, 1, 1, tzinfo=UTC), timedelta(**{unit: 1})

        def dump(value: Any) -> int:
            if value.utcoffset() is None:
                raise ValueError("it has no time zone")
            count, rest = divmod(value - start, step)
            if rest:
                raise ValueError(f"it has a fraction of {unit}")
            return int(count)

        def load(count: int) -> Any:
            try:
                return start + count * step
            except OverflowError:
                raise ValueError("it is not a time") from None

        return of_adapter(f"datetime as {unit} since 1970", int, load, _checked(kind, dump), kind=kind)

    return make


def _text(kind: type) -> Codec | None:
    names = _names(kind)
    if not names & _TEXTS:
        return None
    expected = f"{kind.__name__} as text"

    def load(text: Any) -> Any:
        try:
            return kind(text)
        except ArithmeticError:  # what decimal raises
            raise ValueError("another text") from None

    if any(name == "Decimal" for _, name in names):
        # A number without a fraction is exact even where the column has made an integer of the text.
        return of_adapter(expected, (str, int), load, _checked(kind, _decimal_text), kind=kind)
    return of_adapter(expected, str, load, _checked(kind, str), kind=kind)


def _decimal_text(value: Any) -> str:
    if not value.is_finite():
        raise ValueError("it is not finite")
    return str(value)


def _blob(kind: type) -> Codec | None:
    if ("uuid", "UUID") not in _names(kind):
        return None
    make: Callable[..., Any] = kind
    return of_adapter("UUID as 16 bytes", bytes, lambda data: make(bytes=data), _checked(kind, _bytes_of), kind=kind)


def _bytes_of(value: Any) -> bytes:
    data: bytes = value.bytes
    return data


def _value(kind: type) -> Codec | None:
    if ("enum", "Enum") not in _names(kind):
        return None
    members: Any = kind
    values = [member.value for member in members]
    types = {int if type(value) is bool else type(value) for value in values}
    if not types <= {int, float, str, bytes}:
        raise ArgumentError(f"the values of {kind.__name__} are not all int, float, str or bytes; use stored.using")
    known = {(type(value), value): member for value, member in zip(values, members, strict=True)}

    def load(value: Any) -> Any:
        member = known.get((type(value), value))
        return members(value) if member is None else member

    return of_adapter(kind.__name__, types, load, _checked(kind, lambda member: member.value), kind=kind)


_MAKERS: dict[str, Callable[[type], Codec | None]] = {
    "iso": _iso,
    "unix": _since_1970("seconds"),
    "unix_ms": _since_1970("milliseconds"),
    "text": _text,
    "blob": _blob,
    "value": _value,
}
