"""Python with ``-O`` (no assertions), ``-OO`` (no docstrings), ``-W error`` and ``-X dev``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import Server

PROGRAM = """
import importlib, pkgutil, sys
import mesahub
from mesahub.middleware import hooks, logging, rate_limit

for url in sys.argv[1:]:
    options = {"data": "data"} if "//local/" in url else {}
    with mesahub.connect(url, middleware=[hooks(), logging(), rate_limit(10**9)], **options) as db:
        db.exec("CREATE TABLE IF NOT EXISTS flags (id INTEGER PRIMARY KEY, a UNIQUE, b)")
        table = db.table("flags")
        table.delete(None, all_rows=True)
        table.insert_many([{"a": i, "b": "x"} for i in range(5000)])
        assert_ = [row["a"] for row in table.iterate(batch_size=1000)]
        if assert_ != list(range(5000)):
            sys.exit(f"wrong rows: {len(assert_)}")
        try:
            table.insert({"a": 1})
        except mesahub.IntegrityError as error:
            print(error.kind, list(error.columns))
        try:
            db.query("DELETE FROM flags")
        except mesahub.ArgumentError:
            print("refused")
        with db.batch() as batch:
            batch.table("flags").insert({"a": -1})
        print(len(db.rows("SELECT a FROM flags WHERE a < 10")))
"""


@pytest.mark.parametrize("flags", [["-O"], ["-OO"], ["-X", "dev"]], ids=" ".join)
def test_a_program_runs_without_a_warning(flags: list[str], server: Server, tmp_path: Path) -> None:
    name = "flags-" + "".join(flags).strip("-").replace(" ", "").lower()
    server.new_database(name)
    command = [sys.executable, *flags, "-W", "error", "-c", PROGRAM, "mh://local/x", server.url(name)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split("\n") == ["unique ['a']", "refused", "11", "unique ['a']", "refused", "11", ""]
