"""Several recorders on one cassette: each call is kept, or the recorder refuses; the file is never damaged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import mesahub
from mesahub import DatabaseHandle
from mesahub_recorder import CassetteError
from mesahub_recorder.cassette import Cassette
from mesahub_recorder.pytest_plugin import _safe
from tests.servers import Server


def connect(folder: Path, mode: str, **options: Any) -> DatabaseHandle:
    given = {"transport": "recorder", "cassette": folder / "c.json", "inner": "embedded", **options}
    if mode != "replay":
        given["data"] = str(folder / "data")
    return mesahub.connect("mh://local/db", mode=mode, **given)


def test_extend_keeps_what_other_recorders_added_meanwhile(tmp_path: Path) -> None:
    with connect(tmp_path, "record") as db:
        db.query("SELECT 0 AS n")
    recorders = [connect(tmp_path, "extend") for _ in range(3)]
    for number, db in enumerate(recorders, 1):
        db.query("SELECT 0 AS n")
        db.query(f"SELECT {number} AS n")
    for db in recorders:
        db.close()
    with connect(tmp_path, "replay", unused="fail") as db:
        assert [db.query(f"SELECT {n} AS n").rows[0]["n"] for n in range(4)] == [0, 1, 2, 3]


@pytest.mark.parametrize("mode", ["record", "rewrite"])
def test_record_and_rewrite_refuse_to_overwrite_another_recorder(tmp_path: Path, mode: str) -> None:
    first, second = connect(tmp_path, mode), connect(tmp_path, mode)
    first.query("SELECT 1 AS n")
    second.query("SELECT 2 AS n")
    first.close()
    with pytest.raises(CassetteError, match="another recorder"):
        second.close()
    with connect(tmp_path, "replay") as db:
        assert db.query("SELECT 1 AS n").rows == [{"n": 1}]


def test_rewrite_replaces_a_damaged_cassette(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text("<<<<<<< HEAD")
    with connect(tmp_path, "rewrite") as db:
        db.query("SELECT 1 AS n")
    with connect(tmp_path, "replay") as db:
        assert db.query("SELECT 1 AS n").rows == [{"n": 1}]


def test_parts_of_a_shared_cassette_are_recorded_and_replayed_apart(tmp_path: Path) -> None:
    def work(part: str, mode: str) -> int:
        with connect(tmp_path, mode, part=part, unused="fail") as db:
            db.exec(f"CREATE TABLE IF NOT EXISTS {part} (n)")
            db.table(part).insert_many([{"n": "x" * 50_000}] * 2)
            return db.table(part).count()

    names = ["a", "b", "c", "d"]
    threads = [threading.Thread(target=work, args=(name, "record")) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [work(name, "replay") for name in names] == [2, 2, 2, 2]
    assert work("b", "rewrite") == 4
    assert [work(name, "replay") for name in names] == [2, 4, 2, 2]
    assert len(Cassette.load(tmp_path / "c.json").interactions) == 12


@pytest.mark.parametrize(
    "names",
    [
        ["test_a[x::y]", "test_a[x.y]"], ["TestA::test_b", "TestA.test_b", "testa::test_b"],
        ["test_x", "test_X", "TEST_x"], ["test_" + "x" * 300, "test_" + "x" * 301, "test_" + "X" * 300],
        ["test_a[a/b]", "test_a[a_b]", "test_a[a\\b]", "test_a[a:b]"], ["con", "CON", "con.x", "_con"],
        ["test_\u00e4", "test_a\u0308", "test__", "test_a"], ["test_a.", "test_a", "test_a "],
    ],
)  # fmt: skip
def test_ids_that_differ_never_share_a_file(names: list[str]) -> None:
    files = [_safe(name, name.replace("::", ".")) for name in names]
    assert len({file.lower() for file in files}) == len(names)
    for file in files:
        assert len(file) < 200
        assert file.isascii()
        assert file.split(".")[0].lower() not in {"con", "prn", "aux", "nul", "com1", "lpt9"}
        assert not set(file) & set('<>:"/\\|?* ')


TESTS = """
import pytest

@pytest.mark.parametrize("n", range(8))
def test_own(mesahub_db, n):
    mesahub_db.exec("CREATE TABLE IF NOT EXISTS t (a)")
    mesahub_db.table("t").delete({}, all_rows=True)
    mesahub_db.table("t").insert({"a": n})
    assert mesahub_db.table("t").count() == 1

