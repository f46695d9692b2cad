"""Calls of a client on libSQL that take more than one request, without a server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mesahub import MesahubClient, MesahubError, RetryPolicy, SQLError, TransactionLostError, UnsupportedError
from mesahub.errors import ConnectionLostError
from mesahub.transport import Headers, Request, Response

JSON = Headers({"Content-Type": "application/json"})


def answer(results: list[Any]) -> Response:
    closed = {"type": "ok", "response": {"type": "close"}}
    return Response(200, JSON, json.dumps({"baton": None, "base_url": None, "results": [*results, closed]}).encode())


def rows(names: list[str], values: list[list[Any]]) -> Any:
    inner = {
        "cols": [{"name": name, "decltype": None} for name in names],
        "rows": values,
        "affected_row_count": 0,
        "last_insert_rowid": None,
    }
    return {"type": "ok", "response": {"type": "execute", "result": inner}}


TOO_LARGE = answer([{"type": "error", "error": {"message": "Response is too large", "code": "RESPONSE_TOO_LARGE"}}])
FIVE = {"type": "integer", "value": "5"}
CURSOR: list[Any] = [
    {"baton": None, "base_url": None},
    {"type": "step_begin", "step": 0, "cols": [{"name": "a", "decltype": None}]},
    {"type": "row", "row": [FIVE]},
    {"type": "step_end", "affected_row_count": 0, "last_insert_rowid": None},
]


class Script:
    """Gives its answers one after the other."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, Any]] = []

    def send(self, request: Request) -> Response:
        assert isinstance(request.content, bytes)
        self.asked.append((request.path, json.loads(request.content)))
        found = self.answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return Response(found.status, found.headers, found.content)

    def close(self) -> None:
        pass


def lines(entries: list[Any]) -> Response:
    return Response(200, Headers({}), "".join(f"{json.dumps(entry)}\n" for entry in entries).encode())


def client_of(script: Script, retry: RetryPolicy | None = None) -> MesahubClient:
    return MesahubClient(None, "http://db.example", transport=script, dialect="libsql", retry=retry)


@pytest.mark.parametrize("retry", [None, RetryPolicy.none()])
def test_a_large_result_comes_by_cursor(retry: RetryPolicy | None) -> None:
    script = Script(TOO_LARGE, lines(CURSOR))
    with client_of(script, retry) as client:
        assert client.query("default", "SELECT a FROM t").rows == [{"a": 5}]
    assert [path for path, _ in script.asked] == ["/v3/pipeline", "/v3/cursor"]


def test_a_large_result_of_a_write_comes_by_cursor_after_nothing_was_stored() -> None:
    begun = [
        {"type": "step_begin", "step": 0, "cols": []},
        {"type": "step_end", "affected_row_count": 0, "last_insert_rowid": None},
    ]
    inner = [{**entry, "step": 1} if entry.get("type") == "step_begin" else entry for entry in CURSOR[1:]]
    committed = [{**begun[0], "step": 2}, begun[1]]
    script = Script(TOO_LARGE, lines([CURSOR[0], *begun, *inner, *committed]))
    with client_of(script) as client:
        assert client.exec("default", "UPDATE t SET a = 5 RETURNING a").rows == [{"a": 5}]
    first, second = [body for _, body in script.asked]
    assert first["requests"][0]["batch"]["steps"] == second["batch"]["steps"]


def test_a_write_by_cursor_that_was_not_committed_is_an_error() -> None:
    inner = [{**entry, "step": 1} if entry.get("type") == "step_begin" else entry for entry in CURSOR[1:]]
    script = Script(TOO_LARGE, lines([CURSOR[0], *inner]))
    with client_of(script) as client, pytest.raises(MesahubError):
        client.exec("default", "UPDATE t SET a = 5 RETURNING a")


def test_a_read_whose_cursor_is_cut_is_sent_again() -> None:
    script = Script(TOO_LARGE, ConnectionLostError("cut"), lines(CURSOR))
    with client_of(script) as client:
        assert client.query("default", "SELECT a FROM t").rows == [{"a": 5}]
    assert [path for path, _ in script.asked] == ["/v3/pipeline", "/v3/cursor", "/v3/cursor"]


def test_an_older_server_is_found_out_once() -> None:
    missing = Response(404, Headers({}), b"")
    script = Script(missing, answer([rows(["a"], [[FIVE]])]), answer([rows(["a"], [[FIVE]])]))
    with client_of(script, RetryPolicy.none()) as client:
        found = [client.capabilities.transactions]
        for _ in range(2):
            assert client.query("default", "SELECT a FROM t").rows == [{"a": 5}]
        found.append(client.capabilities.transactions)
        with pytest.raises(UnsupportedError, match="Hrana 2"):
            client.session("default")
    assert found == ["interactive", "none"]
    assert [path for path, _ in script.asked] == ["/v3/pipeline", "/v2/pipeline", "/v2/pipeline"]


def test_an_infinity_is_asked_for_in_a_form_that_keeps_it() -> None:
    lost = answer([rows(["a"], [[{"type": "float", "value": None}]])])
    columns = answer([rows(["mesahub_schema", "a"], [[FIVE, {"type": "null"}]])])
    text = {"type": "text", "value": "m"}
    kept = answer([rows(["c0", "mesahub_kinds", "mesahub_schema"], [[{"type": "null"}, text, FIVE]])])
    script = Script(lost, columns, kept)
    with client_of(script) as client:
        assert client.db("default").rows("SELECT a FROM t").tuples() == [(float("-inf"),)]
    assert len(script.asked) == 3


def test_a_write_that_is_busy_is_sent_again_and_an_applications_words_are_not() -> None:
    def failed(message: str, code: str) -> Response:
        return answer([{"type": "error", "error": {"message": message, "code": code}}])

    done = answer([rows([], [])])
    script = Script(failed("SQLite error: database is locked", "SQLITE_BUSY"), done)
    with client_of(script) as client:
        client.exec("default", "DELETE FROM t")
    assert len(script.asked) == 2
    script = Script(failed("SQLite error: database is locked", "SQLITE_CONSTRAINT"))
    with client_of(script) as client, pytest.raises(MesahubError):
        client.exec("default", "DELETE FROM t")
    assert len(script.asked) == 1


def test_a_transaction_that_timed_out_outside_of_a_session_is_not_a_lost_one() -> None:
    timed_out = {"type": "error", "error": {"message": "Transaction timed out", "code": "TRANSACTION_TIMEOUT"}}
    script = Script(answer([timed_out]))
    with client_of(script, RetryPolicy.none()) as client, pytest.raises(MesahubError) as caught:
        client.exec("default", "DELETE FROM t")
    assert not isinstance(caught.value, (SQLError, TransactionLostError))
