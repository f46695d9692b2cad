"""A leader that is killed, ended, frozen or started again under 8 threads: no insert lost, and none done twice."""

from __future__ import annotations

import signal
import time

import pytest

import mesahub
from tests.engines.insert_load import THREADS, Load, Record, check, insert_under, move_under
from tests.engines.rqlite_cluster import Cluster

pytestmark = [pytest.mark.engines, pytest.mark.slow]


def run(
    cluster: Cluster, what: signal.Signals | None, *, idempotent: bool = False, restart: float | None = None
) -> Load:
    def fault() -> None:
        leader = cluster.leader()
        if what is not None:
            cluster.signal(leader, what)
        if restart is not None:
            time.sleep(restart)
            if what is signal.SIGSTOP:
                cluster.signal(leader, signal.SIGCONT)
            else:
                cluster.start(leader)

    return insert_under(cluster.url, fault, idempotent=idempotent)


def checked(cluster: Cluster, load: Load, table: str, record_property: Record) -> None:
    with mesahub.connect(cluster.url) as db:
        check(db, "strong", load, table, record_property)


@pytest.mark.parametrize("what", [signal.SIGKILL, signal.SIGTERM])
def test_a_leader_that_ends_loses_and_doubles_nothing(
    own_rqlite: Cluster, what: signal.Signals, record_property: Record
) -> None:
    load = run(own_rqlite, what)
    checked(own_rqlite, load, "plain", record_property)
    assert len(load.ambiguous) <= 4 * THREADS


def test_a_leader_that_comes_back_loses_and_doubles_nothing(own_rqlite: Cluster, record_property: Record) -> None:
    load = run(own_rqlite, signal.SIGKILL, restart=1.0)
    checked(own_rqlite, load, "plain", record_property)


def test_a_frozen_leader_loses_and_doubles_nothing(own_rqlite: Cluster, record_property: Record) -> None:
    load = run(own_rqlite, signal.SIGSTOP, restart=3.0)
    checked(own_rqlite, load, "plain", record_property)


def test_idempotent_inserts_all_succeed_once(own_rqlite: Cluster, record_property: Record) -> None:
    load = run(own_rqlite, signal.SIGKILL, idempotent=True)
    checked(own_rqlite, load, "keyed", record_property)
    assert load.ambiguous == []


def test_idempotent_batches_all_run_once(own_rqlite: Cluster) -> None:
    move_under(own_rqlite.url, "strong", lambda: own_rqlite.signal(own_rqlite.leader(), signal.SIGKILL))


def test_the_nodes_hold_the_same(own_rqlite: Cluster, record_property: Record) -> None:
    load = run(own_rqlite, None)
    checked(own_rqlite, load, "plain", record_property)
    with mesahub.connect(own_rqlite.url) as db:
        count = db.table("plain").count()
    end = time.monotonic() + 20
    while (counts := [own_rqlite.count_on(number, "plain") for number in range(3)]) != [count] * 3:
        assert time.monotonic() < end, counts
        time.sleep(0.1)
