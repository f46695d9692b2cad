"""The filter compiler of mesahub 1.x, for code that builds SQL of its own.

New code passes filters to the table API, or uses `mesahub.sql.compile_where`, which qualifies each column with its
table: SQLite takes a bare ``"typo"`` for the text 'typo', and `build_where` cannot know the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mesahub.sql.filters import compile_where
from mesahub.sql.identifiers import Scope, quote_name

__all__ = ["build_where"]


class _Unqualified(Scope):
    __slots__ = ()

    def __missing__(self, name: str) -> str:
        return quote_name(name)


def build_where(clause: Mapping[str, Any] | None) -> tuple[str, list[Any]]:
    """Compile a filter into an SQL condition and its bindings.

    Args:
        clause: a filter as `mesahub.TableHandle.find` takes it.

    Returns:
        The condition, ``""`` for an empty filter, and its values in order.

    Raises:
        ArgumentError: an unknown operator, or a value that cannot be stored.

    >>> build_where({"age": {"gte": 18}, "active": 1})
    ('"age" >= ? AND "active" = ?', [18, 1])
    """
    bindings: list[Any] = []
    return compile_where(clause, _Unqualified("table"), bindings), bindings


_quote_ident = quote_name
