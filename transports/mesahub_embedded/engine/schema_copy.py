"""A copy of a database's schema in which each declared type names its column.

From 3.41 on SQLite gives the columns of a view a type also where they are expressions (``CAST(n AS TEXT)`` is
TEXT) or have none (BLOB), so that a view over a statement no longer shows what is declared. In a copy of the schema
whose ambiguous types are replaced by words of our own, of the same affinity, whatever comes back as one of these
words is a column, and everything that is still ambiguous is none.
"""

from __future__ import annotations

import re
import sqlite3

from mesahub.sql.identifiers import unquote_name
from mesahub.sql.tokenizer import outer_words, tokenize

__all__ = ["Shadow"]

# The names that SQLite gives on its own account (sqlite3StdType), and what of a word makes its affinity.
_GIVEN = {"": "BLOB", "ANY": "BLOB", "BLOB": "BLOB", "INT": "INT", "NUM": "NUM", "REAL": "REAL", "TEXT": "TEXT"}

_COMPOUND = re.compile(r"\b(?:union|except|intersect)\b", re.IGNORECASE)


class Shadow:
    """The copy of one state of a schema.

    Args:
        sqlite: a connection to the database.
    """

    def __init__(self, sqlite: sqlite3.Connection) -> None:
        self._words: dict[str, str] = {}
        self._sqlite = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        # The schema's own order: a view may use the ones before it. What cannot be copied is left out.
        own = {"type": "TEXT", "name": "TEXT", "tbl_name": "TEXT", "rootpage": "INT", "sql": "TEXT"}
        columns = ", ".join(f"{column} {_quoted(self._word(declared))}" for column, declared in own.items())
        self._try(f"CREATE TABLE {_SCHEMA_TABLE} ({columns})")
        for schema in ("main", "temp"):
            entries = f"SELECT type, name, sql FROM {schema}.sqlite_schema ORDER BY rowid"
            for kind, name, sql in sqlite.execute(entries).fetchall():
                if kind == "view":
                    self._try(sql if schema == "main" else re.sub(r"(?i)^CREATE\s+", "CREATE TEMP ", sql))
                elif kind == "table" and not name.startswith("sqlite_"):
                    self._copy_table(sqlite, schema, name)

    def _copy_table(self, sqlite: sqlite3.Connection, schema: str, name: str) -> None:
        columns = []
        keys = []
        for _, column, declared, _, _, key, hidden in sqlite.execute(f"PRAGMA {schema}.table_xinfo({_quoted(name)})"):
            if hidden == 1:  # of a virtual table
                continue
            columns.append((column, declared or ""))
            if key:
                keys.append((column, declared or ""))
        parts = []
        for column, declared in columns:
            if keys == [(column, declared)] and declared.upper() == "INTEGER":
                parts.append(f"{_quoted(column)} INTEGER PRIMARY KEY")  # another name of the rowid
            else:
                parts.append(f"{_quoted(column)} {_quoted(self._word(declared))}")
        self._try(f"CREATE TABLE {schema}.{_quoted(name)} ({', '.join(parts)})")

    def _word(self, declared: str) -> str:
        affinity = _GIVEN.get(declared.upper())
        if affinity is None:
            return declared
        word = f"mesahub_{len(self._words)}_{affinity}"
        self._words[word] = declared
        return word

    def _try(self, sql: str) -> None:
        try:
            self._sqlite.execute(sql)
        except sqlite3.Error:
            return

    def declared(self, select: str) -> list[str] | None:
        """The declared types of a SELECT's columns; ``None`` if unknown."""
        try:
            self._sqlite.execute(f"CREATE TEMP VIEW mesahub_columns AS {_first_part(_without_sqlites_own(select))}")
        except (sqlite3.Error, sqlite3.Warning):
            return None
        try:
            columns = self._sqlite.execute("PRAGMA temp.table_info(mesahub_columns)").fetchall()
        except sqlite3.Error:
            return None
        finally:
            self._sqlite.execute("DROP VIEW temp.mesahub_columns")
        return [self._told(column[2] or "") for column in columns]

    def _told(self, reported: str) -> str:
        if reported in self._words:
            return self._words[reported]
        return "" if reported in _GIVEN else reported

    def close(self) -> None:
        """Close it."""
        self._sqlite.close()


_SCHEMA_TABLE = "mesahub_schema"
_OWN = frozenset({"sqlite_master", "sqlite_schema", "sqlite_temp_master", "sqlite_temp_schema"})


def _without_sqlites_own(select: str) -> str:
    """The text with another table in place of SQLite's own schema table, which a copy cannot have."""
    if "sqlite_" not in select.lower():
        return select
    parts: list[str] = []
    for kind, text, _ in tokenize(select):
        if kind in ("word", "name") and unquote_name(text).lower() in _OWN:
            if len(parts) > 1 and parts[-1] == "." and unquote_name(parts[-2]).lower() in ("main", "temp"):
                del parts[-2:]
            text = _SCHEMA_TABLE
        parts.append(text)
    return "".join(parts)


def _first_part(select: str) -> str:
    """The text without the later parts of UNION, EXCEPT and INTERSECT: a column is declared in the first one."""
    if not _COMPOUND.search(select):
        return select
    tokens = tokenize(select)
    return next(
        (select[: tokens[place][2]] for place, word in outer_words(tokens) if _COMPOUND.fullmatch(word)), select
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
