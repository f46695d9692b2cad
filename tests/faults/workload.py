"""Reads and writes from many threads, and what became of each."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from mesahub import (
    AmbiguousResultError,
    DatabaseHandle,
    MesahubError,
    ResultError,
)

THREADS = 8


@dataclass
class Report:
    """What the threads saw.

    Attributes:
        done: keys of writes that were reported as carried out.
        ambiguous: keys of writes of which that is not known.
        refused: keys of writes that were reported as not carried out.
        outcomes: how calls ended, counted.
        strange: anything else: must stay empty.
        latest: the longest time by which a call overran its deadline, in seconds.
        latest_call: which one that was, and how it ended.
    """

    done: set[str] = field(default_factory=set)
    ambiguous: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    outcomes: Counter[str] = field(default_factory=Counter)
    strange: list[str] = field(default_factory=list)
    latest: float = 0.0
    latest_call: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)


def prepare(db: DatabaseHandle) -> None:
    """The tables: what is written twice is seen twice."""
    db.exec("CREATE TABLE plain (key TEXT, thread INTEGER)")
    db.exec("CREATE TABLE keyed (key TEXT PRIMARY KEY, thread INTEGER)")


def run(db: DatabaseHandle, seed: int, calls: int, timeout: float, report: Report) -> None:
    """Make ``calls`` calls from each of `THREADS` threads."""
    threads = [
        threading.Thread(target=_work, args=(db, f"{seed}-{number}", number, calls, timeout, report))
        for number in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _work(db: DatabaseHandle, name: str, number: int, calls: int, timeout: float, report: Report) -> None:
    choose = random.Random(name)
    for index in range(calls):
        key = f"{name}-{index}"
        kind = choose.choices(["read", "insert", "many", "keyed"], [4, 4, 1, 2])[0]
        started = time.monotonic()
        outcome = "done"
        failure: MesahubError | None = None
        try:
            if kind == "read":
                rows = db.table("plain").find(where={"key": key}, timeout=timeout)
                if rows:
                    report.strange.append(f"{key} was there before it was written")
            elif kind == "insert":
                db.exec("INSERT INTO plain VALUES (?, ?)", [key, number], timeout=timeout)
            elif kind == "many":
                db.table("plain").insert_many([{"key": key, "thread": number}], timeout=timeout)
            else:
                db.table("keyed").insert_many(
                    [{"key": key, "thread": number}], on_conflict="ignore", idempotent=True, timeout=timeout
                )
        except AmbiguousResultError as error:
            failure, outcome = error, "ambiguous"
        except ResultError:
            outcome = "done"  # it says so itself: carried out, and its answer cannot be shown
        except MesahubError as error:
            failure = error
            # A write that is not reported as ambiguous was not carried out, also one that was sent several times.
            outcome = "refused"
            with report.lock:
                report.outcomes[f"{'read' if kind == 'read' else 'write'} {type(error).__name__}"] += 1
        except BaseException as error:
            with report.lock:
                report.strange.append(f"{kind}: {error!r}")
            continue
        with report.lock:
            report.outcomes[f"{kind} {outcome}"] += 1
            late = time.monotonic() - started - timeout
            if late > report.latest:
                report.latest, report.latest_call = late, f"{kind} {key}: {outcome}, {failure!r}"
            if kind != "read":
                {"done": report.done, "ambiguous": report.ambiguous, "refused": report.refused}[outcome].add(key)


def check(db: DatabaseHandle, report: Report) -> None:
    """Count the rows: nothing that was reported as done is missing, nothing is there twice."""
    counts: Counter[str] = Counter()
    for table in ("plain", "keyed"):
        counts.update(row["key"] for row in db.table(table).iterate(select=["key"], batch_size=50_000))
    missing = report.done - counts.keys()
    twice = {key for key, count in counts.items() if count > 1}
    ghosts = report.refused & counts.keys()
    unknown = counts.keys() - report.done - report.ambiguous - report.refused
    assert not report.strange, report.strange[:5]
    assert not missing, f"{len(missing)} writes that were reported as done are missing: {sorted(missing)[:5]}"
    assert not twice, f"{len(twice)} writes were applied twice: {sorted(twice)[:5]}"
    assert not ghosts, f"{len(ghosts)} writes were reported as not carried out, and are there: {sorted(ghosts)[:5]}"
    assert not unknown, sorted(unknown)[:5]
