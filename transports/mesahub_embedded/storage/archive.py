"""Export tables to a SQLite file, and import them."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from mesahub.sql import quote_name
from mesahub_embedded.engine.engine import Engine
from mesahub_embedded.engine.errors import RefusedError
from mesahub_embedded.storage.pieces import pieces

__all__ = ["export_tables", "import_rows", "inspect_archive"]

ROWS = 5000


def export_tables(source: Path, tables: list[str]) -> tuple[int, Iterator[bytes]]:
    """The size of a file with these tables, and its bytes; tables that are not there are left out.

    Its name is gone at once, and so is the file when the last piece was read.
    """
    handle, name = tempfile.mkstemp(suffix=".sqlite")
    os.close(handle)
    try:
        with closing(sqlite3.connect(source, isolation_level=None)) as connection:
            connection.execute("ATTACH ? AS target", [name])
            connection.execute("BEGIN")
            for table in tables:
                found = connection.execute(
                    "SELECT name, sql FROM main.sqlite_schema WHERE type = 'table' AND name = ?", [table]
                ).fetchone()
                if found is None:
                    continue
                quoted = quote_name(found[0])
                try:
                    connection.execute(_in_schema(found[1], "target", found[0]))
                except sqlite3.Error as error:
                    text = str(error).replace(quoted, found[0])
                    raise RefusedError(500, f"create table {found[0]} in export db: {text}") from None
                columns = _stored_columns(connection, found[0])
                connection.execute(f"INSERT INTO target.{quoted} ({columns}) SELECT {columns} FROM main.{quoted}")
            connection.execute("COMMIT")
        file = Path(name).open("rb")  # noqa: SIM115 - closed by pieces()
        size = os.fstat(file.fileno()).st_size
        return size, pieces(file, size)
    finally:
        Path(name).unlink()


def _in_schema(sql: str, schema: str, name: str) -> str:
    """``CREATE TABLE`` in another schema: the name follows TABLE in the SQL that SQLite keeps."""
    from mesahub.sql import tokenize

    tokens = [token for token in tokenize(sql) if token[0] not in ("space", "comment")]
    at = next(i for i, token in enumerate(tokens) if token[1].upper() == "TABLE") + 1
    end = tokens[at][2] + len(tokens[at][1])
    return f"CREATE TABLE {schema}.{quote_name(name)}{sql[end:]}"


def _stored_columns(connection: sqlite3.Connection, table: str, schema: str = "main") -> str:
    # 2 and 3 are generated columns, which take no value.
    rows = connection.execute(f"PRAGMA {schema}.table_xinfo({quote_name(table)})")
    return ", ".join(quote_name(row[1]) for row in rows if row[6] < 2)


def inspect_archive(path: Path) -> list[dict[str, Any]]:
    """The tables of a file: name, SQL, rows."""
    with closing(_open(path)) as connection:
        tables = connection.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        ).fetchall()
        return [
            {
                "createSql": sql,
                "name": name,
                "rowCount": connection.execute(f"SELECT count(*) FROM {quote_name(name)}").fetchone()[0],
            }
            for name, sql in tables
        ]


def import_rows(engine: Engine, path: Path, tables: list[str]) -> int:
    """Import tables; rows whose key exists are kept. Returns the number of imported rows."""
    count = 0
    with closing(_open(path)) as connection:
        for table in tables:
            found = connection.execute(
                "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name = ?", [table]
            ).fetchone()
            if found is None:
                continue
            quoted = quote_name(found[0])
            there = engine.query("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", [found[0]]).rows
            if not there:
                engine.execute(found[1])
            columns = _stored_columns(connection, found[0])
            cursor = connection.execute(f"SELECT {columns} FROM {quoted}")
            places = ", ".join("?" * len(cursor.description))
            while rows := cursor.fetchmany(ROWS):
                sql = f"INSERT OR IGNORE INTO {quoted} ({columns}) VALUES ({places})"
                count += engine.insert_rows(sql, rows).affected
    return count


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema")
    except sqlite3.DatabaseError:
        connection.close()
        raise RefusedError(400, "not a valid SQLite database file") from None
    return connection
