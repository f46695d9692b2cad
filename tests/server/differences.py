"""The checked-in table of deliberate differences, ``tests/data/differences.json``.

It has *kinds* (a reason each, and the exchanges with the difference that is expected of them) and *repairs*: what is
done to the database after an exchange whose effect differs, so that the later ones start from the same state.

``python -m tests.server.differences`` replays all exchanges and writes the table anew: known exchanges keep their
kind, those that match now leave the table, and new ones go to the kind ``unexplained``, which the test refuses.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from tests.server.replay import ADMIN_TOKEN, DATA, Replay, exchanges
from tests.servers import Server, start_server

PATH = DATA / "differences.json"
SHOWN = 160
"""Characters of a difference that the table keeps."""


def table() -> dict[str, Any]:
    """The table as it stands."""
    loaded: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    return loaded


def found(server: Server, repairs: dict[str, str]) -> dict[str, str | None]:
    """All exchanges by name, with the difference of each, ``None`` where there is none."""
    replay = Replay(server)
    replay.remove_database("main")  # the command makes one; the recorded server had none
    differences: dict[str, str | None] = {}
    for exchange in exchanges():
        difference = replay.differs(exchange, replay.send(exchange))
        differences[exchange.name] = difference[:SHOWN] if difference else None
        if exchange.name in repairs:
            replay.exec_sql(exchange.request["path"].split("/")[3], repairs[exchange.name])
    return differences


def main() -> None:
    """Write the table anew."""
    current = table()
    with tempfile.TemporaryDirectory() as folder, start_server(Path(folder), admin_token=ADMIN_TOKEN) as server:
        differences = found(server, current["repairs"])
    kind_of = {name: kind for kind, entry in current["kinds"].items() for name in entry["exchanges"]}
    for entry in current["kinds"].values():
        if not entry.get("either"):
            entry["exchanges"] = {}
    for name, difference in differences.items():
        if difference is not None:
            kind = current["kinds"].setdefault(kind_of.get(name, "unexplained"), {"reason": "?", "exchanges": {}})
            kind["exchanges"][name] = difference
    current["kinds"] = {kind: entry for kind, entry in current["kinds"].items() if entry["exchanges"]}
    PATH.write_text(json.dumps(current, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    matching = sum(difference is None for difference in differences.values())
    counts = {kind: len(entry["exchanges"]) for kind, entry in current["kinds"].items()}
    print(f"{len(differences)} exchanges, {matching} match; {counts}")


if __name__ == "__main__":
    main()
