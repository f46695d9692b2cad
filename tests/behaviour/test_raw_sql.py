"""Raw SQL means the same on every transport, and nothing that fools the server leaves this process."""

from __future__ import annotations

import pytest

from mesahub import ArgumentError, DatabaseHandle, NoSuchTableError, SQLSyntaxError


def test_results_are_subscriptable_and_have_attributes(db: DatabaseHandle) -> None:
    result = db.query("SELECT 1 AS a, 'x' AS b")
    assert result["rows"] == result.rows == [{"a": 1, "b": "x"}]
    assert result["columns"] == ["a", "b"]
    assert result["row_count"] == 1
    assert "query_duration_ms" in result


def test_exec_counts_what_this_statement_did(db: DatabaseHandle) -> None:
    made = db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)")
    assert (made["rows_affected"], made["last_insert_rowid"]) == (0, None)
    inserted = db.exec("INSERT INTO t (n) VALUES (?), (?)", [1, 2])
    assert (inserted["rows_affected"], inserted["last_insert_rowid"]) == (2, 2)
    updated = db.exec("UPDATE t SET n = 3 WHERE id = 1")
    assert (updated["rows_affected"], updated["last_insert_rowid"]) == (1, None)
    dropped = db.exec("DROP TABLE t")
    assert (dropped["rows_affected"], dropped["last_insert_rowid"]) == (0, None)


def test_returning_gives_rows(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)")
    result = db.exec("INSERT INTO t (n) VALUES (?), (?) RETURNING id, n", [5, 6])
    assert result.rows == [{"id": 1, "n": 5}, {"id": 2, "n": 6}]
    assert result.rows_affected == 2
    assert db.exec("UPDATE t SET n = 0 WHERE id = 9 RETURNING id").rows == []


@pytest.mark.parametrize("mark", [":name", "@name", "$name"])
def test_named_bindings(db: DatabaseHandle, mark: str) -> None:
    assert db.query(f"SELECT {mark} AS a, {mark} || '!' AS b", {"name": "x"}).rows == [{"a": "x", "b": "x!"}]


def test_duplicate_column_names_keep_the_last_value(db: DatabaseHandle) -> None:
    result = db.query("SELECT 1 AS a, 2 AS a")
    assert result.columns == ["a", "a"]
    assert result.rows == [{"a": 2}]


def test_comments_and_a_trailing_semicolon_do_no_harm(db: DatabaseHandle) -> None:
    assert db.query("/* a */ SELECT 1 AS a -- b").rows == [{"a": 1}]
    assert db.query("SELECT ';' AS a; \n ").rows == [{"a": ";"}]


@pytest.mark.parametrize("sql", ["", "  ", ";", "-- nothing", "/* nothing */", "SELECT 1;;", "SELECT 1; -- done"])
def test_an_empty_statement_never_leaves(db: DatabaseHandle, sql: str) -> None:
    before = db.query("SELECT 1 AS a").rows
    for call in (db.query, db.exec):
        try:
            result = call(sql)
        except ArgumentError:
            continue
        # What can be mended is mended: the statement is sent without what would crash the server.
        assert result.rows == [{"1": 1}]
    assert db.query("SELECT 1 AS a").rows == before


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; SELECT 2",
        "INSERT INTO t VALUES (1); SELECT count(*) FROM t",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT a",
    ],
)
def test_what_would_fool_the_server_is_refused(db: DatabaseHandle, sql: str) -> None:
    db.exec("CREATE TABLE t (n)")
    for call in (db.query, db.exec):
        with pytest.raises(ArgumentError):
            call(sql)
    assert db.table("t").count() == 0


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t VALUES (1)",
        "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x",
        "/* x */ DELETE FROM t",
        "DROP TABLE t",
    ],
)
def test_a_write_through_query_is_refused(db: DatabaseHandle, sql: str) -> None:
    db.exec("CREATE TABLE t (n)")
    with pytest.raises(ArgumentError, match="exec"):
        db.query(sql)
    assert db.table("t").count() == 0


@pytest.mark.parametrize(
    ("sql", "bindings"), [("SELECT ?", []), ("SELECT ?", [1, 2]), ("SELECT 1", [1]), ("SELECT :a", {})]
)
def test_a_wrong_number_of_bindings_is_refused(db: DatabaseHandle, sql: str, bindings: object) -> None:
    with pytest.raises(ArgumentError):
        db.query(sql, bindings)  # type: ignore[arg-type]


def test_sqlites_own_words_are_kept(db: DatabaseHandle) -> None:
    with pytest.raises(SQLSyntaxError, match=r'near "SELEC": syntax error|syntax error around L1:6: `SELEC`'):
        db.query("SELEC 1")
    with pytest.raises(NoSuchTableError, match="no such table: nosuch") as caught:
        db.query("SELECT * FROM nosuch")
    assert caught.value.status_code == 400


