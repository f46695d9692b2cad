"""The server under load: who is still answered while others ask too much. Answers are counted, not timed."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.servers import Server, start_server

MEBIBYTE = 1024 * 1024
READ = {"sql": "SELECT 1 AS one"}
NUMBERS = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
ENDLESS = f"{NUMBERS} SELECT count(*) AS n FROM c"


def connected(server: Server, data: bytes = b"") -> socket.socket:
    connection = socket.create_connection((server.host, server.port), timeout=30)
    connection.sendall(data)
    return connection


def is_closed(connection: socket.socket) -> bool:
    """Read until the server closes the connection; a timeout says that it does not."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:  # it was closed with bytes of ours unread
        pass
    except TimeoutError:
        return False
    return True


def post(path: str, token: str, payload: object, extra: str = "") -> bytes:
    body = json.dumps(payload).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n{extra}"
    return head.encode() + b"\r\n" + body


def answers(server: Server, count: int, token: str | None = None) -> int:
    """How many of so many reads are answered."""

    def ask(_: int) -> bool:
        return server.call("POST", "/api/db/main/query", READ, token=token)[0] == 200

    with ThreadPoolExecutor(4) as pool:
        return sum(pool.map(ask, range(count)))


HALVES = [b"", b"G", b"POST /api/db/main/query HTTP/1.1\r\nHost: x\r\n", b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 500]


@pytest.mark.parametrize("half", HALVES, ids=["nothing", "a letter", "a line", "many lines"])
def test_half_sent_heads_leave_the_server_to_others(tmp_path: Path, half: bytes) -> None:
    with start_server(tmp_path, arguments=("--max-connections", "60", "--head-timeout", "0")) as server:
        kept = http.client.HTTPConnection(server.host, server.port, timeout=30)
        with ExitStack() as stack:
            headers = {"Authorization": f"Bearer {server.admin_token}"}
            for _ in range(200):
                stack.enter_context(connected(server, half))
            assert answers(server, 20) == 20
            kept.request("POST", "/api/db/main/query", json.dumps(READ), headers)
            assert kept.getresponse().read()
            # A connection that was of use outlives those that never asked.
            socket_of = kept.sock
            for _ in range(200):
                stack.enter_context(connected(server, half))
            kept.request("POST", "/api/db/main/query", json.dumps(READ), headers)
            assert kept.getresponse().status == 200
            assert kept.sock is socket_of
        kept.close()


def test_half_sent_heads_by_default(tmp_path: Path) -> None:
    with start_server(tmp_path) as server, ExitStack() as stack:
        for _ in range(600):
            stack.enter_context(connected(server, b"POST / HTTP/1.1\r\n"))
        assert answers(server, 20) == 20


def test_head_that_takes_too_long_is_cut(tmp_path: Path) -> None:
    with start_server(tmp_path, arguments=("--head-timeout", "0.2")) as server:
        with connected(server, b"GET /api/health HTTP/1.1\r\n") as silent:
            assert is_closed(silent)
        with connected(server) as dripping, pytest.raises(OSError):  # noqa: PT012
            # A byte now and then does not start the time anew.
            for _ in range(10_000):
                dripping.sendall(b"G")
                threading.Event().wait(0.01)
        with connected(server, post("/api/db/main/query", server.admin_token, READ)) as second:
            assert second.recv(12) == b"HTTP/1.1 200"
            second.sendall(b"GET / HT")  # the head of a second request has its time as well
            assert is_closed(second)
        assert answers(server, 5) == 5


def test_idle_connection_is_closed(tmp_path: Path) -> None:
    arguments = ("--idle-timeout", "0.2", "--head-timeout", "0")
    with start_server(tmp_path, arguments=arguments) as server:
        body = post("/api/db/main/query", server.admin_token, {"sql": "SELECT 1", "bindings": ["x" * 1000]})
        for sent in (post("/api/db/main/query", server.admin_token, READ), body[:-500]):
            with connected(server, sent) as connection:
                assert is_closed(connection)
        assert answers(server, 5) == 5


def test_a_connection_made_while_another_is_closed_is_not_closed_with_it(tmp_path: Path) -> None:
    arguments = ("--idle-timeout", "0.2", "--head-timeout", "0")
    with start_server(tmp_path, arguments=arguments) as server:

        def wait_and_ask(_: int) -> bool:
            with connected(server, b"POST /api/db/main/query HTTP/1.1\r\n") as connection:
                assert is_closed(connection)
                try:
                    with connected(server, request) as another:
                        return another.recv(12) == b"HTTP/1.1 200"
                except ConnectionResetError:
                    return False

        request = post("/api/db/main/query", server.admin_token, READ)
        with ThreadPoolExecutor(40) as pool:
            assert sum(pool.map(wait_and_ask, range(120))) == 120


@contextmanager
def endless(server: Server, token: str, count: int, path: str = "/api/db/main/query") -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        sent = post(path, token, {"sql": ENDLESS})
        yield [stack.enter_context(connected(server, sent)) for _ in range(count)]


@pytest.mark.parametrize("path", ["/api/db/main/query", "/v1/exec/main"])
def test_endless_statements_of_one_key_leave_the_server_to_others(tmp_path: Path, path: str) -> None:
    arguments = ("--threads", "4", "--statement-timeout", "0")
    with start_server(tmp_path, arguments=arguments) as server:
        hostile, other = server.new_key("db:main:w"), server.new_key("db:main:r")
        with endless(server, hostile, 24, path):
            assert answers(server, 40, other) == 40
            assert answers(server, 20) == 20
            assert server.call("GET", "/api/health", token="")[0] == 200
        # Their callers are gone, and so are they: the key is answered again.
        assert answers(server, 20, hostile) == 20


