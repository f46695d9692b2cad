"""A database goes to a server and home again, and nothing of it changes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import mesahub
from mesahub import ArgumentError, DatabaseHandle
from mesahub.copying import CopyError
from tests.servers import Server

SCRIPT = """
CREATE TABLE authors (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL COLLATE NOCASE, born DATETIME);
CREATE TABLE books (
    id INTEGER PRIMARY KEY, author INTEGER NOT NULL REFERENCES authors (id), title TEXT, price REAL,
    pages INT, total AS (price * pages), flag BOOLEAN
);
CREATE TABLE pairs (a TEXT, b BLOB, c, PRIMARY KEY (b, a)) WITHOUT ROWID;
CREATE TABLE loose (anything, "odd "" name" TEXT, rowid TEXT);
CREATE INDEX books_by_title ON books (title);
CREATE VIEW cheap AS SELECT title FROM books WHERE price < 10;
CREATE TABLE log (what TEXT);
CREATE TRIGGER after_book AFTER INSERT ON books BEGIN INSERT INTO log VALUES ('new; ' || new.title); END;
"""
NUMBERS: list[Any] = [0, -1, 2**63 - 1, -(2**63), 1.0, 3.0, 0.1, 1e300, 5e-324, 2.0**62]
VALUES: list[Any] = [*NUMBERS, "", "a\0b", "5", "5.0", "ä€", b"", b"\x00\xff", None]


def fill(db: DatabaseHandle) -> None:
    db.exec_script(SCRIPT)
    db.table("authors").insert_many(
        [{"name": "Ann", "born": "2001-02-03 04:05:06"}, {"name": "Bob", "born": "not a date"}, {"name": "Cem"}]
    )
    db.table("authors").delete({"name": "Cem"})
    books = [{"id": i * 3, "author": 1 + i % 2, "title": f"T{i}", "price": i * 1.0, "pages": i} for i in range(40)]
    db.table("books").insert_many([{**book, "flag": i % 4} for i, book in enumerate(books)])
    db.table("pairs").insert_many([{"a": str(i), "b": bytes([i]), "c": v} for i, v in enumerate(VALUES)])
    db.table("loose").insert_many([{"anything": value, 'odd " name': "x", "rowid": "own"} for value in VALUES])


def content(path: Path) -> list[Any]:
    """All that is in a SQLite file, with storage classes and rowids."""
    with closing(sqlite3.connect(path)) as connection:
        found: list[Any] = connection.execute(
            "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name"
        ).fetchall()
        tables = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
        connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
        for (name,) in connection.execute(tables).fetchall():
            table = _quoted(name)
            columns = [_quoted(row[1]) for row in connection.execute(f"PRAGMA table_xinfo({table})")]
            terms = ", ".join(f"typeof({table}.{column}), quote({table}.{column})" for column in columns)
            rows = connection.execute(f"SELECT {terms} FROM {table}").fetchall()
            found.append((name, sorted(rows)))
        return found


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def file_of(folder: Path, name: str) -> Path:
    (path,) = (folder / "databases").glob(f"{name}*.db")
    return path


@pytest.fixture
def source(tmp_path: Path) -> Iterator[DatabaseHandle]:
    with mesahub.connect("mh://local/source", data=str(tmp_path)) as db:
        fill(db)
        yield db


def test_to_a_server_and_home_again(source: DatabaseHandle, server: Server, tmp_path: Path) -> None:
    server.new_database("copied")
    with mesahub.connect(server.url("copied")) as away:
        seen: list[tuple[str, int, int]] = []
        there = mesahub.copy(source, away, batch_size=7, progress=lambda *args: seen.append(args))
        assert there.rows == 2 + 40 + len(VALUES) * 2 + 40
        assert ("books", 40, 40) in seen
        assert set(there.others) == {"books_by_title", "cheap", "after_book"}
        home = mesahub.copy(away, f"mh://local/home?data={tmp_path}", batch_size=11)
        assert home.tables == there.tables
        # Triggers came behind the rows, and work.
        away.table("books").insert({"id": 1000, "author": 1, "title": "new"})
        assert away.table("log").count() == 41
    source.client.close()
    assert content(file_of(tmp_path, "home")) == content(file_of(tmp_path, "source"))


def test_a_copy_that_broke_off_goes_on(source: DatabaseHandle, tmp_path: Path) -> None:
    class BrokenError(Exception):
        pass

    def stop(table: str, done: int, total: int) -> None:
        if table == "books" and done >= 20:
            raise BrokenError

    with mesahub.connect("mh://local/target", data=str(tmp_path)) as target:
        with pytest.raises(BrokenError):
            mesahub.copy(source, target, batch_size=10, progress=stop)
        assert target.table("books").count() == 20
        assert mesahub.copy(source, target, batch_size=10).rows == 2 + 40 + len(VALUES) * 2 + 40
        assert target.table("books").count() == 40
        again = mesahub.copy(source, target)
        assert again.rows == 2 + 40 + len(VALUES) * 2 + 40


def test_only_some_tables(source: DatabaseHandle, tmp_path: Path) -> None:
    with mesahub.connect("mh://local/target", data=str(tmp_path)) as target:
        result = mesahub.copy(source, target, ["authors"])
        assert [table.name for table in result.tables] == ["authors"]
        assert result.others == ()
        with pytest.raises(ArgumentError, match="no table 'nosuch'"):
            mesahub.copy(source, target, ["nosuch"])


def test_a_target_with_something_else_is_refused(source: DatabaseHandle, tmp_path: Path) -> None:
    with mesahub.connect("mh://local/target", data=str(tmp_path)) as target:
        target.exec("CREATE TABLE books (other)")
        with pytest.raises(CopyError, match="'books'"):
            mesahub.copy(source, target)
        assert target.table("books").count() == 0


def test_a_difference_is_found(source: DatabaseHandle, tmp_path: Path) -> None:
    with mesahub.connect("mh://local/target", data=str(tmp_path)) as target:
        mesahub.copy(source, target)
        target.table("books").update({"id": 3}, {"price": 4})
        with pytest.raises(CopyError, match="values are not the same"):
            mesahub.copy(source, target)


def test_what_cannot_be_copied_is_said(source: DatabaseHandle, tmp_path: Path) -> None:
    with mesahub.connect("mh://local/target", data=str(tmp_path)) as target:
        source.exec("CREATE VIRTUAL TABLE boxes USING rtree(id, x1, x2)")
        for tables in (None, ["boxes"]):
            with pytest.raises(ArgumentError, match=r"'boxes'.*virtual.*rtree"):
                mesahub.copy(source, target, tables)
        source.exec("DROP TABLE boxes")
        source.exec("CREATE VIRTUAL TABLE search USING fts5(text, content = '')")
        with pytest.raises(ArgumentError, match=r"'search'.*virtual"):
            mesahub.copy(source, target)
        source.exec("DROP TABLE search")
        source.exec("CREATE TABLE hiding (rowid, oid, _rowid_)")
        with pytest.raises(ArgumentError, match="hide its rowid"):
            mesahub.copy(source, target, ["hiding"])
        with pytest.raises(ArgumentError, match="list of names"):
            mesahub.copy(source, target, "books")
    with pytest.raises(ArgumentError, match="batch_size"):
        mesahub.copy(source, source, batch_size=0)
    with pytest.raises(ArgumentError, match="same database"):
        mesahub.copy(source, source)
