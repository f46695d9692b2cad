"""Copies a database from anywhere to anywhere: rows exact in value and storage class, in bounded memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from typing import Any, NamedTuple

from mesahub.client import connect
from mesahub.database import DatabaseHandle
from mesahub.errors import ArgumentError, MesahubError
from mesahub.sql import Statement, quote_name, tokenize

__all__ = ["CopyError", "CopyResult", "TableCopy", "copy", "dump_script"]

BATCH = 5_000
_ROWID = ("rowid", "_rowid_", "oid")
Progress = Callable[[str, int, int], object]
"""Called with (table, rows done, rows in all)."""


class CopyError(MesahubError):
    """The two databases are not the same at the end, or the target cannot be continued."""

    default_code = "COPY_ERROR"

    def __init__(self, message: str) -> None:
        super().__init__(self.default_code, 0, message)


class TableCopy(NamedTuple):
    """One table that was copied."""

    name: str
    rows: int
    checksum: str


class CopyResult(NamedTuple):
    """What was copied, and verified on both sides."""

    tables: tuple[TableCopy, ...]
    others: tuple[str, ...]
    """Names of the indexes, views and triggers."""

    @property
    def rows(self) -> int:
        """Rows in all."""
        return sum(table.rows for table in self.tables)


def copy(
    source: DatabaseHandle | str,
    target: DatabaseHandle | str,
    tables: Iterable[str] | None = None,
    *,
    batch_size: int = BATCH,
    progress: Progress | None = None,
) -> CopyResult:
    """Copy a database: schema, rows, indexes, views, triggers.

    The rows go by primary key (or rowid), page by page. A copy that broke off is continued when it is called again:
    tables go on behind the last row that is there. At the end the count and a checksum of every table are
    compared on both sides.

    Args:
        source: a database handle, or its URL.
        target: likewise. It must be empty, or hold the beginning of this very copy.
        tables: copy only these, with their indexes and triggers, and no views.
        batch_size: rows per request.
        progress: called with (table, rows done, rows in all).

    Raises:
        CopyError: the two differ at the end, or the target holds something else.
        ArgumentError: there is no such table, or one that cannot be copied (a virtual one).

    Example:
        >>> mesahub.copy("mh://local/shop", "mh://key@host/shop")  # doctest: +SKIP
    """
    with ExitStack() as stack:
        here = stack.enter_context(connect(source)) if isinstance(source, str) else source
        there = stack.enter_context(connect(target)) if isinstance(target, str) else target
        return _Copy(here, there, batch_size, progress).run(None if tables is None else list(tables))


class _Column(NamedTuple):
    name: str
    declared: str


class _Table:
    """A table's columns and the key by which it is read."""

    def __init__(self, db: DatabaseHandle, name: str, sql: str) -> None:
        self.name = name
        self.sql = sql
        self.quoted = quote_name(name)
        info = _rows(db, "SELECT name, type, pk, hidden FROM pragma_table_xinfo(?) ORDER BY cid", [name])
        # Generated columns (hidden 2 and 3) take no value.
        self.columns = [_Column(row["name"], row["type"]) for row in info if row["hidden"] == 0]
        words = [text.upper() for kind, text, _ in tokenize(sql) if kind in ("word", "operator")]
        self.without_rowid = ("WITHOUT", "ROWID") in pairwise(words)
        if self.without_rowid:
            self.key = [row["name"] for row in sorted((r for r in info if r["pk"]), key=lambda r: r["pk"])]
        else:
            self.key = [_rowid_name({column.name.lower() for column in self.columns})]
        # The rowid travels too where no column is it: foreign tools may rely on it, and pages go on by it.
        alias = [row["name"] for row in info if row["pk"]]
        is_alias = len(alias) == 1 and next(r["type"] for r in info if r["pk"]).upper() == "INTEGER"
        self.own_rowid = not self.without_rowid and not is_alias
        self.written = ([self.key[0]] if self.own_rowid else []) + [column.name for column in self.columns]

    def text_of(self, column: str) -> str:
        """A column as SQL that nothing converts: an expression has no declared type."""
        name = f"{self.quoted}.{quote_name(column)}" if column not in _ROWID else column
        return (
            f"CASE typeof({name}) WHEN 'blob' THEN hex({name}) "
            f"WHEN 'real' THEN CASE WHEN {name} IN (9e999, -9e999) THEN '{_INFINITE}' ELSE {name} END ELSE {name} END"
        )


_INFINITE = "infinite"


def _rowid_name(columns: set[str]) -> str:
    for name in _ROWID:
        if name not in columns:
            return name
    raise ArgumentError("A table whose columns hide rowid, _rowid_ and oid cannot be read in pages.")


