"""Results out of answers, and what is said where an answer is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mesahub import (
    AmbiguousResultError,
    MesahubClient,
    RequestTooLargeError,
    RetryPolicy,
    ServerError,
    TruncatedResultError,
    UnrepresentableResultError,
)
from mesahub.dialects.mesahub.limits import ROW_LIMIT
from mesahub.dialects.mesahub.routes import Routes
from mesahub.dialects.mesahub.statements import COUNTED, ROWID_MARK, statement_request
from mesahub.results import ExecResult, QueryResult
from mesahub.sql import Statement, prepare
from mesahub.transport import Request, Response

READ = prepare("SELECT 1", None, operation="query")
INSERT = prepare("INSERT INTO t VALUES (?)", [1], operation="exec")
UPDATE = prepare("UPDATE t SET a = 1", None, operation="exec")
CREATE = prepare("CREATE TABLE t (a)", None, operation="exec")
RETURNING = prepare("UPDATE t SET a = 1 RETURNING a", None, operation="exec")


class Answering:
    """A transport that answers the same whatever is asked."""

    def __init__(self, response: Response) -> None:
        self._response = response

    def send(self, request: Request) -> Response:
        return self._response

    def close(self) -> None:
        pass


def client_of(response: Response) -> MesahubClient:
    return MesahubClient("key", "http://localhost:1", transport=Answering(response), retry=RetryPolicy.none())


def read_query(response: Response, limit: int | None = None) -> QueryResult:
    return client_of(response).run_query("db", READ, limit=limit)


def read_exec(statement: Statement, response: Response) -> ExecResult:
    return client_of(response).run_exec("db", statement)


def answer(body: Any) -> Response:
    return Response(
        200, {"content-type": "application/json"}, body if isinstance(body, bytes) else json.dumps(body).encode()
    )


def header(name: str, declared: str = "") -> dict[str, str]:
    return {"name": name, "displayName": name, "originalType": declared, "type": "text"}


GARBAGE = [
    b'{"headers": [{"na', b"<html>", b"[1, 2]", b'"text"', b"\xff\xfe", b"[" * 100_000,
    b'{"a":' * 100_000, b"5", b"true",
    b"null", b"[]", b"{}", b'{"error": "backend unavailable"}', b'{"rows": 5}', b'{"rows": []}', b'{"headers": []}',
    b'{"rows": {}, "headers": []}', b'{"rows": [], "headers": {}}', b'{"rows": [], "headers": 5}',
    b'{"rows": [], "headers": "ab"}', b'{"rows": [], "headers": [5]}', b'{"rows": [], "headers": [null]}',
    b'{"rows": [], "headers": [{}]}', b'{"rows": [], "headers": [{"name": 5}]}',
    b'{"rows": [], "headers": [{"name": null}]}',
    b'{"rows": [5], "headers": [{"name": "a"}]}', b'{"rows": [[1]], "headers": [{"name": "a"}]}',
    b'{"rows": [null], "headers": [{"name": "a"}]}', b'{"rows": [{"b": 1}], "headers": [{"name": "a"}]}',
    b'{"rows": [{}], "headers": [{"name": "a"}]}', b'{"rows": [{"a": 1}], "headers": []}',
    b'{"rows": [{"a": 1}], "headers": [{"name": "a", "originalType": 5}]}',
    b'{"rows": [{"a": 1}], "headers": [{"name": "a", "originalType": ["REAL"]}]}',
    b'{"rows": [{"a": 1' + b"0" * 400 + b'}], "headers": [{"name": "a", "originalType": "REAL"}]}',
    b'{"rows": [{"a": 1' + b"0" * 5000 + b'}], "headers": [{"name": "a", "originalType": "REAL"}]}',
    b'{"columns": "ab", "rows": []}', b'{"columns": [5], "rows": []}', b'{"columns": null, "rows": []}',
    b'{"data": {"rows": [], "headers": []}}', b'{"message": "Forbidden"}', b'{"stat": {}}', b'{"stat": 5}',
    b'{"stat": {"queryDurationMs": 1}}', b'{"status": "ok"}', b'{"code": 200, "rows": null}',
]  # fmt: skip
NO_COUNTS = [
    b'{"rowsAffected": "1", "lastInsertRowid": 1}', b'{"rowsAffected": null}', b'{"rowsAffected": true}',
    b'{"rowsAffected": 1.5}', b'{"rowsAffected": [], "lastInsertRowid": 1}', b'{"lastInsertRowid": 1}',
    b'{"rowsAffected": 1, "lastInsertRowid": "x"}', b'{"rowsAffected": 1, "lastInsertRowid": {}}',
    b'{"stat": {"rowsAffected": "x"}}',
]  # fmt: skip


@pytest.mark.parametrize("body", GARBAGE, ids=lambda body: repr(body[:60]))
def test_what_is_no_result_of_a_read_is_a_fault_of_the_server(body: bytes) -> None:
    with pytest.raises(ServerError, match="unexpected body") as caught:
        read_query(answer(body))
    assert caught.value.status_code == 200


@pytest.mark.parametrize("body", [*GARBAGE, *NO_COUNTS], ids=lambda body: repr(body[:60]))
@pytest.mark.parametrize("statement", [INSERT, RETURNING, CREATE], ids=lambda statement: statement.verb)
def test_what_is_no_result_of_a_write_leaves_it_open(statement: Statement, body: bytes) -> None:
    if statement is CREATE and body in NO_COUNTS[6:8]:
        return  # its rowid is not looked at
    with pytest.raises(AmbiguousResultError, match="before you repeat it"):
        read_exec(statement, answer(body))


@pytest.mark.parametrize("status", [201, 202, 203, 204, 205, 206, 226])
def test_another_success_than_200_is_not_a_result(status: int) -> None:
    good = b'{"headers": [{"name": "a"}], "rows": []}'
    for body in (b"", good):
        with pytest.raises(ServerError, match=f"returned {status}"):
            read_query(Response(status, content=body))
        with pytest.raises(AmbiguousResultError, match=f"returned {status}"):
            read_exec(INSERT, Response(status, content=body))


def test_the_stale_rowid_of_another_client_is_not_handed_on() -> None:
    marked = answer({"rowsAffected": 1, "lastInsertRowid": ROWID_MARK, "stat": {"queryDurationMs": 1}})
    assert read_exec(INSERT, marked).last_insert_rowid is None


def test_a_with_statement_is_counted_by_its_rows() -> None:
    counted = prepare("WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a", None, operation="exec")
    rows = [{COUNTED: 1}] * 3
    result = read_exec(counted, answer({"headers": [header(COUNTED)], "rows": rows}))
    assert (result.rows_affected, result.rows, result.columns, result.last_insert_rowid) == (3, [], [], None)
    silent = read_exec(counted, answer({"headers": [], "rows": []}))
    assert silent.rows_affected is None


def test_text_in_a_blob_column_is_text_where_storage_classes_are_known() -> None:
    payload = {"headers": [header("b", "BLOB")], "rows": [{"b": "YWJj"}], "exact": True}
    assert read_query(Response(200, payload=payload)).rows == [{"b": "YWJj"}]


def test_an_empty_answer_is_an_infinity_and_says_whether_the_write_happened() -> None:
    with pytest.raises(UnrepresentableResultError, match=r"CAST\(column AS TEXT\)") as caught:
        read_query(answer(b""))
    assert "carried out" not in str(caught.value)
    with pytest.raises(UnrepresentableResultError, match="was carried out"):
        read_exec(RETURNING, answer(b""))


def test_a_cut_result_is_not_handed_over() -> None:
    full = Response(200, payload={"headers": [header("a")], "rows": [{"a": 1}] * ROW_LIMIT})
    with pytest.raises(TruncatedResultError, match="iterate"):
        read_query(full)
    with pytest.raises(TruncatedResultError, match="carried out in full"):
        read_exec(RETURNING, full)
    assert read_query(full, ROW_LIMIT).row_count == ROW_LIMIT
    whole = Response(200, payload={"headers": [header("a")], "rows": [{"a": 1}] * ROW_LIMIT, "whole": True})
    assert read_query(whole).row_count == ROW_LIMIT


def test_old_answers_name_columns_otherwise() -> None:
    result = read_query(answer({"columns": ["a"], "rows": [{"a": 1}]}))
    assert (result.columns, result.rows, result.query_duration_ms) == (["a"], [{"a": 1}], None)


def test_rows_that_are_null_are_none() -> None:
    assert read_query(answer({"headers": [header("a")], "rows": None})).rows == []


def test_values_get_their_types_back() -> None:
    body = {
        "headers": [header("r", "REAL"), header("d", "double"), header("b", "BLOB"), header("i", "INTEGER")],
        "rows": [{"r": 3, "d": 1, "b": "AAE=", "i": 3}, {"r": None, "d": None, "b": "no base64!", "i": None}],
    }
    first, second = read_query(answer(body)).rows
    assert [type(value) for value in first.values()] == [float, float, bytes, int]
    assert first["b"] == b"\x00\x01"
    assert second == {"r": None, "d": None, "b": "no base64!", "i": None}


@pytest.mark.parametrize(
    ("statement", "affected", "rowid"),
    [(INSERT, 2, 7), (UPDATE, 2, None), (CREATE, 0, None)],
)
def test_stale_numbers_are_not_handed_on(statement: Statement, affected: int, rowid: int | None) -> None:
    result = read_exec(statement, answer({"rowsAffected": 2, "lastInsertRowid": 7, "stat": {"queryDurationMs": 1}}))
    assert (result.rows_affected, result.last_insert_rowid, result.query_duration_ms) == (affected, rowid, 1)


def test_an_ignored_insert_has_no_rowid() -> None:
    assert read_exec(INSERT, answer({"rowsAffected": 0, "lastInsertRowid": 7})).last_insert_rowid is None


def test_returned_rows_count_as_affected() -> None:
    result = read_exec(RETURNING, answer({"headers": [header("a")], "rows": [{"a": 1}, {"a": 1}]}))
    assert (result.rows_affected, result.rows) == (2, [{"a": 1}, {"a": 1}])


def test_a_read_may_be_sent_twice_and_a_write_only_when_it_says_so() -> None:
    routes = Routes("v1")

    def safe(operation: str, **options: Any) -> bool:
        return statement_request(routes, "db", operation, READ, timeout=None, **options).safe

    assert safe("query")
    assert not safe("exec")
    assert safe("exec", idempotent=True)


def test_a_request_that_the_server_would_not_read_is_not_sent() -> None:
    large = prepare("INSERT INTO t VALUES (?)", ["x" * 11_000_000], operation="exec")
    request = statement_request(Routes("v1"), "db", "exec", large, timeout=None)
    with pytest.raises(RequestTooLargeError, match="10,485,760") as caught:
        _ = request.content
    assert caught.value.code == "BODY_TOO_LARGE"


@pytest.mark.parametrize("row", [{"a": 1}, {"c0": 1, "mesahub_kinds": "?"}, {"c0": 1, "mesahub_kinds": 5}])
def test_run_returning_is_ambiguous_where_the_rows_are_not_those_of_the_statement(row: dict[str, Any]) -> None:
    headers = [{"name": name, "displayName": name, "originalType": "INTEGER"} for name in row]
    with (
        client_of(Response(200, payload={"headers": headers, "rows": [row], "stat": {}})) as client,
        pytest.raises(AmbiguousResultError, match="rows of another query"),
    ):
        client.run_returning("db", RETURNING)
