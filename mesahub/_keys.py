"""What tells the rows of a table apart: asked of the database, once per table handle."""

from __future__ import annotations

from typing import Any, NamedTuple

from mesahub.errors import NoSuchTableError
from mesahub.sql import Statement


class KeyColumns(NamedTuple):
    """The key of a table.

    Attributes:
        primary: (name, declared type) of the primary key's columns, in its order; ``[("rowid", "INTEGER")]`` where
            none is declared, ``[]`` for a view.
        declared: is there a primary key that the table's maker wrote down?
        distinct: columns that together are never NULL and never twice the same; ``[]`` for a view.
        is_rowid: is ``distinct`` the one column that is declared INTEGER PRIMARY KEY?
    """

    primary: list[tuple[str, str]]
    declared: bool
    distinct: list[str]
    is_rowid: bool


def keys_statement(table: str) -> Statement:
    """The question."""
    sql = (
        'SELECT t.type AS kind, t.wr AS wr, c.name AS name, c.type AS type, c."notnull" AS strict, c.pk AS pk '
        "FROM pragma_table_list AS t LEFT JOIN pragma_table_info(t.name) AS c "
        "WHERE t.schema = 'main' AND t.name = ? COLLATE NOCASE ORDER BY c.pk, c.cid"
    )
    return Statement(sql, [table], "select", False)


def read_keys(table: str, rows: list[dict[str, Any]]) -> KeyColumns:
    """The answer.

    Raises:
        NoSuchTableError: there is no such table or view.
    """
    if not rows:
        raise NoSuchTableError.of(f"no such table: {table}", status_code=400)
    if rows[0]["kind"] == "view":
        return KeyColumns([], False, [], False)
    key = [row for row in rows if row["pk"]]
    primary = [(row["name"], row["type"]) for row in key]
    names = [name for name, _ in primary]
    if rows[0]["wr"]:
        return KeyColumns(primary, True, names, False)
    if len(key) == 1 and primary[0][1].upper() == "INTEGER":
        return KeyColumns(primary, True, names, True)
    # A primary key that is no INTEGER may hold NULL, many times, unless NOT NULL is said beside it.
    if key and all(row["strict"] for row in key):
        return KeyColumns(primary, True, names, False)
    taken = {str(row["name"]).lower() for row in rows}
    rowid = [alias for alias in ("rowid", "_rowid_", "oid") if alias not in taken][:1]
    return KeyColumns(primary or [(rowid[0], "INTEGER")] if rowid else primary, bool(key), names + rowid, False)
