"""Random schedules of faults between a client and a real server: nothing is lost, nothing is written twice."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import mesahub
from mesahub import DatabaseHandle, RetryPolicy
from mesahub.middleware import hooks
from tests.faults.proxy import FAULTS, FaultProxy
from tests.faults.workload import THREADS, Report, check, prepare, run
from tests.servers import ADMIN_TOKEN, Server, start_server

TIMEOUT = 1.0
RETRY = RetryPolicy(4, backoff=0.002, throttled_backoff=0.005, throttle_window=0.01, budget=10_000)


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultProxy]:
    with closing(FaultProxy(server.host, server.port, stall=TIMEOUT + 0.3)) as made:
        yield made


def connect(proxy: FaultProxy, name: str, **options: Any) -> DatabaseHandle:
    return mesahub.connect(f"mh://{ADMIN_TOKEN}@127.0.0.1:{proxy.port}/{name}", retry=RETRY, pool_size=16, **options)


def play(proxy: FaultProxy, server: Server, name: str, schedules: int, calls: int, transport: str) -> Report:
    server.new_database(name)
    report = Report()
    with mesahub.connect(server.url(name)) as straight:
        prepare(straight)
        with connect(proxy, name, transport=transport) as db:
            for seed in range(schedules):
                proxy.play(seed)
                run(db, seed, calls, TIMEOUT, report)
        check(straight, report)
    return report


def tell(title: str, report: Report, proxy: FaultProxy) -> None:
    writes = len(report.done) + len(report.ambiguous) + len(report.refused)
    print(f"\n{title}: {sum(report.outcomes.values())} outcomes, {sum(proxy.played.values())} requests")
    print(
        f"  writes: {writes}, done {len(report.done)}, ambiguous {len(report.ambiguous)}, refused {len(report.refused)}"
    )
    print(f"  latest: {report.latest:.2f} s past the deadline" if report.latest > 0 else "  no call past its deadline")
    print(f"  outcomes: {dict(sorted(report.outcomes.items()))}")
    print(f"  faults: {dict(sorted(proxy.played.items()))}")


@pytest.mark.parametrize("transport", ["urllib", "requests", "urllib3"])
def test_a_few_schedules(proxy: FaultProxy, server: Server, transport: str) -> None:
    report = play(proxy, server, f"few-{transport}", 12, 4, transport)
    assert proxy.played["reset_after"] > 0
    assert report.outcomes["read done"] > 0
    assert report.done


@pytest.mark.soak
def test_two_thousand_schedules(proxy: FaultProxy, server: Server) -> None:
    report = play(proxy, server, "soak", 2_000, 4, "urllib")
    tell(f"2,000 schedules, {THREADS} threads", report, proxy)
    assert set(proxy.played) == set(FAULTS)
    assert report.latest < 1.0, "a call hung"


@pytest.mark.parametrize("fault", sorted(set(FAULTS) - {"none", "drip", "close_behind"}))
def test_each_fault_alone(proxy: FaultProxy, server: Server, fault: str) -> None:
    """A read gets through, a write is done once or reported, whatever the one fault is."""
    name = f"alone-{fault.replace('_', '-')}"
    server.new_database(name)
    with mesahub.connect(server.url(name)) as straight:
        prepare(straight)
        with connect(proxy, name) as db:
            db.query("SELECT 1 AS a")
            once = {fault: 1}
            proxy.play(1, once)
            stop = threading.Timer(0.15 if fault != "stall" else 1.0, proxy.play, [1, {"none": 1}])
            stop.start()
            report = Report()
            run(db, 1, 2, 6.0, report)
            stop.join()
            proxy.play(1, {"none": 1})
            assert db.query("SELECT 1 AS a").rows == [{"a": 1}]
        check(straight, report)
    assert proxy.played[fault] > 0


def test_a_server_that_refuses_for_a_while(proxy: FaultProxy, server: Server) -> None:
    server.new_database("pause")
    with mesahub.connect(server.url("pause")) as straight:
        prepare(straight)
        policy = RetryPolicy(20, backoff=0.05, max_backoff=0.1)
        url = f"mh://{ADMIN_TOKEN}@127.0.0.1:{proxy.port}/pause"
        with mesahub.connect(url, retry=policy) as db:
            pausing = threading.Thread(target=proxy.pause, args=(0.3,))
            pausing.start()
            time.sleep(0.05)
            db.exec("INSERT INTO plain VALUES ('x', 1)")
            pausing.join()
        assert straight.table("plain").count() == 1


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_server_that_is_killed_in_mid_write(tmp_path: Path) -> None:
    port = free_port()
    report = Report()
    retries: list[Any] = []
    policy = RetryPolicy(60, backoff=0.05, max_backoff=0.2, budget=10_000)
    with start_server(tmp_path, port) as first:
        first.new_database("killed")
        with mesahub.connect(first.url("killed")) as straight:
            prepare(straight)
        with mesahub.connect(first.url("killed"), retry=policy, middleware=[hooks(retry=retries.append)]) as db:
            working = threading.Thread(target=run, args=(db, 7, 150, 20.0, report))
            working.start()
            time.sleep(0.3)
            first.process.send_signal(signal.SIGKILL)
            first.process.wait(10)
            with start_server(tmp_path, port) as second:
                working.join()
                with mesahub.connect(second.url("killed")) as straight:
                    check(straight, report)
    assert report.done
    assert retries, "the server was killed when all was over"


@pytest.mark.soak
def test_thirty_two_threads_for_a_minute(server: Server) -> None:
    server.new_database("load")
    errors: list[BaseException] = []
    calls = [0] * 32
    with mesahub.connect(server.url("load"), pool_size=10) as db:
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, thread INTEGER)")
        before = threading.active_count()
        end = time.monotonic() + 60
        sizes: list[int] = []

        def work(number: int) -> None:
            try:
                while time.monotonic() < end:
                    if calls[number] % 5 == 0:
                        db.table("t").insert({"thread": number})
                    else:
                        db.table("t").find(where={"id": calls[number] % 50})
                    calls[number] += 1
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(32)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            time.sleep(2)
            sizes.append(resident())
        for thread in threads:
            thread.join()
        written = db.table("t").count()
        sockets = connections()
    assert not errors, errors[:3]
    assert written == sum((count + 4) // 5 for count in calls)
    assert threading.active_count() <= before
    growth = sizes[-1] - sizes[len(sizes) // 3]
    print(
        f"\n32 threads, 60 s: {sum(calls)} calls, {sockets} connections, memory {growth / 1e6:+.1f} MB in the last 40 s"
    )
    assert sockets <= 10
    assert growth < 20e6


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def connections() -> int:
    import os

    count = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            count += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
        except OSError:
            continue
    return count
