"""HTTP as the server speaks it, over a real socket."""

from __future__ import annotations

import http.client
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mesahub import DatabaseHandle
from tests.servers import Server

READ = {"sql": "SELECT 1 AS one"}


def test_health_and_version_need_no_token(server: Server) -> None:
    assert json.loads(server.call("GET", "/api/health", token="")[2])["status"] == "ok"
    assert json.loads(server.call("GET", "/api/version", token="")[2])["version"].endswith("embedded")


@pytest.mark.parametrize("path", ["/", "/api/nope", "/api/db/main/query/", "//api/db/main/query", "/api/v1/query/main"])
def test_unknown_paths(server: Server, path: str) -> None:
    assert server.call("POST", path, READ)[0::2] == (404, b"404 page not found\n")


def test_other_methods(server: Server, name: str) -> None:
    for method in ("GET", "HEAD", "PUT"):
        status, headers, body = server.call(method, f"/api/db/{name}/query")
        assert (status, headers["Allow"], body) == (405, "POST", b"")
    assert server.call("OPTIONS", "/nope", token="")[0] == 204


def test_json_is_written_as_go_writes_it(server: Server, name: str) -> None:
    sql = "SELECT 'a<b>&c' AS h, char(8232) AS l, 'é' AS e, 1e20 AS big, 1.5 AS r, 9223372036854775807 AS i"
    body = server.call("POST", f"/v1/query/{name}", {"sql": sql})[2]
    assert rb"a\u003cb\u003e\u0026c" in body
    assert rb"\u2028" in body
    assert "é".encode() in body
    assert b'"big":100000000000000000000' in body
    assert b"9223372036854775807" in body
    assert body.endswith(b"}\n")


def test_an_infinity_is_an_empty_answer(server: Server, name: str) -> None:
    status, headers, body = server.call("POST", f"/api/db/{name}/query", {"sql": "SELECT 9e999"})
    assert (status, headers["Content-Length"], body) == (200, "0", b"")


def test_every_number_is_bound_as_a_double(server: Server, name: str) -> None:
    payload = {
        "sql": "SELECT typeof(?) AS a, typeof(?) AS b, typeof(?) AS c, 7 / ? AS d",
        "bindings": [1, True, None, 2],
    }
    rows = json.loads(server.call("POST", f"/api/db/{name}/query", payload)[2])["rows"]
    assert rows == [{"a": "real", "b": "integer", "c": "null", "d": 3.5}]


def test_a_cut_result_says_so(server: Server, name: str) -> None:
    numbers = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < {}) SELECT x FROM c"
    for count, marks in ((99_999, set()), (100_000, {"whole"}), (100_001, {"truncated"})):
        answer = json.loads(server.call("POST", f"/api/db/{name}/query", {"sql": numbers.format(count)})[2])
        assert len(answer["rows"]) == min(count, 100_000)
        assert answer.keys() - {"headers", "rows", "stat"} == marks


def test_the_client_tells_a_cut_result_from_a_whole_one(db: DatabaseHandle) -> None:
    from mesahub import TruncatedResultError

    numbers = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < {}) SELECT x FROM c"
    assert db.query(numbers.format(100_000)).row_count == 100_000
    with pytest.raises(TruncatedResultError):
        db.query(numbers.format(100_001))


def test_a_script_runs_in_order_and_skips_nothing(server: Server, name: str) -> None:
    script = "CREATE TABLE t (n); INSERT INTO t VALUES (?), (?); SELECT sum(n) + ? AS total FROM t;; -- done"
    status, _, body = server.call("POST", f"/api/db/{name}/exec", {"sql": script, "bindings": [1, 2, 10]})
    assert (status, json.loads(body)["rows"]) == (200, [{"total": 13}])
    status, _, body = server.call("POST", f"/api/db/{name}/exec", {"sql": "BEGIN; DELETE FROM t"})
    assert status == 400
    assert b"rolled back" in body
    rows = json.loads(server.call("POST", f"/api/db/{name}/query", {"sql": "SELECT count(*) AS n FROM t"})[2])["rows"]
    assert rows == [{"n": 2}]


def test_one_connection_serves_many_requests(server: Server, name: str) -> None:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=30)
    headers = {"Authorization": f"Bearer {server.admin_token}"}
    sockets = set()
    for sql in ("SELECT 1", "SELEC", "SELECT 2", ""):
        connection.request("POST", f"/api/db/{name}/query", json.dumps({"sql": sql}), headers)
        sockets.add(connection.sock)
        connection.getresponse().read()
    connection.close()
    assert len(sockets) == 1


