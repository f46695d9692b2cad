"""Finds the answer of a call: of its own time, and as often as it was recorded."""

from __future__ import annotations

import threading
from typing import Any

from mesahub_recorder.cassette import Cassette, Interaction
from mesahub_recorder.errors import CassetteMissError, difference, miss, nearest
from mesahub_recorder.interaction import Call, Filter, canonical_sql


class Player:
    """Plays a cassette back, for any number of threads.

    A read gets the answer that was recorded after the same writes to its database as were played so far. When it is
    asked more often than it was recorded, it gets the last answer of its time again, if ``repeats`` allows it. A
    write has its answer once.

    Which writes these were is told by the sum of their hashes: writes of several threads may come in another order.

    Args:
        cassette: what was recorded.
        filter_: what is left out of comparisons.
        repeats: may a read get the same answer again?
    """

    def __init__(self, cassette: Cassette, filter_: Filter, *, repeats: bool) -> None:
        self._cassette = cassette
        self._filter = filter_
        self._repeats = repeats
        self._lock = threading.Lock()
        self._epochs: dict[str | None, int] = {}
        self._histories: dict[str | None, int] = {}
        self._by_key: dict[tuple[Any, ...], list[Interaction]] = {}
        histories: dict[str | None, int] = {}
        for interaction in cassette.interactions:
            key = filter_.call(interaction.call).key() if filter_.acts else interaction.key
            self._by_key.setdefault(key, []).append(interaction)
            interaction.history = histories.get(interaction.database, 0)
            if interaction.writes:
                histories[interaction.database] = interaction.history + hash(key)

    def record(self, interaction: Interaction, call: Call) -> None:
        """Note an interaction that has just been recorded, so that it is played when it is asked for again."""
        with self._lock:
            key = call.key()
            interaction.epoch, interaction.history = self._now(call)
            self._by_key.setdefault(key, []).append(interaction)
            self._pass(call, key)

    def _now(self, call: Call) -> tuple[int, int]:
        return self._epochs.get(call.database, 0), self._histories.get(call.database, 0)

    def _pass(self, call: Call, key: tuple[Any, ...]) -> None:
        if call.writes:
            epoch, history = self._now(call)
            self._epochs[call.database] = epoch + 1
            self._histories[call.database] = history + hash(key)

    def find(self, call: Call) -> Interaction:
        """The interaction that answers a call; it counts as used.

        Raises:
            CassetteMissError: there is none.
        """
        with self._lock:
            key = call.key()
            known = self._by_key.get(key)
            epoch, history = self._now(call)
            found = self._choose(known, epoch, history, call.writes) if known else None
            if found is None:
                raise self._miss(call, known, epoch, history)
            found.used += 1
            self._pass(call, key)
            return found

    def passed(self, call: Call) -> None:
        """Note a call that went to the server and is not in the cassette."""
        with self._lock:
            self._pass(call, call.key())

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
            # Threads took turns in another way than when it was recorded: what is nearest in time is meant.
            unused = [one for one in known if not one.used]
            if unused:
                return min(unused, key=lambda one: abs(one.epoch - epoch))
            return known[-1] if self._repeats else None
        return None

    def unused(self) -> list[Interaction]:
        """What was recorded and never asked for."""
        return [one for one in self._cassette.interactions if not one.used]

    def _miss(self, call: Call, known: list[Interaction] | None, epoch: int, history: int) -> CassetteMissError:
        path = self._cassette.path
        if known:
            times = sorted({one.epoch for one in known})
            if call.writes:
                why = f"it was recorded {len(known)} times, and all of these are used up"
            elif any(one.history == history for one in known):
                why = "its answers are used up, and repeats=False"
            elif epoch in times:
                why = (
                    f"it was recorded after {epoch} writes to this database that were not the {epoch} made now: its "
                    "answer would be of another time"
                )
            else:
                why = (
                    f"it was recorded after {' and '.join(map(str, times))} writes to this database, and now "
                    f"{epoch} were made: its answer would be of another time"
                )
            return miss("used_up", f"{path} has this call, but {why}. Record it anew, or extend it.\n{call.describe()}")
        recorded = [one.call for one in self._cassette.interactions]
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
                f"ignore_bindings.{difference(near, call)}",
            )
        near_ = nearest(call, recorded)
        hint = f" The most similar call in it:{difference(near_, call)}" if near_ is not None else ""
        return miss(
            "never_recorded", f"{path} has no such call; record it with mode='extend'.\n{call.describe()}{hint}"
        )
