"""The page's query box: the engine decides what only reads."""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape

import pytest

import mesahub
from tests.server.browser import Browser
from tests.servers import Server, start_server


@pytest.fixture(scope="module")
def writing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with start_server(tmp_path_factory.mktemp("writing"), arguments=("--page", "write")) as running:
        yield running


WRITES = [
    "INSERT INTO t VALUES (2)",
    "WITH x AS (SELECT 2) INSERT INTO t SELECT * FROM x",
    "WITH x AS (SELECT 2) INSERT INTO t SELECT * FROM x RETURNING *",
    "/* SELECT */ DELETE FROM t",
    "UPDATE t SET a = 3 RETURNING a",
    "DROP TABLE t",
    "CREATE TABLE u (a)",
    "CREATE TEMP TABLE u (a)",
    "PRAGMA user_version = 5",
    "PRAGMA user_version(5)",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA writable_schema = 1",
    "ATTACH ':memory:' AS other",
    "VACUUM",
    "VACUUM INTO '/tmp/copy.db'",
    "REINDEX",
    "ANALYZE",
    "BEGIN",
    "EXPLAIN SELECT 1; DELETE FROM t",
]


@pytest.mark.parametrize("sql", WRITES)
def test_query_box_only_reads(browser: Browser, name: str, sql: str) -> None:
    with mesahub.connect(browser.server.url(name)) as db:
        db.exec("CREATE TABLE t (a UNIQUE)")
        db.exec("INSERT INTO t VALUES (1)")
        for run in ("read", "write"):
            status, text = browser.query(name, sql, run=run)
            assert status in (400, 403), text
            assert 'role="alert"' in text
        assert db.rows("SELECT a FROM t").tuples() == [(1,)]
        assert db.rows("SELECT name FROM sqlite_schema WHERE type = 'table'").tuples() == [("t",)]
        assert db.rows("PRAGMA user_version").scalar() == 0


def test_query_box_says_how_writes_are_allowed(browser: Browser, name: str, writing: Server) -> None:
    assert "--page write" in browser.query(name, "CREATE TABLE t (a)")[1]
    assert "Run and write" in Browser(writing).sign_in().query("main", "CREATE TABLE t (a)")[1]
    assert "Run and write" not in browser.get(f"/ui/database?db={name}")


def test_query_box_writes_where_it_is_allowed(writing: Server) -> None:
    browser = Browser(writing).sign_in()
    assert browser.query("main", "CREATE TABLE made (a)", run="read")[0] == 403
    assert browser.query("main", "CREATE TABLE made (a)", run="write")[0] == 200
    assert "1 row changed" in browser.query("main", "INSERT INTO made VALUES (1)", run="write")[1]
    assert browser.query("main", "ATTACH ':memory:' AS other", run="write")[0] in (400, 403)
    assert "1 row" in browser.query("main", "SELECT * FROM made")[1]


@pytest.mark.parametrize(
    "sql", ["", "  ", "-- nothing", ";;", "SELECT 1; SELECT 2", "SELECT", "SELECT ?", "x" * 100_001]
)
def test_query_box_explains_a_statement_that_cannot_run(browser: Browser, name: str, sql: str) -> None:
    status, text = browser.query(name, sql)
    if sql == "SELECT ?":
        assert "NULL" in text or status == 400
    else:
        assert status == 400
        assert 'role="alert"' in text


@pytest.mark.parametrize(
    "sql", ["SELECT 1", "SELECT 1;", "PRAGMA table_list", "EXPLAIN QUERY PLAN SELECT 1", "VALUES (1), (2)"]
)
def test_query_box_runs_reads(browser: Browser, name: str, sql: str) -> None:
    status, text = browser.query(name, sql)
    assert status == 200
    assert "<table>" in text
    assert f"\n{sql}</textarea>" in text


def test_query_box_returns_the_statement_unchanged(browser: Browser, name: str) -> None:
    sql = "\n SELECT '\u202e<b>&amp;\u200b' AS x\n\n"
    text = browser.query(name, sql)[1]
    assert unescape(text.partition("<textarea")[2].partition(">\n")[2].partition("</textarea>")[0]) == sql


def test_query_box_shows_part_of_a_long_result(browser: Browser, name: str) -> None:
    count = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c LIMIT"
    assert "The first 200 of 1,000 rows" in browser.query(name, f"{count} 1000")[1]
    assert "The first 200 of more than 100,000 rows" in browser.query(name, f"{count} 200000")[1]


def test_statement_timeout_applies_to_the_page(tmp_path_factory: pytest.TempPathFactory) -> None:
    with start_server(tmp_path_factory.mktemp("slow"), arguments=("--statement-timeout", "0.2")) as server:
        browser = Browser(server).sign_in()
        endless = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
        assert browser.query("main", endless)[0] == 504
        with mesahub.connect(server.url("main")) as db:
            db.exec(f"CREATE VIEW endless AS {endless}")
        assert "endless" in browser.get("/ui/database?db=main")
        assert browser.ask("GET", "/ui/rows?db=main&table=endless")[0] == 504


def test_large_forms_are_rejected(browser: Browser, name: str) -> None:
    assert browser.ask("POST", f"/ui/query?db={name}", {"sql": "x" * 600_000})[0] == 413
    assert browser.ask("POST", f"/ui/query?db={name}", {f"f{number}": "x" for number in range(30)})[0] == 400
