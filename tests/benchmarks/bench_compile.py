"""Compiling the page's find of five conditions, beside mesahub 1.0.1, SQLAlchemy Core and PyPika.

    python tests/benchmarks/bench_compile.py [--old DIR]

Prints one JSON object: microseconds of each, and ours as a ratio of theirs. Peers that are not installed are left
out. mesahub 1.0.1 has the name of the package that is measured, so it is loaded from a directory of its own
(``pip install --target DIR --no-deps mesahub==1.0.1``). `run.py` measures the same in processes of their own.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import types
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "contenders"))

Run = Callable[[int], object]

TIMES = 2_000
ROUNDS = 15


def ours() -> Run:
    return importlib.import_module("ours").compile_find()  # type: ignore[no-any-return]


def expression() -> Run:
    """The same, said as an expression; it becomes the same text."""
    from mesahub import col
    from mesahub.sql import Scope, select_statement

    users = Scope("users")

    def run(n: int) -> None:
        for _ in range(n):
            where = (
                (col("active") == 1)
                & (col("age") >= 18)
                & col("name").like("%alice%")
                & col("role").in_(["admin", "editor"])
                & col("deleted_at").is_null()
            )
            select_statement(users, where, None, ["-created_at"], 10, 20)

    return run


def old(directory: Path) -> Run:
    """mesahub 1.0.1's ``where`` and ``table``, which import nothing but one another."""
    package = types.ModuleType("mesahub_old")
    package.__path__ = [str(directory / "mesahub")]
    sys.modules["mesahub_old"] = package
    table = importlib.import_module("mesahub_old.table")
    workload = importlib.import_module("workload")

    def answer(sql: str, bindings: list[object]) -> dict[str, list[object]]:
        return {"rows": []}

    users = table.TableHandle("users", answer, answer, answer)
    order = [{"column": "created_at", "direction": "desc"}]

    def run(n: int) -> None:
        for _ in range(n):
            users.find(workload.PAGE_WHERE, None, order, 10, 20)

    return run


def measure(contenders: dict[str, Run]) -> dict[str, float]:
    """Microseconds for one, the best of rounds in which all take turns."""
    best = dict.fromkeys(contenders, float("inf"))
    for _ in range(ROUNDS):
        for name, run in contenders.items():
            started = perf_counter()
            run(TIMES)
            best[name] = min(best[name], (perf_counter() - started) / TIMES * 1e6)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description="What does it cost to compile a find?")
    parser.add_argument("--old", type=Path, help="the directory in which mesahub 1.0.1 is installed")
    directory = parser.parse_args().old
    contenders = {"mesahub": ours(), "mesahub, as an expression": expression()}
    if directory is not None:
        contenders["mesahub 1.0.1"] = old(directory)
    builders = importlib.import_module("query_builders")
    for name, make in (("SQLAlchemy Core", builders.sqlalchemy_find), ("PyPika", builders.pypika_find)):
        try:
            contenders[name] = make()
        except ImportError:
            continue
    microseconds = measure(contenders)
    mine = microseconds["mesahub"]
    ratios = {name: round(mine / theirs, 3) for name, theirs in microseconds.items() if not name.startswith("mesahub,")}
    print(json.dumps({"microseconds": {n: round(m, 2) for n, m in microseconds.items()}, "ratios": ratios}, indent=2))


if __name__ == "__main__":
    main()
