"""The tables and columns that `mesahub.TableHandle.insert_many` adds for its rows. It does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from mesahub.sql.frames import FrameRows, rows_of
from mesahub.sql.identifiers import fold
from mesahub.sql.schema import ColumnInfo, add_column_text, create_table_text, declared_type, declared_types
from mesahub.sql.statement import Statement

SAMPLE = 1_000
"""Rows whose columns and values decide how a table is created."""


def first_rows(rows: Iterable[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], Iterable[Mapping[str, Any]]]:
    """The first rows, and an iterable of all of them."""
    rows = rows_of(rows)
    if isinstance(rows, (Sequence, FrameRows)):
        return list(islice(rows, SAMPLE)), rows
    source = iter(rows)
    sample = list(islice(source, SAMPLE))
    return sample, chain(sample, source)


def create_statement(table: str, sample: list[Mapping[str, Any]], key: str | Sequence[str] | None) -> Statement:
    """The statement that creates a table for such rows, if it does not exist."""
    names = [key] if isinstance(key, str) else list(key or ())
    return Statement(create_table_text(table, declared_types(sample), names), [], "create", True, table=table)


def missing_columns(
    table: str, columns: Sequence[str], rows: list[tuple[Any, ...]], known: set[str]
) -> Iterator[tuple[str, Statement]]:
    """The columns that are not among the known ones, folded, and the statements that add them."""
    for place, name in enumerate(columns):
        if fold(name) not in known:
            type_ = declared_type([row[place] for row in rows])
            yield fold(name), Statement(add_column_text(table, name, type_), [], "alter", True, table=table)


def folded(columns: Iterable[ColumnInfo]) -> set[str]:
    """The names as SQLite compares them."""
    return {fold(column.name) for column in columns}
