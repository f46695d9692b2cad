"""A leader that is killed, ended, frozen or started again under 8 threads: no insert lost, and none done twice."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

import mesahub
from mesahub import AmbiguousResultError, MesahubError
from tests.engines.rqlite_cluster import Cluster

pytestmark = [pytest.mark.engines, pytest.mark.slow]

THREADS = 8
SECONDS = 6.0
FAULT_AFTER = 1.5


@dataclass
class Load:
    """What became of the inserts of all threads, by their names."""

    done: list[str] = field(default_factory=list)
    ambiguous: list[str] = field(default_factory=list)
    failed: list[tuple[str, MesahubError]] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)

    def work(self, db: mesahub.DatabaseHandle, thread: int, end: float, *, idempotent: bool) -> None:
        number = 0
        while time.monotonic() < end:
            name = f"{thread}-{number}"
            number += 1
            try:
                if idempotent:
                    db.table("keyed").insert({"name": name}, idempotent=True)
                else:
                    db.exec("INSERT INTO plain (name) VALUES (?)", [name])
            except AmbiguousResultError:
                self.ambiguous.append(name)
            except MesahubError as error:
                self.failed.append((name, error))
            else:
                self.done.append(name)
                if (
                    number % 4 == 0
                    and not db.query(
                        f"SELECT 1 AS one FROM {'keyed' if idempotent else 'plain'} WHERE name = ?", [name]
                    ).rows
                ):
                    self.stale.append(name)


def run(
    cluster: Cluster, what: signal.Signals | None, *, idempotent: bool = False, restart: float | None = None
) -> Load:
    load = Load()
    with mesahub.connect(cluster.url, pool_size=THREADS) as db:
        db.exec("CREATE TABLE plain (id INTEGER PRIMARY KEY, name TEXT)")
        db.exec("CREATE TABLE keyed (name TEXT PRIMARY KEY)")
        end = time.monotonic() + SECONDS
        threads = [
            threading.Thread(target=load.work, args=(db, number, end), kwargs={"idempotent": idempotent})
            for number in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        time.sleep(FAULT_AFTER)
        leader = cluster.leader()
        if what is not None:
            cluster.signal(leader, what)
        if restart is not None:
            time.sleep(restart)
            if what is signal.SIGSTOP:
                cluster.signal(leader, signal.SIGCONT)
            else:
                cluster.start(leader)
        for thread in threads:
            thread.join(90)
            assert not thread.is_alive()
    return load


def check(cluster: Cluster, load: Load, table: str, record_property: Callable[[str, object], None]) -> None:
    with mesahub.connect(cluster.url) as db:
        stored = Counter(row["name"] for row in db.query(f"SELECT name FROM {table}", consistency="strong").rows)
    ran = sum(name in stored for name in load.ambiguous)
    figure = f"{len(load.done)} done, {len(load.ambiguous)} ambiguous ({ran} in), {len(load.failed)} failed"
    record_property("figure", figure)
    lost = [name for name in load.done if name not in stored]
    doubled = [name for name, count in stored.items() if count > 1]
    wrong = [name for name, _ in load.failed if name in stored]
    assert (lost, doubled, wrong, load.stale) == ([], [], [], [])
    assert load.failed == []
    assert len(load.done) > 100


@pytest.mark.parametrize("what", [signal.SIGKILL, signal.SIGTERM])
def test_a_leader_that_ends_loses_and_doubles_nothing(
    own_rqlite: Cluster, what: signal.Signals, record_property: Callable[[str, object], None]
) -> None:
    load = run(own_rqlite, what)
    check(own_rqlite, load, "plain", record_property)
    assert len(load.ambiguous) <= 4 * THREADS


def test_a_leader_that_comes_back_loses_and_doubles_nothing(
    own_rqlite: Cluster, record_property: Callable[[str, object], None]
) -> None:
    load = run(own_rqlite, signal.SIGKILL, restart=1.0)
    check(own_rqlite, load, "plain", record_property)


def test_a_frozen_leader_loses_and_doubles_nothing(
    own_rqlite: Cluster, record_property: Callable[[str, object], None]
) -> None:
    load = run(own_rqlite, signal.SIGSTOP, restart=3.0)
    check(own_rqlite, load, "plain", record_property)


def test_idempotent_inserts_all_succeed_once(
    own_rqlite: Cluster, record_property: Callable[[str, object], None]
) -> None:
    load = run(own_rqlite, signal.SIGKILL, idempotent=True)
    check(own_rqlite, load, "keyed", record_property)
    assert load.ambiguous == []


def test_idempotent_batches_all_run_once(own_rqlite: Cluster) -> None:
    errors: list[MesahubError] = []
    done = [0] * THREADS

    def move(thread: int, end: float) -> None:
        while time.monotonic() < end:
            try:
                with db.batch(idempotent=True) as batch:
                    batch.exec("UPDATE account SET cents = cents - 1 WHERE id = ?", [thread])
                    batch.exec("UPDATE account SET cents = cents + 1 WHERE id = ?", [(thread + 1) % THREADS])
                    batch.exec("INSERT INTO log (thread) VALUES (?)", [thread])
            except MesahubError as error:
                errors.append(error)
            else:
                done[thread] += 1

    with mesahub.connect(own_rqlite.url, pool_size=THREADS) as db:
        db.exec("CREATE TABLE account (id INTEGER PRIMARY KEY, cents INTEGER)")
        db.exec("CREATE TABLE log (id INTEGER PRIMARY KEY, thread INTEGER)")
        db.table("account").insert_many([{"id": thread, "cents": 0} for thread in range(THREADS)])
        end = time.monotonic() + SECONDS
        threads = [threading.Thread(target=move, args=(thread, end)) for thread in range(THREADS)]
        for thread in threads:
            thread.start()
        time.sleep(FAULT_AFTER)
        own_rqlite.signal(own_rqlite.leader(), signal.SIGKILL)
        for thread in threads:
            thread.join(90)
        logged = db.query(
            "SELECT thread, count(*) AS n FROM log GROUP BY thread ORDER BY thread", consistency="strong"
        ).rows
        cents = [row["cents"] for row in db.table("account").find(order_by=["id"])]
    assert errors == []
    assert [row["n"] for row in logged] == done
    assert cents == [done[thread - 1] - done[thread] for thread in range(THREADS)]


def test_the_nodes_hold_the_same(own_rqlite: Cluster, record_property: Callable[[str, object], None]) -> None:
    load = run(own_rqlite, None)
    check(own_rqlite, load, "plain", record_property)
    with mesahub.connect(own_rqlite.url) as db:
        count = db.table("plain").count()
    end = time.monotonic() + 20
    while (counts := [own_rqlite.count_on(number, "plain") for number in range(3)]) != [count] * 3:
        assert time.monotonic() < end, counts
        time.sleep(0.1)
