"""From nothing to a client that is ready: what a script pays before its first call."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable

Run = Callable[[int], object]

TIMED = """
import time
started = time.perf_counter()
{}
print(time.perf_counter() - started)
"""


def package(folder: str) -> Run:
    return _in_new_process("import mesahub")


def json_and_ssl(folder: str) -> Run:
    return _in_new_process("import json, ssl")


def _database(folder: str) -> str:
    path = f"{folder}/commands.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS people (id INTEGER PRIMARY KEY, name TEXT)")
        connection.execute("INSERT OR IGNORE INTO people VALUES (1, 'Ann')")
    connection.close()
    return path


def _command(*arguments: str) -> Run:
    def run(n: int) -> None:
        for _ in range(n):
            done = subprocess.run([sys.executable, "-m", *arguments], check=True, capture_output=True, text=True)
            assert "Ann" in done.stdout

    return run


def our_command(folder: str) -> Run:
    return _command("mesahub", "query", f"sqlite:///{_database(folder)}", "SELECT * FROM people", "--json")


def their_command(folder: str) -> Run:
    return _command("sqlite_utils", "query", _database(folder), "SELECT * FROM people")


def _in_new_process(code: str) -> Run:
    command = [sys.executable, "-c", TIMED.format(code)]

    def run(n: int) -> float:
        return sum(float(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(n))

    return run


def client(folder: str) -> Run:
    return _in_new_process("import mesahub; mesahub.MesahubClient('shs_key', 'http://localhost:1')")


def embedded(folder: str) -> Run:
    return _in_new_process(f"import mesahub; mesahub.connect('mh://local/imports', data={folder!r})")