class _Copy:
    def __init__(
        self, source: DatabaseHandle, target: DatabaseHandle, batch_size: int, progress: Progress | None
    ) -> None:
        if type(batch_size) is not int or not 1 <= batch_size <= 50_000:
            raise ArgumentError(f"batch_size must be an integer from 1 to 50,000, not {batch_size!r}.")
        self._source = source
        self._target = target
        self._batch_size = batch_size
        self._progress = progress

    def run(self, wanted: list[str] | None) -> CopyResult:
        objects = _schema(self._source)
        names = {row["name"] for row in objects if row["type"] == "table"}
        missing = [name for name in wanted or () if name not in names]
        if missing:
            raise ArgumentError(f"The source has no table {missing[0]!r}; it has {', '.join(sorted(names)) or 'none'}.")
        chosen = [row for row in objects if row["type"] == "table" and (wanted is None or row["name"] in wanted)]
        for row in chosen:
            if row["sql"].split(None, 2)[1].upper() == "VIRTUAL":
                raise ArgumentError(
                    f"{row['name']!r} is a virtual table, whose content its module keeps; copy the other tables "
                    "(tables=[...]) and make it anew."
                )
        others = [
            row
            for row in objects
            if row["type"] != "table"
            and (wanted is None or (row["type"] in ("index", "trigger") and row["tbl_name"] in wanted))
        ]
        existing = {(row["type"], row["name"]): row["sql"] for row in _schema(self._target)}
        self._refuse_strangers(existing, [*chosen, *others])
        tables = _parents_first(self._source, [_Table(self._source, row["name"], row["sql"]) for row in chosen])
        for table in tables:
            if ("table", table.name) not in existing:
                self._target.exec(table.sql)
        copied = [self._copy(table) for table in tables]
        self._copy_sequences([table.name for table in tables])
        for row in sorted(others, key=lambda row: ("index", "view", "trigger").index(row["type"])):
            if (row["type"], row["name"]) not in existing:
                self._target.exec(row["sql"])
        return CopyResult(tuple(copied), tuple(row["name"] for row in others))

    def _refuse_strangers(self, existing: dict[tuple[str, str], str], expected: list[dict[str, Any]]) -> None:
        known = {(row["type"], row["name"]): row["sql"] for row in expected}
        for key, sql in existing.items():
            if known.get(key) != sql:
                raise CopyError(
                    f"The target has a {key[0]} {key[1]!r} that is not the source's. Copy into an empty database."
                )

    def _copy(self, table: _Table) -> TableCopy:
        total = _rows(self._source, f"SELECT count(*) AS n FROM {table.quoted}")[0]["n"]
        done = _rows(self._target, f"SELECT count(*) AS n FROM {table.quoted}")[0]["n"]
        behind = self._last_key(table) if done else None
        names = ", ".join(quote_name(name) if name not in _ROWID else name for name in table.written)
        places = ", ".join("?" * len(table.written))
        sql = f"INSERT INTO {table.quoted} ({names}) VALUES ({places})"
        for keys, rows in _pages(self._source, table, behind, self._batch_size):
            statement = Statement(sql, [], "insert", True, rows)
            self._target.client.run_exec(self._target.name, statement)
            behind = keys
            done += len(rows)
            if self._progress is not None:
                self._progress(table.name, done, total)
        return self._verify(table)

    def _last_key(self, table: _Table) -> list[Any]:
        order = ", ".join(f"{_key_text(table, name)} DESC" for name in table.key)
        columns = ", ".join(_tagged(table, name, f"k{i}") for i, name in enumerate(table.key))
        row = _rows(self._target, f"SELECT {columns} FROM {table.quoted} ORDER BY {order} LIMIT 1")[0]
        return [_value(row, f"k{i}") for i in range(len(table.key))]

    def _verify(self, table: _Table) -> TableCopy:
        sides = [_fingerprint(db, table, self._batch_size) for db in (self._source, self._target)]
        if sides[0] != sides[1]:
            raise CopyError(
                f"The table {table.name!r} differs: {sides[0][0]} rows here, {sides[1][0]} there"
                + (", and their values are not the same." if sides[0][0] == sides[1][0] else ".")
                + " Was it changed meanwhile?"
            )
        return TableCopy(table.name, *sides[0])

    def _copy_sequences(self, names: list[str]) -> None:
        """The next numbers of AUTOINCREMENT columns."""
        there = "SELECT name FROM sqlite_schema WHERE name = 'sqlite_sequence'"
        if not _rows(self._source, there) or not _rows(self._target, there):
            return
        for row in _rows(self._source, "SELECT name, seq FROM sqlite_sequence"):
            if row["name"] in names:
                self._target.exec("DELETE FROM sqlite_sequence WHERE name = ?", [row["name"]], idempotent=True)
                self._target.exec(
                    "INSERT INTO sqlite_sequence (name, seq) SELECT ?1, ?2 WHERE NOT EXISTS "
                    "(SELECT 1 FROM sqlite_sequence WHERE name = ?1)",
                    [row["name"], row["seq"]],
                    idempotent=True,
                )


