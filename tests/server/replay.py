"""Recorded exchanges with the real server, sent again to ours, and what differs.

What belongs to one run (ids, keys, times, durations) is carried over or left out of the comparison: an id that
the real server gave is replaced, in all later requests, by the one that ours gave in its place.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import lzma
import re
import socket
import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers import Server

DATA = Path(__file__).parent.parent / "data"
ADMIN_TOKEN = "admin-token-123456"
BOUNDARY = "BOUNDARY7d3f"

# Not the same from one run to the next: only whether there is a value is compared.
_MOMENTS = frozenset(
    {
        "created_at",
        "deleted_at",
        "updated_at",
        "last_used_at",
        "uploaded_at",
        "UploadedAt",
        "expires_at",
        "queryDurationMs",
        "uptime_sec",
        "file_path",
        "StoragePath",
    }
)
_IDS = frozenset({"id", "ID", "key", "token", "token_id", "url", "slug", "original_slug", "Set-Cookie"})
_DATABASE = frozenset({"file_path", "instance_id", "original_slug"})


@dataclass
class Exchange:
    """One recorded exchange and its place in the record."""

    index: int
    section: str
    name: str
    request: dict[str, Any]
    response: dict[str, Any]

    @property
    def status(self) -> int:
        return int(self.response["status"])


@dataclass
class Answer:
    """What our server answered: a status, and JSON, text or bytes."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def value(self) -> Any:
        try:
            return json.loads(self.body) if self.body else ""
        except ValueError:
            return self.body


def exchanges() -> list[Exchange]:
    """All recorded exchanges, in their order."""
    with lzma.open(DATA / "transcripts.jsonl.xz", "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    return [
        Exchange(index, record["section"], record["name"], record["request"], record["response"])
        for index, record in enumerate(records)
    ]


