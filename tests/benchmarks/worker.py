"""Runs one contender's side of a measurement, in whatever environment has the contender.

    python worker.py MODULE SCENARIO '{"argument": ...}'

``MODULE`` stands in ``contenders/``; its function ``SCENARIO`` is given the arguments and returns a
function of ``n`` that does the work ``n`` times (and may return the seconds that it took itself). Then each
line ``n`` on stdin is one round, answered by a line of JSON: seconds, CPU seconds, and the peak of the
process's memory in bytes above what it was before the first round.
"""

from __future__ import annotations

import gc
import importlib
import json
import resource
import sys
import time
from pathlib import Path


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def high_water() -> int:
    # Not getrusage's ru_maxrss: that begins with what the parent had when it forked.
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) * 1024


def main() -> None:
    module, scenario, arguments = sys.argv[1:]
    sys.path.insert(0, str(Path(__file__).parent / "contenders"))
    run = getattr(importlib.import_module(module), scenario)(**json.loads(arguments))
    before = resident()
    Path("/proc/self/clear_refs").write_text("5")  # what the preparation took does not count
    print("ready", flush=True)
    for line in sys.stdin:
        n = int(line)
        gc.collect()
        cpu = time.process_time()
        started = time.perf_counter()
        own = run(n)
        seconds = time.perf_counter() - started if own is None else own
        cpu = time.process_time() - cpu
        peak = high_water() - before
        print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak}), flush=True)


if __name__ == "__main__":
    main()
