"""``mesahub cassette``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import mesahub
from mesahub_recorder.cli import main


@pytest.fixture
def cassette(tmp_path: Path) -> Path:
    path = tmp_path / "c.json"
    options = {"transport": "recorder", "cassette": path, "inner": "embedded", "data": str(tmp_path / "data")}
    with mesahub.connect("mh://local/db", mode="record", **options) as db:
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)")
        db.table("t").insert_many([{"name": "ä"}, {"name": "b"}])
        for _ in range(3):
            db.query("SELECT name FROM t")
    return path


def test_show_names_calls_and_rows(cassette: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(cassette)]) == 0
    shown = capsys.readouterr().out
    assert "CREATE TABLE t" in shown
    assert '["ä"]' in shown


def test_stats_count_and_warn(cassette: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stats", "--json", str(cassette)]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["operations"] == {"exec": 2, "query": 3}
    assert facts["unordered"] == ["SELECT name FROM t"] * 3


def test_prune_drops_what_only_repeats(cassette: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prune", str(cassette)]) == 0
    assert "2 interactions and 0 files dropped, 3 interactions left" in capsys.readouterr().out
    with mesahub.connect("mh://local/db", transport="recorder", cassette=cassette, unused="fail") as db:
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)")
        db.table("t").insert_many([{"name": "ä"}, {"name": "b"}])
        assert [db.query("SELECT name FROM t").rows for _ in range(3)] == [[{"name": "ä"}, {"name": "b"}]] * 3


def test_replay_into_and_verify(cassette: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"mh://local/copy?data={tmp_path / 'other'}"
    assert main(["replay-into", str(cassette), url]) == 0
    assert "2 writes" in capsys.readouterr().out
    with mesahub.connect(url) as db:
        assert db.table("t").count() == 2
        db.exec("DROP TABLE t")
    assert main(["verify", str(cassette), "--url", url]) == 0
    with mesahub.connect(url) as db:
        db.table("t").insert({"name": "c"})
        db.exec("DROP TABLE t")
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT DEFAULT 'x')")
    assert main(["verify", str(cassette), "--url", url]) == 1
    assert "today" in capsys.readouterr().out


def test_wrong_usage_and_what_is_not_there(cassette: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["explode", str(cassette)])
    assert caught.value.code == 2
    assert main(["show", str(cassette.with_name("none.json"))]) == 1
    assert "none.json" in capsys.readouterr().err
    cassette.write_text("{")
    assert main(["show", str(cassette)]) == 1
    assert "damaged" in capsys.readouterr().err
