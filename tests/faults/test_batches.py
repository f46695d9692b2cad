"""Batches through a proxy that plays faults: never half, and with a ticket exactly once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

import mesahub
from mesahub import DatabaseHandle, MesahubError, RetryPolicy
from tests.faults.proxy import FaultProxy
from tests.servers import ADMIN_TOKEN, Server

THREADS = 8
RETRY = RetryPolicy(30, backoff=0.002, throttled_backoff=0.005, throttle_window=0.01, budget=100_000)


def move(db: DatabaseHandle, key: str, source: int, *, idempotent: bool) -> bool:
    try:
        db.batch(
            [
                ("UPDATE account SET cents = cents - ? WHERE id = ?", [1, source]),
                ("UPDATE account SET cents = cents + ? WHERE id = ?", [1, 3 - source]),
                ("INSERT INTO moved VALUES (?, ?)", [key, source]),
            ],
            idempotent=idempotent,
        )
    except MesahubError:
        return False
    return True


@pytest.mark.parametrize("transfers", [25, pytest.param(200, marks=pytest.mark.soak)])
@pytest.mark.parametrize("idempotent", [True, False])
def test_batches_are_never_half_and_with_a_ticket_exactly_once(
    server: Server, idempotent: bool, transfers: int
) -> None:
    name = f"batches-{idempotent}-{transfers}".lower()
    server.new_database(name)
    with (
        mesahub.connect(server.url(name)) as straight,
        closing(FaultProxy(server.host, server.port, stall=0.7)) as proxy,
        mesahub.MesahubClient(
            ADMIN_TOKEN, f"http://127.0.0.1:{proxy.port}", "api", 20.0, retry=RETRY, pool_size=16
        ) as client,
    ):
        straight.exec("CREATE TABLE account (id INTEGER PRIMARY KEY, cents INTEGER)")
        straight.exec("INSERT INTO account VALUES (1, 0), (2, 0)")
        straight.exec("CREATE TABLE moved (key TEXT, source INTEGER)")
        proxy.play(7)
        db = client.db(name)

        def work(number: int) -> list[str]:
            keys = [f"{number}-{index}" for index in range(transfers)]
            return [key for key in keys if move(db, key, 1 + number % 2, idempotent=idempotent)]

        with ThreadPoolExecutor(THREADS) as threads:
            done = sorted(key for keys in threads.map(work, range(THREADS)) for key in keys)
        moved = straight.query("SELECT key, source FROM moved").rows
        balances = [row["cents"] for row in straight.query("SELECT cents FROM account ORDER BY id").rows]
        keys = sorted(row["key"] for row in moved)
        from_first = sum(row["source"] == 1 for row in moved)
        assert balances == [len(moved) - 2 * from_first, 2 * from_first - len(moved)]
        assert len(set(keys)) == len(keys)
        assert set(done) <= set(keys)
        if idempotent:
            assert len(done) == THREADS * transfers
        assert proxy.played["none"] < sum(proxy.played.values())
