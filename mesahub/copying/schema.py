"""Schema objects, and the key order in which tables are read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from mesahub.copying.values import Row, value_term
from mesahub.database import DatabaseHandle
from mesahub.errors import ArgumentError
from mesahub.sql import tokenize
from mesahub.sql.schema import SchemaObject

__all__ = [
    "KeyPart",
    "SchemaObject",
    "Table",
    "is_derived",
    "joined",
    "objects_of",
    "parents_first",
    "quoted",
    "refuse_virtual",
]

_ROWID = ("rowid", "_rowid_", "oid")
_FULL_TEXT = ("fts3", "fts4", "fts5")


def quoted(name: str) -> str:
    """A name as SQL text; a column's may even be empty."""
    return '"' + name.replace('"', '""') + '"'


def objects_of(db: DatabaseHandle) -> list[SchemaObject]:
    """What was created in a database, in that order, without the tables that virtual tables keep."""
    return [entry for entry in db.schema() if entry.kind != "shadow"]


class KeyPart(NamedTuple):
    """A column of the key by which a table is read.

    Attributes:
        column: its name, quoted.
        collate: `` COLLATE name``, or ``""``.
        place: its place among the table's columns.
    """

    column: str
    collate: str
    place: int


class Table:
    """A table's columns, and the key by which it is read: its primary key, or the rowid.

    Attributes:
        name: its name.
        quoted: its name, quoted.
        columns: all columns that take a value, quoted; the rowid too, where no column is it.
        key: what orders the rows.
        insert: ``INSERT INTO table (columns)``.
    """

    def __init__(self, db: DatabaseHandle, entry: SchemaObject) -> None:
        self.name = entry.name
        self.sql = entry.sql
        self.quoted = quoted(entry.name)
        info = db.query("SELECT name, type, pk, hidden FROM pragma_table_xinfo(?) ORDER BY cid", [entry.name]).rows
        # Hidden are generated columns (2 and 3), which take no value, and a virtual table's commands (1).
        language = _language_column(entry)
        stored = [row for row in info if row["hidden"] == 0 or (language and row["name"].lower() == language)]
        keys = db.query(
            "SELECT x.name, x.coll FROM pragma_index_list(?) AS l, pragma_index_xinfo(l.name) AS x "
            "WHERE l.origin = 'pk' AND x.\"key\" ORDER BY x.seqno",
            [entry.name],
        ).rows
        self.columns = [quoted(row["name"]) for row in stored]
        names = [row["name"] for row in stored]
        if entry.without_rowid:
            self.key = [
                KeyPart(quoted(row["name"]), f" COLLATE {quoted(row['coll'])}", names.index(row["name"]))
                for row in keys
            ]
        else:
            own = [row for row in stored if row["pk"]]
            # INTEGER PRIMARY KEY is the rowid, unless SQLite made an index for it (as it does for ... DESC).
            if len(own) == 1 and own[0]["type"].upper() == "INTEGER" and not keys:
                self.key = [KeyPart(quoted(own[0]["name"]), "", names.index(own[0]["name"]))]
            else:
                rowid = _rowid_name(entry.name, names)
                self.columns.insert(0, rowid)
                self.key = [KeyPart(rowid, "", 0)]
        self.insert = f"INSERT INTO {self.quoted} ({', '.join(self.columns)})"

    def key_of(self, row: Row) -> Row:
        """The key of a row."""
        return tuple([row[part.place] for part in self.key])

    def order(self, *, descending: bool = False) -> str:
        """The terms of ORDER BY."""
        down = " DESC" if descending else ""
        return ", ".join(f"{self.quoted}.{part.column}{part.collate}{down}" for part in self.key)

    def compare(self, operator: str, key: Row) -> tuple[str, list[Any]]:
        """A condition on the key, and its values."""
        terms, bindings = [], []
        for value in key:
            term, bound = value_term(value)
            terms.append(term)
            bindings += bound
        left = ", ".join(f"{self.quoted}.{part.column}{part.collate}" for part in self.key)
        return f"({left}) {operator} ({', '.join(terms)})", bindings

    def size_term(self, places: range) -> str:
        """An expression for about how many bytes these columns of a row have on their way."""
        terms = []
        for place in places:
            column = self.columns[place]
            name = f"{self.quoted}.{column}"
            terms.append(f"iif(typeof({name}) = 'blob', length({name}), ifnull(length(CAST({name} AS BLOB)), 4))")
        return f"{12 * len(terms)} + {joined(terms, ' + ')}"


