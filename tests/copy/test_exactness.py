"""Whatever SQLite can hold arrives as it was: on a server, and at home again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

import mesahub
from mesahub import DatabaseHandle
from mesahub.copying import CopyError
from mesahub.middleware import Handler
from mesahub.transport import Request, Response
from tests.copy.test_copy import content, file_of
from tests.servers import Server

HARD = {
    "storage classes in every kind of column": """
        CREATE TABLE t (a, b TEXT, c INTEGER, d REAL, e BLOB, f NUMERIC, g DATETIME, h DATE, i TIMESTAMP, j BOOLEAN);
        INSERT INTO t VALUES (1, '1', 1, 1, x'01', 1, '2024-01-02 03:04:05', '2024-01-02', 1700000000, 1);
        INSERT INTO t VALUES (1.0, '1.0', 1.5, 1.5, 'text', 1.5, 'no date', '', 1e12, 2);
        INSERT INTO t VALUES ('x', x'00ff', 'x', 'x', 5, 'x', 1700000000123, 1000000000000, 1.5, 'true');
        INSERT INTO t VALUES (x'', x'', x'', x'', '', x'', x'00', NULL, 0, -7);
        INSERT INTO t VALUES (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
        INSERT INTO t VALUES (9e999, 'Inf', -9e999, 9e999, -9e999, 9e999, 9e999, 'Inf', '-Inf', 9e999);
        INSERT INTO t VALUES (5e-324, '9e999', 1e300, 1.7976931348623157e308, 2.2250738585072014e-308, 0.1, 0, 0, 0, 0);
    """,
    "integers": """
        CREATE TABLE t (id INTEGER PRIMARY KEY, n INT);
        INSERT INTO t VALUES (-9223372036854775808, 9223372036854775807), (9223372036854775807, -9223372036854775808),
            (0, 9007199254740993), (-5, -9007199254740993), (9007199254740993, 0);
    """,
    "text that is none": """
        CREATE TABLE t (a TEXT, b TEXT PRIMARY KEY);
        INSERT INTO t VALUES (CAST(x'ff80' AS TEXT), CAST(x'c3' AS TEXT)), (CAST(x'edA080' AS TEXT), 'b'),
            (char(65533), char(0) || 'x' || char(0)),
            (char(1114111, 9, 10, 34, 39, 92, 8232), 'emoji ' || char(128512));
    """,
    "keys without rowids": """
        CREATE TABLE t (a TEXT COLLATE NOCASE, b, c, PRIMARY KEY (a, b)) WITHOUT ROWID;
        INSERT INTO t VALUES ('a', 1, 0), ('B', 1.5, 0), ('b', 'x', 0), ('A', x'00', 0),
            (CAST(x'ff' AS TEXT), 9e999, 0), ('', -9e999, 0), (x'61', 9007199254740993, 0);
        CREATE TABLE u (a TEXT COLLATE NOCASE, b, PRIMARY KEY (a COLLATE BINARY DESC)) WITHOUT ROWID;
        INSERT INTO u VALUES ('a', 1), ('A', 2), ('b', 3), ('B', 4), ('aA', 5), ('Aa', 6);
    """,
    "rowids of their own": """
        CREATE TABLE t (a);
        INSERT INTO t (rowid, a) VALUES (100, 'x'), (-5, 'y'), (7, NULL), (9223372036854775807, 'z');
        CREATE TABLE u (id INTEGER PRIMARY KEY DESC, v);
        INSERT INTO u (rowid, id, v) VALUES (10, 3, 'a'), (5, 4, 'b'), (7, NULL, 'c');
        CREATE TABLE v (rowid INTEGER PRIMARY KEY, oid TEXT, v);
        INSERT INTO v VALUES (4, 'x', 1), (2, 'y', 2);
        CREATE TABLE w (rowid TEXT, _ROWID_ TEXT, v);
        INSERT INTO w (oid, rowid, v) VALUES (4, 'x', 1), (2, 'y', 2);
        CREATE TABLE x (id INT PRIMARY KEY, v);
        INSERT INTO x (rowid, id) VALUES (9, 1), (8, NULL), (7, NULL), (6, 2);
    """,
    "strict tables and generated columns": """
        CREATE TABLE t (i INT, r REAL, x TEXT, b BLOB, a ANY, g INT AS (i * 2) STORED, v TEXT AS (x || '!')) STRICT;
        INSERT INTO t (i, r, x, b, a) VALUES (1, 1, '1', x'01', 1), (2, 2.5, '2', x'', '1'), (3, 0, '', x'00', 1.0);
        CREATE INDEX t_g ON t (g, v) WHERE i > 1;
        CREATE UNIQUE INDEX "odd ""index" ON t (lower(x), i DESC);
    """,
    "sequences": """
        CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v);
        INSERT INTO t (id, v) VALUES (50, 'x'), (60, 'y');
        DELETE FROM t WHERE id = 60;
        CREATE TABLE u (id INTEGER PRIMARY KEY AUTOINCREMENT, v);
        INSERT INTO u (id) VALUES (9);
        DELETE FROM u;
        CREATE TABLE never (id INTEGER PRIMARY KEY AUTOINCREMENT);
    """,
    "foreign keys in circles": """
        CREATE TABLE boss (id INTEGER PRIMARY KEY, of INTEGER REFERENCES boss (id) ON DELETE CASCADE);
        INSERT INTO boss VALUES (9, NULL), (2, 9), (1, 2), (5, 9);
        CREATE TABLE a (id INTEGER PRIMARY KEY, b INTEGER REFERENCES b (id) DEFERRABLE INITIALLY DEFERRED);
        CREATE TABLE b (id INTEGER PRIMARY KEY, a INTEGER REFERENCES a (id));
        INSERT INTO a VALUES (1, NULL);
        INSERT INTO b VALUES (1, 1);
        UPDATE a SET b = 1;
        CREATE TABLE child (id INTEGER PRIMARY KEY, p TEXT REFERENCES parent (code));
        CREATE TABLE parent (code TEXT PRIMARY KEY);
        INSERT INTO parent VALUES ('p');
        INSERT INTO child VALUES (1, 'p');
    """,
    "names": """
        CREATE TABLE "a.b ""c' d" ("x.y" TEXT, "select" INT, "ü" BLOB, "" INT, 'q' REAL);
        INSERT INTO "a.b ""c' d" VALUES ('1', 2, x'03', 4, 5);
        CREATE TABLE [brackets in] (`ticks` TEXT, [a b]);
        INSERT INTO [brackets in] VALUES ('a', 'b');
        CREATE VIEW "view of it" AS SELECT "x.y" AS "a ""b" FROM "a.b ""c' d";
        CREATE TRIGGER "tr.1" INSTEAD OF INSERT ON "view of it" BEGIN SELECT 1; END;
    """,
    "full text": """
        CREATE VIRTUAL TABLE notes USING fts5(title, body, tokenize = 'porter');
        INSERT INTO notes (rowid, title, body) VALUES (5, 'one', 'running dogs'), (9, 'two', 'cats run');
        CREATE TABLE docs (id INTEGER PRIMARY KEY, body TEXT);
        INSERT INTO docs VALUES (1, 'apples'), (2, 'pears');
        CREATE VIRTUAL TABLE docs_index USING fts5(body, content = 'docs', content_rowid = 'id');
        INSERT INTO docs_index (docs_index) VALUES ('rebuild');
        CREATE TRIGGER docs_ai AFTER INSERT ON docs BEGIN
            INSERT INTO docs_index (rowid, body) VALUES (new.id, new.body);
        END;
    """,
}


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[str], DatabaseHandle]]:
    """Opens databases in this test's folder."""
    client = mesahub.MesahubClient(transport="embedded", data=str(tmp_path))
    yield client.db
    client.close()


