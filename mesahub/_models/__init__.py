"""Rows as instances of a class: what `mesahub.DatabaseHandle.table` does with its ``model``. No I/O."""

from __future__ import annotations

from mesahub._models.typed_rows import TypedRows, typed_query, typed_rows

__all__ = ["TypedRows", "typed_query", "typed_rows"]