def _rowid_name(table: str, columns: Iterable[str]) -> str:
    taken = {name.lower() for name in columns}
    for name in _ROWID:
        if name not in taken:
            return name
    raise ArgumentError(
        f"Table {table!r} cannot be read in pages: its columns rowid, _rowid_ and oid hide its rowid. "
        "Rename one of them."
    )


def joined(terms: list[str], operator: str) -> str:
    """Terms joined by an operator, as a tree that is not deep: SQLite's limit is 1000."""
    while len(terms) > 50:
        terms = [f"({operator.join(terms[at : at + 50])})" for at in range(0, len(terms), 50)]
    return operator.join(terms)


def is_derived(entry: SchemaObject) -> bool:
    """Whether it is a full-text index of another table's content, which is rebuilt, not copied."""
    return entry.kind == "virtual" and "content=" in _module(entry)[1]


def refuse_virtual(entries: Iterable[SchemaObject]) -> None:
    """Raise `ArgumentError` for virtual tables whose content cannot be read back as rows."""
    for entry in entries:
        if entry.kind != "virtual":
            continue
        module, arguments = _module(entry)
        contentless = re.search(r"""content=(''|""|,|\))""", arguments)
        if module not in _FULL_TEXT or contentless:
            raise ArgumentError(
                f"{entry.name!r} is a virtual table ({module or 'of an unknown module'}) whose content cannot be read "
                "back as rows. Copy the other tables (tables=[...]) and recreate this one."
            )


def _language_column(entry: SchemaObject) -> str:
    """The hidden column in which an fts4 table keeps the language of a row, in lower case; ``""`` for none."""
    if entry.kind != "virtual":
        return ""
    module, arguments = _module(entry)
    found = re.search(r"""languageid=(?:"([^"]*)"|'([^']*)'|([^,)]*))""", arguments) if module == "fts4" else None
    return next(filter(None, found.groups()), "") if found else ""


def _module(entry: SchemaObject) -> tuple[str, str]:
    """The module of a virtual table and its arguments, in lower case, without blanks."""
    words = [text.lower() for kind, text, _ in tokenize(entry.sql) if kind not in ("space", "comment")]
    at = words.index("using") + 1
    return words[at], "".join(words[at + 1 :])


def parents_first(db: DatabaseHandle, tables: list[Table]) -> tuple[list[Table], bool]:
    """Sort tables so that each follows those its foreign keys reference (cycles unchanged); also return whether
    there are foreign keys."""
    by_name = {table.name.lower(): table for table in tables}
    parents: dict[str, list[str]] = {}
    listed = 'SELECT m.name AS child, f."table" AS parent FROM sqlite_schema AS m, pragma_foreign_key_list(m.name) AS f'
    for row in db.query(f"{listed} WHERE m.type = 'table'").rows:
        parents.setdefault(row["child"].lower(), []).append(str(row["parent"]).lower())
    ordered: list[Table] = []
    seen: set[str] = set()

    def visit(name: str) -> None:
        if name in seen or name not in by_name:
            return
        seen.add(name)
        for parent in parents.get(name, ()):
            visit(parent)
        ordered.append(by_name[name])

    for table in tables:
        visit(table.name.lower())
    return ordered, any(name in by_name for name in parents)