def prepared(tmp_path: Path, script: str) -> None:
    """The source, made by SQLite itself: nothing of ours has touched its values."""
    (tmp_path / "databases").mkdir(exist_ok=True, parents=True)
    with mesahub.connect("mh://local/source", data=str(tmp_path)) as db:
        db.query("SELECT 1")
    with closing(sqlite3.connect(file_of(tmp_path, "source"), isolation_level=None)) as connection:
        connection.executescript(script)


@pytest.mark.parametrize("batch_size", [2, 5000])
@pytest.mark.parametrize("what", HARD)
def test_nothing_changes(
    what: str, batch_size: int, server: Server, tmp_path: Path, make: Callable[[str], DatabaseHandle]
) -> None:
    prepared(tmp_path, HARD[what])
    with mesahub.connect(server.url(server.new_database(f"exact-{list(HARD).index(what)}-{batch_size}"))) as away:
        there = mesahub.copy(make("source"), away, batch_size=batch_size)
        home = mesahub.copy(away, make("home"), batch_size=batch_size)
        assert mesahub.copy(make("source"), make("direct"), batch_size=batch_size).tables == there.tables
    assert home.tables == there.tables
    make("source").client.close()
    expected = content(file_of(tmp_path, "source"))
    assert content(file_of(tmp_path, "home")) == expected
    assert content(file_of(tmp_path, "direct")) == expected
    assert rowids(file_of(tmp_path, "home")) == rowids(file_of(tmp_path, "source"))
    with closing(sqlite3.connect(file_of(tmp_path, "home"))) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def rowids(path: Path) -> dict[str, list[int]]:
    """The rowids of all tables that have them."""
    found = {}
    with closing(sqlite3.connect(path)) as connection:
        for name, wr in connection.execute("SELECT name, wr FROM pragma_table_list WHERE type = 'table'").fetchall():
            quoted = name.replace('"', '""')
            columns = {row[1].lower() for row in connection.execute(f'PRAGMA table_info("{quoted}")')}
            free = [alias for alias in ("rowid", "oid", "_rowid_") if alias not in columns]
            if not wr and free:
                rows = connection.execute(f'SELECT {free[0]} FROM "{quoted}" ORDER BY 1').fetchall()
                found[name] = [row[0] for row in rows]
    return found


