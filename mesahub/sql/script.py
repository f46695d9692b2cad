"""Scripts: several statements in one text."""

from __future__ import annotations

from mesahub.sql.analysis import analyze


def split_script(sql: str) -> list[str]:
    """The statements of a script, without their ``;``; empty ones and comments between them are left out.

    The body of a CREATE TRIGGER belongs to its statement.

    >>> split_script("CREATE TABLE t (n); -- one\\n;INSERT INTO t VALUES (';')")
    ['CREATE TABLE t (n)', "INSERT INTO t VALUES (';')"]
    """
    return [sql[part.start : part.end] for part in analyze(sql).parts]
