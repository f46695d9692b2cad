"""Random schedules of faults between a client and a real server: nothing is lost, nothing is written twice."""

from __future__ import annotations

import gc
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

import mesahub
from mesahub import DatabaseHandle, RetryPolicy
from mesahub.middleware import hooks
from mesahub.testing.asynchronous.contract import OnALoop
from mesahub.testing.certificates import make_certificates
from mesahub.transport import TLSOptions
from mesahub.transport.asynchronous.registry import find_async_factory
from tests.faults.proxy import FAULTS, FaultProxy
from tests.faults.workload import THREADS, Report, check, prepare, run
from tests.servers import ADMIN_TOKEN, Server, start_server

TIMEOUT = 0.5
TRANSPORTS: list[Any] = ["urllib", "requests", "urllib3"]
ASYNC_TRANSPORTS: list[Any] = [
    lambda options, name=name: OnALoop(find_async_factory(name), options) for name in ("asyncio", "aiohttp", "httpx")
]
RETRY = RetryPolicy(4, backoff=0.002, throttled_backoff=0.005, throttle_window=0.01, budget=10_000)


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultProxy]:
    with closing(FaultProxy(server.host, server.port, stall=TIMEOUT + 0.2)) as made:
        yield made


@pytest.fixture
def tls_proxy(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultProxy]:
    certificates = make_certificates(tmp_path_factory.getbasetemp())
    with closing(FaultProxy(server.host, server.port, stall=TIMEOUT + 0.2, tls=certificates.good)) as made:
        made.ca_file = certificates.ca_file
        yield made


@contextmanager
def connect(proxy: FaultProxy, name: str, **options: Any) -> Iterator[DatabaseHandle]:
    tls = TLSOptions(ca_file=proxy.ca_file) if proxy.ca_file else None
    url = f"{'https' if tls else 'http'}://127.0.0.1:{proxy.port}"
    with mesahub.MesahubClient(
        ADMIN_TOKEN, url, route_prefix="api", tls=tls, retry=RETRY, pool_size=16, **options
    ) as client:
        yield client.db(name)


def play(
    proxy: FaultProxy,
    server: Server,
    name: str,
    schedules: range,
    calls: int,
    *,
    transports: list[Any] = TRANSPORTS,
) -> Report:
    """Play schedules, each on the next transport, and count the rows."""
    server.new_database(name)
    report = Report()
    with mesahub.connect(server.url(name)) as straight, ExitStack() as stack:
        prepare(straight)
        databases = [stack.enter_context(connect(proxy, name, transport=transport)) for transport in transports]
        for seed in schedules:
            proxy.play(seed)
            refusing = threading.Thread(target=proxy.pause, args=(0.02,)) if seed % 20 == 19 else None
            if refusing:
                refusing.start()
            run(databases[seed % len(databases)], seed, calls, TIMEOUT, report)
            if refusing:
                refusing.join()
        check(straight, report)
    return report


def tell(title: str, report: Report, proxy: FaultProxy) -> None:
    writes = len(report.done) + len(report.ambiguous) + len(report.refused)
    print(f"\n{title}: {sum(report.outcomes.values())} outcomes, {sum(proxy.played.values())} requests")
    print(
        f"  writes: {writes}, done {len(report.done)}, ambiguous {len(report.ambiguous)}, refused {len(report.refused)}"
    )
    print(
        f"  latest: {report.latest:.2f} s past the deadline ({report.latest_call})"
        if report.latest > 0
        else "  no call past its deadline"
    )
    print(f"  outcomes: {dict(sorted(report.outcomes.items()))}")
    print(f"  faults: {dict(sorted(proxy.played.items()))}")


def test_a_few_schedules(proxy: FaultProxy, server: Server) -> None:
    report = play(proxy, server, "few", range(24), 4)
    tell("24 schedules", report, proxy)
    assert proxy.played["reset_after"] > 0
    assert report.outcomes["read done"] > 0
    assert report.done
    assert report.ambiguous


def test_a_few_schedules_over_tls(tls_proxy: FaultProxy, server: Server) -> None:
    report = play(tls_proxy, server, "few-tls", range(24), 4)
    tell("24 schedules over TLS", report, tls_proxy)
    assert tls_proxy.played["trailing"] > 0
    assert report.done
    assert report.ambiguous


