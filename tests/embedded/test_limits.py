"""Limits of what the result of one statement may take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mesahub_embedded.engine.engine import Engine
from mesahub_embedded.engine.errors import RefusedError
from mesahub_embedded.engine.limits import ResultLimits

NUMBERS = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c{}) SELECT {} FROM c"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = Engine(tmp_path / "a.db", limits=ResultLimits(value_bytes=1_000_000, result_bytes=2_000_000, rows=500))
    opened.execute("CREATE TABLE t (x)")
    yield opened
    opened.close()


@pytest.mark.parametrize(
    "expression",
    [
        "zeroblob(1000001)",
        "randomblob(1000001)",
        "hex(zeroblob(600000))",
        "replace(hex(zeroblob(1000)), '0', hex(zeroblob(1000)))",
        "(SELECT group_concat(hex(zeroblob(60000))) FROM (VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9)))",
        "json_array(hex(zeroblob(300000)), hex(zeroblob(300000)))",
    ],
)
def test_value_that_is_too_long_is_refused(engine: Engine, expression: str) -> None:
    for run in (engine.query, engine.execute):
        with pytest.raises(RefusedError, match="too big"):
            run(f"SELECT length({expression}), {expression}")
    with pytest.raises(RefusedError, match="too big"):
        engine.execute(f"INSERT INTO t VALUES ({expression})")
    assert engine.query("SELECT count(*) FROM t").rows == [(0,)]


@pytest.mark.parametrize("columns", ["zeroblob(900000)", ", ".join(["zeroblob(50000)"] * 50), ", ".join("1" * 2000)])
def test_result_that_is_too_long_is_refused(engine: Engine, columns: str) -> None:
    for run in (engine.query, engine.execute):
        with pytest.raises(RefusedError, match="result exceeds 2000000 bytes"):
            run(NUMBERS.format("", columns))
    assert engine.query("SELECT 1").rows == [(1,)]


def test_endless_result_is_read_to_the_limit_of_rows(engine: Engine) -> None:
    assert engine.query(NUMBERS.format("", "x")).rows == [(number,) for number in range(1, 501)]


def test_write_whose_rows_are_too_long_changes_nothing(engine: Engine) -> None:
    source = NUMBERS.format(" WHERE x < 100", "x")
    with pytest.raises(RefusedError, match="result exceeds"):
        engine.execute(f"INSERT INTO t {source} RETURNING x, zeroblob(900000)")
    assert engine.query("SELECT count(*) FROM t").rows == [(0,)]
    with engine.script() as script:
        script.execute("BEGIN")
        script.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(RefusedError, match="result exceeds"):
            script.execute(f"INSERT INTO t {source} RETURNING x, zeroblob(900000)")
    assert engine.query("SELECT count(*) FROM t").rows == [(0,)]
    assert engine.execute("INSERT INTO t VALUES (1)").affected == 1


def test_write_with_more_rows_than_are_read_is_whole(engine: Engine) -> None:
    outcome = engine.execute(f"INSERT INTO t {NUMBERS.format(' WHERE x < 1000', 'x')} RETURNING x")
    assert len(outcome.rows) == 500
    assert engine.query("SELECT count(*) FROM t").rows == [(1000,)]


def test_limits_hold_after_the_connections_were_closed(engine: Engine) -> None:
    engine.rest()
    with pytest.raises(RefusedError, match="too big"):
        engine.execute("SELECT zeroblob(1000001)")
    with pytest.raises(RefusedError, match="too big"):
        engine.query("SELECT zeroblob(1000001)")
