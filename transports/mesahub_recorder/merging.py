"""Puts what ``mode="extend"`` added into its place."""

from __future__ import annotations

from collections.abc import Sequence

from mesahub_recorder.cassette import Interaction


def merged(before: Sequence[Interaction], run: Sequence[Interaction]) -> list[Interaction]:
    """The interactions of an extended cassette.

    The order tells after which writes a read was made, so the run's order counts. What it did not use stays where it
    was, as long as no write is among it: from such a write on, what belongs to its database goes to the end.

    Args:
        before: what was in the cassette.
        run: what this run used or recorded, in its order.
    """
    ran = {id(one): place for place, one in enumerate(run)}
    old = {id(one) for one in before}
    added = {(one.key, one.history) for one in run if id(one) not in old}
    ahead: dict[int, list[Interaction]] = {}  # what stands before an interaction of the run
    waiting: list[Interaction] = []
    last: list[Interaction] = []
    behind: set[str | None] = set()
    for one in before:
        if id(one) in ran:
            ahead.setdefault(id(one), []).extend(waiting)
            waiting = []
        elif one.writes or one.database in behind:
            behind.add(one.database)
            last.append(one)
        elif (one.key, one.history) not in added:  # else the run recorded it anew
            waiting.append(one)
    result: list[Interaction] = []
    for one in run:
        result += ahead.get(id(one), [])
        result.append(one)
    return [*result, *waiting, *last]
