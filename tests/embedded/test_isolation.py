"""What one request does to an embedded database's connections, no other request sees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import mesahub
from mesahub import DatabaseHandle, IntegrityError, MesahubError, NoSuchTableError
from tests.servers import Server


@pytest.fixture(params=["embedded", "http"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseHandle]:
    if request.param == "embedded":
        with mesahub.connect("mh://local/isolated", data=str(tmp_path)) as handle:
            yield handle
    else:
        server: Server = request.getfixturevalue("server")
        with mesahub.connect(server.url(server.new_database(tmp_path.name.replace("_", "-")))) as handle:
            yield handle


def test_inserts_work_after_a_first_one_that_was_rolled_back(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n UNIQUE)")
    with pytest.raises(IntegrityError):
        db.table("t").insert_many([{"n": 1}, {"n": 1}])
    assert db.table("t").insert_many([{"n": 1}, {"n": 2}]).last_insert_rowid == 2
    assert db.exec("INSERT INTO t (n) VALUES (3)").last_insert_rowid == 3


@pytest.mark.parametrize(
    "script",
    [
        "BEGIN; INSERT INTO t (n) VALUES (1); ROLLBACK",
        "DROP TABLE temp.mesahub_mark",
        "DELETE FROM temp.mesahub_mark",
        "BEGIN; DROP TABLE IF EXISTS temp.mesahub_mark; COMMIT",
        "BEGIN; INSERT INTO t (n) VALUES (1), (1); COMMIT",
        "ALTER TABLE temp.mesahub_mark RENAME TO x",
    ],
)
def test_inserts_work_after_a_script_over_http(server: Server, tmp_path: Path, script: str) -> None:
    slug = server.new_database(tmp_path.name.replace("_", "-"))
    server.call("POST", f"/api/db/{slug}/exec", {"sql": "CREATE TABLE t (id INTEGER PRIMARY KEY, n UNIQUE)"})
    server.call("POST", f"/api/db/{slug}/exec", {"sql": script})
    with mesahub.connect(server.url(slug)) as db:
        for number in (7, 8):
            assert db.exec("INSERT INTO t (id, n) VALUES (?1, ?1)", [number]).last_insert_rowid == number


def test_pragmas_see_the_newest_schema(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE p (id INTEGER PRIMARY KEY)")
    db.exec("CREATE TABLE t (n UNIQUE)")
    assert len(db.query("PRAGMA index_list('t')").rows) == 1
    db.exec("CREATE INDEX i ON t (n)")
    assert len(db.query("PRAGMA index_list('t')").rows) == 2
    db.exec("ALTER TABLE t ADD COLUMN p REFERENCES p")
    assert len(db.query("/* a comment */ PRAGMA foreign_key_list('t')").rows) == 1
    assert [row["name"] for row in db.query("PRAGMA table_info('t')").rows] == ["n", "p"]


def test_insert_many_into_names_with_returning_in_them(db: DatabaseHandle) -> None:
    for name in ("returning", "x_returning", "Returning rows"):
        db.exec(f'CREATE TABLE "{name}" (id INTEGER PRIMARY KEY, "returning" TEXT, "a RETURNING b" TEXT)')
        table = db.table(name)
        rows = [{"returning": "RETURNING *", "a RETURNING b": "x"}, {"returning": "y", "a RETURNING b": "RETURNING"}]
        assert table.insert_many(rows).rows_affected == 2
        assert [row["id"] for row in table.insert_many(rows, returning=["id"]).rows] == [3, 4]
        assert table.insert({"returning": "z"})["id"] == 5


def test_the_schema_table_gives_text(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE abcd (name TEXT)")
    for name in ("sqlite_schema", "sqlite_master", "main.sqlite_master", '"sqlite_schema"'):
        (row,) = db.query(f"SELECT name, type, rootpage, sql, 'name' AS x FROM {name} WHERE name = 'abcd'").rows
        assert (row["name"], row["type"], row["x"]) == ("abcd", "table", "name")
        assert type(row["rootpage"]) is int
    db.exec("CREATE TABLE ids (id INTEGER PRIMARY KEY AUTOINCREMENT)")
    db.exec("INSERT INTO ids DEFAULT VALUES")
    assert db.query("SELECT name, seq FROM sqlite_sequence").rows == [{"name": "ids", "seq": 1}]


HOSTILE = [
    "CREATE TEMP TABLE leak (a)",
    "CREATE TEMP VIEW leak AS SELECT 1 AS a",
    "CREATE TABLE temp.leak (a)",
    "CREATE TEMP TABLE t (secret)",
    "CREATE TEMP VIEW t AS SELECT 'forged' AS n",
    "CREATE TEMP TRIGGER leak AFTER INSERT ON t BEGIN DELETE FROM t; END",
    "CREATE TEMP TRIGGER leak BEFORE INSERT ON main.t BEGIN SELECT RAISE(IGNORE); END",
    "ATTACH '' AS leak",
    "ATTACH ':memory:' AS leak",
    "ATTACH 'x.db' AS leak",
    "DETACH main",
    "PRAGMA foreign_keys = OFF",
    "PRAGMA ignore_check_constraints = ON",
    "PRAGMA full_column_names = ON",
    "PRAGMA short_column_names = OFF",
    "PRAGMA hard_heap_limit = 100000",
    "PRAGMA soft_heap_limit = 100000",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA journal_mode = OFF",
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA synchronous = OFF",
    "PRAGMA query_only = ON",
    "PRAGMA recursive_triggers = ON",
    "PRAGMA reverse_unordered_selects = ON",
    "PRAGMA case_sensitive_like = ON",
    "PRAGMA writable_schema = ON",
    "PRAGMA schema_version = 1",
    "PRAGMA max_page_count = 1",
    "PRAGMA busy_timeout = 0",
    "PRAGMA mmap_size = 1",
    "PRAGMA temp_store = 2",
    "PRAGMA threads = 8",
    "PRAGMA cache_size = 1",
    "PRAGMA defer_foreign_keys = ON",
    "PRAGMA legacy_alter_table = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA count_changes = ON",
    "PRAGMA empty_result_callbacks = ON",
    "PRAGMA read_uncommitted = ON",
    "PRAGMA data_store_directory = '/tmp'",
    "PRAGMA temp_store_directory = '/tmp'",
    "PRAGMA wal_autocheckpoint = 0",
    "SELECT fts3_tokenizer('simple')",
    "SELECT fts3_tokenizer('x', x'0000000000000000')",
    "SELECT load_extension('x')",
    "BEGIN",
    "SAVEPOINT x",
    "BEGIN EXCLUSIVE",
]


@pytest.mark.parametrize("statement", HOSTILE)
def test_what_one_key_leaves_another_does_not_see(server: Server, tmp_path: Path, statement: str) -> None:
    slug = server.new_database(f"iso-{abs(hash((statement, tmp_path.name)))}")
    with mesahub.connect(server.url(slug)) as db:
        db.exec("CREATE TABLE p (id INTEGER PRIMARY KEY)")
        db.exec("CREATE TABLE t (n INTEGER CHECK (n > 0), s TEXT, p REFERENCES p)")
        heap = db.exec("PRAGMA hard_heap_limit").rows  # the server has one of its own
        server.call("POST", f"/api/db/{slug}/exec", {"sql": statement})
        server.call("POST", f"/api/db/{slug}/query", {"sql": statement})
        db.exec("INSERT INTO t VALUES (1, 'A', NULL), (2, 'b', NULL)")
        assert db.query("SELECT t.n, s FROM t WHERE s LIKE 'a'").rows == [{"n": 1, "s": "A"}]
        assert [row["n"] for row in db.query("SELECT n FROM t").rows] == [1, 2]
        for refused in ("INSERT INTO t VALUES (-1, '', NULL)", "INSERT INTO t VALUES (1, '', 5)"):
            with pytest.raises(IntegrityError):
                db.exec(refused)
        for gone in ("SELECT * FROM leak", "SELECT * FROM leak.sqlite_schema", "SELECT * FROM temp.t"):
            with pytest.raises(NoSuchTableError):
                db.query(gone)
        assert db.exec("PRAGMA journal_mode").rows == [{"journal_mode": "wal"}]
        assert db.exec("PRAGMA query_only").rows == [{"query_only": 0}]
        assert db.exec("PRAGMA hard_heap_limit").rows == heap
        assert db.exec("PRAGMA foreign_keys").rows == [{"foreign_keys": 1}]


def test_a_script_may_use_temporary_objects_within_its_request(server: Server) -> None:
    slug = server.new_database("iso-script")
    script = "CREATE TABLE t (n); CREATE TEMP TABLE x (n); INSERT INTO x VALUES (5); INSERT INTO t SELECT n FROM temp.x"
    assert server.call("POST", f"/api/db/{slug}/exec", {"sql": script})[0] == 200
    with mesahub.connect(server.url(slug)) as db:
        assert db.table("t").find() == [{"n": 5}]
        with pytest.raises(NoSuchTableError):
            db.query("SELECT * FROM x")


def test_pointers_are_not_handed_out(db: DatabaseHandle) -> None:
    for function in ("fts3_tokenizer('simple')", "fts3_tokenizer('simple', x'00')", "load_extension('x')"):
        for run in (db.query, db.exec):
            with pytest.raises(MesahubError, match="not authorized"):
                run(f"SELECT {function}")
