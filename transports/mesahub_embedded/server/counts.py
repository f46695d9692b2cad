"""``rowsAffected`` and ``lastInsertRowid`` as the real server answers them.

It has one connection per database, shared by all callers, and answers what SQLite remembers of that connection: after a
statement that sets no number, the one that an earlier statement set, perhaps of another caller. A client must not take
such a number for the statement's own, so this server answers the same.
"""

from __future__ import annotations

import threading
from typing import Any

from mesahub_embedded.engine.execution import Outcome
from mesahub_embedded.engine.results import rows_answer

__all__ = ["Counts"]

_INSERTS = frozenset({"insert", "replace"})
_CHANGES = _INSERTS | {"update", "delete"}


class Counts:
    """The numbers that the databases' connections remember, by slug."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._remembered: dict[str, tuple[int, int]] = {}

    def forget(self, slug: str) -> None:
        """Forget the numbers of a database that was removed, or moved to another slug."""
        with self._lock:
            self._remembered.pop(slug, None)

    def answer(self, slug: str, verb: str, outcome: Outcome, started: float, limit: int) -> dict[str, Any]:
        """The answer to a statement on ``/exec``.

        Args:
            slug: the database.
            verb: the statement's first word, in lower case.
            outcome: what it did.
            started: when it started.
            limit: rows at which the answer is cut.
        """
        with self._lock:
            rowid, changed = self._remembered.get(slug, (0, 0))
            if verb in _CHANGES or verb == "with":
                # A WITH that only reads has changed no row.
                changed = outcome.affected if verb != "with" or outcome.affected else changed
                rowid = outcome.rowid or rowid if outcome.affected else rowid
                self._remembered[slug] = (rowid, changed)
        answer = rows_answer(outcome, started, wire=True, limit=limit)
        if outcome.plan is not None:
            return answer
        if verb == "with":  # to the real server it reads
            stat = {"queryDurationMs": answer["stat"]["queryDurationMs"], "rowsRead": 0}
            return {"headers": [], "rows": [], "stat": stat}
        return {**answer, "lastInsertRowid": rowid, "rowsAffected": changed}
