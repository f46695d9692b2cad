"""What every contender is given: the same rows, statements and bytes."""

from __future__ import annotations

import json

KEY = "shs_benchmark"
COLUMNS = ("id", "name", "email", "age", "city")
CREATE = "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, email TEXT, age INTEGER, city TEXT)"


def rows(count: int, start: int = 0) -> list[dict[str, object]]:
    return [
        {
            "id": i,
            "name": f"Name {i}",
            "email": f"name{i}@example.com",
            "age": i % 90,
            "city": f"City {i % 100}",
        }
        for i in range(start, start + count)
    ]


def answer(count: int) -> bytes:
    """A query's answer as the server writes it: keys in the order of the alphabet, compact."""
    types = {"id": "INTEGER", "age": "INTEGER"}
    headers = [
        {
            "name": c,
            "displayName": c,
            "originalType": types.get(c, "TEXT"),
            "type": "number" if c in types else "text",
        }
        for c in COLUMNS
    ]
    stat = {"queryDurationMs": 0, "rowsAffected": 0, "rowsRead": count, "rowsWritten": None}
    body = {"headers": headers, "rows": [dict(sorted(row.items())) for row in rows(count)], "stat": stat}
    return json.dumps(body, separators=(",", ":")).encode() + b"\n"


SQL = 'SELECT * FROM "people" WHERE "people"."id" = +CAST(? AS INTEGER) LIMIT +CAST(? AS INTEGER)'
BODY = json.dumps({"sql": SQL, "bindings": [5, 1]}, separators=(",", ":")).encode()
"""A request of the size that a find of one row has."""

PAGE_WHERE = {
    "active": 1,
    "age": {"gte": 18},
    "name": {"like": "%alice%"},
    "role": {"in": ["admin", "editor"]},
    "deleted_at": {"is_null": True},
}
"""Five conditions of the page's kinds."""
