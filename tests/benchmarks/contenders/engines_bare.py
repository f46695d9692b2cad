"""Engines spoken to by hand: with http.client, and with httpx."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import workload

Run = Callable[[int], object]
HEADERS = {"Content-Type": "application/json"}
SQL = 'SELECT * FROM "people" WHERE "id" = ? LIMIT 1'


def request_of(engine: str, key: int) -> tuple[str, bytes]:
    """Path and body."""
    if engine == "rqlite":
        return "/db/query?level=weak", json.dumps([[SQL, key]]).encode()
    stmt = {"sql": SQL, "args": [{"type": "integer", "value": str(key)}]}
    body = {"requests": [{"type": "execute", "stmt": stmt}, {"type": "close"}]}
    return "/v3/pipeline", json.dumps(body).encode()


def rows_of(engine: str, content: bytes) -> list[dict[str, Any]]:
    result = json.loads(content)["results"][0]
    if engine == "rqlite":
        return [dict(zip(result["columns"], row, strict=True)) for row in result["values"]]
    result = result["response"]["result"]
    names = [col["name"] for col in result["cols"]]
    return [
        {
            name: int(value["value"]) if value["type"] == "integer" else value.get("value")
            for name, value in zip(names, row, strict=True)
        }
        for row in result["rows"]
    ]


def find_one(engine: str, url: str) -> Run:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def run(n: int) -> None:
        for i in range(n):
            path, body = request_of(engine, i)
            connection.request("POST", path, body=body, headers=HEADERS)
            assert len(rows_of(engine, connection.getresponse().read())) == 1

    return run


def find_one_httpx(engine: str, url: str) -> Run:
    import httpx

    parts = urlsplit(url)
    client = httpx.Client(base_url=f"http://{parts.netloc}", timeout=30)

    def run(n: int) -> None:
        for i in range(n):
            path, body = request_of(engine, i)
            assert len(rows_of(engine, client.post(path, content=body, headers=HEADERS).content)) == 1

    return run


def insert_httpx(engine: str, url: str, rows: int) -> Run:
    """All rows as statements of one transaction, in one request."""
    import httpx

    parts = urlsplit(url)
    client = httpx.Client(base_url=f"http://{parts.netloc}", timeout=120)
    data = [list(row.values()) for row in workload.rows(rows)]
    create = workload.CREATE.replace("people", "many")
    insert = "INSERT INTO many VALUES (?, ?, ?, ?, ?)"

    def typed(value: Any) -> dict[str, str]:
        return {"type": "integer" if type(value) is int else "text", "value": str(value)}

    def run(n: int) -> None:
        for _ in range(n):
            before = ["DROP TABLE IF EXISTS many", create]
            if engine == "rqlite":
                body: Any = [[sql] for sql in before] + [[insert, *row] for row in data]
                answer = client.post("/db/execute?transaction", json=body)
            else:
                stmts: list[Any] = [{"sql": sql} for sql in ["BEGIN", *before]]
                stmts += [{"sql": insert, "args": [typed(value) for value in row]} for row in data]
                steps = [{"stmt": stmt} for stmt in [*stmts, {"sql": "COMMIT"}]]
                body = {"requests": [{"type": "batch", "batch": {"steps": steps}}, {"type": "close"}]}
                answer = client.post("/v3/pipeline", json=body)
            assert answer.status_code == 200
            assert b'"error":' not in answer.content

    return run