def test_full_text_is_found_again(tmp_path: Path, make: Callable[[str], DatabaseHandle]) -> None:
    prepared(tmp_path, HARD["full text"])
    target = make("target")
    mesahub.copy(make("source"), target)
    assert target.query("SELECT rowid FROM notes WHERE notes MATCH 'run' ORDER BY rowid").rows == [
        {"rowid": 5},
        {"rowid": 9},
    ]
    target.table("docs").insert({"id": 3, "body": "plums"})
    found = target.query("SELECT rowid FROM docs_index WHERE docs_index MATCH 'plums OR pears' ORDER BY rowid").rows
    assert [row["rowid"] for row in found] == [2, 3]


def test_foreign_keys_hold_again_afterwards(
    server: Server, make: Callable[[str], DatabaseHandle], tmp_path: Path
) -> None:
    prepared(tmp_path, HARD["foreign keys in circles"])
    with mesahub.connect(server.url(server.new_database("fk-after"))) as away:
        mesahub.copy(make("source"), away)
        with pytest.raises(mesahub.IntegrityError) as caught:
            away.exec("INSERT INTO child VALUES (2, 'nosuch')")
        assert caught.value.kind == "foreign_key"


def test_rows_that_break_a_foreign_key_are_copied_as_they_are(
    tmp_path: Path, make: Callable[[str], DatabaseHandle]
) -> None:
    prepared(
        tmp_path, "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p); INSERT INTO c VALUES (7)"
    )
    assert mesahub.copy(make("source"), make("target")).rows == 1
    assert make("target").query("SELECT p FROM c").rows == [{"p": 7}]


def test_what_applications_keep_in_the_head(tmp_path: Path, make: Callable[[str], DatabaseHandle]) -> None:
    prepared(tmp_path, "PRAGMA user_version = 7; PRAGMA application_id = 1234; CREATE TABLE t (a)")
    mesahub.copy(make("source"), make("target"))
    assert make("target").query("PRAGMA user_version").rows == [{"user_version": 7}]
    assert make("target").query("PRAGMA application_id").rows == [{"application_id": 1234}]


