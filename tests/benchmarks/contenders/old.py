"""mesahub 1.0.1 from PyPI, on httpx."""

from __future__ import annotations

import threading
from collections.abc import Callable

import workload

from mesahub import MesahubClient

Run = Callable[[int], object]


def find_one(url: str) -> Run:
    find = MesahubClient(workload.KEY, url).db("one").table("people").find

    def run(n: int) -> None:
        for i in range(n):
            assert len(find(where={"id": i}, limit=1)) == 1

    return run


def find_many(url: str, name: str) -> Run:
    table = MesahubClient(workload.KEY, url).db(name).table("people")

    def run(n: int) -> None:
        for _ in range(n):
            table.find(limit=200_000)

    return run


def threads(url: str, count: int) -> Run:
    table = MesahubClient(workload.KEY, url).db("one").table("people")

    def run(n: int) -> None:
        def work() -> None:
            for i in range(n // count):
                table.find(where={"id": i}, limit=1)

        workers = [threading.Thread(target=work) for _ in range(count)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    return run


def insert_many(url: str, rows: int) -> Run:
    from mesahub import parse_mesahub_url

    info = parse_mesahub_url(url)
    client = MesahubClient(info["api_key"], info["api_url"], info["route_prefix"])
    db = client.db(info["db_name"])
    data = workload.rows(rows)

    def run(n: int) -> None:
        for _ in range(n):
            db.exec("DROP TABLE IF EXISTS people")
            db.exec(workload.CREATE)
            for start in range(0, rows, 1000):
                db.table("people").insert_many(data[start : start + 1000])

    return run


def compile_find() -> Run:
    from mesahub.table import TableHandle

    def answer(sql: str, bindings: list[object]) -> dict[str, list[object]]:
        return {"rows": []}

    table = TableHandle("users", answer, answer, answer)
    where, order = workload.PAGE_WHERE, [{"column": "created_at", "direction": "desc"}]

    def run(n: int) -> None:
        for _ in range(n):
            table.find(where, None, order, 10, 20)

    return run
