"""What has changed between a recorded answer and today's."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any

from mesahub.sql import tokenize
from mesahub_recorder.cassette import Interaction
from mesahub_recorder.interaction import Call, pack


def is_ordered(call: Call) -> bool:
    """Does the statement say in which order its rows come? An ORDER BY in brackets (a subquery, a window) does not."""
    if call.sql is None:
        return True
    depth = 0
    before = ""
    for kind, text, _ in tokenize(call.sql):
        if kind in ("space", "comment"):
            continue
        depth += (text == "(") - (text == ")")
        if kind == "word" and depth == 0 and before == "ORDER" and text.upper() == "BY":
            return True
        before = text.upper() if kind == "word" else ""
    return False


def is_unordered(call: Call, answer: Mapping[str, Any]) -> bool:
    """Are there several rows in an order that the statement does not ask for? A test must not go by it."""
    return call.operation == "query" and len(answer.get("rows", ())) > 1 and not is_ordered(call)


def drift_between(recorded: Interaction, answer: dict[str, Any]) -> str | None:
    """A text that tells the difference, ``None`` when there is none. Rows without an ORDER BY may come in any order."""
    before, now = pack(recorded.answer), pack(answer)
    if "rows" in before and "rows" in now and not is_ordered(recorded.call):
        before = {**before, "rows": sorted(before["rows"], key=json.dumps)}
        now = {**now, "rows": sorted(now["rows"], key=json.dumps)}
    if json.dumps(before, sort_keys=True) == json.dumps(now, sort_keys=True):
        return None
    lines = difflib.unified_diff(_lines(before), _lines(now), "recorded", "today", lineterm="", n=1)
    return f"{recorded.call.describe()}\n" + "\n".join(lines)


def _lines(answer: dict[str, Any]) -> list[str]:
    rest = {name: value for name, value in answer.items() if name != "rows"}
    return [json.dumps(rest, sort_keys=True), *[json.dumps(row) for row in answer.get("rows", ())]]