def test_a_value_larger_than_a_request(server: Server, make: Callable[[str], DatabaseHandle], tmp_path: Path) -> None:
    source = make("source")
    source.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB NOT NULL CHECK (length(b) > 0), x TEXT)")
    large = bytes(range(256)) * 24_000  # 6 MB, 12 MB as hexadecimal
    source.table("t").insert({"id": 1, "b": b"x", "x": "small"})
    source.exec("INSERT INTO t VALUES (2, ?, ?)", [large, "é\0" * 1_000_000])
    source.table("t").insert({"id": 3, "b": b"x", "x": "small"})
    with mesahub.connect(server.url(server.new_database("large"))) as away:
        there = mesahub.copy(source, away)
        row = away.query("SELECT length(b) AS b, length(CAST(x AS BLOB)) AS x FROM t WHERE id = 2").rows[0]
        assert row == {"b": len(large), "x": 3_000_000}
        assert away.query("SELECT count(*) AS n FROM sqlite_schema WHERE type = 'table'").rows == [{"n": 1}]
        assert mesahub.copy(away, make("home")).tables == there.tables


def test_more_rows_in_the_source_are_added_without_firing_triggers(make: Callable[[str], DatabaseHandle]) -> None:
    source, target = make("source"), make("target")
    source.exec_script(
        "CREATE TABLE t (a); CREATE TABLE log (a); INSERT INTO t VALUES (1);"
        "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.a); END;"
    )
    mesahub.copy(source, target)
    source.exec("INSERT INTO t VALUES (2)")
    assert mesahub.copy(source, target).rows == 3
    target.exec("INSERT INTO t VALUES (3)")
    assert [row["a"] for row in target.query("SELECT a FROM log ORDER BY a").rows] == [2, 3]


def test_a_target_with_other_rows_is_refused_before_it_is_touched(make: Callable[[str], DatabaseHandle]) -> None:
    source, target = make("source"), make("target")
    source.exec_script("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2), (3)")
    target.exec_script("CREATE TABLE t (a); INSERT INTO t (rowid, a) VALUES (2, 'own')")
    with pytest.raises(CopyError, match="not the first rows"):
        mesahub.copy(source, target)
    assert target.query("SELECT a FROM t").rows == [{"a": "own"}]
    target.exec("DELETE FROM t")
    target.exec("CREATE TABLE more (a)")
    with pytest.raises(CopyError, match=r"table 'more'.*tables="):
        mesahub.copy(source, target)
    assert mesahub.copy(source, target, ["t"]).rows == 3


@pytest.mark.parametrize("width", [700, 1999])
def test_a_table_with_very_many_columns(make: Callable[[str], DatabaseHandle], server: Server, width: int) -> None:
    source = make("source")
    columns = [f"c{n}" for n in range(width)]
    source.exec(f"CREATE TABLE t ({', '.join(columns)})")
    source.table("t").insert_many([dict.fromkeys(columns, value) for value in (1, "\ufffdx", 0.1, b"x")])
    with mesahub.connect(server.url(server.new_database(f"wide-{width}"))) as away:
        there = mesahub.copy(source, away)
        assert there.rows == 4
        assert mesahub.copy(away, make("home")).tables == there.tables


def test_a_script_that_makes_it_anew(tmp_path: Path, make: Callable[[str], DatabaseHandle]) -> None:
    from mesahub.copying import dump_script

    for number, (what, script) in enumerate(HARD.items()):
        if what in ("full text", "sequences"):
            continue
        folder = tmp_path / str(number)
        prepared(folder, script)
        with mesahub.connect("mh://local/source", data=str(folder)) as db:
            lines = list(dump_script(db))
        with closing(sqlite3.connect(folder / "anew.db", isolation_level=None)) as connection:
            connection.executescript("\n".join(lines))
        assert content(folder / "anew.db") == content(file_of(folder, "source")), what


def test_rows_that_no_page_can_carry_go_many_to_a_request(
    server: Server, make: Callable[[str], DatabaseHandle], tmp_path: Path
) -> None:
    prepared(
        tmp_path,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a); WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c "
        "WHERE x < 1000) INSERT INTO t SELECT x, iif(x % 2, 9e999, x) FROM c",
    )
    writes: list[Request] = []

    def count(request: Request, send: Handler) -> Response:
        writes.extend([request] if request.operation != "query" else [])
        return send(request)

    url = server.url(server.new_database("many-odd"))
    with mesahub.connect(url, middleware=[count]) as away:
        assert mesahub.copy(make("source"), away).rows == 1000
        assert away.table("t").count({"a": {"gt": 1e300}}) == 500
    assert len(writes) < 30