@pytest.mark.parametrize("tls", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_a_few_schedules_over_asynchronous_transports(
    request: pytest.FixtureRequest, server: Server, tls: bool
) -> None:
    proxy = request.getfixturevalue("tls_proxy" if tls else "proxy")
    report = play(proxy, server, f"few-async-{tls}".lower(), range(9), 4, transports=ASYNC_TRANSPORTS)
    tell(f"9 schedules, asynchronous, tls={tls}", report, proxy)
    assert proxy.played["reset_after"] > 0
    assert report.outcomes["read done"] > 0
    assert report.done


@pytest.mark.soak
@pytest.mark.parametrize("tls", [False, True])
def test_two_thousand_schedules_over_asynchronous_transports(
    request: pytest.FixtureRequest, server: Server, tls: bool
) -> None:
    proxy = request.getfixturevalue("tls_proxy" if tls else "proxy")
    report = play(proxy, server, f"soak-async-{tls}".lower(), range(2_000), 4, transports=ASYNC_TRANSPORTS)
    tell(f"2,000 schedules, asynchronous, {THREADS} threads, tls={tls}", report, proxy)
    assert set(proxy.played) == set(FAULTS)


@pytest.mark.soak
def test_two_thousand_schedules_over_tls(tls_proxy: FaultProxy, server: Server) -> None:
    report = play(tls_proxy, server, "soak-tls", range(2_000), 4)
    tell(f"2,000 schedules over TLS, {THREADS} threads", report, tls_proxy)
    assert set(tls_proxy.played) == set(FAULTS)
    assert report.latest < 0.25, report.latest_call


@pytest.mark.soak
def test_two_thousand_schedules(proxy: FaultProxy, server: Server) -> None:
    report = play(proxy, server, "soak", range(2_000), 4)
    tell(f"2,000 schedules, {THREADS} threads", report, proxy)
    assert set(proxy.played) == set(FAULTS)
    assert report.latest < 0.25, report.latest_call


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
    retries: list[Any] = []
    report = kill(tmp_path, port, 1, retries)
    assert report.done
    assert retries, "the server was killed when all was over"


@pytest.mark.soak
def test_a_server_that_is_killed_again_and_again(tmp_path: Path) -> None:
    report = kill(tmp_path, free_port(), 15, [])
    print(
        f"\n15 kills: writes done {len(report.done)}, ambiguous {len(report.ambiguous)}, refused {len(report.refused)}"
        f"; outcomes: {dict(sorted(report.outcomes.items()))}"
    )
    assert len(report.done) > 1_000


def kill(folder: Path, port: int, kills: int, retries: list[Any]) -> Report:
    """Kill the server under a workload so often, start it again each time, and count the rows."""
    report = Report()
    policy = RetryPolicy(60, backoff=0.05, max_backoff=0.2, budget=10_000)
    with ExitStack() as running:
        current = running.enter_context(start_server(folder, port))
        current.new_database("killed")
        url = current.url("killed")
        with mesahub.connect(url) as straight:
            prepare(straight)
        with mesahub.connect(url, retry=policy, middleware=[hooks(retry=retries.append)]) as db:
            for seed in range(kills):
                working = threading.Thread(target=run, args=(db, seed, 150, 20.0, report))
                begun = len(report.done)
                working.start()
                while (
                    working.is_alive() and len(report.done) < begun + 20
                ):  # in the middle of its 150 calls, on any machine
                    time.sleep(0.001)
                current.process.send_signal(signal.SIGKILL)
                current.process.wait(10)
                current = running.enter_context(start_server(folder, port))
                working.join()
        with mesahub.connect(url) as straight:
            check(straight, report)
    return report


@pytest.mark.soak
def test_thirty_two_threads_for_a_minute(server: Server) -> None:
    server.new_database("load")
    gc.collect()
    errors: list[BaseException] = []
    calls = [0] * 32
    with mesahub.connect(server.url("load"), pool_size=10) as db:
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, thread INTEGER)")
        before = threading.active_count()
        sockets_before = connections() - 1  # those of other tests, and not this client's
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
        sockets = connections() - sockets_before
    assert not errors, errors[:3]
    assert written == sum((count + 4) // 5 for count in calls)
    assert threading.active_count() <= before
    growth = sizes[-1] - sizes[len(sizes) // 3]
    print(
        f"\n32 threads, 60 s: {sum(calls)} calls, {sockets} connections, memory {growth / 1e6:+.1f} MB in the last 40 s"
    )
    assert sockets <= 10
    assert growth < 5e6


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
