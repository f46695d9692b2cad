"""SQL text with its values written into it, for the places that take no parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mesahub.errors import ArgumentError
from mesahub.sql.filters import compile_where
from mesahub.sql.tokenizer import tokenize

if TYPE_CHECKING:
    from mesahub.sql.filters import Where
    from mesahub.sql.identifiers import Scope

__all__ = ["condition_text", "literal_text"]


def literal_text(value: Any) -> str:
    """A value as SQL writes it.

    Args:
        value: ``None``, ``bool``, ``int``, ``float``, ``str`` or ``bytes``, as `mesahub.sql.adapt` gives it.

    Raises:
        ArgumentError: a text with a NUL character, which no literal can hold.

    >>> literal_text("it's"), literal_text(b"ab"), literal_text(True)
    ("'it''s'", "x'6162'", '1')
    """
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if isinstance(value, str):
        if "\0" in value:
            raise ArgumentError("A text with a NUL character cannot be written into SQL.")
        return "'" + value.replace("'", "''") + "'"
    return str(int(value)) if isinstance(value, bool) else repr(value)


def condition_text(where: Where, scope: Scope) -> str:
    """The SQL of a filter with its values in it, ``""`` for an empty one.

    SQLite recognizes a partial index by the text of its condition, in which a parameter is not a value.
    """
    bindings: list[Any] = []
    text = compile_where(where, scope, bindings)
    values = iter(bindings)
    return "".join([literal_text(next(values)) if kind == "parameter" else token for kind, token, _ in tokenize(text)])