def dump_script(db: DatabaseHandle, tables: Iterable[str] | None = None, *, batch_size: int = BATCH) -> Iterator[str]:
    """The SQL script that makes a database anew, line by line: schema, rows, then indexes, views and triggers.

    Args:
        db: the database.
        tables: only these.
        batch_size: rows per request.
    """
    wanted = None if tables is None else list(tables)
    objects = _schema(db)
    names = {row["name"] for row in objects if row["type"] == "table"}
    for name in wanted or ():
        if name not in names:
            raise ArgumentError(f"There is no table {name!r}; there are {', '.join(sorted(names)) or 'none'}.")
    yield "PRAGMA foreign_keys = OFF;"
    yield "BEGIN;"
    for row in objects:
        if row["type"] == "table" and (wanted is None or row["name"] in wanted):
            yield f"{row['sql']};"
            table = _Table(db, row["name"], row["sql"])
            columns = ", ".join(name if name in _ROWID else quote_name(name) for name in table.written)
            for _, rows in _pages(db, table, None, batch_size):
                for values in rows:
                    yield f"INSERT INTO {table.quoted} ({columns}) VALUES ({', '.join(map(_literal, values))});"
    for row in objects:
        if row["type"] != "table" and (wanted is None or (row["type"] != "view" and row["tbl_name"] in wanted)):
            yield f"{row['sql']};"
    yield "COMMIT;"


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"X'{value.hex()}'"
    if isinstance(value, str):
        if "\0" in value:  # SQLite's parser stops at a NUL
            return f"CAST(X'{value.encode().hex()}' AS TEXT)"
        return "'" + value.replace("'", "''") + "'"
    # The smallest integer is read as a negated number that is one too large.
    return "(-9223372036854775807 - 1)" if value == -(2**63) and type(value) is int else repr(value)


def _rows(db: DatabaseHandle, sql: str, bindings: list[Any] | None = None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = db.query(sql, bindings)["rows"]
    return rows


def _schema(db: DatabaseHandle) -> list[dict[str, Any]]:
    return _rows(
        db,
        "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL "
        "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid",
    )


def _parents_first(db: DatabaseHandle, tables: list[_Table]) -> list[_Table]:
    """An order in which every table comes behind those that its foreign keys name; cycles as they are."""
    by_name = {table.name.lower(): table for table in tables}
    ordered: list[_Table] = []
    seen: set[str] = set()

    def visit(table: _Table) -> None:
        if table.name in seen:
            return
        seen.add(table.name)
        for row in _rows(db, 'SELECT "table" AS parent FROM pragma_foreign_key_list(?)', [table.name]):
            parent = by_name.get(str(row["parent"]).lower())
            if parent is not None:
                visit(parent)
        ordered.append(table)

    for table in tables:
        visit(table)
    return ordered


def _key_text(table: _Table, name: str) -> str:
    return name if name in _ROWID else f"{table.quoted}.{quote_name(name)}"


def _tagged(table: _Table, name: str, alias: str) -> str:
    text = _key_text(table, name)
    return f"typeof({text}) AS {alias}_type, {table.text_of(name)} AS {alias}"


def _value(row: dict[str, Any], alias: str) -> Any:
    kind, value = row[f"{alias}_type"], row[alias]
    if kind == "blob":
        return bytes.fromhex(value)
    if kind == "real":
        if value == _INFINITE:
            raise CopyError("The source holds an infinity, which no JSON can carry. Store NULL or text instead.")
        return float(value)
    return value


def _pages(
    db: DatabaseHandle, table: _Table, behind: list[Any] | None, size: int
) -> Iterator[tuple[list[Any], list[tuple[Any, ...]]]]:
    """(the last row's key, the rows) of each page, values as they are stored."""
    columns = ", ".join(_tagged(table, name, f"c{i}") for i, name in enumerate(table.written))
    keys = ", ".join(_tagged(table, name, f"k{i}") for i, name in enumerate(table.key))
    order = ", ".join(_key_text(table, name) for name in table.key)
    while True:
        bindings: list[Any] = []
        condition = ""
        if behind is not None:
            condition = f" WHERE ({order}) > ({', '.join('?' * len(behind))})"
            bindings += behind
        bindings.append(size)
        sql = f"SELECT {columns}, {keys} FROM {table.quoted}{condition} ORDER BY {order} LIMIT ?"
        found = _rows(db, sql, bindings)
        if not found:
            return
        rows = [tuple([_value(row, f"c{i}") for i in range(len(table.written))]) for row in found]
        behind = [_value(found[-1], f"k{i}") for i in range(len(table.key))]
        yield behind, rows
        if len(found) < size:
            return


def _fingerprint(db: DatabaseHandle, table: _Table, size: int) -> tuple[int, str]:
    """Rows, and a hash of all values with their storage classes."""
    digest = hashlib.sha256()
    count = 0
    for _, rows in _pages(db, table, None, size):
        count += len(rows)
        digest.update("".join([f"{row!r}\n" for row in rows]).encode())
    return count, digest.hexdigest()