class Replay:
    """Sends exchanges to a server, one after the other."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._names: dict[str, str] = {}

    def send(self, exchange: Exchange) -> Answer:
        """Send a recorded request, with this run's ids in it."""
        request = exchange.request
        if "raw" in request:
            return self._send_raw(self._ours(request["raw"]).encode("latin-1"))
        headers = {name: self._ours(value) for name, value in request["headers"].items()}
        answer = self.call(request["method"], self._ours(request["path"]), self._body(exchange), headers)
        self._learn(exchange.response.get("body"), answer.value)
        self._learn_cookie(exchange.response["headers"], answer.headers)
        return answer

    def call(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        """One request as it is."""
        connection = http.client.HTTPConnection(self.server.host, self.server.port, timeout=60)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value.encode())
            if body is not None and "Content-Length" not in headers:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def remove_database(self, slug: str) -> None:
        """Remove a database for good."""
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        assert self.call("DELETE", f"/api/db/{slug}", None, headers).status == 200
        deleted = self.call("GET", "/api/db/deleted", None, headers).value
        body = b'{"action": "hard_delete"}'
        assert self.call("POST", f"/api/db/deleted/{deleted[0]['slug']}", body, headers).status == 200

    def exec_sql(self, slug: str, sql: str) -> None:
        """Bring a database to where the real server's was."""
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        body = json.dumps({"sql": sql}).encode()
        answer = self.call("POST", f"/api/db/{slug}/exec", body, headers)
        assert answer.status == 200, (sql, answer)

    def differs(self, exchange: Exchange, answer: Answer) -> str | None:
        """How an answer differs from the recorded one; ``None`` when it does not."""
        if answer.status != exchange.status:
            said = answer.value.get("error", "") if isinstance(answer.value, dict) else ""
            return f"status {answer.status} ({said}) for {exchange.status}"
        recorded = exchange.response
        truncated = recorded.get("body_truncated")
        if truncated is not None:
            return _differs_cut(truncated, answer.body)
        body = recorded.get("body")
        if "raw" in exchange.request and isinstance(body, str) and body.startswith("{"):
            body = json.loads(body)
        if isinstance(body, dict) and set(body) == {"base64"}:
            return None if answer.body == base64.b64decode(body["base64"]) else "other bytes"
        if body is None or body == "":
            return None if not answer.body else "a body for none"
        if isinstance(body, str):
            return None if answer.body == body.encode() else "another text"
        expected = json.loads(self._ours(json.dumps(body)))
        return _compare(expected, answer.value, "")

    def _ours(self, text: str) -> str:
        # The longest first: a slug may be the beginning of another one.
        for theirs in sorted(self._names, key=len, reverse=True):
            if theirs in text:
                text = text.replace(theirs, self._names[theirs])
        return text

    def _learn(self, theirs: Any, ours: Any) -> None:
        if isinstance(theirs, dict) and isinstance(ours, dict):
            for name, value in theirs.items():
                other = ours.get(name)
                if name in _IDS and isinstance(value, str) and isinstance(other, str):
                    self._learn_name(value, other)
                else:
                    self._learn(value, other)
        elif isinstance(theirs, list) and isinstance(ours, list):
            for left, right in zip(theirs, ours, strict=False):
                self._learn(left, right)

    def _learn_name(self, theirs: str, ours: str) -> None:
        token = re.search(r"token=([^&]+)", theirs)
        mine = re.search(r"token=([^&]+)", ours)
        if token and mine:
            self._names[token[1]] = mine[1]
        elif re.fullmatch(r"[0-9a-f-]{36}|shk_[0-9a-f]{64}|[\w-]+-1\d{9}|eyJ[\w.-]+", theirs) and theirs != ours:
            self._names[theirs] = ours

    def _learn_cookie(self, theirs: dict[str, str], ours: dict[str, str]) -> None:
        for name, value in theirs.items():
            mine = ours.get(name, "")
            if name.lower() == "set-cookie" and mine:
                self._names[value.partition(";")[0].partition("=")[2]] = mine.partition(";")[0].partition("=")[2]

    def _body(self, exchange: Exchange) -> bytes | None:
        request = exchange.request
        if "body_truncated" in request:
            return rebuilt(exchange.name, request["body_truncated"])
        body = request["body"]
        if body is None and "body_raw" not in request:
            return None
        if isinstance(body, dict) and set(body) == {"base64"}:
            return base64.b64decode(body["base64"])
        text: str = request.get("body_raw") or (body if isinstance(body, str) else json.dumps(body))
        return self._ours(text).encode("utf-8", "surrogatepass")

    def _send_raw(self, request: bytes) -> Answer:
        with socket.create_connection((self.server.host, self.server.port), timeout=30) as connection:
            connection.sendall(request)
            response = http.client.HTTPResponse(connection)
            try:
                response.begin()
                return Answer(response.status, dict(response.getheaders()), response.read())
            finally:
                response.close()


def _differs_cut(recorded: dict[str, Any], body: bytes) -> str | None:
    """Compare with a body of which only the beginning was kept: its first rows, and its length within a few bytes."""
    if hashlib.sha256(body).hexdigest() == recorded["sha256"]:
        return None
    if "head" not in recorded:
        return None if body.startswith(base64.b64decode(recorded["head_base64"])[:16]) else "other bytes"
    head = _without_moments(recorded["head"])
    if not _without_moments(body.decode("utf-8", "replace")).startswith(head[: len(head) - 40]):
        return "another beginning"
    # A duration may have more digits, and the paths of files are longer here.
    if '"Files"' not in head and abs(len(body) - recorded["length"]) > 20:
        return f"{len(body)} bytes for {recorded['length']}"
    return None


