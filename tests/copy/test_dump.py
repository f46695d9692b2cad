"""The script that creates a database again, compared with what sqlite3's own .dump keeps."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import mesahub
from mesahub.copying import dump_script
from tests.copy.test_copy import file_of
from tests.copy.test_exactness import make  # noqa: F401
from tests.servers import Server

SHELL = shutil.which("sqlite3")

SCRIPTS = {
    "line ends": "CREATE TABLE t (a, b);"
    "INSERT INTO t VALUES ('a' || char(13, 10) || 'b', char(10) || '.quit' || char(10)),"
    "(char(13), 'a' || char(0) || 'b'), ('it''s', x'00ff'), (1e300, -9223372036854775808), (9e999, 0.1)",
    "autoincrement": "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a); INSERT INTO t (a) VALUES (1), (2), (3);"
    "DELETE FROM t WHERE id > 1; CREATE TABLE u (id INTEGER PRIMARY KEY AUTOINCREMENT)",
    "full text of a view": "CREATE TABLE d (id INTEGER PRIMARY KEY, body);"
    "INSERT INTO d VALUES (1, 'pears'), (2, 'plums');"
    "CREATE VIEW v AS SELECT id, body FROM d; CREATE VIRTUAL TABLE f USING fts5(body, content=v, content_rowid=id);"
    "INSERT INTO f (f) VALUES ('rebuild')",
    "languages": "CREATE VIRTUAL TABLE f USING fts4(body, languageid=\"lid\");"
    "INSERT INTO f (rowid, body, lid) VALUES (3, 'pears', 0), (9, 'plums', 5)",
    "UTF-16": "PRAGMA encoding = 'UTF-16le'; CREATE TABLE t (a TEXT);"
    "INSERT INTO t VALUES ('a\ufffdb'), ('\U0001f600' || char(13)), ('plain')",
    "versions": "PRAGMA user_version = 7; PRAGMA application_id = 9; CREATE TABLE t (a)",
}  # fmt: skip
QUERIES = {
    "full text of a view": "SELECT rowid FROM f WHERE f MATCH 'plums'",
    "languages": "SELECT rowid, body, lid FROM f ORDER BY rowid",
    "versions": "PRAGMA user_version",
}


def prepared(make: Callable[..., mesahub.DatabaseHandle], tmp_path: Path, script: str) -> mesahub.DatabaseHandle:  # noqa: F811
    with mesahub.connect("mh://local/source", data=str(tmp_path)) as db:
        db.query("SELECT 1")
    path = file_of(tmp_path, "source")
    path.unlink()  # the encoding can be chosen only for a new file
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(script)
    return make("source")


def state(path: Path, query: str) -> tuple[list[object], ...]:
    with closing(sqlite3.connect(path)) as connection:
        tables = [row[0] for row in connection.execute(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name <> 'sqlite_schema' "
            "ORDER BY name")]  # fmt: skip
        found = [connection.execute(query).fetchall(), connection.execute("PRAGMA encoding").fetchall()]
        for table in tables:
            columns = [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]
            terms = ", ".join(f"typeof({c}), hex({c})" for c in columns)
            found.append([table, *connection.execute(f'SELECT {terms} FROM "{table}" ORDER BY 1, 2').fetchall()])
        return tuple(found)


@pytest.mark.parametrize("what", SCRIPTS)
@pytest.mark.parametrize("reader", ["sqlite3", "python"])
def test_dump_script_creates_the_same_database(
    what: str,
    reader: str,
    tmp_path: Path,
    make: Callable[[str], mesahub.DatabaseHandle],  # noqa: F811
) -> None:
    with prepared(make, tmp_path, SCRIPTS[what]) as db:
        text = "\n".join(dump_script(db)) + "\n"
    again = tmp_path / "again.db"
    if reader == "python":
        with closing(sqlite3.connect(again)) as connection:
            connection.executescript(text)
    else:
        if SHELL is None:
            pytest.skip("needs the sqlite3 shell")
        done = subprocess.run([SHELL, "-bail", str(again)], input=text.encode(), capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
    query = QUERIES.get(what, "SELECT 1")
    assert state(again, query) == state(file_of(tmp_path, "source"), query)


@pytest.mark.parametrize("what", [w for w in SCRIPTS if w != "UTF-16"])
def test_copy_creates_the_same_database(
    what: str,
    tmp_path: Path,
    make: Callable[[str], mesahub.DatabaseHandle],  # noqa: F811
) -> None:
    source = prepared(make, tmp_path, SCRIPTS[what])
    mesahub.copy(source, make("target"))
    query = QUERIES.get(what, "SELECT 1")
    assert state(file_of(tmp_path, "target"), query) == state(file_of(tmp_path, "source"), query)


def test_copy_reads_utf_16_text_with_a_replacement_character(
    tmp_path: Path,
    make: Callable[[str], mesahub.DatabaseHandle],  # noqa: F811
) -> None:
    target = make("target")
    mesahub.copy(prepared(make, tmp_path, SCRIPTS["UTF-16"]), target)
    found = [row["a"] for row in target.query("SELECT a FROM t ORDER BY rowid").rows]
    assert found == ["a\ufffdb", "\U0001f600\r", "plain"]


def test_insert_many_of_wide_rows_is_exact(server: Server) -> None:
    columns = [f"c{n}" for n in range(405)]
    values = [0.1, None, b"\x00", "a\0b", 5, 5e-324, 1.5, 1e-200]
    with mesahub.connect(server.url(server.new_database("wide-rows"))) as db:
        db.exec(f"CREATE TABLE t ({', '.join(columns)})")
        db.table("t").insert_many([dict.fromkeys(columns, 0.1)] * 3)
        assert db.table("t").find() == [dict.fromkeys(columns, 0.1)] * 3
        row = {name: values[n % 8 if n < 100 else 0] for n, name in enumerate(columns)}
        db.table("t").delete(None, all_rows=True)
        db.table("t").insert_many([row, dict.fromkeys(columns, None)])
        kinds = ", ".join(f"typeof({name})" for name in columns[:8])
        assert list(db.query(f"SELECT {kinds} FROM t LIMIT 1").rows[0].values()) == [
            "real", "null", "blob", "text", "integer", "real", "real", "real",
        ]  # fmt: skip
        assert [db.query(f"SELECT {c} FROM t LIMIT 1").rows[0][c] for c in ("c0", "c4", "c5", "c7")] == [
            0.1, 5, 5e-324, 1e-200,
        ]  # fmt: skip
