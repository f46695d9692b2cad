"""What happens to a cassette over the years: extended, rewritten, damaged; and what must never be in it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mesahub
from mesahub import DatabaseHandle
from mesahub.errors import ConnectionLostError, NotSentError
from mesahub.transport import Request, Response
from mesahub_recorder import CassetteError, CassetteMissError

KEY = 'a key/with+all "of" it'


class Server:
    """Answers what it is told to, and otherwise counts: a transport."""

    def __init__(self, *answers: Response | Exception) -> None:
        self.answers = list(answers)
        self.count = 0

    def send(self, request: Request) -> Response:
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        if request.operation == "exec":
            self.count += 1
            return Response(200, payload={"rowsAffected": 1, "lastInsertRowid": self.count})
        headers = [{"name": "n", "originalType": "INTEGER"}]
        return Response(200, payload={"headers": headers, "rows": [{"n": self.count}, {"n": self.count}]})

    def close(self) -> None: ...


Connect = Callable[..., DatabaseHandle]


@pytest.fixture
def connect(tmp_path: Path) -> Connect:
    def make(mode: str = "replay", *answers: Response | Exception, **options: Any) -> DatabaseHandle:
        options = {"cassette": tmp_path / "c.json", "mode": mode, "inner": Server(*answers), **options}
        return mesahub.MesahubClient(
            api_url="http://core", api_key=KEY, transport="recorder", allow_insecure=True, **options
        ).db("db")

    return make


def number(db: DatabaseHandle, sql: str = "SELECT n") -> Any:
    return db.query(sql).rows[0]["n"]


def test_what_is_added_takes_its_place_among_the_writes(connect: Connect) -> None:
    def work(db: DatabaseHandle, new: bool) -> list[Any]:
        seen = [number(db, "SELECT n AS new")] if new else []
        db.exec("INSERT 1")
        return [*seen, number(db)]

    db = connect("record")
    assert work(db, new=False) == [1]
    db.client.close()
    extended = connect("extend")
    live = work(extended, new=True)
    extended.client.close()
    replayed = connect(unused="fail", repeats=False)
    assert work(replayed, new=True) == live == [0, 1]
    replayed.client.close()


def test_a_read_after_other_writes_is_asked_anew(connect: Connect) -> None:
    db = connect("record")
    db.exec("INSERT 1")
    assert number(db) == 1
    db.client.close()
    other = connect("extend")
    other.exec("INSERT 2")
    other.exec("INSERT 3")
    assert number(other) == 2
    other.client.close()
    replay = connect()
    replay.exec("INSERT 3")  # in another order, as of two threads
    replay.exec("INSERT 2")
    assert number(replay) == 2
    wrong = connect()
    wrong.exec("INSERT 2")
    with pytest.raises(CassetteMissError) as caught:
        number(wrong)
    assert caught.value.reason == "used_up"


def test_a_new_recording_keeps_placeholders_and_drops_old_bodies(connect: Connect, tmp_path: Path) -> None:
    def record(mode: str, size: int) -> str:
        db = connect(mode, redact=["secret"])
        db.query("SELECT n WHERE secret = :secret", {"secret": "hunter2"})
        db.query("SELECT ? AS big", ["x" * size])
        db.table("t").insert_many([{"a": "x" * size}] * 2)
        db.client.close()
        text = (tmp_path / "c.json").read_text()
        assert "hunter2" not in text
        return next(line for line in text.splitlines() if "<redacted" in line)

    first = record("record", 50_000)
    bodies = tmp_path / "c.json.bodies"
    assert len(list(bodies.iterdir())) == 1
    assert record("rewrite", 5) == first
    assert list(bodies.iterdir()) == []


@pytest.mark.parametrize(
    "value",
    [KEY, f"?k={KEY.replace('/', '%2F').replace('+', '%2B').replace(' ', '%20').replace(chr(34), '%22')}&b=1"]
    + [base64.b64encode(b"x" * n + KEY.encode() + b"yz").decode() for n in range(4)]
    + [b"x" * n + KEY.encode() for n in range(3)]
    + [KEY.encode().hex()],
)
def test_a_cassette_with_the_key_is_not_written(connect: Connect, tmp_path: Path, value: str | bytes) -> None:
    db = connect("record")
    db.query("SELECT ? AS x", [value])
    with pytest.raises(CassetteError, match="key") as caught:
        db.client.close()
    assert KEY not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def refused(text: str, status: int = 500) -> Response:
    return Response(status, payload={"error": text})


def test_an_error_that_only_names_a_lock_is_recorded_and_a_lock_is_not(connect: Connect, tmp_path: Path) -> None:
    db = connect("record", refused("no such table: locked", 400), refused("database is locked"))
    with pytest.raises(mesahub.NoSuchTableError):
        db.query("SELECT * FROM locked")
    assert number(db) == 0
    db.client.close()
    entries = json.loads((tmp_path / "c.json").read_text())["interactions"]
    assert [entry["answer"].get("status") for entry in entries[:-1]] == [400, None]


def test_failures_are_recorded_for_those_who_ask(connect: Connect, tmp_path: Path) -> None:
    def work(db: DatabaseHandle) -> Any:
        with pytest.raises(mesahub.AmbiguousResultError):
            db.exec("INSERT 1")
        found = number(db)
        db.client.close()
        return found

    failures = (ConnectionLostError("reset"), refused("database is locked"), NotSentError("refused"))
    live = work(connect("record", *failures, record_failures=True))
    kept = [entry["answer"] for entry in json.loads((tmp_path / "c.json").read_text())["interactions"][:-1]]
    assert [answer.get("raised", answer.get("status")) for answer in kept] == ["lost", 500, "not_sent", None]
    assert work(connect(unused="fail", repeats=False)) == live
    work(connect("rewrite", *failures))
    assert len(json.loads((tmp_path / "c.json").read_text())["interactions"]) == 2


@pytest.mark.parametrize(
    ("sql", "ordered"),
    [
        ("SELECT n FROM t ORDER /* by */ BY n", True),
        ("SELECT n FROM t", False),
        ("SELECT n FROM (SELECT n FROM t ORDER BY n)", False),
        ("SELECT n, row_number() OVER (ORDER BY n) FROM t", False),
        ("SELECT 'ORDER BY' FROM t", False),
    ],
)
def test_selects_without_an_order_are_told(connect: Connect, sql: str, ordered: bool) -> None:
    db = connect("record", unordered="fail")
    db.query(sql)
    if ordered:
        db.client.close()
        return
    with pytest.raises(CassetteError, match="without ORDER BY"):
        db.client.close()


@pytest.mark.parametrize(
    ("old", "new"),
    [("[0],", "[0, 1],"), ("[0],", '[{"bytes": "?"}],'), ('"rows"', '"lines"'), ("[0],", "<<<<<<< HEAD")],
)
def test_a_damaged_answer_is_never_given(connect: Connect, tmp_path: Path, old: str, new: str) -> None:
    db = connect("record")
    number(db)
    db.client.close()
    path = tmp_path / "c.json"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(CassetteError, match="damaged"):
        number(connect())


def test_a_miss_in_a_long_cassette_names_the_nearest(connect: Connect) -> None:
    db = connect("record")
    for i in range(60):
        db.query(f"SELECT n FROM t{i} WHERE a = ?", [i])
    db.client.close()
    with pytest.raises(CassetteMissError, match=r"- SELECT n FROM t37 WHERE a = \?") as caught:
        connect().query("SELECT n, m FROM t37 WHERE a = ?", [37])
    assert caught.value.reason == "never_recorded"
