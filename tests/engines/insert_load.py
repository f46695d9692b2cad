"""Inserts of many threads, while something is done to the engine, and what became of each."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import mesahub
from mesahub import AmbiguousResultError, DatabaseHandle, MesahubError

__all__ = ["THREADS", "Load", "Record", "check", "insert_under", "move_under"]

THREADS = 8
SECONDS = 6.0
FAULT_AFTER = 1.5
Record = Callable[[str, object], None]


@dataclass
class Load:
    """What became of the inserts of all threads, by their names."""

    done: list[str] = field(default_factory=list)
    ambiguous: list[str] = field(default_factory=list)
    failed: list[tuple[str, MesahubError]] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    read: int = 0

    def work(self, db: DatabaseHandle, thread: int, end: float, *, idempotent: bool) -> None:
        table = "keyed" if idempotent else "plain"
        number = 0
        while time.monotonic() < end:
            name = f"{thread}-{number}"
            number += 1
            try:
                if idempotent:
                    db.table("keyed").insert({"name": name}, idempotent=True)
                else:
                    db.exec("INSERT INTO plain (name) VALUES (?)", [name])
            except AmbiguousResultError:
                self.ambiguous.append(name)
            except MesahubError as error:
                self.failed.append((name, error))
            else:
                self.done.append(name)
                if number % 4 == 0:
                    self.read += 1
                    if not db.query(f"SELECT 1 AS one FROM {table} WHERE name = ?", [name]).rows:
                        self.stale.append(name)


def insert_under(url: str, fault: Callable[[], None], *, idempotent: bool = False) -> Load:
    """Insert for a while, and call ``fault`` in the middle."""
    load = Load()
    with mesahub.connect(url, pool_size=THREADS) as db:
        db.exec("CREATE TABLE plain (id INTEGER PRIMARY KEY, name TEXT)")
        db.exec("CREATE TABLE keyed (name TEXT PRIMARY KEY)")
        end = time.monotonic() + SECONDS
        threads = [
            threading.Thread(target=load.work, args=(db, number, end), kwargs={"idempotent": idempotent})
            for number in range(THREADS)
        ]
        _run(threads, fault)
    return load


def _run(threads: list[threading.Thread], fault: Callable[[], None]) -> None:
    for thread in threads:
        thread.start()
    time.sleep(FAULT_AFTER)
    fault()
    for thread in threads:
        thread.join(90)
        assert not thread.is_alive()


def check(db: DatabaseHandle, level: str, load: Load, table: str, record_property: Record) -> None:
    """Assert that nothing was lost, doubled, or failed although it is stored; ``level``: reads that see everything."""
    stored = Counter(row["name"] for row in db.query(f"SELECT name FROM {table}", consistency=level).rows)
    ran = sum(name in stored for name in load.ambiguous)
    figure = f"{len(load.done)} done, {len(load.ambiguous)} ambiguous ({ran} in), {len(load.failed)} failed"
    record_property("figure", figure)
    print(f"{table}: {figure}, {load.read} read")
    lost = [name for name in load.done if name not in stored]
    doubled = [name for name, count in stored.items() if count > 1]
    wrong = [name for name, _ in load.failed if name in stored]
    assert (lost, doubled, wrong, load.stale) == ([], [], [], [])
    assert load.failed == []
    assert len(load.done) > 100


def move_under(url: str, level: str, fault: Callable[[], None]) -> None:
    """Run idempotent batches for a while, and call ``fault`` in the middle; assert that each ran once."""
    errors: list[MesahubError] = []
    done = [0] * THREADS

    def move(db: DatabaseHandle, thread: int, end: float) -> None:
        while time.monotonic() < end:
            try:
                with db.batch(idempotent=True) as batch:
                    batch.exec("UPDATE account SET cents = cents - 1 WHERE id = ?", [thread])
                    batch.exec("UPDATE account SET cents = cents + 1 WHERE id = ?", [(thread + 1) % THREADS])
                    batch.exec("INSERT INTO log (thread) VALUES (?)", [thread])
            except MesahubError as error:
                errors.append(error)
            else:
                done[thread] += 1

    with mesahub.connect(url, pool_size=THREADS) as db:
        db.exec("CREATE TABLE account (id INTEGER PRIMARY KEY, cents INTEGER)")
        db.exec("CREATE TABLE log (id INTEGER PRIMARY KEY, thread INTEGER)")
        db.table("account").insert_many([{"id": thread, "cents": 0} for thread in range(THREADS)])
        end = time.monotonic() + SECONDS
        _run([threading.Thread(target=move, args=(db, thread, end)) for thread in range(THREADS)], fault)
        logged = db.query(
            "SELECT thread, count(*) AS n FROM log GROUP BY thread ORDER BY thread", consistency=level
        ).rows
        accounts = db.query("SELECT cents FROM account ORDER BY id", consistency=level).rows
    assert errors == []
    assert [row["n"] for row in logged] == done
    assert [row["cents"] for row in accounts] == [done[thread - 1] - done[thread] for thread in range(THREADS)]
