"""Signals, forks, full disks, foreign locks: what comes from outside ends a statement; nothing half-done stays."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import mesahub
from mesahub import ConfigurationError, MesahubError

ENDLESS = "WITH RECURSIVE c(n) AS (SELECT 100 UNION ALL SELECT n + 1 FROM c WHERE n < 2000000000) SELECT n FROM c"


class RangError(Exception):
    """Raised by a signal handler of an application."""


def test_what_a_signal_handler_raises_passes_through(tmp_path: Path) -> None:
    def ring(*_: object) -> None:
        raise RangError

    with mesahub.connect("mh://local/signals", data=str(tmp_path)) as db:
        db.exec("CREATE TABLE t (n)")
        before = signal.getsignal(signal.SIGUSR1)
        try:
            for handler, error in ((ring, RangError), (signal.default_int_handler, KeyboardInterrupt)):
                signal.signal(signal.SIGUSR1, handler)
                for run, sql in (
                    (db.query, f"SELECT count(*) FROM ({ENDLESS})"),
                    (db.exec, f"INSERT INTO t {ENDLESS}"),
                ):
                    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1))
                    timer.start()
                    with pytest.raises(error):
                        run(sql)
                    timer.join()
                    assert db.table("t").count() == 0
        finally:
            signal.signal(signal.SIGUSR1, before)
        assert db.table("t").insert({"n": 1}) == {"n": 1}


FORKS = """
import os, sys, threading, mesahub, warnings
warnings.simplefilter("ignore")
with mesahub.connect("mh://local/forks", data=sys.argv[1]) as db:
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n)")
    done = threading.Event()
    def work(number):
        while not done.is_set():
            db.table("t").insert({"n": number}); db.table("t").find(limit=3); db.client.admin.databases.list()
            db.files.upload(b"x", f"{number}.txt"); db.files.list(limit=2); db.query("PRAGMA table_info('t')")
    threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(8)]
    [thread.start() for thread in threads]
    for _ in range(int(sys.argv[2])):
        child = os.fork()
        if child == 0:
            db.table("t").insert({"n": -1}); db.query("SELECT count(*) FROM t"); db.files.upload(b"y", "child.txt")
            db.client.admin.databases.list()
            os._exit(0)
        import time
        end = time.monotonic() + 20
        while time.monotonic() < end:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid: break
            time.sleep(0.002)
        else:
            os.kill(child, 9); print("a child hangs"); os._exit(1)
        assert status == 0, status
    done.set()
    [thread.join(20) for thread in threads]
    assert db.table("t").count({"n": -1}) == int(sys.argv[2])
print("all well")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_of_a_busy_process_works(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKS, str(tmp_path), "10"], capture_output=True, text=True, timeout=200
    )
    assert done.stdout.strip() == "all well", done.stdout + done.stderr[-2000:]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], capture_output=True)


def test_a_full_disk_says_so_and_leaves_nothing(small_disk: Path) -> None:
    with mesahub.connect("mh://local/full", data=str(small_disk)) as db:
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, blob BLOB)")
        for _ in range(3):
            with pytest.raises(MesahubError, match="disk is full") as caught:
                db.files.upload(os.urandom(3_000_000), "large.png.txt")
            assert caught.value.status_code == 507
            assert list(small_disk.rglob("incoming-*")) == []
        with pytest.raises(MesahubError, match="full"):
            db.table("t").insert({"blob": bytes(3_000_000)})
        assert db.table("t").count() == 0
        assert db.table("t").insert({"blob": b"small"})["id"] == 1


def test_what_a_killed_upload_left_is_removed_at_the_next_start(tmp_path: Path) -> None:
    blobs = tmp_path / "blobs"
    blobs.mkdir()
    left = blobs / "incoming-killed"
    left.write_bytes(b"half")
    with mesahub.connect("mh://local/killed", data=str(tmp_path)) as db:
        assert db.files.list()["files"] == []
        assert not left.exists()


def test_a_lock_of_another_process_is_waited_for_within_the_timeout(tmp_path: Path) -> None:
    with mesahub.connect("mh://local/locked", data=str(tmp_path)) as db:
        db.exec("CREATE TABLE t (n)")
        with closing(sqlite3.connect(tmp_path / "databases" / "locked.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            started = time.monotonic()
            with pytest.raises(MesahubError):
                db.table("t").insert({"n": 1}, timeout=0.3)
            waited = time.monotonic() - started
            other.rollback()
        assert waited < 3, (
            "SQLite's own wait of 5 seconds"
        )  # not a measure of speed: the bound is ten times the timeout
        assert db.table("t").insert({"n": 1}) == {"n": 1}


def test_calls_after_close_are_configuration_errors(tmp_path: Path) -> None:
    db = mesahub.connect("mh://local/closed", data=str(tmp_path))
    db.exec("CREATE TABLE t (n)")
    outcome: list[BaseException] = []

    def work() -> None:
        try:
            while True:
                db.table("t").insert({"n": 1})
                db.table("t").find(limit=1)
        except BaseException as error:
            outcome.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    db.close()
    for thread in threads:
        thread.join(20)
    assert [type(error) for error in outcome] == [ConfigurationError] * 4, outcome


@pytest.mark.parametrize("data", ["a\0b", "", "/dev/null/x", "/proc/nosuch/x"], ids=ascii)
def test_a_data_folder_that_cannot_be_made_is_a_configuration_error(data: str) -> None:
    with pytest.raises(MesahubError):
        mesahub.connect("mh://local/x", data=data).query("SELECT 1") if data else mesahub.connect("sqlite:///x\0y.db")
