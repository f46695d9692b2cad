"""What a database holds, read with statements that return little, however large its values are."""

from __future__ import annotations

from typing import Any, NamedTuple

from mesahub_embedded.engine.engine import Engine
from mesahub_embedded.engine.errors import RefusedError, TimedOutError
from mesahub_embedded.server.page.cells import BYTES, COLUMNS, TEXT, cell
from mesahub_embedded.server.page.markup import Markup
from mesahub_embedded.server.request import Running

__all__ = ["COUNTED", "ROWS", "SQL", "Table", "count", "list_tables", "read_rows", "table_named"]

ROWS = 50
"""Rows on a page."""
SQL = 5_000
"""Characters of a schema's statement."""
COUNTED = 10_000
"""Rows up to which a table is counted."""
_OBJECTS = (
    f"SELECT name, type, substr(sql, 1, {SQL}) FROM main.sqlite_schema "
    "WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
)


class Table(NamedTuple):
    """A table or view.

    Attributes:
        name: its name.
        kind: ``table`` or ``view``.
        sql: the beginning of the statement that created it.
    """

    name: str
    kind: str
    sql: str


def list_tables(engine: Engine, running: Running, limit: int, offset: int) -> list[Table]:
    """Tables and views in the order of their names."""
    rows = engine.query(f"{_OBJECTS} ORDER BY name COLLATE NOCASE, name LIMIT {limit} OFFSET {offset}", **running).rows
    return [Table(*row) for row in rows]


def table_named(engine: Engine, name: str, running: Running) -> Table:
    """One of them. Raises `RefusedError` (404)."""
    rows = engine.query(f"{_OBJECTS} AND name = ?", [name], **running).rows
    if not rows:
        raise RefusedError(404, f"No table or view {name!r} in this database.")
    return Table(*rows[0])


def count(engine: Engine, table: Table, running: Running) -> int | None:
    """Rows of a table, `COUNTED` + 1 if there are more; ``None`` if they cannot be counted in the time given."""
    try:
        sql = f"SELECT count(*) FROM (SELECT 1 FROM main.{_quoted(table.name)} LIMIT {COUNTED + 1})"
        found: int = engine.query(sql, **running).rows[0][0]
    except (RefusedError, TimedOutError):
        return None
    return found


def read_rows(
    engine: Engine, table: Table, number: int, running: Running
) -> tuple[list[str], list[list[Markup]], int, bool]:
    """A page of rows.

    Long texts and blobs are cut by SQLite, so that a page never takes more than it shows.

    Returns:
        The names of the columns, the rows' cells, how many columns are left out, and whether more rows follow.
    """
    names = _columns(engine, table, running)
    shown = names[:COLUMNS]
    parts = [part for name in shown for part in _parts(f"t.{_quoted(name)}")]
    offset = number * ROWS
    sql = f"SELECT {', '.join(parts) or 'NULL'} FROM main.{_quoted(table.name)} AS t LIMIT {ROWS + 1} OFFSET {offset}"
    rows = engine.query(sql, **running).rows
    cells = [[cell(row[index], row[index + 1]) for index in range(0, 2 * len(shown), 2)] for row in rows[:ROWS]]
    return shown, cells, len(names) - len(shown), len(rows) > ROWS


def _columns(engine: Engine, table: Table, running: Running) -> list[str]:
    # hidden = 1: columns of a virtual table that are its arguments. 2 and 3 are generated columns.
    rows = engine.query(
        "SELECT name FROM pragma_table_xinfo(?, 'main') WHERE hidden <> 1 ORDER BY cid", [table.name], **running
    ).rows
    return [row[0] for row in rows]


def _parts(column: str) -> tuple[str, str]:
    # substr() of an empty blob is NULL.
    beginning = (
        f"CASE typeof({column}) WHEN 'text' THEN substr({column}, 1, {TEXT + 1}) "
        f"WHEN 'blob' THEN coalesce(substr({column}, 1, {BYTES}), x'') ELSE {column} END"
    )
    return beginning, f"CASE WHEN typeof({column}) IN ('text', 'blob') THEN length(CAST({column} AS BLOB)) END"


def _quoted(name: Any) -> str:
    # Unlike names in calls, one in a schema may be empty.
    return '"' + str(name).replace('"', '""') + '"'
