"""The schema: objects of a database, columns of a table, and the statements that read or change them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mesahub.errors import ArgumentError, NoSuchTableError
from mesahub.sql.identifiers import fold, quote_name
from mesahub.sql.statement import Statement
from mesahub.sql.values import adapt

__all__ = [
    "ColumnInfo",
    "KeyColumns",
    "SchemaObject",
    "add_column_text",
    "columns_statement",
    "create_table_text",
    "declared_type",
    "declared_types",
    "keys_statement",
    "read_columns",
    "read_keys",
    "read_schema",
    "schema_statement",
    "tables_statement",
]

_NOT_INTERNAL = "name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
"""SQLite reserves names with this prefix for its own tables and indexes."""
_EXACT_REALS = 2**53
"""Integers up to this size are exact as a REAL."""


class _Record:
    # Not a NamedTuple or a dataclass: either takes longer to import than the rest of this module.
    __slots__: tuple[str, ...] = ()

    def _values(self) -> tuple[Any, ...]:
        return tuple([getattr(self, name) for name in self.__slots__])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        fields = ", ".join([f"{name}={getattr(self, name)!r}" for name in self.__slots__])
        return f"{type(self).__name__}({fields})"


class SchemaObject(_Record):
    """A table, view, index or trigger.

    Attributes:
        type: ``"table"``, ``"view"``, ``"index"`` or ``"trigger"``.
        name: its name.
        table: the table (or view) it belongs to; for a table or view, its own name.
        sql: the statement that creates it.
        kind: for a table ``"table"``, ``"virtual"`` or ``"shadow"`` (it keeps a virtual table's content); else ``""``.
        without_rowid: ``True`` for a WITHOUT ROWID table.
    """

    __slots__ = ("kind", "name", "sql", "table", "type", "without_rowid")

    def __init__(self, type: str, name: str, table: str, sql: str, kind: str, without_rowid: bool) -> None:
        self.type = type
        self.name = name
        self.table = table
        self.sql = sql
        self.kind = kind
        self.without_rowid = without_rowid


class ColumnInfo(_Record):
    """A column of a table or view.

    Attributes:
        name: its name.
        type: the declared type as written, such as ``"VARCHAR(20)"``; ``""`` for none.
        not_null: ``True`` if it is declared NOT NULL.
        default: the SQL text of its default, ``None`` for none.
        primary_key: its place in the primary key, from 1; 0 for a column that is not part of it.
        generated: ``True`` if it is computed from others and takes no value.
        hidden: ``True`` for a hidden column of a virtual table.
    """

    __slots__ = ("default", "generated", "hidden", "name", "not_null", "primary_key", "type")

    def __init__(
        self, name: str, type: str, not_null: bool, default: str | None, primary_key: int, generated: bool, hidden: bool
    ) -> None:
        self.name = name
        self.type = type
        self.not_null = not_null
        self.default = default
        self.primary_key = primary_key
        self.generated = generated
        self.hidden = hidden


class KeyColumns(_Record):
    """The key of a table.

    Attributes:
        primary: (name, declared type) of the primary key's columns, in order; ``[("rowid", "INTEGER")]``
            if none is declared, ``[]`` for a view.
        declared: ``True`` if a primary key is declared.
        distinct: columns that are never NULL and unique together; ``[]`` for a view.
        is_rowid: ``True`` if ``distinct`` is the one column that is declared INTEGER PRIMARY KEY.
    """

    __slots__ = ("declared", "distinct", "is_rowid", "primary")

    def __init__(self, primary: list[tuple[str, str]], declared: bool, distinct: list[str], is_rowid: bool) -> None:
        self.primary = primary
        self.declared = declared
        self.distinct = distinct
        self.is_rowid = is_rowid


def tables_statement(*, views: bool = False, name: str | None = None, by_creation: bool = False) -> Statement:
    """The statement that lists ``name`` and ``type`` of the tables, ordered by name.

    Args:
        views: also list views.
        name: only the one with this name, compared without case as in SQLite; also SQLite's own tables.
        by_creation: in order of creation, so that referenced objects come first.
    """
    if name is not None:
        quote_name(name, "table")  # refuses what cannot be a name
    types = "('table', 'view')" if views else "('table')"
    condition = _NOT_INTERNAL if name is None else "name = ? COLLATE NOCASE"
    # Shadow tables hold the content of virtual tables: users see the virtual table.
    shadows = (
        ""
        if name is not None
        else (" AND name NOT IN (SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow')")
    )
    order = "rowid" if by_creation else "name"
    sql = f"SELECT name, type FROM sqlite_schema WHERE type IN {types} AND {condition}{shadows} ORDER BY {order}"
    return Statement(sql, [] if name is None else [str.__str__(name)], "select", False)


def schema_statement(table: str | None = None) -> Statement:
    """The statement that lists the objects of a database in order of creation, without SQLite's own.

    Args:
        table: only this table or view, with its indexes and triggers.
    """
    if table is not None:
        quote_name(table, "table")  # refuses what cannot be a name
    condition, bindings = ("", []) if table is None else (" AND m.tbl_name = ? COLLATE NOCASE", [str.__str__(table)])
    sql = (
        "SELECT m.type AS type, m.name AS name, m.tbl_name AS tbl_name, m.sql AS sql, t.type AS kind, t.wr AS wr "
        "FROM sqlite_schema AS m LEFT JOIN pragma_table_list AS t "
        "ON m.type = 'table' AND t.schema = 'main' AND t.name = m.name "
        f"WHERE m.sql IS NOT NULL AND m.{_NOT_INTERNAL}{condition} ORDER BY m.rowid"
    )
    return Statement(sql, bindings, "select", False)


def read_schema(rows: list[dict[str, Any]]) -> list[SchemaObject]:
    """The rows of `schema_statement`."""
    return [
        SchemaObject(row["type"], row["name"], row["tbl_name"], row["sql"], row["kind"] or "", bool(row["wr"]))
        for row in rows
    ]


def columns_statement(table: str) -> Statement:
    """The statement that lists the columns of a table or view, in their order."""
    sql = (
        'SELECT c.name AS name, c.type AS type, c."notnull" AS strict, c.dflt_value AS dflt, c.pk AS pk, '
        "c.hidden AS hidden FROM pragma_table_xinfo(?) AS c ORDER BY c.cid"
    )
    return Statement(sql, [table], "select", False)


def read_columns(table: str, rows: list[dict[str, Any]]) -> list[ColumnInfo]:
    """The rows of `columns_statement`.

    Raises:
        NoSuchTableError: there is no such table or view.
    """
    if not rows:
        raise NoSuchTableError.of(f"no such table: {table}", status_code=400)
    return [
        # 1: hidden in a virtual table; 2 and 3: generated, virtual and stored.
        ColumnInfo(
            row["name"],
            row["type"],
            bool(row["strict"]),
            row["dflt"],
            int(row["pk"]),
            row["hidden"] in (2, 3),
            row["hidden"] == 1,
        )
        for row in rows
    ]


def keys_statement(table: str) -> Statement:
    """The statement that reads a table's key."""
    sql = (
        'SELECT t.type AS kind, t.wr AS wr, c.name AS name, c.type AS type, c."notnull" AS strict, c.pk AS pk '
        "FROM pragma_table_list AS t LEFT JOIN pragma_table_info(t.name) AS c "
        "WHERE t.schema = 'main' AND t.name = ? COLLATE NOCASE ORDER BY c.pk, c.cid"
    )
    return Statement(sql, [table], "select", False)


def read_keys(table: str, rows: list[dict[str, Any]]) -> KeyColumns:
    """The rows of `keys_statement`.

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
    # A primary key other than INTEGER may be NULL in several rows, unless it is also declared NOT NULL.
    if key and all(row["strict"] for row in key):
        return KeyColumns(primary, True, names, False)
    taken = {str(row["name"]).lower() for row in rows}
    rowid = [alias for alias in ("rowid", "_rowid_", "oid") if alias not in taken][:1]
    return KeyColumns(primary or [(rowid[0], "INTEGER")] if rowid else primary, bool(key), names + rowid, False)


def declared_types(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the columns of rows, in order of appearance, each with a type that stores its values unchanged.

    Integers become INTEGER, booleans BOOLEAN, floats REAL, text TEXT, bytes BLOB. A column with values of several
    kinds, or only ``None``, gets no type (``""``), since any type would change some of them.

    >>> declared_types([{"id": 1, "name": "Ann"}, {"id": 2, "price": 1.5}])
    {'id': 'INTEGER', 'name': 'TEXT', 'price': 'REAL'}
    """
    values: dict[str, list[Any]] = {}
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise ArgumentError(f"Row {number} must be a dict of column names to values, not {row!r:.60}.")
        for name, value in row.items():
            try:
                values.setdefault(name, []).append(adapt(value))
            except ArgumentError as error:
                raise ArgumentError(f"Row {number}, column {name!r}: {error}") from None
    return {name: declared_type(found) for name, found in values.items()}


def declared_type(values: Iterable[Any]) -> str:
    """The type of a column with these values, as in `declared_types`."""
    return _type_of({_kind(value) for value in values if value is not None})


def _kind(value: Any) -> str:
    if type(value) is int:
        return "INTEGER" if -_EXACT_REALS <= value <= _EXACT_REALS else "LONG"
    return {bool: "BOOLEAN", float: "REAL", str: "TEXT", bytes: "BLOB"}[type(value)]


def _type_of(kinds: set[str]) -> str:
    if len(kinds) == 1:
        return next(iter(kinds)).replace("LONG", "INTEGER")
    for type_, members in (("INTEGER", {"INTEGER", "LONG", "BOOLEAN"}), ("REAL", {"INTEGER", "REAL"})):
        if kinds and kinds <= members:
            return type_
    return ""


def create_table_text(table: str, columns: Mapping[str, str], key: Sequence[str] = ()) -> str:
    """``CREATE TABLE IF NOT EXISTS``.

    Args:
        table: its name.
        columns: names to declared types.
        key: the columns of the primary key.

    >>> create_table_text("t", {"id": "INTEGER", "v": ""}, ["id"])
    'CREATE TABLE IF NOT EXISTS "t" ("id" INTEGER PRIMARY KEY, "v")'
    """
    if not columns:
        raise ArgumentError(f"Cannot create table {table!r} without columns; the first rows have none.")
    folded = set(map(fold, columns))
    missing = [name for name in key if fold(name) not in folded]
    if missing:
        raise ArgumentError(f"Key column {missing[0]!r} is missing from the columns of the rows: {', '.join(columns)}.")
    single = fold(key[0]) if len(key) == 1 else None
    terms = []
    for name, type_ in columns.items():
        term = _column_text(name, type_)
        terms.append(f"{term} PRIMARY KEY" if fold(name) == single else term)
    if len(key) > 1:
        terms.append(f"PRIMARY KEY ({', '.join(map(quote_name, key))})")
    return f"CREATE TABLE IF NOT EXISTS {quote_name(table, 'table')} ({', '.join(terms)})"


def add_column_text(table: str, name: str, type_: str) -> str:
    """``ALTER TABLE table ADD COLUMN name type``."""
    return f"ALTER TABLE {quote_name(table, 'table')} ADD COLUMN {_column_text(name, type_)}"


def _column_text(name: str, type_: str) -> str:
    return f"{quote_name(name)} {type_}" if type_ else quote_name(name)