def test_a_chunked_body_and_one_that_asks_first(server: Server, name: str) -> None:
    body = json.dumps(READ).encode()
    head = f"POST /api/db/{name}/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.admin_token}\r\n"
    for rest in (
        b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body),
        b"Content-Length: %d\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n%s" % (len(body), body),
    ):
        with socket.create_connection((server.host, server.port), timeout=30) as connection:
            connection.sendall(head.encode() + rest)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        assert b"200 OK" in answer
        assert b'"rows":[{"one":1}]' in answer


def test_a_statement_that_nobody_waits_for_is_stopped(server: Server, name: str) -> None:
    server.call("POST", f"/api/db/{name}/exec", {"sql": "CREATE TABLE t (n)"})
    endless = "INSERT INTO t WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
    body = json.dumps({"sql": endless}).encode()
    head = f"POST /api/db/{name}/exec HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.admin_token}\r\n"
    with socket.create_connection((server.host, server.port), timeout=30) as connection:
        connection.sendall(head.encode() + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    # It held the only lock for writing, for ever: this one runs only when it was stopped.
    assert server.call("POST", f"/api/db/{name}/exec", {"sql": "INSERT INTO t VALUES (1)"})[0] == 200
    answer = server.call("POST", f"/api/db/{name}/query", {"sql": "SELECT n FROM t"})[2]
    assert json.loads(answer)["rows"] == [{"n": 1}]


def test_a_lone_surrogate_becomes_a_mark(server: Server, name: str) -> None:
    body = rb'{"sql": "SELECT ? AS a, hex(?) AS h", "bindings": ["x\ud800y", "\ud83d\ude00"]}'
    answer = json.loads(server.call("POST", f"/api/db/{name}/query", body=body)[2])
    assert answer["rows"] == [{"a": "x\ufffdy", "h": "F09F9880"}]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "EOF"),
        (b"  ", "EOF"),
        (b'{"sql": ', "unexpected EOF"),
        (b'{"sql": "SELECT', "unexpected EOF"),
        (b"{nope", "invalid character 'n' looking for beginning of object key string"),
        (b"not json", "invalid character 'o' in literal null (expecting 'u')"),
        (b'{"sql" 1}', "invalid character '1' after object key"),
        (b'{"sql": "a" 1}', "invalid character '1' after object key:value pair"),
        (b'{"bindings": [1 2]}', "invalid character '2' after array element"),
        (b'{"sql": x}', "invalid character 'x' looking for beginning of value"),
        (b"\xef\xbb\xbf{}", "invalid character '\xef' looking for beginning of value"),
        (b'{"bindings": {}}', "json: cannot unmarshal object into Go struct field .bindings of type []interface {}"),
        (b"[" * 100_000, "exceeded max depth"),
    ],
)
def test_a_body_that_is_no_json(server: Server, name: str, body: bytes, text: str) -> None:
    status, _, answer = server.call("POST", f"/api/db/{name}/query", body=body)
    assert (status, json.loads(answer)["error"]) == (400, f"invalid JSON: {text}")


def test_what_stands_behind_the_value_is_not_looked_at(server: Server, name: str) -> None:
    body = b'{"SQL": "SELECT 1 AS one", "sqlx": 1, "Bindings": null} and so on'
    assert server.call("POST", f"/api/db/{name}/query", body=body)[0] == 200


def test_a_fault_of_the_server_is_told_without_its_inside(server: Server, name: str) -> None:
    path = server.data / "databases" / f"{name}.db"
    server.call("POST", f"/api/db/{name}-broken/query", READ)
    broken = path.with_name(f"{name}-broken.db")
    broken.write_bytes(b"no database at all, but long enough to be looked at" * 40)
    status, _, body = server.call("POST", f"/api/db/{name}-broken/query", READ)
    assert status == 500
    assert str(Path.cwd()).encode() not in body
    assert server.call("POST", f"/api/db/{name}/query", READ)[0] == 200


def test_many_callers_at_once(server: Server, name: str) -> None:
    assert server.call("POST", f"/api/db/{name}/exec", {"sql": "CREATE TABLE t (id INTEGER PRIMARY KEY, n)"})[0] == 200

    def insert(number: int) -> int:
        payload = {"sql": "INSERT INTO t (n) VALUES (?)", "bindings": [number]}
        status, _, body = server.call("POST", f"/api/db/{name}/exec", payload)
        assert status == 200
        rowid: int = json.loads(body)["lastInsertRowid"]
        return rowid

    with ThreadPoolExecutor(16) as pool:
        rowids = list(pool.map(insert, range(100)))
    assert sorted(rowids) == list(range(1, 101))
