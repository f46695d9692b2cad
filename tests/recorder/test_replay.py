"""What is recorded is replayed: exactly, of its own time, and without the database."""

from __future__ import annotations

import threading
import tracemalloc
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import mesahub
from mesahub import ConfigurationError, DatabaseHandle, IntegrityError
from mesahub.transport import Request, Response, TransportOptions
from mesahub_recorder import CassetteDriftError, CassetteError, CassetteMissError, RecorderTransport


class Studio:
    """Records on an embedded database, and replays."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cassette = folder / "cassette.json"

    def connect(self, mode: str, **options: Any) -> DatabaseHandle:
        options = {"cassette": self.cassette, "mode": mode, "inner": "embedded", **options}
        if mode != "replay":
            options["data"] = str(self.folder / "data")
        return mesahub.connect("mh://local/db", transport="recorder", **options)

    def record(self, **options: Any) -> DatabaseHandle:
        db = self.connect("record", **options)
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, secret TEXT)")
        return db


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path)


def test_a_read_gets_the_answer_of_its_own_time(studio: Studio) -> None:
    def work(db: DatabaseHandle) -> list[int]:
        table = db.table("t")
        counts = [table.count()]
        table.insert({"name": "a"})
        counts.append(table.count())
        table.insert({"name": "a"})
        counts.append(table.count())
        return counts

    with studio.record() as db:
        assert work(db) == [0, 1, 2]
    with studio.connect("replay") as db:
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, secret TEXT)")
        assert work(db) == [0, 1, 2]
        assert db.table("t").count() == 2  # once more: the last answer of this time again


@pytest.mark.parametrize(
    "values",
    [
        [1, 1.5, "1", b"1", None, True],
        [2**63 - 1, -0.5, 'ä\n\t"', b"\xff\x00", "", b""],
        [{"bytes": "x"}.__repr__(), 1e300, "null", b"{}", 0, False],
    ],
)
def test_values_keep_their_types(studio: Studio, values: list[Any]) -> None:
    sql = "SELECT ? AS a, ? AS b, ? AS c, hex(?) AS d, ? AS e, ? AS f"
    with studio.connect("record") as db:
        live = db.query(sql, values).rows
    with studio.connect("replay") as db:
        assert repr(db.query(sql, values).rows) == repr(live)


@pytest.mark.parametrize("other", [1.0, True, "1", b"1", None, 2])
def test_values_of_another_type_are_a_miss(studio: Studio, other: Any) -> None:
    with studio.connect("record") as db:
        db.query("SELECT ? AS a", [1])
    with studio.connect("replay") as db, pytest.raises(CassetteMissError) as caught:
        db.query("SELECT ? AS a", [other])
    assert caught.value.reason == "other_bindings"
    assert repr(other) in str(caught.value)


def test_blanks_and_comments_do_not_matter_and_literals_do(studio: Studio) -> None:
    with studio.connect("record") as db:
        db.query("SELECT  'a  b' AS x -- note")
    with studio.connect("replay") as db:
        assert db.query("SELECT 'a  b'\n AS x").rows == [{"x": "a  b"}]
        with pytest.raises(CassetteMissError) as caught:
            db.query("SELECT 'a b' AS x")
    assert caught.value.reason == "never_recorded"


def test_misses_teach(studio: Studio) -> None:
    with studio.connect("replay") as db, pytest.raises(CassetteMissError, match="mode='record'") as caught:
        db.query("SELECT 1")
    assert caught.value.reason == "no_cassette"
    with studio.record() as db:
        db.table("t").insert({"name": "a"})
        db.table("t").find(where={"name": "a"})
    with studio.connect("replay") as db:
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, secret TEXT)")
        db.table("t").insert({"name": "a"})
        with pytest.raises(CassetteMissError) as used_up:
            db.table("t").insert({"name": "a"})
        with pytest.raises(CassetteMissError) as bindings:
            db.table("t").find(where={"name": "b"})
        with pytest.raises(CassetteMissError) as never:
            db.table("t").find(where={"nmae": "a"})
    assert used_up.value.reason == "used_up"
    assert bindings.value.reason == "other_bindings"
    assert "'a'" in str(bindings.value)
    assert "'b'" in str(bindings.value)
    assert never.value.reason == "never_recorded"
    assert '"nmae"' in str(never.value)


def test_a_read_of_another_time_is_no_answer(studio: Studio) -> None:
    with studio.record() as db:
        db.table("t").count()
        db.table("t").insert({"name": "a"})
    with studio.connect("replay") as db:
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, secret TEXT)")
        db.table("t").insert({"name": "a"})
        with pytest.raises(CassetteMissError, match="another time") as caught:
            db.table("t").count()
    assert caught.value.reason == "used_up"


def test_repeats_can_be_refused(studio: Studio) -> None:
    with studio.connect("record") as db:
        db.query("SELECT 1 AS a")
    with studio.connect("replay", repeats=False) as db:
        db.query("SELECT 1 AS a")
        with pytest.raises(CassetteMissError, match="repeats"):
            db.query("SELECT 1 AS a")


def test_errors_of_sql_are_recorded(studio: Studio) -> None:
    def fail(db: DatabaseHandle) -> str:
        with pytest.raises(IntegrityError) as caught:
            db.table("t").insert({"id": 1})
        assert caught.value.columns == ("id",)
        return str(caught.value)

    with studio.record() as db:
        db.table("t").insert({"id": 1, "name": "x"})
        live = fail(db)
    with studio.connect("replay") as db:
        assert fail(db) == live


def test_extend_adds_what_is_new(studio: Studio) -> None:
    with studio.connect("record") as db:
        db.query("SELECT 1 AS a")
    with studio.connect("extend") as db:
        db.query("SELECT 1 AS a")
        db.query("SELECT 2 AS a")
    with studio.connect("replay") as db:
        assert db.query("SELECT 2 AS a").rows == [{"a": 2}]
        assert db.query("SELECT 1 AS a").rows == [{"a": 1}]


def test_record_never_overwrites_and_rewrite_does(studio: Studio) -> None:
    studio.connect("record").close()
    with pytest.raises(ConfigurationError, match="rewrite"):
        studio.connect("record")
    with studio.connect("rewrite") as db:
        db.query("SELECT 3 AS a")
    with studio.connect("replay") as db:
        assert db.query("SELECT 3 AS a").rows == [{"a": 3}]


def test_verify_tells_what_has_changed(studio: Studio) -> None:
    with mesahub.connect("mh://local/db", data=str(studio.folder / "data")) as db:
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)")
        db.table("t").insert_many([{"id": 1, "name": "a"}, {"id": 2, "name": "b"}])
    with studio.connect("record") as db:
        db.table("t").find(order_by=["id"])
    studio.connect("verify").close()
    with mesahub.connect("mh://local/db", data=str(studio.folder / "data")) as db:
        db.table("t").update({"id": 1}, {"name": "changed"})
    db = studio.connect("verify")
    db.table("t").find(order_by=["id"])
    with pytest.raises(CassetteDriftError, match="changed") as caught:
        db.close()
    assert len(caught.value.drift) == 1


def test_unused_interactions_can_fail(studio: Studio) -> None:
    with studio.connect("record") as db:
        db.query("SELECT 1 AS a")
        db.query("SELECT 2 AS a")
    db = studio.connect("replay", unused="fail")
    db.query("SELECT 1 AS a")
    with pytest.raises(CassetteError, match="SELECT 2"):
        db.close()


def test_secrets_stay_out_and_equal_ones_stay_equal(studio: Studio) -> None:
    redact = ["secret", "pass*"]

    def work(db: DatabaseHandle) -> list[Any]:
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, secret TEXT)")
        db.table("t").insert({"id": 1, "secret": "hunter2"})
        db.exec("INSERT INTO t (id, secret) VALUES (:id, :password)", {"id": 2, "password": "hunter2"})
        rows = db.table("t").find(where={"secret": "hunter2"}, order_by=["id"])
        return [row["secret"] for row in rows]

    with studio.connect("record", redact=redact) as db:
        assert work(db) == ["hunter2", "hunter2"]
    assert "hunter2" not in studio.cassette.read_text()
    with studio.connect("replay", redact=redact) as db:
        first, second = work(db)
    assert first == second != "hunter2"


def test_values_that_change_from_run_to_run_can_be_ignored(studio: Studio) -> None:
    with studio.connect("record", ignore_bindings=["id", "<now>"]) as db:
        db.query(
            "SELECT :id AS a, ? AS b, ? AS c".replace("?", ":now", 1).replace("?", ":c"),
            {"id": 1, "now": "2026-01-01 10:00:00", "c": 5},
        )
    sql = "SELECT :id AS a, :now AS b, :c AS c"
    with studio.connect("replay", ignore_bindings=["id", "<now>"]) as db:
        assert db.query(sql, {"id": 2, "now": "2027-01-01T11:00:00Z", "c": 5}).rows[0]["a"] == 1
        with pytest.raises(CassetteMissError):
            db.query(sql, {"id": 2, "now": "2027-01-01T11:00:00Z", "c": 6})


def test_a_damaged_or_newer_cassette_says_so(studio: Studio) -> None:
    with studio.connect("record") as db:
        db.query("SELECT 1 AS a")
    text = studio.cassette.read_text()
    studio.cassette.write_text(text[: len(text) // 2])
    with pytest.raises(CassetteError, match="damaged"):
        studio.connect("replay")
    studio.cassette.write_text(text.replace('"mesahub_cassette": 1', '"mesahub_cassette": 2'))
    with pytest.raises(CassetteError, match="Update mesahub"):
        studio.connect("replay")


def test_big_answers_lie_beside_and_are_checked(studio: Studio) -> None:
    rows = [{"id": i, "name": "x" * 100} for i in range(2_000)]
    with studio.record() as db:
        db.table("t").insert_many(rows)
        live = db.table("t").find()
    assert studio.cassette.stat().st_size < 5_000
    bodies = list(studio.cassette.with_name("cassette.json.bodies").iterdir())
    assert len(bodies) == 2
    with studio.connect("replay") as db:
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, secret TEXT)")
        db.table("t").insert_many(rows)
        assert db.table("t").find() == live
    bodies[0].write_bytes(b"[]")
    with pytest.raises(CassetteError, match="was changed"):
        studio.connect("replay")


def test_threads_share_a_cassette(studio: Studio) -> None:
    with studio.connect("record") as db:
        for i in range(8):
            db.query("SELECT ? AS a", [i])
    found: list[int] = []
    with studio.connect("replay") as db:
        threads = [
            threading.Thread(target=lambda i=i: found.append(db.query("SELECT ? AS a", [i]).rows[0]["a"]))
            for i in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(found) == list(range(8))


def test_an_old_cassette_can_be_refused(studio: Studio) -> None:
    with studio.connect("record") as db:
        db.query("SELECT 1 AS a")
    text = studio.cassette.read_text()
    at = text.index('"recorded": ') + 12
    studio.cassette.write_text(text[:at] + "1000000000" + text[at + 10 :])
    with pytest.raises(CassetteError, match="max_age"):
        studio.connect("replay", max_age=30)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"cassette": ""}, "cassette="),
        ({"unused": "maybe"}, "unused"),
        ({"inject": [{"do": "explode"}]}, "explode"),
        ({"ignore_bindings": "id"}, "must be a list"),
    ],
)
def test_a_wrong_option_is_named(studio: Studio, options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        studio.connect("replay", **options)


def test_a_wrong_mode_is_named(studio: Studio) -> None:
    with pytest.raises(ConfigurationError, match="mode must be one of replay"):
        studio.connect("play")


def test_faults_can_be_played(studio: Studio) -> None:
    with studio.record() as db:
        db.table("t").insert({"id": 1})
        db.query("SELECT 1 AS a")
    inject = [{"do": "reset", "on": "INSERT"}, {"do": "refuse", "on": "query"}]
    with studio.connect("replay", inject=inject) as db:
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, secret TEXT)")
        with pytest.raises(mesahub.AmbiguousResultError):
            db.table("t").insert({"id": 1})
        assert db.query("SELECT 1 AS a").rows == [{"a": 1}]  # refused once, tried again
    throttled = studio.connect("replay", inject=[{"do": "throttle", "retry_after": 3600}])
    with throttled as db, pytest.raises(mesahub.RateLimitError) as caught:
        db.query("SELECT 1 AS a")
    assert caught.value.retry_after == 3600


def test_a_miss_fits_a_screen(studio: Studio) -> None:
    sql = "SELECT " + ",\n".join(f"? AS column_{i}" for i in range(60))
    with studio.connect("record") as db:
        db.query(sql, ["x" * 5_000] * 60)
    with studio.connect("replay") as db:
        for asked, values in ((sql, ["y" * 5_000] * 60), (sql + " ", ["x"] * 60), ("SELECT 1 AS other", [])):
            with pytest.raises(CassetteMissError) as caught:
                db.query(asked, values)
            lines = str(caught.value).splitlines()
            assert len(lines) <= 40
            assert max(map(len, lines[1:])) <= 160
            assert not any("The most similar call" in line and not line.startswith("The") for line in lines)


def test_ignored_values_are_kept_and_marked(studio: Studio) -> None:
    with studio.connect("record", ignore_bindings=["id", "<uuid>"]) as db:
        db.query("SELECT :id AS a, :b AS b", {"id": 7, "b": "0b5e3f9a-70a8-4a0e-9a55-0123456789ab"})
    text = studio.cassette.read_text()
    assert "<ignored>" not in text
    assert '"bindings": [7, "0b5e3f9a-70a8-4a0e-9a55-0123456789ab"]' in text
    assert '"ignored": [0, 1]' in text


def test_verify_mode_leaves_out_generated_ids_and_times(studio: Studio) -> None:
    def work(db: DatabaseHandle) -> None:
        db.exec("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, at TEXT)")
        db.exec("INSERT INTO t (name, at) VALUES (?, ?)", [str(uuid.uuid4()), datetime.now().isoformat(" ")])
        db.query("SELECT id, name, at FROM t ORDER BY id DESC LIMIT 1")

    ignored = ["<uuid>", "<now>", "id"]
    for mode in ("record", "verify"):
        with studio.connect(mode, ignore_bindings=ignored) as db:
            work(db)
    strict = studio.connect("verify")
    work(strict)
    with pytest.raises(CassetteDriftError):
        strict.close()


def test_long_downloads_are_recorded_without_holding_them(tmp_path: Path) -> None:
    class Stream:
        def __init__(self, size: int) -> None:
            self.left = size
            self.largest = 0

        def read(self, size: int = -1) -> bytes:
            assert size > 0
            self.largest = max(self.largest, size)
            piece = b"x" * min(size, self.left)
            self.left -= len(piece)
            return piece

        def close(self) -> None: ...

    stream = Stream(20_000_000)

    class Inner:
        def send(self, request: Request) -> Response:
            return Response(200, {"content-type": "application/octet-stream"}, stream=stream)

        def close(self) -> None: ...

    request = Request("files.download", "GET", "/f", database="db", streams=True, safe=True)
    options = {"cassette": tmp_path / "c.json", "mode": "record", "inner": Inner()}
    for given in (options, {"cassette": tmp_path / "c.json"}):
        recorder = RecorderTransport(TransportOptions(options=given))
        tracemalloc.start()
        body = recorder.send(request).stream
        assert body is not None
        received = 0
        while piece := body.read(100_000):
            received += len(piece)
        body.close()
        recorder.close()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert received == 20_000_000
        assert peak < 5_000_000
    assert stream.largest <= 1_000_000
