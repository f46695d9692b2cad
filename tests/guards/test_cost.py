"""What a call costs, counted and not timed: Python functions entered, modules imported, objects made.

A bound here is a tripwire: when it is hit, find out what the hot path does now that it did not, and raise the bound
only if it is worth it (`make bench` says what it costs).
"""

from __future__ import annotations

import gc
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import mesahub
from tests.servers import Server


class Thing(NamedTuple):
    id: int
    name: str


def functions_entered(call: Callable[[], object]) -> list[str]:
    """The Python functions that a call enters, in this thread."""
    entered: list[str] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            entered.append(f"{Path(frame.f_code.co_filename).name}:{frame.f_code.co_qualname}")

    call()  # warm: caches, connections, imports
    call()
    gc.disable()  # others have functions that are called when it runs
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
        gc.enable()
    return entered


def test_a_find_over_http_enters_few_functions(server: Server) -> None:
    server.new_database("guard")
    with mesahub.connect(server.url("guard")) as db:
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)")
        table = db.table("t")
        # The fewest of several: where the kernel cuts a response in two, reading it takes four functions more.
        entered = min((functions_entered(lambda: table.find(where={"id": 1}, limit=1)) for _ in range(5)), key=len)
    assert len(entered) <= 61, "\n".join(entered)


def test_a_find_in_process_enters_few_functions(tmp_path: Path) -> None:
    with mesahub.connect("mh://local/guard", data=str(tmp_path)) as db:
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)")
        table = db.table("t")
        entered = functions_entered(lambda: table.find(where={"id": 1}, limit=1))
        inserted = functions_entered(lambda: table.insert({"name": "x"}))
    assert len(entered) <= 27, "\n".join(entered)
    assert len(inserted) <= 40, "\n".join(inserted)


def test_a_typed_find_enters_few_functions_more(tmp_path: Path) -> None:
    with mesahub.connect("mh://local/guard", data=str(tmp_path)) as db:
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)")
        plain, typed = db.table("t"), db.table("t", Thing)
        db.table("t").insert_many([{"name": "x"}] * 1000)
        few = functions_entered(lambda: typed.find(where={"id": 1}))
        assert len(few) <= len(functions_entered(lambda: plain.find(where={"id": 1}))) + 24, "\n".join(few)
        # One for each row is the class's own.
        assert len(functions_entered(lambda: typed.find())) <= len(few) + 1_005


def test_rows_cost_no_function_each(tmp_path: Path) -> None:
    with mesahub.connect("mh://local/guard", data=str(tmp_path)) as db:
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)")
        table = db.table("t")
        table.insert_many([{"name": "x"}] * 10)
        few = len(functions_entered(lambda: table.find()))
        table.insert_many([{"name": "x"}] * 1000)
        many = len(functions_entered(lambda: table.find()))
    assert many <= few + 5


def test_iterate_holds_one_page(tmp_path: Path) -> None:
    with mesahub.connect("mh://local/guard", data=str(tmp_path)) as db:
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)")
        db.table("t").insert_many({"text": f"{i:0100d}"} for i in range(20_000))

        def peak(rows: int) -> int:
            gc.collect()
            tracemalloc.start()
            count = sum(1 for _ in db.table("t").iterate(where={"id": {"lte": rows}}, batch_size=500))
            size = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert count == rows
            return size

        peak(1_000)  # warm
        assert peak(20_000) < 1.5 * peak(2_000)


def loaded_by(code: str) -> set[str]:
    script = f"import sys; before = set(sys.modules); {code}; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


# Each of these takes as long to import as a good part of the package, and a client needs none of them.
HEAVY = {
    "dataclasses", "inspect", "difflib", "email", "http.client", "ssl", "asyncio", "logging", "decimal", "uuid",
    "ipaddress", "urllib.parse", "urllib.request", "importlib.metadata", "hashlib", "tempfile", "random", "pathlib",
    "click", "requests", "urllib3", "sqlite3", "msgspec",
}  # fmt: skip


def test_a_client_imports_what_it_needs() -> None:
    loaded = loaded_by("import mesahub; mesahub.MesahubClient('key', 'http://localhost:1')")
    assert sorted(loaded & HEAVY) == []
    ours = {name for name in loaded if name.startswith("mesahub")}
    unneeded = {
        "mesahub.cli",
        "mesahub.testing",
        "mesahub.management",
        "mesahub.copying",
        "mesahub.files",
        "mesahub._models",
        "mesahub.stored",
    }
    assert sorted(ours & unneeded) == []


def test_a_database_in_process_imports_what_it_needs(tmp_path: Path) -> None:
    loaded = loaded_by(f"import mesahub; mesahub.connect('mh://local/x', data={str(tmp_path)!r})")
    assert sorted(loaded & (HEAVY - {"sqlite3", "pathlib", "urllib.parse", "ipaddress"})) == []
