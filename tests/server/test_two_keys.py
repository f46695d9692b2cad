"""Two keys on one server: whatever one of them sends, the other does not see it, and the process lives on."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from tests.servers import Server

_number = itertools.count()

HOSTILE = [
    "CREATE TEMP TABLE t (n)",
    "CREATE TEMP VIEW t AS SELECT 'mine' AS n",
    "CREATE TEMP TRIGGER spy AFTER INSERT ON main.t BEGIN DELETE FROM main.t; END",
    "CREATE TABLE temp.sneaky (n)",
    "ATTACH '' AS x",
    "ATTACH ':memory:' AS x",
    "ATTACH 'file:x?mode=memory&cache=shared' AS x",
    "ATTACH '/etc/passwd' AS x",
    "ATTACH {other!r} AS x",
    "DETACH main",
    "VACUUM INTO '/tmp/mesahub-stolen.db'",
    "PRAGMA foreign_keys = OFF",
    "PRAGMA ignore_check_constraints = ON",
    "PRAGMA full_column_names = ON",
    "PRAGMA short_column_names = OFF",
    "PRAGMA hard_heap_limit = 1000000",
    "PRAGMA soft_heap_limit = 1",
    "PRAGMA case_sensitive_like = ON",
    "PRAGMA recursive_triggers = ON",
    "PRAGMA reverse_unordered_selects = ON",
    "PRAGMA defer_foreign_keys = ON",
    "PRAGMA query_only = ON",
    "PRAGMA temp_store_directory = '/tmp'",
    "PRAGMA writable_schema = ON",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA cell_size_check = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA legacy_alter_table = ON",
    "PRAGMA analysis_limit = 1",
    "PRAGMA empty_result_callbacks = ON",
    "PRAGMA count_changes = ON",
    "PRAGMA foreign_keys(0)",
    "BEGIN",
    "BEGIN EXCLUSIVE",
    "SAVEPOINT a",
    "SELECT fts3_tokenizer('simple')",
    "SELECT fts3_tokenizer('simple', x'4141414141414141')",
    "CREATE VIRTUAL TABLE v USING fts4 (a, tokenize=simple); SELECT hex(fts3_tokenizer('simple'))",
    "SELECT load_extension('/tmp/x.so')",
    "SELECT writefile('/tmp/mesahub-written', 'x')",
    "SELECT readfile('/etc/passwd')",
    "CREATE VIRTUAL TABLE v USING csv(filename='/etc/passwd')",
    "DELETE FROM sqlite_schema",
]


def ask(server: Server, name: str, sql: str, token: str, path: str = "exec") -> tuple[int, dict[str, Any]]:
    status, _, body = server.call("POST", f"/api/db/{name}/{path}", {"sql": sql}, token=token)
    return status, json.loads(body) if body else {}


def state(server: Server, name: str, token: str) -> list[Any]:
    """What a key sees of its database and of its connections, reading and writing."""
    seen: list[Any] = []
    for sql in (
        "SELECT n FROM t",
        "SELECT t.n FROM t",
        "SELECT name FROM pragma_database_list WHERE name <> 'temp'",
        "SELECT name FROM sqlite_temp_schema WHERE name <> 'mesahub_mark'",
        "SELECT 'A' LIKE 'a' AS l",
        *(f"PRAGMA {name}" for name in PRAGMAS),
    ):
        for path in ("query", "exec"):
            status, answer = ask(server, name, sql, token, path)
            seen.append((sql, path, status, answer.get("rows"), answer.get("headers"), answer.get("error")))
    checks = ("INSERT INTO child VALUES (99)", "INSERT INTO checked VALUES (-1)")
    seen += [ask(server, name, sql, token)[1].get("error") for sql in checks]
    return seen


PRAGMAS = [
    *("foreign_keys", "ignore_check_constraints", "full_column_names", "short_column_names", "hard_heap_limit"),
    *("soft_heap_limit", "recursive_triggers", "reverse_unordered_selects", "defer_foreign_keys", "writable_schema"),
    *("journal_mode", "locking_mode", "cell_size_check", "trusted_schema", "legacy_alter_table", "temp_store"),
    *("cache_size", "synchronous", "busy_timeout"),
]


@pytest.mark.parametrize("same", [True, False], ids=["one database", "two databases"])
def test_hostile_statements_of_one_key_do_not_change_what_another_sees(server: Server, same: bool) -> None:
    names = [server.new_database(f"two-{next(_number)}") for _ in range(2)]
    script = (
        "CREATE TABLE t (n); INSERT INTO t VALUES ('theirs'); CREATE TABLE parent (id INTEGER PRIMARY KEY); "
        "CREATE TABLE child (p REFERENCES parent); CREATE TABLE checked (n CHECK (n > 0))"
    )
    for name in names:
        assert ask(server, name, script, server.admin_token)[0] == 200
    victim = names[0]
    attacked = victim if same else names[1]
    keys = [server.new_key(f"db:{victim}:w"), server.new_key(f"db:{attacked}:w"), server.new_key(f"db:{attacked}:r")]
    before = state(server, victim, keys[0])
    assert before[-2:] == ["FOREIGN KEY constraint failed", "CHECK constraint failed: n > 0"]
    for sql in HOSTILE:
        text = sql.format(other=str(server.data / "databases" / f"{victim}.db"))
        for path, key in (("exec", keys[1]), ("query", keys[2])):
            status, answer = ask(server, attacked, text, key, path)
            assert "theirs" not in json.dumps(answer), (text, status)
            assert state(server, victim, keys[0]) == before, (text, path, status)
    assert server.process.poll() is None
