"""Cursors of PEP 249: results, counts, parameters."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from mesahub import dbapi
from tests.dbapi.conftest import Connect


def test_execute_returns_rows_exactly_as_they_are_stored(connection: dbapi.Connection) -> None:
    cursor = connection.cursor()
    cursor.execute(
        "INSERT INTO t (name, value, at, ok) VALUES (?, ?, ?, ?)", ["AP8=", b"\x00\xff", "2026-01-02 03:04:05", True]
    )
    assert (cursor.rowcount, cursor.lastrowid, cursor.description) == (1, 1, None)
    cursor.execute("SELECT name, value, at, ok, 3.0, 1.5 * 2, x'00', id, id FROM t")
    assert cursor.fetchall() == [("AP8=", b"\x00\xff", "2026-01-02 03:04:05", 1, 3.0, 3.0, b"\x00", 1, 1)]
    assert [type(value) for value in cursor.execute("SELECT 3.0, 3, ok FROM t").fetchone() or ()] == [float, int, int]


def test_returning_gives_rows_exactly_as_they_are_stored(connection: dbapi.Connection) -> None:
    cursor = connection.cursor()
    cursor.execute(
        "INSERT INTO t (name, value, at, ok) VALUES (:name, :value, :at, 1) "
        'RETURNING t.id, "name", value AS stored, at, ok, 1.5 * 2, upper(name) AS "Up ""per"',
        {"name": "Ann", "value": b"\x01", "at": datetime.datetime(2026, 1, 2, 3, 4, 5)},
    )
    assert cursor.rowcount == 1
    assert [column[0] for column in cursor.description or ()] == [
        "id", "name", "stored", "at", "ok", "1.5 * 2", 'Up "per',
    ]  # fmt: skip
    assert cursor.fetchall() == [(1, "Ann", b"\x01", "2026-01-02 03:04:05", 1, 3.0, "ANN")]
    cursor.execute("DELETE FROM t WHERE id = ? RETURNING *", (1,))
    assert (cursor.fetchall()[0][0], cursor.rowcount) == (1, 1)


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SELECT ?", [5]),
        ("SELECT ?", (5,)),
        ("SELECT :a", {"a": 5}),
        ("SELECT @a", {"a": 5}),
        ("SELECT ?1", [5]),
        ("SELECT 5", ()),
        ("SELECT 5;", {}),
    ],
)
def test_execute_takes_parameters_of_both_styles(connection: dbapi.Connection, sql: str, parameters: Any) -> None:
    assert connection.cursor().execute(sql, parameters).fetchall() == [(5,)]


def test_fetch_methods_share_a_position(connection: dbapi.Connection) -> None:
    cursor = connection.cursor()
    cursor.executemany("INSERT INTO t (id) VALUES (?)", [(number,) for number in range(7)])
    cursor.execute("SELECT id FROM t ORDER BY id")
    assert cursor.fetchone() == (0,)
    assert cursor.fetchmany() == [(1,)]
    cursor.arraysize = 2
    assert cursor.fetchmany() == [(2,), (3,)]
    assert next(cursor) == (4,)
    assert list(cursor) == [(5,), (6,)]
    assert (cursor.fetchone(), cursor.fetchmany(3), cursor.fetchall()) == (None, [], [])


def test_fetch_without_a_result_raises(connection: dbapi.Connection) -> None:
    cursor = connection.cursor()
    with pytest.raises(dbapi.ProgrammingError, match="no result"):
        cursor.fetchone()
    cursor.execute("INSERT INTO t (id) VALUES (1)")
    with pytest.raises(dbapi.ProgrammingError, match="no rows"):
        cursor.fetchall()
    cursor.close()
    with pytest.raises(dbapi.ProgrammingError, match="closed"):
        cursor.execute("SELECT 1")


def test_description_has_type_objects(connection: dbapi.Connection) -> None:
    cursor = connection.cursor()
    cursor.execute("SELECT name FROM t")
    assert cursor.description is not None
    assert cursor.description[0][1] == dbapi.STRING  # no row: any type
    assert cursor.description[0][1] == dbapi.NUMBER
    cursor.execute("SELECT 'a' AS a, 1 AS b, x'00' AS c, NULL AS d")
    a, b, c, d = [column[1] for column in cursor.description]
    assert a == dbapi.STRING
    assert a != dbapi.NUMBER
    assert b == dbapi.NUMBER
    assert b == dbapi.ROWID
    assert c == dbapi.BINARY
    assert c != dbapi.STRING
    assert d == dbapi.DATETIME


def test_rowcount_is_that_of_changed_rows(connection: dbapi.Connection) -> None:
    cursor = connection.cursor()
    cursor.executemany("INSERT INTO t (id, name) VALUES (?, ?)", [(1, "a"), (2, "a"), (3, "b")])
    assert cursor.rowcount == 3
    assert cursor.execute("UPDATE t SET value = 1 WHERE name = 'a'").rowcount == 2
    assert cursor.execute("DELETE FROM t WHERE name = 'none'").rowcount == 0
    assert cursor.execute("SELECT 1").rowcount == -1
    assert cursor.execute("CREATE INDEX i ON t (name)").rowcount == -1


def test_executemany_sends_an_insert_once(connect: Connect, connection: dbapi.Connection) -> None:
    requests: list[str] = []

    def count(request: Any, send: Any) -> Any:
        requests.append(request.operation)
        return send(request)

    other = connect(middleware=[count], isolation_level=None)
    cursor = other.cursor()
    rows = [{"name": f"n{number}", "value": number / 3} for number in range(2_000)]
    cursor.executemany("insert into t (name, value) values (:name, :value) ON CONFLICT DO NOTHING", iter(rows))
    assert (cursor.rowcount, requests) == (2_000, ["exec"])
    cursor.execute("SELECT name, value FROM t ORDER BY id")
    assert cursor.fetchall() == [(row["name"], row["value"]) for row in rows]


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t (id, name) VALUES (?, upper(?))",
        "INSERT INTO t (id, name) SELECT ?, ?",
        "UPDATE t SET id = id + ? WHERE name = ?",
        "REPLACE INTO t (id, name) VALUES (?2, ?1)",
    ],
)
def test_executemany_runs_other_statements_one_for_each_row(connection: dbapi.Connection, sql: str) -> None:
    cursor = connection.cursor()
    if "?2" in sql:
        cursor.executemany(sql, [("a", 1), ("b", 2)])
    else:
        cursor.executemany(sql, [(1, "a"), (2, "b")])
    connection.commit()
    assert len(cursor.execute("SELECT * FROM t").fetchall()) == (0 if sql.startswith("UPDATE") else 2)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([(1, "a"), (2,)], "Row 1 has 1 values"),
        ([(1, "a"), "ab"], "Row 1"),
        ([(1, "a"), 5], "Row 1"),
        ([(1, object())], "cannot be stored"),
    ],
)
def test_executemany_names_a_wrong_row_and_stores_none(connection: dbapi.Connection, rows: Any, said: str) -> None:
    cursor = connection.cursor()
    with pytest.raises(dbapi.ProgrammingError, match=said):
        cursor.executemany("INSERT INTO t (id, name) VALUES (?, ?)", rows)
    assert cursor.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_executemany_of_a_read_is_refused(connection: dbapi.Connection) -> None:
    with pytest.raises(dbapi.ProgrammingError, match="executemany"):
        connection.cursor().executemany("SELECT ?", [(1,)])
    connection.cursor().executemany("DELETE FROM t WHERE id = ?", [])


@pytest.mark.parametrize(
    ("sql", "parameters", "error"),
    [
        ("INSERT INTO t (id) VALUES (1), (1)", (), dbapi.IntegrityError),
        ("SELECT * FROM nowhere", (), dbapi.OperationalError),
        ("SELEC 1", (), dbapi.OperationalError),
        ("SELECT ?", (), dbapi.ProgrammingError),
        ("SELECT 1; SELECT 2", (), dbapi.ProgrammingError),
        ("", (), dbapi.ProgrammingError),
        (b"SELECT 1", (), dbapi.ProgrammingError),
        ("SELECT ?", [2**64], dbapi.ProgrammingError),
    ],
)
def test_errors_are_those_of_pep_249_with_their_cause(
    connection: dbapi.Connection, sql: Any, parameters: Any, error: type[dbapi.Error]
) -> None:
    with pytest.raises(error) as caught:
        connection.cursor().execute(sql, parameters)
    assert type(caught.value) is error
    assert str(caught.value.__cause__) == str(caught.value)
    assert isinstance(caught.value, connection.DatabaseError)


def test_a_mapping_may_hold_more_than_the_statement_names(connection: dbapi.Connection) -> None:
    cursor = connection.cursor()
    row = {"id": 1, "name": "Ann", "other": object()}
    cursor.execute("INSERT INTO t (id, name) VALUES (:id, :name)", row)
    cursor.execute("UPDATE t SET name = @name || '!' WHERE id = $id", row)
    cursor.executemany("UPDATE t SET value = :value WHERE id = :id", [{"id": 1, "value": 5, "more": 1}])
    assert cursor.execute("SELECT :name, name, value FROM t WHERE id = :id", row).fetchall() == [("Ann", "Ann!", 5)]
    with pytest.raises(dbapi.ProgrammingError, match="Without a value: missing"):
        cursor.execute("SELECT :missing", row)
    with pytest.raises(dbapi.ProgrammingError, match="as a list"):
        cursor.execute("SELECT ?", row)


def test_lastrowid_is_never_that_of_an_earlier_statement(connection: dbapi.Connection) -> None:
    cursor = connection.cursor()
    cursor.execute("INSERT INTO t (id) VALUES (7)")
    assert cursor.lastrowid == 7
    for statement in (
        "INSERT INTO t (id) VALUES (8) RETURNING id",
        "UPDATE t SET name = 'x'",
        "DELETE FROM t WHERE id = 8",
        "INSERT OR IGNORE INTO t (id) VALUES (7)",
    ):
        cursor.execute(statement)
        assert cursor.lastrowid is None, statement
