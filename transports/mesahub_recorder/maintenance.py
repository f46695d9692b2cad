"""Operations on cassettes for the command line."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mesahub.transport import Response
from mesahub_recorder.answers import answer_of
from mesahub_recorder.call import Call
from mesahub_recorder.cassette import Cassette
from mesahub_recorder.drift import drift_between, is_unordered
from mesahub_recorder.redaction.filter import Filter
from mesahub_recorder.storage import BodyFile
from mesahub_recorder.values import pack

Ask = Callable[[Call], Response]
"""Sends a call to a live database."""


def show(cassette: Cassette) -> Iterator[str]:
    """One line per interaction."""
    for number, interaction in enumerate(cassette.interactions):
        answer = _shown(interaction.answer)
        rows = answer.pop("rows", None)
        yield f"[{number}] {interaction.call.describe()}"
        yield f"  -> {json.dumps(answer, ensure_ascii=False)}"
        for row in (rows or [])[:10]:
            yield f"     {json.dumps(row, ensure_ascii=False)}"
        if rows and len(rows) > 10:
            yield f"     ... {len(rows) - 10} more rows"


def statistics(cassette: Cassette) -> dict[str, Any]:
    """Counts, age, size, and potential problems."""
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
    """The files that belong to a cassette."""
    return sorted(cassette.folder.iterdir()) if cassette.folder.is_dir() else []


def prune(cassette: Cassette) -> tuple[int, int]:
    """Drop what has no effect: a read with the same answer as the one before, without a write in between, and
    files that no interaction names.

    Returns:
        (interactions dropped, files dropped).
    """
    kept = []
    last: dict[tuple[Any, ...], str] = {}
    for interaction in cassette.interactions:
        key = (*interaction.call.key, interaction.part, interaction.epoch)
        answer = json.dumps(_shown(interaction.answer), sort_keys=True)
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


def _shown(answer: dict[str, Any]) -> dict[str, Any]:
    packed: dict[str, Any] = pack({name: value for name, value in answer.items() if not isinstance(value, BodyFile)})
    if isinstance(answer.get("body"), BodyFile):
        packed["body"] = f"{answer['body'].size:,} bytes in {answer['body'].name}"
    return packed


def writes(cassette: Cassette) -> list[Call]:
    """The calls that may write, whatever operation the cassette claims for them."""
    return [one.call for one in cassette.interactions if one.call.sql is not None and not one.call.only_reads()]


def verify(cassette: Cassette, ask: Ask, filter_: Filter, folder: Path) -> list[str]:
    """Repeat all calls on a database, in order, and return the differences.

    Args:
        cassette: what was recorded.
        ask: sends a call.
        filter_: what to leave out, besides what the cassette marks.
        folder: for long bodies.
    """
    drift = []
    for interaction in cassette.interactions:
        if interaction.call.sql is None or "raised" in interaction.answer:
            continue
        answer = answer_of(interaction.call, ask(interaction.call), folder)
        marks = filter_.marks(answer)
        if marks:
            answer["ignored"] = marks
        if filter_.ignores_rowid():
            answer["ignored_rowid"] = True
        difference = drift_between(interaction, answer)
        if difference:
            drift.append(difference)
    return drift


def replay_into(cassette: Cassette, ask: Ask) -> int:
    """Execute a cassette's writes on a database, except those that failed; returns their number."""
    done = 0
    for interaction in cassette.interactions:
        call = interaction.call
        if call.operation == "exec" and call.sql is not None and interaction.answer.get("status", 200) < 300:
            if "raised" in interaction.answer:
                continue
            response = ask(call)
            if response.status >= 300:
                raise ValueError(f"{response.payload}\n{call.describe()}")
            done += 1
    return done
