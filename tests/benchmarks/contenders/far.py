"""This package and a server that is far away: what the distance adds.

Each scenario takes ``near``, the server's URL, and ``far``, the same server 20 ms away; ``away`` chooses.
"""

from __future__ import annotations

import http.client
import itertools
from collections.abc import Callable
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import workload

import mesahub
from mesahub import DatabaseHandle

Run = Callable[[int], object]
_number = itertools.count()


def _emptied(url: str) -> DatabaseHandle:
    db = mesahub.connect(url)
    db.exec("DROP TABLE IF EXISTS people")
    db.exec(workload.CREATE)
    return db


def _filled(near: str, rows: int) -> None:
    with _emptied(near) as db:
        db.table("people").insert_many(workload.rows(rows))


def find_one(near: str, far: str, away: bool) -> Run:
    _filled(near, 1000)
    find = mesahub.connect(far if away else near).table("people").find

    def run(n: int) -> None:
        for i in range(n):
            assert len(find(where={"id": i % 1000}, limit=1)) == 1

    return run


def bare_find(near: str, far: str, away: bool) -> Run:
    """http.client, with the same bytes."""
    _filled(near, 1000)
    connection, path, headers = _bare(far if away else near, "query")

    def run(n: int) -> None:
        for _ in range(n):
            connection.request("POST", path, workload.BODY, headers)
            assert b'"rows":[{' in connection.getresponse().read()

    return run


def _bare(url: str, operation: str) -> tuple[http.client.HTTPConnection, str, dict[str, str]]:
    parts = urlsplit("http" + url[2:])
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    headers = {"Authorization": f"Bearer {parts.username}", "Content-Type": "application/json"}
    return connection, f"/api/db{parts.path}/{operation}", headers


def scan(near: str, far: str, away: bool, work: float, **options: Any) -> Run:
    """Iterate over 20,000 rows, and work for ``work`` seconds on each."""
    _filled(near, 20_000)
    table = mesahub.connect(far if away else near).table("people")

    def run(n: int) -> None:
        for _ in range(n):
            count = 0
            for _row in table.iterate(**options):
                count += 1
                end = perf_counter() + work
                while perf_counter() < end:
                    pass
            assert count == 20_000

    return run


def work_alone(near: str, far: str, away: bool, work: float) -> Run:
    """The same work, without any rows: nothing that reads them can be faster."""

    def run(n: int) -> None:
        for _ in range(n * 20_000):
            end = perf_counter() + work
            while perf_counter() < end:
                pass

    return run


def insert_many(near: str, far: str, away: bool, rows: int = 50_000, in_flight: int = 1) -> Run:
    _emptied(near).close()
    db = mesahub.connect(far if away else near)
    data = workload.rows(rows)

    def run(n: int) -> None:
        for _ in range(n):
            db.exec("DELETE FROM people")
            assert db.table("people").insert_many(data, in_flight=in_flight).rows_affected == rows

    return run


def bare_insert(near: str, far: str, away: bool) -> Run:
    """http.client with the bytes that insert_many sends, which are ready."""
    url = far if away else near
    bodies: list[bytes] = []

    def keep(request: Any, forward: Any) -> Any:
        if request.payload.get("rows"):
            bodies.append(request.content)
        return forward(request)

    _emptied(near).close()
    with mesahub.connect(near, middleware=[keep]) as db:
        db.table("people").insert_many(workload.rows(50_000))
    db = mesahub.connect(url)
    connection, path, headers = _bare(url, "exec")

    def run(n: int) -> None:
        for _ in range(n):
            db.exec("DELETE FROM people")
            for body in bodies:
                connection.request("POST", path, body, headers)
                response = connection.getresponse()
                response.read()
                assert response.status == 200

    return run


def upsert_many(near: str, far: str, away: bool) -> Run:
    _filled(near, 50_000)
    table = mesahub.connect(far if away else near).table("people")
    data = workload.rows(50_000)

    def run(n: int) -> None:
        for _ in range(n):
            assert table.upsert_many(data).rows_affected == 50_000

    return run


def copy(near: str, far: str, away: bool, folder: str) -> Run:
    """Copy 60,000 rows from the server into a database in this process."""
    _filled(near, 60_000)
    url = far if away else near

    def run(n: int) -> None:
        for _ in range(n):
            mesahub.copy(url, f"mh://local/copy{next(_number)}?data={folder}/copies")

    return run


def writes(near: str, far: str, away: bool, together: bool) -> Run:
    """A hundred writes: in one batch, or one by one."""
    db = _emptied(near)
    db.close()
    db = mesahub.connect(far if away else near)

    def run(n: int) -> None:
        for _ in range(n):
            db.exec("DELETE FROM people")
            rows = workload.rows(100)
            if together:
                with db.batch() as batch:
                    for row in rows:
                        batch.table("people").insert(row)
            else:
                table = db.table("people")
                for row in rows:
                    table.insert(row)

    return run
