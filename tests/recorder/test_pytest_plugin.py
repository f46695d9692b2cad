"""The pytest plugin, in runs of its own, and the sample project."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import Server

SAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "recorded-app"

TESTS = """
import pytest

def test_one(mesahub_db):
    mesahub_db.exec("CREATE TABLE IF NOT EXISTS t (a)")
    mesahub_db.table("t").insert({"a": 1})
    assert mesahub_db.table("t").count() >= 1

@pytest.mark.parametrize("value", ["a/b", "ä", "x" * 200, 5])
def test_many(mesahub_db, value):
    assert mesahub_db.query("SELECT ? AS v", [value]).rows == [{"v": value}]

@pytest.mark.mesahub_cassette("named", repeats=False)
def test_named(mesahub_db):
    assert mesahub_db.query("SELECT 1 AS a").rows == [{"a": 1}]
"""


@pytest.fixture(autouse=True)
def outside_of_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CI", "MESAHUB_URL"):
        monkeypatch.delenv(name, raising=False)


def record(pytester: pytest.Pytester, server: Server, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makepyfile(TESTS)
    server.new_database(name)
    monkeypatch.setenv("MESAHUB_URL", server.url(name))
    pytester.runpytest_subprocess("--mesahub-record=record").assert_outcomes(passed=6)
    monkeypatch.delenv("MESAHUB_URL")


def test_record_once_and_replay(pytester: pytest.Pytester, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    record(pytester, server, "plugin-once", monkeypatch)
    cassettes = sorted(path.name for path in pytester.path.rglob("*.json"))
    assert "named.json" in cassettes
    assert "test_one.json" in cassettes
    assert len(cassettes) == 6
    assert not [path for path in pytester.path.rglob("*.json") if server.admin_token in path.read_text()]
    pytester.runpytest_subprocess("--disable-socket").assert_outcomes(passed=6)


def test_replay_under_xdist(pytester: pytest.Pytester, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    record(pytester, server, "plugin-xdist", monkeypatch)
    pytester.runpytest_subprocess("-n2").assert_outcomes(passed=6)


def test_without_a_cassette_the_test_says_how_to_record(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_subprocess("-k", "test_one")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*CassetteMissError: There is no cassette*pytest --mesahub-record=record*"])


def test_ci_never_records(pytester: pytest.Pytester, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makepyfile(TESTS)
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("MESAHUB_URL", server.url("main"))
    pytester.runpytest_subprocess("--mesahub-record=rewrite", "-k", "test_one").assert_outcomes(failed=1)
    assert not list(pytester.path.rglob("*.json"))


def test_unused_interactions_fail_on_request(
    pytester: pytest.Pytester, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(pytester, server, "plugin-unused", monkeypatch)
    pytester.makepyfile(TESTS.replace('    assert mesahub_db.table("t").count() >= 1\n', ""))
    pytester.runpytest_subprocess("-k", "test_one").assert_outcomes(passed=1)
    result = pytester.runpytest_subprocess("-k", "test_one", "--mesahub-unused=fail")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*1 interactions were never asked for*"])


def test_recording_needs_a_database(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_subprocess("--mesahub-record=record", "-k", "test_one")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*set MESAHUB_URL*"])


def test_two_connections_share_a_cassette(
    pytester: pytest.Pytester, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.new_database("plugin-a")
    server.new_database("plugin-b")
    pytester.makepyfile(
        f"""
        def test_two(mesahub_connect):
            first = mesahub_connect({server.url("plugin-a")!r})
            second = mesahub_connect({server.url("plugin-b")!r})
            first.exec("CREATE TABLE IF NOT EXISTS t (a)")
            first.close()
            assert second.query("SELECT name FROM sqlite_schema").rows == []
        """
    )
    pytester.runpytest_subprocess("--mesahub-record=record").assert_outcomes(passed=1)
    pytester.runpytest_subprocess("--mesahub-unused=fail", "--disable-socket").assert_outcomes(passed=1)


def test_orphans_are_found(pytester: pytest.Pytester, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    record(pytester, server, "plugin-orphans", monkeypatch)
    pytester.runpytest_subprocess("--mesahub-orphans=fail", "-k", "test_one").assert_outcomes(passed=1, deselected=5)
    pytester.makepyfile(TESTS.replace("def test_one", "def test_renamed"))
    result = pytester.runpytest_subprocess("--mesahub-orphans=fail")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "test_one.json" in result.stderr.str() + result.stdout.str()


def test_ci_may_verify(pytester: pytest.Pytester, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    record(pytester, server, "plugin-verify", monkeypatch)
    monkeypatch.setenv("CI", "true")
    server.new_database("plugin-other")
    monkeypatch.setenv("MESAHUB_URL", server.url("plugin-other"))
    result = pytester.runpytest_subprocess("--mesahub-record=verify", "-k", "test_named")
    # The calls are those of another database than the cassette's, so a verification has something to say.
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*CassetteDriftError*"])


def run_sample(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", str(SAMPLE), "-p", "no:cacheprovider"]
    given = {name: value for name, value in os.environ.items() if name not in ("CI", "MESAHUB_URL")}
    return subprocess.run(
        [*command, *arguments, "tests"],
        cwd=SAMPLE,
        env={**given, "PYTHONDONTWRITEBYTECODE": "1", **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_sample_project_runs_offline() -> None:
    done = run_sample("--disable-socket", "--mesahub-unused=fail")
    assert "7 passed" in done.stdout, done.stdout


def test_the_server_still_says_what_the_sample_project_recorded(server: Server) -> None:
    server.new_database("shop")
    done = run_sample("--mesahub-record=verify", "-k", "shop", environment={"MESAHUB_URL": server.url("shop")})
    assert "6 passed" in done.stdout, done.stdout


def test_a_cassette_fits_its_schema() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((SAMPLE.parents[1] / "reference" / "cassette.schema.json").read_text())
    cassettes = list(SAMPLE.rglob("cassettes/**/*.json"))
    assert len(cassettes) == 6
    for cassette in cassettes:
        jsonschema.validate(json.loads(cassette.read_text()), schema)
    broken = json.loads(cassettes[0].read_text())
    del broken["interactions"][0]["answer"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema)