def test_statement_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    arguments = ("--threads", "4", "--statement-timeout", "0.5")
    with start_server(tmp_path, arguments=arguments) as server:
        key = server.new_key("db:main:w")
        server.call("POST", "/api/db/main/exec", {"sql": "CREATE TABLE t (n)"})
        statements = {
            "/api/db/main/query": ENDLESS,
            "/api/db/main/exec": f"INSERT INTO t {ENDLESS}",
            "/v1/exec/main": f"INSERT INTO t VALUES (1); INSERT INTO t {ENDLESS}; INSERT INTO t VALUES (2)",
        }
        for path, sql in statements.items():
            status, _, body = server.call("POST", path, {"sql": sql}, token=key)
            assert (status, b"interrupted" in body) == (504, True), path
        assert answers(server, 10, key) == 10
        rows = json.loads(server.call("POST", "/api/db/main/query", {"sql": "SELECT n FROM t"})[2])["rows"]
        assert rows == [{"n": 1}]  # of the script what was committed before


def test_script_has_one_time_for_all_its_statements(tmp_path: Path) -> None:
    with start_server(tmp_path, arguments=("--statement-timeout", "0.5")) as server:
        # Each would end by itself; all of them together take far longer than one may.
        work = f"{NUMBERS} SELECT count(*) FROM (SELECT x FROM c LIMIT 1000000)"
        status, _, _ = server.call("POST", "/v1/exec/main", {"sql": ";".join([work] * 500)})
        assert status == 504


def test_waiting_for_a_writer_ends(tmp_path: Path) -> None:
    with start_server(tmp_path, arguments=("--statement-timeout", "1")) as server:
        server.call("POST", "/api/db/main/exec", {"sql": "CREATE TABLE t (n)"})
        key = server.new_key("db:main:w")
        with ThreadPoolExecutor(12) as pool:
            sql = f"INSERT INTO t {ENDLESS}"
            asked = [pool.submit(server.call, "POST", "/v1/exec/main", {"sql": sql}, token=key) for _ in range(12)]
            assert Counter(done.result()[0] for done in asked) == {504: 12}
        assert server.call("POST", "/v1/exec/main", {"sql": "INSERT INTO t VALUES (1)"})[0] == 200


def high_water(server: Server) -> int:
    for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise AssertionError("VmHWM")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc here")
def test_values_take_bounded_memory(tmp_path: Path) -> None:
    wide = ", ".join(["randomblob(7000000)"] * 1000)
    arguments = ("--max-value", "8", "--max-result", "16", "--max-memory", "64")
    with start_server(tmp_path, arguments=arguments) as server:
        key = server.new_key("db:main:w")
        assert answers(server, 10, key) == 10
        before = high_water(server)
        for sql in (
            "SELECT zeroblob(900000000)",
            "SELECT length(zeroblob(900000000))",
            "SELECT hex(randomblob(400000000))",
            "SELECT replace(hex(zeroblob(4000000)), '0', hex(zeroblob(1000)))",
            "SELECT group_concat(hex(zeroblob(1000000))) FROM (VALUES (1), (2), (3), (4), (5), (6))",
            f"{NUMBERS} SELECT zeroblob(7000000) FROM c",
            f"{NUMBERS} SELECT x, zeroblob(1000) FROM c",
            f"SELECT {wide}",
            f"SELECT {wide.replace('random', 'zero')}",
        ):
            for path in ("/v1/query/main", "/v1/exec/main"):
                status, _, body = server.call("POST", path, {"sql": sql}, token=key)
                assert status in (400, 500), sql
                assert any(text in body for text in (b"too big", b"result exceeds", b"out of memory")), (sql, body)
        assert high_water(server) - before < 150 * MEBIBYTE
        assert answers(server, 10, key) == 10


def test_large_body_of_an_unknown_caller_is_not_taken(tmp_path: Path) -> None:
    with start_server(tmp_path) as server:
        total = 200 * MEBIBYTE
        for head in (f"Content-Length: {total}", "Transfer-Encoding: chunked"):
            text = f"POST /v1/files/main HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer nope\r\n{head}\r\n\r\n"
            with connected(server, text.encode()) as connection:
                assert connection.recv(12) == b"HTTP/1.1 401"
        record = server.upload("/v1/files/main", b"x" * 3 * MEBIBYTE, "a.txt")[1]
        assert record["size_bytes"] == 3 * MEBIBYTE
        made = json.loads(server.call("POST", "/api/buckets", {"name": "b", "slug": "b"})[2])
        assert made["name"] == "b"


def test_answer_that_is_not_read_frees_its_thread(tmp_path: Path) -> None:
    arguments = ("--threads", "2", "--idle-timeout", "0.5")
    with start_server(tmp_path, arguments=arguments) as server, ExitStack() as stack:
        key = server.new_key("db:main:r")
        sql = f"{NUMBERS} SELECT hex(zeroblob(500)) FROM c LIMIT 25000"
        for _ in range(4):
            stack.enter_context(connected(server, post("/v1/query/main", key, {"sql": sql})))
        assert answers(server, 10) == 10
        assert answers(server, 10, key) == 10


@pytest.mark.parametrize("length", ["9" * 5000, "-1", "1, 1", "0x10", "+5", " "])
def test_content_length_that_is_no_number(server: Server, length: str) -> None:
    logged = len(server.errors)
    head = f"POST /v1/query/x HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
    with connected(server, head.encode()) as asked:
        assert asked.recv(12) in (b"HTTP/1.1 400", b"HTTP/1.0 400")
    assert not any("Traceback" in line for line in server.errors[logged:])
