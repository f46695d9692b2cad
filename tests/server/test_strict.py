"""``mesahub serve --strict``: what the published build lacks is not found."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from mesahub_embedded.server.published import LACKING
from tests.servers import Server, start_server


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with start_server(tmp_path_factory.mktemp("strict"), arguments=("--strict",)) as running:
        script = "CREATE TABLE log (pow, sqrt); INSERT INTO log (pow, sqrt) VALUES (1, 2)"
        assert running.call("POST", "/v1/exec/main", {"sql": script})[0] == 200
        yield running


def functions_here() -> list[str]:
    with closing(sqlite3.connect(":memory:")) as connection:
        found = connection.execute("SELECT DISTINCT name, narg FROM pragma_function_list WHERE narg >= 0").fetchall()
    return [f"{name}({', '.join('1' * count)})" for name, count in found if name in LACKING and "fts" not in name]


@pytest.mark.parametrize("call", functions_here())
def test_function_is_not_found(strict: Server, server: Server, name: str, call: str) -> None:
    function = call.partition("(")[0]
    for path in ("/v1/query/main", "/v1/exec/main"):
        for sql in (f"SELECT {call}", f"SELECT 1 WHERE {call.upper()} > 0"):
            status, _, body = strict.call("POST", path, {"sql": sql})
            assert (status, json.loads(body)) == (400, {"error": f"no such function: {function}"})
    status, _, body = strict.call("POST", "/v1/exec/main", {"sql": f"UPDATE log SET pow = {call}"})
    assert (status, json.loads(body)) == (400, {"error": f"no such function: {function}"})
    assert b"no such function" not in server.call("POST", f"/v1/query/{name}", {"sql": f"SELECT {call}"})[2]


def test_module_is_not_found(strict: Server) -> None:
    for module in ("fts5", "FTS5"):
        sql = f"CREATE VIRTUAL TABLE f USING {module} (a)"
        status, _, body = strict.call("POST", "/v1/exec/main", {"sql": sql})
        assert (status, json.loads(body)["error"].lower()) == (400, "no such module: fts5")
    assert strict.call("POST", "/v1/exec/main", {"sql": "CREATE VIRTUAL TABLE g USING fts4 (a)"})[0] == 200
    status, _, body = strict.call("POST", "/v1/query/main", {"sql": "SELECT name FROM dbstat"})
    assert (status, json.loads(body)) == (400, {"error": "no such table: dbstat"})


def test_tables_and_columns_may_have_such_names(strict: Server) -> None:
    sql = "SELECT pow, sqrt, (SELECT count(*) FROM log) AS pi FROM log"
    rows = json.loads(strict.call("POST", "/v1/query/main", {"sql": sql})[2])["rows"]
    assert rows == [{"pow": 1, "sqrt": 2, "pi": 1}]
    assert strict.call("POST", "/v1/exec/main", {"sql": "INSERT INTO log (pow) VALUES (3)"})[0] == 200


def test_statement_after_one_that_was_not_found(strict: Server) -> None:
    for _ in range(3):
        assert strict.call("POST", "/v1/query/main", {"sql": "SELECT sqrt(4)"})[0] == 400
        assert strict.call("POST", "/v1/query/main", {"sql": "SELECT round(1.5), abs(-1)"})[0] == 200