@pytest.mark.mesahub_cassette("shared")
@pytest.mark.parametrize("n", range(8))
def test_shared(mesahub_db, n):
    mesahub_db.exec("CREATE TABLE IF NOT EXISTS s (a)")
    assert mesahub_db.query("SELECT ? AS v", [n]).rows == [{"v": n}]
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    for name in ("CI", "MESAHUB_URL"):
        monkeypatch.delenv(name, raising=False)
    pytester.makepyfile(TESTS)
    return pytester


def slugs(server: Server) -> set[str]:
    return {database["slug"] for database in json.loads(server.call("GET", "/api/db")[2])}


@pytest.mark.parametrize("modes", [["record"], ["extend", "rewrite"]])
def test_four_workers_record_on_databases_of_their_own_and_keep_every_call(
    project: pytest.Pytester, server: Server, monkeypatch: pytest.MonkeyPatch, modes: list[str]
) -> None:
    name = f"parallel-{modes[0]}"
    server.new_database(name)
    before = slugs(server)
    for mode in modes:
        monkeypatch.setenv("MESAHUB_URL", server.url(name))
        project.runpytest_subprocess("-n4", f"--mesahub-record={mode}").assert_outcomes(passed=16)
        monkeypatch.delenv("MESAHUB_URL")
        (shared,) = project.path.rglob("shared.json")
        cassette = Cassette.load(shared)
        assert len(cassette.interactions) == 16
        assert {one.call.database for one in cassette.interactions} == {name}
        project.runpytest_subprocess("--mesahub-unused=fail", "--disable-socket").assert_outcomes(passed=16)
    with mesahub.connect(server.url(name)) as db:
        assert db.query("SELECT name FROM sqlite_schema").rows == []
    assert slugs(server) == before


def test_processes_that_extend_one_cassette_keep_every_call(tmp_path: Path) -> None:
    program = """
import sys, mesahub
path, data, start = sys.argv[1:]
for n in range(int(start), int(start) + 5):
    with mesahub.connect("mh://local/db", transport="recorder", inner="embedded", data=data, cassette=path,
                         mode="extend") as db:
        db.query("SELECT ? AS n", [n])
        db.query("SELECT ? AS big", ["x" * 70_000])
"""
    path = tmp_path / "c.json"
    commands = [[sys.executable, "-c", program, str(path), str(tmp_path / f"d{s}"), str(s)] for s in (0, 100, 200)]
    processes = [subprocess.Popen(command, env={**os.environ}) for command in commands]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    found = {one.call.bindings[0] for one in Cassette.load(path).interactions if one.call.sql == "SELECT ? AS n"}
    assert found == {*range(5), *range(100, 105), *range(200, 205)}


def test_a_failed_test_leaves_no_cassette_and_says_so(
    project: pytest.Pytester, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.new_database("failed-test")
    monkeypatch.setenv("MESAHUB_URL", server.url("failed-test"))
    project.makepyfile(
        "def test_f(mesahub_db):\n    mesahub_db.query('SELECT 1')\n    assert False\n"
        "def test_p(mesahub_db):\n    mesahub_db.query('SELECT 1')\n"
    )
    result = project.runpytest_subprocess("--mesahub-record=record")
    result.assert_outcomes(failed=1, passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*The test failed, so *test_f.json was not written.*"])
    assert [path.name for path in project.path.rglob("*.json")] == ["test_p.json"]


def test_the_project_redacts_and_ignores_for_all_tests(
    project: pytest.Pytester, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.new_database("project-options")
    monkeypatch.setenv("MESAHUB_URL", server.url("project-options"))
    project.makeini("[pytest]\nmesahub_redact =\n    password\nmesahub_ignore_bindings =\n    <uuid>\n")
    project.makeconftest(
        "import pytest\n@pytest.fixture(scope='session')\n"
        "def mesahub_recorder_options():\n    return {'redact': ['my_token'], 'repeats': False}\n"
    )
    project.makepyfile(
        """
        import pytest, uuid
        @pytest.mark.mesahub_cassette(redact=["pin"])
        def test_a(mesahub_db):
            sql = "SELECT :password AS a, :my_token AS b, :pin AS c, :id AS d"
            values = {"password": "secret-1", "my_token": "secret-2", "pin": "secret-3", "id": str(uuid.uuid4())}
            mesahub_db.query(sql.replace(" AS ", " IS NULL AS "), values)
        """
    )
    project.runpytest_subprocess("--mesahub-record=record").assert_outcomes(passed=1)
    (cassette,) = project.path.rglob("test_a.json")
    assert "secret-" not in cassette.read_text()
    project.runpytest_subprocess("--mesahub-unused=fail").assert_outcomes(passed=1)
