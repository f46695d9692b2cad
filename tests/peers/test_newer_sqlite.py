"""The engine with the newest SQLite that PyPI has (pysqlite3-binary), in the place of Python's own."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest

from tests.peers.conftest import ROOT, Environment, install

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(sysconfig.get_platform() != "linux-x86_64", reason="pysqlite3-binary has no build for this"),
]

PATCH = """
import sys
from pysqlite3 import dbapi2 as sqlite3

# Python's own module has them since 3.11, pysqlite3 does not.
class Connection(sqlite3.Connection):
    def setlimit(self, category, limit):
        return -1
    def getlimit(self, category):
        return 10**9

for name in ("LENGTH", "SQL_LENGTH", "COLUMN", "EXPR_DEPTH", "COMPOUND_SELECT", "VDBE_OP", "FUNCTION_ARG", "ATTACHED",
             "LIKE_PATTERN_LENGTH", "VARIABLE_NUMBER", "TRIGGER_DEPTH", "WORKER_THREADS"):
    if not hasattr(sqlite3, f"SQLITE_LIMIT_{name}"):
        setattr(sqlite3, f"SQLITE_LIMIT_{name}", 0)

def connect(*arguments, _connect=sqlite3.connect, **options):
    options.setdefault("factory", Connection)
    return _connect(*arguments, **options)

sqlite3.connect = connect
sys.modules["sqlite3"] = sys.modules["sqlite3.dbapi2"] = sqlite3
"""
TOOLS = ("pytest>=9", "hypothesis", "pytest-socket", "responses", "trustme", "waitress", "pysqlite3-binary")
KEPT = "not limits and not what_a_query_refuses and not returning_gives_rows and not counts_of_a_write_that_returns"
KEPT += " and not in_memory_enters_few_functions"
"""Without what differs in pysqlite3 itself: it sets no limits, words an error of its own otherwise, counts only the
first row of RETURNING, and compiles more often. (Python 3.14 with SQLite 3.53 passes them.)"""
SUITES = ("embedded", "table")


def test_the_engine_s_suites_pass_on_the_newest_sqlite(wheel: Path, tmp_path: Path) -> None:
    environment = Environment(tmp_path / "env", wheel, "click", *TOOLS)
    # For every process of this environment, servers included.
    site = Path(environment.run("-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    (site / "newest_sqlite.py").write_text(PATCH)
    (site / "newest_sqlite.pth").write_text("import newest_sqlite\n")
    version = environment.run("-c", "import sqlite3; print(*sqlite3.sqlite_version_info)").split()
    assert tuple(map(int, version)) >= (3, 46)
    # The tree's own code, not the wheel's: what is tested is what is edited.
    install(environment.python, "--no-deps", "--editable", str(ROOT))
    folders = [f"tests/{name}" for name in SUITES]
    chosen = "not soak and not peers and not engines and not slow"
    options = ["-q", "-p", "no:cacheprovider", "--hypothesis-profile=quick", "-k", KEPT, "-m", chosen]
    said = environment.run("-m", "pytest", *options, *folders, cwd=ROOT)
    assert " passed" in said
    print(said.splitlines()[-1])
