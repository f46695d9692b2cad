"""Identifiers in SQL: always quoted, columns always qualified.

SQLite treats ``"typo"`` as the string 'typo' if no such column exists; ``"t"."typo"`` is an error everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mesahub.errors import ArgumentError


def quote_name(name: Any, what: str = "column") -> str:
    """Quote a name. A name that contains a dot is one name.

    >>> quote_name('a"b')
    '"a""b"'
    """
    if not isinstance(name, str):
        raise ArgumentError(f"The name of a {what} must be a string, not {name!r}.")
    if type(name) is not str:
        name = str.__str__(name)  # a subclass may escape text in overridden methods (markupsafe.Markup does)
    if not name:
        raise ArgumentError(f"The name of a {what} must not be empty.")
    if "\0" in name:
        raise ArgumentError(f"The name of a {what} must not contain a NUL character: {name!r}.")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ArgumentError(f"The name of a {what} must not contain a lone surrogate: {name!r}.") from None
    text: str = name.replace('"', '""')
    return f'"{text}"'


def unquote_name(text: str) -> str:
    """The name that SQL writes so: as it is, or in any of SQLite's quotes.

    >>> unquote_name('"a""b"'), unquote_name("[a]"), unquote_name("a")
    ('a"b', 'a', 'a')
    """
    quote = text[:1]
    if quote == "[":
        return text[1:-1]
    return text[1:-1].replace(quote * 2, quote) if quote in ('"', "`", "'") and len(text) > 1 else text


_FOLDED = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def fold(name: str) -> str:
    """A name as SQLite compares it: the case of ASCII letters, and of no others, does not matter.

    >>> fold("Name") == fold("NAME"), fold("É") == fold("é")
    (True, False)
    """
    return name.lower() if name.isascii() else name.translate(_FOLDED)


class Scope(dict[str, str]):
    """A table's columns: a dict of names to qualified SQL text, filled on first access.

    A self-filling dict is the fastest lookup for the hot path of `find`.

    Attributes:
        name: the table's name.
        table: the same, quoted.
        texts: statements that were compiled before, by what their texts depend on: see `Scope.keep`.
        filters: from a column, folded, to the type of its values in Python and the function that makes stored ones of
            them, where filters must convert them; or ``None``.
    """

    __slots__ = ("filters", "name", "table", "texts")

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.table = quote_name(name, "table")
        self.texts: dict[Any, str] = {}
        self.filters: dict[str, tuple[type, Callable[[Any], Any]]] | None = None

    def keep(self, shape: Any, text: str) -> None:
        """Remember the text of a statement of this shape."""
        if len(self.texts) >= 256:
            self.texts.clear()
        self.texts[shape] = text

    def __missing__(self, name: str) -> str:
        column = f"{self.table}.{quote_name(name)}"
        if len(self) < 1024:
            self[name] = column
        return column


def column_text(scope: Scope, name: Any) -> str:
    """Return a column's qualified SQL text; the name may be of any type."""
    try:
        return scope[name]
    except TypeError:  # not hashable
        raise ArgumentError(f"The name of a column must be a string, not {name!r}.") from None
