"""Differences between a recorded answer and the current one."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any

from mesahub.sql.tokenizer import outer_words, significant
from mesahub_recorder.call import Call
from mesahub_recorder.cassette import Interaction
from mesahub_recorder.storage import BodyFile
from mesahub_recorder.values import pack

__all__ = ["drift_between", "is_ordered", "is_unordered"]

_IGNORED = "<ignored>"
_LINES = 40


def is_ordered(call: Call) -> bool:
    """Does the statement define the order of its rows? An ORDER BY in parentheses (subquery, window) does not."""
    if call.sql is None:
        return True
    tokens = significant(call.sql)
    return any(
        word == "by" and tokens[place - 1][0] == "word" and tokens[place - 1][1].upper() == "ORDER"
        for place, word in outer_words(tokens)
    )


def is_unordered(call: Call, answer: Mapping[str, Any]) -> bool:
    """Does the answer have several rows in an order that the statement leaves undefined?"""
    return call.operation == "query" and len(answer.get("rows", ())) > 1 and not is_ordered(call)


def drift_between(recorded: Interaction, answer: dict[str, Any]) -> str | None:
    """Return a unified diff, or ``None`` if there is no difference.

    Rows without an ORDER BY may come in any order. Values that are marked as ignored, in either answer, are not
    compared, nor are the ids of rows that a statement with ignored values inserted.
    """
    ignored = {*recorded.answer.get("ignored", ()), *answer.get("ignored", ())}
    no_rowid = bool(recorded.call.ignored) or "ignored_rowid" in answer
    before, now = (_comparable(each, ignored, no_rowid) for each in (recorded.answer, answer))
    if "rows" in before and "rows" in now and not is_ordered(recorded.call):
        before = {**before, "rows": sorted(before["rows"], key=json.dumps)}
        now = {**now, "rows": sorted(now["rows"], key=json.dumps)}
    if json.dumps(before, sort_keys=True) == json.dumps(now, sort_keys=True):
        return None
    lines = list(difflib.unified_diff(_lines(before), _lines(now), "recorded", "today", lineterm="", n=1))
    if len(lines) > _LINES:
        lines[_LINES:] = [f"... {len(lines) - _LINES} more lines"]
    return f"{recorded.call.describe()}\n" + "\n".join(line[:500] for line in lines)


def _comparable(answer: Mapping[str, Any], ignored: set[int], no_rowid: bool) -> dict[str, Any]:
    kept = {name: value for name, value in answer.items() if name not in ("ignored", "ignored_rowid", "exact")}
    body = kept.get("body")
    if isinstance(body, BodyFile):
        kept["body"] = body.name
    if no_rowid and kept.get("rowid"):
        kept["rowid"] = _IGNORED
    packed: dict[str, Any] = pack(kept)
    if ignored and "rows" in packed:
        packed["rows"] = [
            [_IGNORED if place in ignored else value for place, value in enumerate(row)] for row in packed["rows"]
        ]
    return packed


def _lines(answer: dict[str, Any]) -> list[str]:
    rest = {name: value for name, value in answer.items() if name != "rows"}
    return [json.dumps(rest, sort_keys=True), *[json.dumps(row) for row in answer.get("rows", ())]]
