"""How the fields of a row's class are stored: marks for the types of `mesahub.DatabaseHandle.table`.

Fields of the types ``int``, ``float``, ``str``, ``bytes``, ``bool`` and ``None``, and ``Literal`` and ``Union`` of
them, are stored as they are. Any other type is converted only by an adapter that its field declares:

    from mesahub import stored

    @dataclass
    class Order:
        id: int
        price: Annotated[Decimal, stored.text]
        placed_at: Annotated[datetime, stored.iso]
        shipped_at: Annotated[datetime | None, stored.iso]
        tags: Annotated[list[str], stored.json]

Every adapter is exact: what was written is what is read, and a value for which that is not so is an error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mesahub.errors import ArgumentError

__all__ = ["Adapter", "Mark", "blob", "column", "default", "generated", "iso", "json", "text", "unix", "unix_ms",
           "using", "value"]  # fmt: skip


class Mark:
    """Says something about a field, in its ``Annotated``.

    Attributes:
        kind: what it says.
        argument: what belongs to it, such as the name of a column.
    """

    __slots__ = ("argument", "kind")

    def __init__(self, kind: str, argument: str = "") -> None:
        self.kind = kind
        self.argument = argument

    def __repr__(self) -> str:
        return f"stored.{self.kind}" + (f"({self.argument!r})" if self.argument else "")


class Adapter:
    """Converts the values of a field. Use those of this module, or `using`.

    Attributes:
        name: its name.
        load: from the stored value; ``None`` for the adapters of this module, which depend on the field's type.
        dump: to the stored value.
        stored: the type of stored values.
    """

    __slots__ = ("dump", "load", "name", "stored")

    def __init__(
        self,
        name: str,
        load: Callable[[Any], Any] | None = None,
        dump: Callable[[Any], Any] | None = None,
        stored: type = str,
    ) -> None:
        self.name = name
        self.load = load
        self.dump = dump
        self.stored = stored

    def __repr__(self) -> str:
        return f"stored.{self.name}"


iso = Adapter("iso")
"""``datetime``, ``date`` and ``time`` as TEXT in ISO 8601, with a space: ``2026-01-31 12:30:00+02:00``.

With a UTC offset if the value has one; a time zone comes back as its offset. (CURRENT_TIMESTAMP has none: it comes as a
``datetime`` without a time zone.)
"""

unix = Adapter("unix")
"""``datetime`` with a time zone as INTEGER: seconds since 1970, UTC. A fraction of a second is an error."""

unix_ms = Adapter("unix_ms")
"""``datetime`` with a time zone as INTEGER: milliseconds since 1970, UTC. A fraction of a millisecond is an error."""

text = Adapter("text")
"""``Decimal``, ``UUID``, ``Fraction``, ``Path`` and the addresses of `ipaddress` as TEXT.

A ``Decimal`` keeps its digits if its column is declared TEXT, or without a type: NUMERIC and DECIMAL make a REAL of it.
"""

blob = Adapter("blob")
"""``UUID`` as a BLOB of 16 bytes."""

value = Adapter("value")
"""An ``Enum`` as the value of its member."""

json = Adapter("json")
"""``dict``, ``list`` and other values of JSON, a ``TypedDict``, a dataclass or a class of attrs, as TEXT.

They may hold one another, and values with adapters of their own: ``list[Annotated[date, stored.iso]]``. In msgspec and
pydantic models, their classes are converted by them.

A value that JSON would change, such as a tuple, a key that is not text, or NaN, is an error. NULL is ``None``, and so
is the text ``null``.
"""

generated = Mark("generated")
"""The database makes the value: the field is read, never written."""

default = Mark("default")
"""``None`` is not written: the column's default, or the next key of an INTEGER PRIMARY KEY, applies."""


def column(name: str) -> Mark:
    """The field's column has another name.

    >>> column("full_name")
    stored.column('full_name')
    """
    if not isinstance(name, str) or not name:
        raise ArgumentError(f"The name of a column must be a non-empty string, not {name!r:.60}.")
    return Mark("column", name)


def using(load: Callable[[Any], Any], dump: Callable[[Any], Any], stored: type = str) -> Adapter:
    """Your own adapter.

    Args:
        load: makes the field's value of a stored value. It is not called for NULL.
        dump: makes the stored value. It is not called for ``None``.
        stored: the type of stored values: ``str``, ``int``, ``float`` or ``bytes``.

    Example:
        >>> from datetime import timedelta
        >>> seconds = using(lambda n: timedelta(seconds=n), lambda d: d // timedelta(seconds=1), int)
    """
    if not callable(load) or not callable(dump):
        raise ArgumentError("stored.using takes two functions: using(load, dump).")
    if stored not in (str, int, float, bytes):
        raise ArgumentError(f"A stored value is a str, int, float or bytes, not {stored!r:.60}.")
    return Adapter("using(...)", load, dump, stored)
