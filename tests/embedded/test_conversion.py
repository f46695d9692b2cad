"""Values and headers as the server shows them, by declared type."""

from __future__ import annotations

import multiprocessing
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from mesahub.sql.dates import ZERO, from_integer, from_text
from mesahub_embedded.engine.engine import Engine
from mesahub_embedded.engine.rows import whole
from mesahub_embedded.storage.data_folder import Store


def rows(engine: Engine, sql: str, *, wire: bool = True) -> list[dict[str, Any]]:
    outcome = engine.query(sql)
    assert outcome.plan is not None
    return outcome.plan.rows(outcome.rows, wire=wire)


def types(engine: Engine, sql: str) -> list[tuple[str, str, str]]:
    outcome = engine.query(sql)
    assert outcome.plan is not None
    return [(h["name"], h["originalType"], h["type"]) for h in outcome.plan.headers]


@pytest.fixture(autouse=True)
def table(engine: Engine) -> None:
    engine.execute(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, r REAL, b BLOB, flag BOOLEAN, at DATETIME, d date, ts timestamp, "
        "v varchar(10), n decimal(10,2), i int, f Double, bo BOOL, x, txt text)"
    )
    engine.execute("CREATE VIEW v AS SELECT CAST(txt AS TEXT) AS seen, txt FROM t")
    engine.execute(
        "INSERT INTO t VALUES (1, 3.0, x'00ff', 1, '2024-01-02 03:04:05', '2024-01-02', 1700000000123, 'v', 4.25, 5, "
        "2.0, 1, 7.0, 'text'), (2, 1.5, 'no blob', -7, 'soon', NULL, 1700000000, x'61', 4, 2.5, 0.5, 0, 1.5, NULL)"
    )


def test_declared_types_reach_the_headers(engine: Engine) -> None:
    assert types(engine, "SELECT * FROM t") == [
        ("id", "INTEGER", "number"),
        ("r", "REAL", "number"),
        ("b", "BLOB", "blob"),
        ("flag", "BOOLEAN", "boolean"),
        ("at", "DATETIME", "text"),
        ("d", "date", "text"),
        ("ts", "timestamp", "text"),
        ("v", "varchar(10)", "text"),
        ("n", "decimal(10,2)", "text"),
        ("i", "INT", "number"),
        ("f", "Double", "text"),
        ("bo", "BOOL", "text"),
        ("x", "", "text"),
        ("txt", "TEXT", "text"),
    ]


@pytest.mark.parametrize(
    ("sql", "declared"),
    [
        ("SELECT flag AS f FROM t", "BOOLEAN"),
        ("SELECT flag FROM (SELECT flag FROM t)", "BOOLEAN"),
        ("SELECT (SELECT r FROM t WHERE id = ?)", "REAL"),
        ("WITH c AS (SELECT at FROM t) SELECT at FROM c WHERE at > :since", "DATETIME"),
        ("SELECT flag FROM t UNION ALL SELECT 1", "BOOLEAN"),
        ("SELECT flag + 0 FROM t", ""),
        ("SELECT max(flag) FROM t", ""),
        ("SELECT count(*) FROM t", ""),
        ("SELECT 1", ""),
        ("VALUES (1)", ""),
        ("SELECT ?", ""),
        ("SELECT at FROM t UNION ALL SELECT 'text' ORDER BY 1", "DATETIME"),
        ("WITH u AS (SELECT 1 UNION SELECT 2) SELECT at FROM t EXCEPT SELECT * FROM u", "DATETIME"),
        ("SELECT x FROM t", ""),
        ("SELECT x FROM (SELECT * FROM t)", ""),
        ("SELECT txt FROM t", "TEXT"),
        ("SELECT i FROM t", "INT"),
        ("SELECT rowid FROM t", "INTEGER"),
        ("SELECT CAST(txt AS TEXT) FROM t", ""),
        ("SELECT CAST(id AS INTEGER) FROM t", ""),
        ("SELECT CAST(r AS REAL), CAST(b AS BLOB) FROM t", ""),
        ("SELECT txt || '' FROM t", ""),
        ("SELECT value FROM json_each('[1]')", ""),
        ("SELECT name FROM sqlite_schema", "TEXT"),
        ("SELECT seen FROM v", ""),
        ("SELECT txt FROM v", "TEXT"),
        ("PRAGMA user_version", ""),
        ("EXPLAIN QUERY PLAN SELECT 1", ""),
        ("/* a */ SELECT flag -- b\n FROM t;", "BOOLEAN"),
    ],
)
def test_the_type_follows_the_column_and_no_expression(engine: Engine, sql: str, declared: str) -> None:
    outcome = engine.query(sql, [1] if "?" in sql or ":since" in sql else [])
    assert outcome.plan is not None
    assert outcome.plan.headers[0]["originalType"] == declared


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("INSERT INTO t (id, flag) VALUES (3, 1) RETURNING id, flag AS f, flag + 0", ["INTEGER", "BOOLEAN", ""]),
        ("UPDATE t SET flag = 0 WHERE id = 1 RETURNING at", ["DATETIME"]),
        ("DELETE FROM t AS z WHERE id = 2 RETURNING at, b", ["DATETIME", "BLOB"]),
        ("WITH c (x) AS (VALUES (9)) INSERT INTO t (id) SELECT x FROM c RETURNING r", ["REAL"]),
    ],
)
def test_returning_has_types(engine: Engine, sql: str, expected: list[str]) -> None:
    outcome = engine.execute(sql)
    assert outcome.plan is not None
    assert [header["originalType"] for header in outcome.plan.headers] == expected


