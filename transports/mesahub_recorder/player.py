"""Find the recorded answer of a call."""

from __future__ import annotations

import threading
from typing import Any

from mesahub_recorder.call import Call, canonical_sql
from mesahub_recorder.cassette import Cassette, Interaction
from mesahub_recorder.errors import CassetteMissError, described, difference, miss, nearest
from mesahub_recorder.redaction.filter import Filter

__all__ = ["Player"]


class Player:
    """Replays a cassette. Thread-safe.

    A read gets the answer that was recorded after the same writes to its database as were replayed so far. If it is
    repeated more often than it was recorded, it gets the last of these answers again, if ``repeats`` is true. The
    answer of a write is returned once.

    Writes are identified by the sum of their hashes, because several threads may make them in another order.

    Args:
        cassette: the recording.
        filter_: excludes values from comparisons.
        repeats: may an answer be returned to more reads than were recorded?
        part: replay only what this test recorded, in a cassette that several tests share.
        pytest: phrase hints for users of the pytest plugin.
    """

    def __init__(
        self, cassette: Cassette, filter_: Filter, *, repeats: bool, part: str | None = None, pytest: bool = False
    ) -> None:
        self._cassette = cassette
        self._repeats = repeats
        self._pytest = pytest
        self._lock = threading.Lock()
        self._epochs: dict[str | None, int] = {}
        self._histories: dict[str | None, int] = {}
        self._by_key: dict[tuple[Any, ...], list[Interaction]] = {}
        histories: dict[str | None, int] = {}
        self._own = [one for one in cassette.interactions if part is None or one.part in (None, part)]
        for interaction in self._own:
            if filter_.ignores:
                interaction.call = filter_.call(interaction.call, recorded=True)
            call = interaction.call
            self._by_key.setdefault(call.key, []).append(interaction)
            interaction.history = histories.get(call.database, 0)
            if call.writes:
                histories[call.database] = interaction.history + hash(call.key)

    def record(self, interaction: Interaction) -> None:
        """Add an interaction that has just been recorded, so that it can be replayed."""
        with self._lock:
            interaction.epoch, interaction.history = self._now(interaction.call)
            self._by_key.setdefault(interaction.call.key, []).append(interaction)
            self._own.append(interaction)
            self._pass(interaction.call)

    def _now(self, call: Call) -> tuple[int, int]:
        return self._epochs.get(call.database, 0), self._histories.get(call.database, 0)

    def _pass(self, call: Call) -> None:
        if call.writes:
            epoch, history = self._now(call)
            self._epochs[call.database] = epoch + 1
            self._histories[call.database] = history + hash(call.key)

    def find(self, call: Call) -> Interaction:
        """Return the interaction that answers a call, and mark it as used.

        Raises:
            CassetteMissError: no recorded interaction matches.
        """
        with self._lock:
            known = self._by_key.get(call.key)
            epoch, history = self._now(call)
            found = self._choose(known, epoch, history, call.writes) if known else None
            if found is None:
                raise self._miss(call, known, epoch, history)
            found.used += 1
            self._pass(call)
            return found

    def passed(self, call: Call) -> None:
        """Count a call that was sent to the server and is not in the cassette."""
        with self._lock:
            self._pass(call)

    def _choose(self, known: list[Interaction], epoch: int, history: int, writes: bool) -> Interaction | None:
        if writes:
            return next((one for one in known if not one.used), None)
        now = [one for one in known if one.history == history]
        fresh = next((one for one in now if not one.used), None)
        if fresh is not None:
            return fresh
        if now and self._repeats:
            return now[-1]
        if self._cassette.concurrent:
            # Threads ran in another order than during the recording: take the closest in time.
            unused = [one for one in known if not one.used]
            if unused:
                return min(unused, key=lambda one: abs(one.epoch - epoch))
            return known[-1] if self._repeats else None
        return None

    def unused(self) -> list[Interaction]:
        """Interactions that were never used."""
        return [one for one in self._own if not one.used]

    def how(self, mode: str) -> str:
        """How to select another mode, for hints."""
        return f"pytest --mesahub-record={mode}" if self._pytest else f"mode={mode!r}"

    def _miss(self, call: Call, known: list[Interaction] | None, epoch: int, history: int) -> CassetteMissError:
        path = self._cassette.path
        if known:
            why = self._why_not(call, known, epoch, history)
            return miss(
                "used_up",
                f"{path} has this call, but {why}. Record it again: {self.how('rewrite')}.\n{described(call)}",
            )
        recorded = [one.call for one in self._own]
        same = [
            other
            for other in recorded
            if call.sql is not None
            and other.sql is not None
            and (other.operation, other.database) == (call.operation, call.database)
            and canonical_sql(other.sql) == canonical_sql(call.sql)
        ]
        if same:
            near = nearest(call, same) or same[0]
            return miss(
                "other_bindings",
                f"{path} has this statement, but with other values. If they change from run to run, name them in "
                f"ignore_bindings; if the test asks for something new, record it: {self.how('extend')}."
                f"{difference(near, call)}",
            )
        near_ = nearest(call, recorded)
        hint = f"\nThe most similar call in it:{difference(near_, call)}" if near_ is not None else ""
        return miss(
            "never_recorded", f"{path} has no such call. Record it: {self.how('extend')}.\n{described(call)}{hint}"
        )

    def _why_not(self, call: Call, known: list[Interaction], epoch: int, history: int) -> str:
        times = sorted({one.epoch for one in known})
        if call.writes:
            return f"it was recorded {len(known)} times, and all of these are used up"
        if any(one.history == history for one in known):
            return "its answers are used up, and repeats=False"
        if epoch in times:
            return (
                f"it was recorded after {epoch} writes to this database that were not the {epoch} made now: its answer "
                "would be of another time"
            )
        shown = " and ".join(map(str, times[:5])) + (" and more" if len(times) > 5 else "")
        return (
            f"it was recorded after {shown} writes to this database, and now {epoch} were made: its answer would be "
            "of another time"
        )
