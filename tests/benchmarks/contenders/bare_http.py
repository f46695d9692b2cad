"""The standard library's http.client alone, and a socket alone."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import workload

Run = Callable[[int], object]


def find_one(url: str) -> Run:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    headers = {"Authorization": f"Bearer {workload.KEY}", "Content-Type": "application/json"}

    def run(n: int) -> None:
        for _ in range(n):
            connection.request("POST", "/v1/query/one", body=workload.BODY, headers=headers)
            assert len(json.loads(connection.getresponse().read())["rows"]) == 1

    return run


def find_one_raw(url: str) -> Run:
    """The physical limit: the bytes are ready, the answer's end is found by its length."""
    parts = urlsplit(url)
    sock = socket.create_connection((parts.hostname or "", parts.port or 80))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    head = f"POST /v1/query/one HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {workload.KEY}\r\n"
    request = f"{head}Content-Type: application/json\r\nContent-Length: {len(workload.BODY)}\r\n\r\n".encode()
    request += workload.BODY

    def run(n: int) -> None:
        for _ in range(n):
            sock.sendall(request)
            data = sock.recv(65536)
            at = data.find(b"\r\n\r\n") + 4
            length = int(data[data.find(b"Content-Length:") + 15 : data.find(b"\r\n\r\n")])
            while len(data) < at + length:
                data += sock.recv(65536)
            assert len(json.loads(data[at:])["rows"]) == 1

    return run


def nothing() -> Run:
    """What the harness itself takes."""

    def run(n: int) -> None:
        time.sleep(0)

    return run
