"""A libSQL server that is killed, frozen or started again under 8 threads: no insert lost, and none done twice."""

from __future__ import annotations

import signal
import time

import pytest

import mesahub
from tests.engines.insert_load import THREADS, Load, Record, check, insert_under, move_under
from tests.engines.sqld_server import Sqld

pytestmark = [pytest.mark.engines, pytest.mark.slow]

PRIMARY, REPLICA = 0, 1


def run(
    sqld: Sqld, node: int, what: signal.Signals | None, *, replicas: bool = False, idempotent: bool = False
) -> tuple[Load, str]:
    database = sqld.new_database()

    def fault() -> None:
        if what is None:
            return
        sqld.signal(node, what)
        time.sleep(1.0 if what is signal.SIGKILL else 3.0)
        if what is signal.SIGSTOP:
            sqld.signal(node, signal.SIGCONT)
        else:
            sqld.start(node)

    url = sqld.url(database, replicas=replicas)
    return insert_under(url, fault, idempotent=idempotent), database


def checked(sqld: Sqld, load: Load, database: str, table: str, record_property: Record) -> None:
    with mesahub.connect(sqld.url(database)) as db:
        check(db, "primary", load, table, record_property)


@pytest.mark.parametrize("what", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
def test_a_primary_that_fails_loses_and_doubles_nothing(
    own_sqld: Sqld, what: signal.Signals, record_property: Record
) -> None:
    load, database = run(own_sqld, PRIMARY, what)
    checked(own_sqld, load, database, "plain", record_property)
    assert len(load.ambiguous) <= 4 * THREADS


def test_idempotent_inserts_all_succeed_once(own_sqld: Sqld, record_property: Record) -> None:
    load, database = run(own_sqld, PRIMARY, signal.SIGKILL, idempotent=True)
    checked(own_sqld, load, database, "keyed", record_property)
    assert load.ambiguous == []


def test_idempotent_batches_all_run_once(own_sqld: Sqld) -> None:
    def fault() -> None:
        own_sqld.signal(PRIMARY, signal.SIGKILL)
        time.sleep(1.0)
        own_sqld.start(PRIMARY)

    move_under(own_sqld.url(own_sqld.new_database()), "primary", fault)


@pytest.mark.parametrize("what", [None, signal.SIGKILL, signal.SIGSTOP])
def test_reads_at_a_replica_see_ones_own_writes(
    own_sqld: Sqld, what: signal.Signals | None, record_property: Record
) -> None:
    load, database = run(own_sqld, REPLICA, what, replicas=True)
    checked(own_sqld, load, database, "plain", record_property)
    assert load.ambiguous == []
    assert load.read >= 50


def test_reads_at_a_replica_survive_the_primary(own_sqld: Sqld, record_property: Record) -> None:
    load, database = run(own_sqld, PRIMARY, signal.SIGKILL, replicas=True)
    checked(own_sqld, load, database, "plain", record_property)
