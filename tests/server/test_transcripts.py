"""Every exchange recorded from the real server, sent to ours: it matches, or stands in the table of differences."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.server.differences import found, table
from tests.server.replay import ADMIN_TOKEN, exchanges
from tests.servers import start_server

RECORDED = 692
NEWER_SQLITE = {"bind-read-values"} if sqlite3.sqlite_version_info >= (3, 52) else set[str]()
"""It casts a double to text with as many digits as are needed, the recorded server with 15."""
CORE = re.compile(r"(?:/api/db/[^/]+/(?:query|exec|files)|/v1/)")


@pytest.fixture(scope="module")
def differences(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """The difference of each exchange, after all were sent in their order."""
    with start_server(tmp_path_factory.mktemp("replay"), admin_token=ADMIN_TOKEN) as server:
        return found(server, table()["repairs"])


def test_each_exchange_matches_or_is_a_known_difference(
    differences: dict[str, str | None], record_property: Callable[[str, object], None]
) -> None:
    kinds = table()["kinds"]
    expected = {name: text for entry in kinds.values() for name, text in entry["exchanges"].items()}
    either = {name for entry in kinds.values() if entry.get("either") for name in entry["exchanges"]}
    wrong = {
        name: {"is": differences[name], "table": expected.get(name)}
        for name in differences.keys() | expected.keys()
        if name not in either | NEWER_SQLITE and differences[name] != expected.get(name)
    }
    assert not wrong, "python -m tests.server.differences writes the table anew"
    paths = {exchange.name: exchange.request["path"] for exchange in exchanges()}
    core = [name for name, path in paths.items() if CORE.match(path)]
    for label, names in (("all", list(differences)), ("query, exec and files", core)):
        different = sum(differences[name] is not None for name in names)
        record_property(
            "figure",
            f"recorded exchanges, {label}: {len(names)} replayed, {len(names) - different} match, "
            f"{different} differ on purpose",
        )
    assert len(differences) == RECORDED
    assert len(core) == 543
    matching = sum(difference is None or name in NEWER_SQLITE for name, difference in differences.items())
    assert matching + len(expected) - len([name for name in either if differences[name] is None]) == RECORDED


def test_every_kind_of_difference_has_a_reason() -> None:
    kinds = table()["kinds"]
    assert "unexplained" not in kinds
    assert all(len(entry["reason"]) > 20 for entry in kinds.values())
    names = [name for entry in kinds.values() for name in entry["exchanges"]]
    assert len(names) == len(set(names))
    assert set(names) | set(table()["repairs"]) <= {exchange.name for exchange in exchanges()}


def test_the_record_is_whole() -> None:
    recorded = exchanges()
    assert len(recorded) == len({exchange.name for exchange in recorded}) == RECORDED
    assert Path(__file__).parent.parent.joinpath("data", "transcripts.jsonl.xz").stat().st_size < 100_000
