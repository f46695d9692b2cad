"""Threads and processes on one database, and one that is killed in the middle of a write."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import mesahub
from mesahub import DatabaseHandle
from mesahub_embedded.storage.data_folder import Store
from mesahub_embedded.storage.naming import file_name

THREADS = 8
PROCESSES = 2
WRITES = 15


def write(data: str, process: int) -> None:
    with mesahub.connect("mh://local/shop", data=data) as db:

        def run(thread: int) -> None:
            for number in range(WRITES):
                db.exec("INSERT INTO t VALUES (?, ?, ?)", [process, thread, number])
                db.exec("UPDATE counter SET n = n + 1")
                assert db.query("SELECT n FROM counter").rows[0]["n"] > 0

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(run, range(THREADS)))


def test_every_write_of_every_thread_and_process_is_there(data: Path) -> None:
    with mesahub.connect("mh://local/shop", data=str(data)) as db:
        db.exec("CREATE TABLE t (process INTEGER, thread INTEGER, number INTEGER)")
        db.exec("CREATE TABLE counter (n INTEGER)")
        db.exec("INSERT INTO counter VALUES (0)")
        context = multiprocessing.get_context("spawn")
        processes = [context.Process(target=write, args=(str(data), number)) for number in range(PROCESSES)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0] * PROCESSES
        total = PROCESSES * THREADS * WRITES
        assert db.query("SELECT n FROM counter").rows == [{"n": total}]
        assert db.query("SELECT count(*) AS n FROM (SELECT DISTINCT * FROM t)").rows == [{"n": total}]


def test_processes_that_open_a_new_database_at_once(data: Path) -> None:
    code = (
        "import sys, mesahub\n"
        "db = mesahub.connect('mh://local/new', data=sys.argv[1])\n"
        "db.exec('CREATE TABLE IF NOT EXISTS t (n)')\n"
        "db.exec('INSERT INTO t VALUES (1)')\n"
        "db.files.upload(b'x', sys.argv[2])\n"
        "db.close()\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(data), f"{number}.txt"]) for number in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    with mesahub.connect("mh://local/new", data=str(data)) as db:
        assert db.query("SELECT count(*) AS n FROM t").rows == [{"n": 4}]
        assert db.files.list()["total"] == 4


def test_readers_do_not_wait_for_a_writer(db: DatabaseHandle, store: Store) -> None:
    db.exec("CREATE TABLE t (n)")
    with store.engine("shop").script() as run:
        run.execute("BEGIN IMMEDIATE")
        run.execute("INSERT INTO t VALUES (1)")
        answers: list[object] = []
        reader = threading.Thread(target=lambda: answers.extend(db.query("SELECT count(*) AS n FROM t").rows))
        reader.start()
        reader.join(30)
        run.execute("COMMIT")
    assert answers == [{"n": 0}]
    assert db.query("SELECT count(*) AS n FROM t").rows == [{"n": 1}]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_process_killed_while_it_writes_leaves_a_whole_database(data: Path) -> None:
    code = (
        "import sys, mesahub\n"
        "db = mesahub.connect('mh://local/shop', data=sys.argv[1])\n"
        "db.exec('CREATE TABLE pairs (a INTEGER, b INTEGER)')\n"
        "n = 0\n"
        "while True:\n"
        "    n += 1\n"
        "    db.exec('INSERT INTO pairs VALUES (?, 1), (?, 2)', [n, n])\n"
        "    print(n, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(data)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = 0
    for line in process.stdout:
        told = int(line)
        if told == 50:
            break
    os.kill(process.pid, signal.SIGKILL)
    rest = process.stdout.read().split()
    process.wait()
    process.stdout.close()
    told = max([told, *(int(number) for number in rest if number.isdigit())])
    with mesahub.connect("mh://local/shop", data=str(data)) as db:
        counts = db.query("SELECT a, count(*) AS n FROM pairs GROUP BY a").rows
        assert db.query("PRAGMA integrity_check").rows == [{"integrity_check": "ok"}]
    # What was told is there, and no write is there by half.
    assert len(counts) >= told - 1
    assert all(row["n"] == 2 for row in counts)


WRITER = """
import sys, mesahub
with mesahub.connect("mh://local/shop", data=sys.argv[1]) as db:
    table, number = db.table("t"), 0
    while True:
        table.insert({"writer": int(sys.argv[2]), "number": number})
        print(number, flush=True)
        number += 1
"""


@pytest.mark.slow
def test_four_writers_that_are_killed_lose_nothing_they_were_told_is_in(data: Path, tmp_path: Path) -> None:
    with mesahub.connect("mh://local/shop", data=str(data)) as db:
        db.exec("CREATE TABLE t (writer INTEGER, number INTEGER)")
    for kills in range(5):
        writers = range(kills * 4, kills * 4 + 4)
        outputs = {writer: tmp_path / f"{writer}.out" for writer in writers}
        processes = []
        for writer, output in outputs.items():
            with output.open("wb") as file:
                processes.append(subprocess.Popen([sys.executable, "-c", WRITER, str(data), str(writer)], stdout=file))
        while any(output.stat().st_size < 40 * (kills + 1) for output in outputs.values()):
            assert all(process.poll() is None for process in processes)
        for process in processes:
            process.kill()
            process.wait()
        with mesahub.connect("mh://local/shop", data=str(data)) as db:
            assert db.query("PRAGMA integrity_check").rows[0]["integrity_check"] == "ok"
            for writer, output in outputs.items():
                told = [int(line) for line in output.read_text().splitlines()]
                stored = [row["number"] for row in db.table("t").find(where={"writer": writer}, order_by="number")]
                assert told == list(range(len(told)))
                # The last write may be in although the writer was killed before it could say so.
                assert stored in (told, [*told, len(told)])


def test_what_another_tool_writes_is_read(db: DatabaseHandle, data: Path) -> None:
    db.exec("CREATE TABLE t (n)")
    other = sqlite3.connect(data / "databases" / file_name("shop"))
    with other:
        other.execute("INSERT INTO t VALUES (5)")
    other.close()
    assert db.query("SELECT n FROM t").rows == [{"n": 5}]
