"""``mesahub cassette``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import mesahub
from mesahub_recorder.cli import main


@pytest.fixture
def cassette(tmp_path: Path) -> Path:
    path = tmp_path / "c.json"
    options: dict[str, Any] = {
        "transport": "recorder",
        "cassette": path,
        "inner": "embedded",
        "data": str(tmp_path / "data"),
    }
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
    assert main(["verify", str(cassette), "--url", url]) == 2
    assert "2 statements that may write, none of which was sent" in capsys.readouterr().err
    with mesahub.connect(url) as db:
        assert db.table("t").count() == 0
    assert main(["verify", str(cassette), "--url", url, "--write"]) == 1
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


def test_verify_and_replay_into_use_a_fresh_database_by_default(
    cassette: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    live = f"mh://local/live?data={tmp_path / 'live'}"
    with mesahub.connect(live) as db:
        db.exec("CREATE TABLE t (precious TEXT)")
    monkeypatch.setenv("MESAHUB_URL", live)
    assert main(["verify", str(cassette)]) == 0
    assert main(["replay-into", str(cassette)]) == 0
    assert "2 writes carried out on a fresh database" in capsys.readouterr().out
    with mesahub.connect(live) as db:
        assert list(db.query("SELECT * FROM t").columns) == ["precious"]


@pytest.mark.parametrize("operation", ["exec", "query"])
def test_a_live_database_is_not_written_to_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], operation: str
) -> None:
    live = f"mh://local/live?data={tmp_path / 'live'}"
    with mesahub.connect(live) as db:
        db.exec("CREATE TABLE t (precious TEXT)")
    path = tmp_path / "c.json"
    entry = {"call": operation, "database": "x", "sql": "DROP TABLE t", "answer": {"affected": 0}}
    path.write_text(json.dumps({"mesahub_cassette": 1, "recorded": 1, "salt": "s", "interactions": [entry]}))
    for command in (["verify", str(path), "--url", live], ["replay-into", str(path), live]):
        assert main(command) == 2
        assert "DROP TABLE t" in capsys.readouterr().err
    with mesahub.connect(live) as db:
        assert db.table("t").count() == 0
    assert main(["verify", str(path), "--url", live, "--write"]) in (0, 1)
    assert "DROP TABLE t" in capsys.readouterr().err


def test_reads_alone_may_go_to_a_live_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    live = f"mh://local/live?data={tmp_path / 'live'}"
    options: dict[str, Any] = {"transport": "recorder", "cassette": tmp_path / "c.json", "inner": "embedded"}
    with mesahub.connect(live) as db:
        db.exec("CREATE TABLE t (a)")
    with mesahub.connect("mh://local/live", mode="record", data=str(tmp_path / "live"), **options) as db:
        db.query("SELECT count(*) AS n FROM t")
    assert main(["verify", str(tmp_path / "c.json"), "--url", live]) == 0
    assert "no difference" in capsys.readouterr().out


def test_verify_leaves_out_what_the_cassette_or_the_caller_ignores(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, ignore in (("marked", ["<now>", "<uuid>", "token"]), ("plain", [])):
        path = tmp_path / f"{name}.json"
        options: dict[str, Any] = {
            "transport": "recorder",
            "cassette": path,
            "inner": "embedded",
            "data": str(tmp_path / name),
        }
        with mesahub.connect("mh://local/db", mode="record", ignore_bindings=ignore, **options) as db:
            db.exec("CREATE TABLE t (id TEXT, at TEXT DEFAULT '2020-01-01 00:00:00', token TEXT)")
            db.exec(
                "INSERT INTO t (id, at, token) VALUES (?, datetime('now', '+1 minute'), hex(randomblob(8)))",
                ["0b5e3f9a-70a8-4a0e-9a55-000000000001"],
            )
            db.query("SELECT id, at, token FROM t")
        assert "<ignored>" not in path.read_text()
        assert "0b5e3f9a-70a8-4a0e-9a55-000000000001" in path.read_text()
    assert main(["verify", str(tmp_path / "marked.json")]) == 0
    assert main(["verify", str(tmp_path / "plain.json")]) == 1
    assert main(["verify", str(tmp_path / "plain.json"), "--ignore", "<now>", "--ignore", "tok*"]) == 0
    capsys.readouterr()
