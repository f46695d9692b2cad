"""The rewritten SELECT hides no table from the statement."""

from __future__ import annotations

import sqlite3

import pytest

from mesahub.sql import Statement
from mesahub.sql.rewrites.exact import exact_statement, exact_values


@pytest.mark.parametrize("table", ["m", '"M"', "m_", "[m]", "t"])
def test_exact_statement_reads_a_table_of_any_name(table: str) -> None:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    connection.execute(f"CREATE TABLE {table} (a, b)")
    connection.execute(f"INSERT INTO {table} VALUES (1, x'00ff')")
    sql = f"SELECT * FROM {table} JOIN (SELECT 2.0 AS m_)"
    rewritten = exact_statement(Statement(sql, [], "select", False), 3)
    rows = [dict(row) for row in connection.execute(rewritten.sql)]
    connection.close()
    assert exact_values(3, rows) == [(1, b"\x00\xff", 2.0)]
