"""What can be done with a cassette besides replaying it; the command line uses these."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mesahub.transport import Response
from mesahub_recorder.cassette import Cassette
from mesahub_recorder.drift import drift_between, is_unordered
from mesahub_recorder.interaction import Call, answer_of, pack

Ask = Callable[[Call], Response]
"""Sends a call to a live database."""


def show(cassette: Cassette) -> Iterator[str]:
    """Each interaction, for people."""
    for number, interaction in enumerate(cassette.interactions):
        answer = pack(interaction.answer)
        rows = answer.pop("rows", None)
        yield f"[{number}] {interaction.call.describe()}"
        yield f"  -> {json.dumps(answer, ensure_ascii=False)}"
        for row in (rows or [])[:10]:
            yield f"     {json.dumps(row, ensure_ascii=False)}"
        if rows and len(rows) > 10:
            yield f"     ... {len(rows) - 10} more rows"


def statistics(cassette: Cassette) -> dict[str, Any]:
    """Counts, age, size, and what is worth a look."""
    calls = Counter(interaction.call.operation for interaction in cassette.interactions)
    return {
        "interactions": len(cassette.interactions),
        "operations": dict(sorted(calls.items())),
        "databases": sorted({str(i.call.database) for i in cassette.interactions}),
        "errors": sum(i.answer.get("status", 200) >= 400 for i in cassette.interactions),
        "age_days": round((time.time() - cassette.recorded) / 86400, 1),
        "bytes": cassette.path.stat().st_size + sum(p.stat().st_size for p in bodies(cassette)),
        "unordered": [i.call.sql for i in cassette.interactions if is_unordered(i.call, i.answer)],
    }


def bodies(cassette: Cassette) -> list[Path]:
    """The files beside a cassette."""
    return sorted(cassette.folder.iterdir()) if cassette.folder.is_dir() else []


def prune(cassette: Cassette) -> tuple[int, int]:
    """Drop what can never make a difference: a read that has the same answer as the one before at its time, and
    files that no interaction names.

    Returns:
        (interactions dropped, files dropped).
    """
    kept = []
    last: dict[tuple[Any, ...], str] = {}
    for interaction in cassette.interactions:
        key = (*interaction.call.key(), interaction.epoch)
        answer = json.dumps(pack(interaction.answer), sort_keys=True)
        if interaction.call.writes or last.get(key) != answer:
            kept.append(interaction)
        last[key] = answer
    dropped = len(cassette.interactions) - len(kept)
    cassette.interactions = kept
    before = bodies(cassette)
    if dropped:
        cassette.save()
    text = cassette.path.read_text(encoding="utf-8")
    unnamed = [path for path in before if path.name not in text]
    for path in unnamed:
        path.unlink()
    return dropped, len(unnamed)


def verify(cassette: Cassette, ask: Ask) -> list[str]:
    """Ask a live database everything again, in order, and tell what differs."""
    drift = []
    for interaction in cassette.interactions:
        if interaction.call.sql is None:
            continue
        answer = answer_of(interaction.call, ask(interaction.call))
        difference = drift_between(interaction, answer)
        if difference:
            drift.append(difference)
    return drift


def replay_into(cassette: Cassette, ask: Ask) -> int:
    """Carry out a cassette's writes on another database; gives their number. Writes that failed are left out."""
    done = 0
    for interaction in cassette.interactions:
        call = interaction.call
        if call.operation == "exec" and interaction.answer.get("status", 200) < 300:
            response = ask(call)
            if response.status >= 300:
                raise ValueError(f"{response.payload}\n{call.describe()}")
            done += 1
    return done