def test_a_script_runs_statement_by_statement(db: DatabaseHandle) -> None:
    results = db.exec_script(
        """
        CREATE TABLE t (n INTEGER);  -- a table
        CREATE TABLE log (what TEXT);
        CREATE TRIGGER after_t AFTER INSERT ON t BEGIN
            INSERT INTO log VALUES ('in; ' || new.n);
            INSERT INTO log VALUES ('twice');
        END;
        INSERT INTO t VALUES (1), (2);
        ;
        -- the end
        """
    )
    assert results[-1].rows_affected == 2
    assert [row["what"] for row in db.table("log").find()] == ["in; 1", "twice", "in; 2", "twice"]


def test_a_script_stops_at_the_first_error_and_says_where(db: DatabaseHandle) -> None:
    with pytest.raises(NoSuchTableError) as caught:
        db.exec_script("CREATE TABLE a (n); INSERT INTO b VALUES (1); CREATE TABLE c (n);")
    assert caught.value.details["statement"] == 1
    assert db.query("SELECT name FROM sqlite_schema WHERE type = 'table'").rows == [{"name": "a"}]


@pytest.mark.parametrize("wrong", ["BEGIN", "INSERT INTO a VALUES (?)"])
def test_a_script_that_would_be_refused_half_way_is_refused_whole(db: DatabaseHandle, wrong: str) -> None:
    if wrong == "BEGIN" and db.capabilities.transactions == "interactive":
        pytest.skip("here a script may begin a transaction")
    with pytest.raises(ArgumentError) as caught:
        db.exec_script(f"CREATE TABLE a (n); {wrong}; CREATE TABLE c (n);")
    assert caught.value.details["statement"] == 1
    assert db.query("SELECT name FROM sqlite_schema WHERE type = 'table'").rows == []


def test_an_infinity_is_an_error_and_not_an_empty_success(db: DatabaseHandle, way: str) -> None:
    from mesahub import UnrepresentableResultError

    with pytest.raises(UnrepresentableResultError):
        db.query("SELECT 9e999 AS x")


def test_exec_counts_the_rows_of_a_with_statement(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE c (id INTEGER PRIMARY KEY, n INTEGER)")
    inserted = db.exec("WITH two (n) AS (VALUES (?), (?)) INSERT INTO c (n) SELECT n FROM two -- both", [1, 2])
    assert (inserted.rows_affected, inserted.last_insert_rowid, inserted.rows) == (2, None, [])
    updated = db.exec("WITH one AS (SELECT 1 AS n) UPDATE c SET n = n + 10 WHERE n IN (SELECT n FROM one)")
    assert updated.rows_affected == 1
    assert db.exec("WITH one AS (SELECT 2 AS n) DELETE FROM c WHERE n IN (SELECT n FROM one)").rows_affected == 1
    assert (
        db.exec("WITH none AS (SELECT 1 AS n WHERE 0) DELETE FROM c WHERE n IN (SELECT n FROM none)").rows_affected == 0
    )
    returned = db.exec("WITH one (n) AS (VALUES (5)) INSERT INTO c (n) SELECT n FROM one RETURNING n")
    assert (returned.rows_affected, returned.rows) == (1, [{"n": 5}])


def test_exec_hands_on_no_rowid_of_another_insert(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE r (id INTEGER PRIMARY KEY, k TEXT UNIQUE, n INTEGER)")
    db.exec("CREATE TABLE w (k TEXT PRIMARY KEY, n INTEGER) WITHOUT ROWID")
    db.exec("CREATE VIEW v AS SELECT * FROM w")
    db.exec("CREATE TRIGGER tv INSTEAD OF INSERT ON v BEGIN INSERT INTO w VALUES (NEW.k, NEW.n); END")
    assert db.exec("INSERT INTO r VALUES (41, 'a', 1)").last_insert_rowid == 41
    assert db.exec("INSERT INTO w VALUES ('a', 1)").last_insert_rowid is None
    assert db.exec("INSERT INTO v VALUES ('b', 1)").last_insert_rowid is None
    upsert = "INSERT INTO r (k, n) VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET n = excluded.n"
    assert db.exec(upsert, ["a", 2]).last_insert_rowid is None
    assert db.exec(upsert, ["b", 2]).last_insert_rowid == 42
    assert db.exec("INSERT OR IGNORE INTO r (k, n) VALUES ('b', 3)").last_insert_rowid is None
    assert db.exec("UPDATE r SET n = 9").last_insert_rowid is None
    assert db.exec("REPLACE INTO r VALUES (50, 'b', 3)").last_insert_rowid == 50
    assert db.table("w").insert_many([{"k": "x"}, {"k": "y"}]).last_insert_rowid is None
    assert db.table("r").insert_many([{"k": "x"}, {"k": "y"}]).last_insert_rowid == 52
