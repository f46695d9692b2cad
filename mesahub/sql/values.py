"""Python values and how SQLite stores them: nothing is rounded or guessed.

| Python | SQLite |
|---|---|
| ``None``, ``bool``, ``int`` (64 bits), ``float`` (finite), ``str``, ``bytes`` | as sqlite3 binds them |
| ``bytearray``, ``memoryview`` | BLOB |
| ``datetime`` | TEXT, ISO 8601 with a space: ``2026-01-31 12:30:00+02:00`` |
| ``date``, ``time`` | TEXT, ISO 8601 |
| ``Decimal`` | TEXT, with the same digits |
| ``UUID`` | TEXT, with hyphens |
| ``Enum`` | its value |
| ``Path`` | TEXT |
| numpy's numbers, booleans and text | as their Python values |
| ``numpy.datetime64`` | TEXT, as ``datetime`` or ``date``; nanoseconds are kept |
| ``pandas.NA``, ``pandas.NaT``, ``numpy.datetime64("NaT")``, ``numpy.ma.masked`` | NULL |
| scalars of pyarrow | as their Python values |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mesahub.errors import ArgumentError

MIN_INT = -(2**63)
MAX_INT = 2**63 - 1
_INFINITY = float("inf")

Adapter = Callable[[Any], Any]
_registered: dict[type, Adapter] = {}


def register_adapter(type_: type, function: Callable[[Any], Any]) -> None:
    """Register how values of a type (and of its subclasses) are stored, for the whole process.

    Args:
        type_: the type.
        function: converts a value to ``None``, ``bool``, ``int``, ``float``, ``str`` or ``bytes``,
            or to another type that has an adapter.

    Example:
        >>> from fractions import Fraction
        >>> register_adapter(Fraction, str)
        >>> adapt(Fraction(1, 3))
        '1/3'
    """
    if not isinstance(type_, type) or not callable(function):
        raise ArgumentError("register_adapter takes a type and a function.")
    if type_ in _STORED:
        raise ArgumentError(f"A value of type {type_.__name__} is stored unchanged; it needs no adapter.")
    _registered[type_] = function


def adapt(value: Any) -> Any:
    """Convert a value to one that SQLite can store: ``None``, ``bool``, ``int``, ``float``, ``str`` or ``bytes``.

    Raises:
        ArgumentError: it cannot be stored without loss; the message says why and what to do.
    """
    kind = type(value)
    if kind is str:
        # The C check is faster than any search for surrogates, and most text passes it.
        if not value.isascii():
            _check_text(value)
        return value
    if kind is int:
        if MIN_INT <= value <= MAX_INT:
            return value
        raise ArgumentError(
            f"The integer {_shown(value)} does not fit into SQLite's 64 bits. Store it as text: str(value)."
        )
    if value is None or kind is bool or kind is bytes:
        return value
    if kind is float:
        if -_INFINITY < value < _INFINITY:
            return value
        raise ArgumentError(
            f"{value!r} cannot be stored: JSON has no such number, and SQLite would turn NaN into NULL. "
            "Use None, or text."
        )
    return _adapt_other(value)


_MOST_STEPS = 10


def _adapt_other(value: Any, steps: int = 1) -> Any:
    kind = type(value)
    adapter = _adapter_of(kind)
    if adapter is None:
        if isinstance(value, (list, tuple, dict, set, frozenset)):
            advice = "Store it as JSON text: json.dumps(value)."
        elif hasattr(value, "tolist") or hasattr(value, "to_list"):
            advice = "It holds several values: store each in a row, or all as JSON text."
        else:
            advice = "Register an adapter: mesahub.sql.register_adapter(type, function)."
        raise ArgumentError(f"A value of type {kind.__name__} cannot be stored in SQLite. {advice}")
    adapted = adapter(value)
    if type(adapted) in _STORED:
        return adapt(adapted)
    if steps == _MOST_STEPS:
        raise ArgumentError(f"The adapter of {kind.__name__} returns a value that needs an adapter again, without end.")
    return _adapt_other(adapted, steps + 1)


def _adapter_of(kind: type) -> Adapter | None:
    # The nearest class decides, but an Enum that is also an int or a str counts as an Enum.
    scalar = None
    for base in kind.__mro__:
        adapter = _registered.get(base)
        if adapter is not None:
            return adapter
        # By name, so that none of these modules has to be imported if it is not used.
        adapter = _BUILTIN.get((base.__module__, base.__qualname__))
        if adapter is not None:
            if base not in _STORED:
                return adapter
            scalar = scalar or adapter
    return scalar


_STORED = frozenset({str, int, float, bytes, bool, type(None)})

_BUILTIN: dict[tuple[str, str], Adapter] = {
    ("builtins", "bytearray"): bytes,
    ("builtins", "memoryview"): bytes,
    ("datetime", "datetime"): lambda value: value.isoformat(" "),
    ("datetime", "date"): lambda value: value.isoformat(),
    ("datetime", "time"): lambda value: value.isoformat(),
    ("decimal", "Decimal"): lambda value: _decimal(value),
    ("_decimal", "Decimal"): lambda value: _decimal(value),
    ("_pydecimal", "Decimal"): lambda value: _decimal(value),
    ("uuid", "UUID"): str,
    ("enum", "Enum"): lambda value: value.value,
    ("pathlib", "PurePath"): str,
    ("pathlib._local", "PurePath"): str,
    ("numpy", "generic"): lambda value: _numpy_scalar(value),
    ("numpy", "datetime64"): lambda value: _numpy_datetime(value),
    ("numpy.ma.core", "MaskedConstant"): lambda _: None,
    ("numpy.ma", "MaskedConstant"): lambda _: None,
    ("pandas.api.typing", "NAType"): lambda _: None,
    ("pandas._libs.missing", "NAType"): lambda _: None,
    ("pandas.api.typing", "NaTType"): lambda _: None,
    ("pandas._libs.tslibs.nattype", "NaTType"): lambda _: None,
    ("pyarrow.lib", "Scalar"): lambda value: value.as_py(),
    # Subclasses of native types, such as numpy's float64.
    ("builtins", "int"): int,
    ("builtins", "float"): float,
    ("builtins", "str"): lambda value: str.__str__(value),
    ("builtins", "bytes"): bytes,
}


def _decimal(value: Any) -> str:
    if not value.is_finite():
        raise ArgumentError(f"{value!r} cannot be stored. Use None, or text.")
    return str(value)


_NUMPY = frozenset({int, float, bool, str, bytes})


def _numpy_scalar(value: Any) -> Any:
    plain = value.item()
    if type(value).__name__ == "longdouble" and float(value) == value:
        return float(value)
    if type(plain) in _NUMPY and type(value).__name__ != "timedelta64":
        return plain
    raise ArgumentError(
        f"A value of type numpy.{type(value).__name__} cannot be stored in SQLite. Convert it to a number or to text."
    )


def _numpy_datetime(value: Any) -> str | None:
    text = str(value)
    if text == "NaT":
        return None
    day, separator, time = text.partition("T")
    if len(day) != 10:
        raise ArgumentError(
            f"numpy.datetime64({text!r}) cannot be stored: it is not a day or a time of the years 0000 to 9999. "
            "Convert it with .astype('datetime64[s]')."
        )
    if not separator:
        return day
    whole, _, fraction = time.partition(".")
    digits = fraction.rstrip("0")
    # As datetime writes it: without a fraction, or with six digits; more only where they are needed.
    shown = f".{digits.ljust(6, '0')}" if digits else ""
    return f"{day} {whole}{':00' * (2 - whole.count(':'))}{shown}"


def _check_text(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ArgumentError(
            f"The text contains a lone surrogate (U+{ord(value[error.start]):04X}) at position {error.start}, which "
            "UTF-8 cannot encode. If it comes from a file name, store os.fsencode(name), which is bytes."
        ) from None


def _shown(value: int) -> str:
    # Python refuses to format integers of more than 4,300 digits.
    return str(value) if value.bit_length() < 256 else f"of {value.bit_length()} bits"