def test_values_on_the_wire(engine: Engine) -> None:
    first, second = rows(engine, "SELECT * FROM t ORDER BY id")
    assert first == {
        "id": 1, "r": 3, "b": "AP8=", "flag": True, "at": "2024-01-02T03:04:05Z", "d": "2024-01-02T00:00:00Z",
        "ts": "2023-11-14T22:13:20.123Z", "v": "v", "n": 4.25, "i": 5, "f": 2, "bo": 1, "x": 7, "txt": "text",
    }  # fmt: skip
    assert second == {
        "id": 2, "r": 1.5, "b": "no blob", "flag": False, "at": ZERO, "d": None, "ts": "2023-11-14T22:13:20Z",
        "v": "YQ==", "n": 4, "i": 2.5, "f": 0.5, "bo": 0, "x": 1.5, "txt": None,
    }  # fmt: skip


def test_values_in_this_process(engine: Engine) -> None:
    first, second = rows(engine, "SELECT r, b, v, x, 2.0 AS two FROM t ORDER BY id", wire=False)
    assert first == {"r": 3.0, "b": b"\x00\xff", "v": "v", "x": 7, "two": 2}
    assert type(first["r"]) is float
    assert type(first["x"]) is int
    assert second == {"r": 1.5, "b": "no blob", "v": "YQ==", "x": 1.5, "two": 2}


