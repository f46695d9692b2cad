"""Values of one field: from what is stored, and to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mesahub.errors import ArgumentError
from mesahub.sql.values import adapt

__all__ = ["ANY", "Codec", "merged", "of_adapter", "of_literal", "of_scalar", "optional", "refuse"]

NONE = type(None)
NAMES = {"int": "INTEGER", "float": "REAL", "str": "TEXT", "bytes": "BLOB", "NoneType": "NULL", "bool": "INTEGER"}
"""How messages name a stored value, by its type in Python."""


class Codec:
    """How the values of a field are stored.

    Attributes:
        expected: what the field holds, for messages.
        storage: the types of stored values, without that of NULL.
        exact: types of stored values that are the field's values as they are; includes ``NoneType`` if NULL is one.
        load: makes the field's value of a stored value of another type; raises ``ValueError`` or ``TypeError``.
        dump: makes the stored value of the field's; ``None`` if it is the same. Raises the same, or `ArgumentError`.
        filters: the type of the field's values and ``dump``, where a filter must convert them as well.
        is_json: stored values are JSON.
    """

    __slots__ = ("dump", "exact", "expected", "filters", "is_json", "load", "storage")

    def __init__(
        self,
        expected: str,
        storage: Iterable[type],
        exact: Iterable[type],
        load: Callable[[Any], Any],
        dump: Callable[[Any], Any],
        filters: tuple[type, Callable[[Any], Any]] | None = None,
        *,
        is_json: bool = False,
    ) -> None:
        self.expected = expected
        self.storage = frozenset(storage)
        self.exact = frozenset(exact)
        self.load = load
        self.dump = dump
        self.filters = filters
        self.is_json = is_json

    @property
    def nullable(self) -> bool:
        """Whether NULL is a value."""
        return NONE in self.exact


def refuse(value: Any) -> Any:
    """A ``load`` or ``dump`` that takes nothing."""
    raise TypeError(type(value).__name__)


def _to_bool(value: Any) -> bool:
    if type(value) is int and value in (0, 1):
        return value == 1
    return bool(refuse(value))


def _to_int(value: Any) -> int:
    # A column without INTEGER affinity may keep 3.0, and JSON may show it so.
    if type(value) is float and value.is_integer() and -(2.0**63) <= value < 2.0**63:
        return int(value)
    return int(refuse(value))


def _to_float(value: Any) -> float:
    if type(value) is int and int(float(value)) == value:
        return float(value)
    return float(refuse(value))


def _dump_float(value: Any) -> Any:
    if not isinstance(value, (int, float)):
        value = _dump_scalar(value)
    if isinstance(value, float):
        return adapt(value)
    return _to_float(int(value)) if isinstance(value, int) else refuse(value)


def _dump_bool(value: Any) -> Any:
    value = value if type(value) is bool else _dump_scalar(value)
    return value if type(value) is bool else refuse(value)


def _dump_scalar(value: Any) -> Any:
    """The value of a scalar of numpy, which is none of Python's types; others are refused."""
    return adapt(value) if type(value).__module__ == "numpy" else refuse(value)


def _dump_int(value: Any) -> Any:
    if not isinstance(value, int):
        value = _dump_scalar(value)
    return adapt(int(value)) if isinstance(value, int) else refuse(value)


def _dump_text(value: Any) -> Any:
    return adapt(value) if isinstance(value, str) else refuse(value)


def _dump_bytes(value: Any) -> Any:
    return adapt(value) if isinstance(value, (bytes, bytearray, memoryview)) else refuse(value)


_SCALARS: dict[type, Codec] = {
    bool: Codec("bool (0 or 1)", [int], [bool], _to_bool, _dump_bool),
    int: Codec("int", [int], [int], _to_int, _dump_int),
    float: Codec("float", [int, float], [float], _to_float, _dump_float),
    str: Codec("str", [str], [str], refuse, _dump_text),
    bytes: Codec("bytes", [bytes], [bytes], refuse, _dump_bytes),
}

ANY = Codec("a value", [int, float, str, bytes], [int, float, str, bytes, bool, NONE], refuse, adapt)
"""Whatever is stored, as it is."""


def of_scalar(kind: type) -> Codec | None:
    """The codec of a type that SQLite stores."""
    return _SCALARS.get(kind)


def optional(codec: Codec) -> Codec:
    """The same, with ``None``."""
    inner = codec.dump
    return Codec(
        f"{codec.expected} or None",
        codec.storage,
        codec.exact | {NONE},
        codec.load,
        lambda value: None if value is None else inner(value),
        codec.filters,
        is_json=codec.is_json,
    )


def merged(codecs: list[Codec]) -> Codec:
    """Values of any of these. Only for codecs whose stored values cannot be confused."""
    exact = frozenset().union(*[codec.exact for codec in codecs])

    def load(value: Any) -> Any:
        return _first([codec.load for codec in codecs], value)

    def dump(value: Any) -> Any:
        # 3 is an int before it is a float.
        nearest = sorted(codecs, key=lambda codec: type(value) not in codec.exact)
        return _first([codec.dump for codec in nearest], value)

    storage = frozenset().union(*[codec.storage for codec in codecs])
    return Codec(" or ".join([codec.expected for codec in codecs]), storage, exact, load, dump)


def _first(functions: list[Callable[[Any], Any]], value: Any) -> Any:
    for function in functions:
        try:
            return function(value)
        except (TypeError, ValueError):
            continue
    return refuse(value)


def of_literal(values: tuple[Any, ...]) -> Codec:
    """One of these values of `of_scalar`'s types."""
    known = {(type(value), value): value for value in values}
    storage = {int if type(value) is bool else type(value) for value in values}

    def load(value: Any) -> Any:
        key = (type(value), value)
        if key not in known and type(value) is int and value in (0, 1):
            key = (bool, bool(value))
        if key not in known:
            raise ValueError("another value")
        return known[key]

    def dump(value: Any) -> Any:
        if (type(value), value) not in known:
            raise ValueError("another value")
        return value

    return Codec(f"one of {', '.join(map(repr, values))}", storage, (), load, dump)


def of_adapter(
    expected: str,
    storage: type | Iterable[type],
    load: Callable[[Any], Any],
    dump: Callable[[Any], Any],
    *,
    kind: type | None = None,
    is_json: bool = False,
) -> Codec:
    """The codec of an adapter.

    Args:
        expected, storage: as in `Codec`.
        load: takes stored values of these types.
        dump: gives a value of these types.
        kind: the type of values that filters must convert.
        is_json: stored values are JSON.
    """
    types = frozenset([storage]) if isinstance(storage, type) else frozenset(storage)

    def checked_load(value: Any) -> Any:
        if type(value) in types:
            return load(value)
        if float in types and type(value) is int:
            return load(_to_float(value))
        if int in types and type(value) is float:
            return load(_to_int(value))
        return refuse(value)

    def checked_dump(value: Any) -> Any:
        stored = dump(value)
        if type(stored) not in types:
            stored = adapt(stored)
        if type(stored) not in types:
            raise ArgumentError(f"the adapter gives {type(stored).__name__}")
        return stored

    filters = None if kind is None else (kind, checked_dump)
    return Codec(expected, types, (), checked_load, checked_dump, filters, is_json=is_json)