def _without_moments(text: str) -> str:
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "<id>", text)
    text = re.sub(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", "<time>", text)
    return re.sub(r'"StoragePath":"[^"]*"', '"StoragePath":"<path>"', text)


def _compare(expected: Any, actual: Any, where: str) -> str | None:
    if isinstance(expected, dict) and isinstance(actual, dict):
        for name in sorted(expected.keys() | actual.keys()):
            place = f"{where}.{name}"
            if name not in actual:
                return f"no {place}"
            if name not in expected:
                return f"{place} beside the recorded ones"
            left, right = expected[name], actual[name]
            if name in _MOMENTS and not isinstance(left, dict):
                if (left is None) != (right is None):
                    return f"{place}: {right!r} for {left!r}"
                continue
            if name == "size_bytes" and expected.keys() >= _DATABASE:
                continue  # pages of a database file: SQLite's version decides
            if name in ("token", "token_id", "key") or (name == "url" and "token=" in str(left)):
                if type(left) is not type(right):
                    return f"{place}: {right!r} for {left!r}"
                continue
            found = _compare(left, right, place)
            if found:
                return found
        return None
    if isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            return f"{where}: {len(actual)} for {len(expected)}"
        for index, (left, right) in enumerate(zip(expected, actual, strict=True)):
            found = _compare(left, right, f"{where}[{index}]")
            if found:
                return found
        return None
    if type(expected) is bool or type(actual) is bool:
        return None if expected is actual else f"{where}: {actual!r} for {expected!r}"
    return None if expected == actual else f"{where}: {actual!r} for {expected!r}"


def rebuilt(name: str, recorded: dict[str, Any]) -> bytes:
    """A request's body that was too long to be kept. Its hash proves that it is the same one.

    The two imported files cannot be had again byte by byte; they are made with the same tables.
    """
    if name.startswith("import-"):
        return _import_form(name)
    body = _long_body(name, recorded)
    assert hashlib.sha256(body).hexdigest() == recorded["sha256"], name
    return body


def _long_body(name: str, recorded: dict[str, Any]) -> bytes:
    length, head = recorded["length"], recorded["head"]
    if name == "bindings-5000":
        marks = ",".join("?" * 5000)
        sql = f"SELECT count(*) AS n FROM json_each('[]') WHERE 1 OR value IN ({marks})"
        return json.dumps({"sql": sql, "bindings": list(range(5000))}).encode()
    if name == "bindings-5001":
        sql = f"SELECT 1 WHERE 1 IN ({','.join('?' * 5001)})"
        return json.dumps({"sql": sql, "bindings": list(range(5001))}).encode()
    if name == "exec-bindings-5001":
        return json.dumps({"sql": "SELECT 1", "bindings": list(range(5001))}).encode()
    # The others are one character many times over, with a beginning and an end.
    tail: str = recorded["tail"]
    if name == "sql-length-counts-bytes":
        unit = "\\u00e9"
        start, end = head[: head.index(unit)], tail[tail.rindex(unit) + len(unit) :]
        text: str = start + unit * ((length - len(start) - len(end)) // len(unit)) + end
        return text.encode()
    start = head.rstrip(head[-1])
    end = tail.lstrip(tail[0])
    whole: str = start + head[-1] * (length - len(start.encode()) - len(end.encode())) + end
    return whole.encode()


def _import_form(name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "src.db")
        source = sqlite3.connect(path)
        source.executescript(
            "CREATE TABLE t1(id integer primary key, v text); INSERT INTO t1(v) VALUES ('a'), ('b');"
            "CREATE TABLE t2(x); INSERT INTO t2 VALUES (1); CREATE INDEX i1 ON t1(v);"
        )
        source.close()
        content = path.read_bytes()
    tables = {"import-tables": '["t1","nosuch"]', "import-again": '["t1","nosuch"]', "import-bad-tables": "t1"}
    form = b""
    if name in tables:
        form += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="tables"\r\n\r\n{tables[name]}\r\n'.encode()
    form += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="src.db"\r\n'.encode()
    form += b"Content-Type: application/octet-stream\r\n\r\n" + content
    return form + f"\r\n--{BOUNDARY}--\r\n".encode()