@pytest.mark.parametrize("count", [1, 8, 9, 300])
def test_few_rows_and_many_are_converted_alike(engine: Engine, count: int) -> None:
    numbers = f"WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {count}) "
    expressions = "SELECT n, n * 1.0 AS w, n / 2.0 AS h, x'61' AS b, NULL AS z, 'a' AS s FROM c"
    for wire in (True, False):
        made = rows(engine, numbers + expressions, wire=wire)
        expected = [
            {"n": n, "w": n, "h": n / 2 if n % 2 else n // 2, "b": "YQ==", "z": None, "s": "a"}
            for n in range(1, count + 1)
        ]
        assert made == expected
        assert [type(row["w"]) for row in made] == [int] * count


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3.0, 3), (-0.0, 0), (1.5, 1.5), (1e15, 10**15), (2.0**53, 2**53), (2.0**63, 9223372036854776000),
        (1e20, 10**20), (9.99e20, 999 * 10**18), (1e21, 1e21), (-1e20, -(10**20)), (1e-7, 1e-7),
    ],
)  # fmt: skip
def test_whole_reals_lose_their_point(value: float, shown: float) -> None:
    assert whole(value) == shown
    assert type(whole(value)) is type(shown)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2024-01-02", "2024-01-02T00:00:00Z"),
        ("2024-01-02 03:04", "2024-01-02T03:04:00Z"),
        ("2024-01-02T03:04:05", "2024-01-02T03:04:05Z"),
        ("2024-01-02 03:04:05.5", "2024-01-02T03:04:05.5Z"),
        ("2024-01-02 03:04:05.120000", "2024-01-02T03:04:05.12Z"),
        ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
        ("2024-01-02 03:04:05+02:00", "2024-01-02T03:04:05+02:00"),
        ("2024-01-02 03:04:05+00:00", "2024-01-02T03:04:05Z"),
        ("2024-02-30", ZERO),
        ("2024-01-02 25:00:00", ZERO),
        ("", ZERO),
        ("yesterday", ZERO),
    ],
)
def test_dates_in_text(text: str, shown: str) -> None:
    assert from_text(text) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59Z"),
        (1700000000, "2023-11-14T22:13:20Z"),
        (1700000000123, "2023-11-14T22:13:20.123Z"),
        (1000000000001, "2001-09-09T01:46:40.001Z"),
        (1000000000000, None),
    ],
)
def test_dates_in_numbers(value: int, shown: str | None) -> None:
    assert from_integer(value) == shown


def test_duplicate_names_keep_the_last_value(engine: Engine) -> None:
    assert rows(engine, "SELECT 1 AS a, 2 AS a, 3 AS A") == [{"a": 2, "A": 3}]
    assert [name for name, _, _ in types(engine, "SELECT 1 AS a, 2 AS a")] == ["a", "a"]


@pytest.mark.parametrize("name", ["", " ", 'quo"te', "back\\slash", "{brace}", "lambda", "naïve", "x' for x in ()"])
def test_any_name_can_be_a_column(engine: Engine, name: str) -> None:
    quoted = name.replace('"', '""')
    assert rows(engine, f'SELECT 1 AS "{quoted}"') == [{name: 1}]


def test_a_very_wide_row(engine: Engine) -> None:
    names = ", ".join(f"{n} AS c{n}" for n in range(1500))
    assert rows(engine, f"SELECT {names}") == [{f"c{n}": n for n in range(1500)}]


def test_a_change_of_type_is_seen(engine: Engine) -> None:
    sql = "SELECT v FROM s"
    engine.execute("CREATE TABLE s (v INTEGER)")
    engine.execute("INSERT INTO s VALUES (1)")
    assert rows(engine, sql) == [{"v": 1}]
    engine.execute("DROP TABLE s")
    engine.execute("CREATE TABLE s (v BOOLEAN)")
    engine.execute("INSERT INTO s VALUES (1)")
    assert rows(engine, sql) == [{"v": True}]


def test_a_new_column_is_seen(engine: Engine) -> None:
    sql = "SELECT * FROM s"
    engine.execute("CREATE TABLE s (v BLOB)")
    engine.execute("INSERT INTO s VALUES (x'01')")
    assert rows(engine, sql, wire=False) == [{"v": b"\x01"}]
    for number in range(3):
        engine.execute(f"ALTER TABLE s ADD COLUMN flag{number} BOOLEAN DEFAULT 1")
        flags = {f"flag{n}": True for n in range(number + 1)}
        assert rows(engine, sql, wire=False) == [{"v": b"\x01", **flags}]


def change_type(path: Path) -> None:
    other = sqlite3.connect(path)
    other.executescript("DROP TABLE s; CREATE TABLE s (v BOOLEAN); INSERT INTO s VALUES (1)")
    other.close()


def test_a_change_of_type_by_another_process_is_seen(store: Store) -> None:
    engine = store.engine("shop")
    sql = "SELECT v FROM s"
    engine.execute("CREATE TABLE s (v INTEGER)")
    engine.execute("INSERT INTO s VALUES (1)")
    for _ in range(3):
        assert rows(engine, sql) == [{"v": 1}]
    process = multiprocessing.get_context("spawn").Process(target=change_type, args=(store.path("shop"),))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert rows(engine, sql) == [{"v": True}]
