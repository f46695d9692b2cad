"""From nothing to a client that is ready: what a script pays before its first call."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

Run = Callable[[int], object]

TIMED = """
import time
started = time.perf_counter()
import mesahub
{}
print(time.perf_counter() - started)
"""


def _in_new_process(code: str) -> Run:
    command = [sys.executable, "-c", TIMED.format(code)]

    def run(n: int) -> float:
        return sum(float(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(n))

    return run


def client(folder: str) -> Run:
    return _in_new_process("mesahub.MesahubClient('shs_key', 'http://localhost:1')")


def embedded(folder: str) -> Run:
    return _in_new_process(f"mesahub.connect('mh://local/imports', data={folder!r})")
