"""Names in SQL: always quoted, columns always qualified.

SQLite takes ``"typo"`` for the text 'typo' where no such column exists; ``"t"."typo"`` is an error everywhere.
"""

from __future__ import annotations

from typing import Any

from mesahub.errors import ArgumentError


def quote_name(name: Any, what: str = "column") -> str:
    """A name as SQL text. A name with a dot in it is one name.

    >>> quote_name('a"b')
    '"a""b"'
    """
    if not isinstance(name, str):
        raise ArgumentError(f"A {what} is named by a string, not by {name!r}.")
    if type(name) is not str:
        name = str.__str__(name)  # a subclass may quote, or escape, in methods of its own (markupsafe.Markup does)
    if not name:
        raise ArgumentError(f"The name of a {what} must not be empty.")
    if "\0" in name:
        raise ArgumentError(f"The name of a {what} must not hold a NUL character: {name!r}.")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ArgumentError(f"The name of a {what} must not hold a lone surrogate: {name!r}.") from None
    text: str = name.replace('"', '""')
    return f'"{text}"'


class Scope(dict[str, str]):
    """A table's columns, from name to qualified SQL text, made when they are first asked for.

    A dict that fills itself is the fastest look-up there is for the hot path of `find`.

    Attributes:
        name: the table's name.
        table: the same, quoted.
    """

    __slots__ = ("name", "table")

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.table = quote_name(name, "table")

    def __missing__(self, name: str) -> str:
        column = f"{self.table}.{quote_name(name)}"
        if len(self) < 1024:
            self[name] = column
        return column


def column_text(scope: Scope, name: Any) -> str:
    """A column's qualified SQL text; of a name that may be anything."""
    try:
        return scope[name]
    except TypeError:  # not hashable
        raise ArgumentError(f"A column is named by a string, not by {name!r}.") from None
