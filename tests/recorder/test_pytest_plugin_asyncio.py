"""The pytest plugin's fixtures for asyncio, under pytest-asyncio and under anyio."""

from __future__ import annotations

import pytest

from tests.servers import Server

HEAD = """
import pytest

@pytest.fixture
def anyio_backend():
    return "asyncio"
"""
BODY = """
    await mesahub_adb.exec("CREATE TABLE IF NOT EXISTS t_{0} (a)")
    await mesahub_adb.table("t_{0}").insert({{"a": 1}})
    assert await mesahub_adb.table("t_{0}").count() == 1
    record = await mesahub_adb.files.upload(b"x" * 100, "{0}.txt")
    assert await mesahub_adb.files.download(record["id"]) == b"x" * 100
"""


def test_in(runner: str, name: str) -> str:
    """A test of this name, for this runner."""
    code = f"\nasync def test_{name}(mesahub_adb):{BODY.format(name)}"
    if runner == "blocking":
        return code.replace("async ", "").replace("await ", "").replace("mesahub_adb", "mesahub_db")
    return f"\n@pytest.mark.{runner}{code}"


test_in.__test__ = False  # type: ignore[attr-defined]
STRICT = [
    *("-W", "error::RuntimeWarning", "-W", "error::ResourceWarning"),
    *("-W", "error::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def outside_of_ci(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CI", "MESAHUB_URL"):
        monkeypatch.delenv(name, raising=False)
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")


def test_one_cassette_serves_every_way_of_waiting(
    pytester: pytest.Pytester, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.new_database("plugin-ways")
    monkeypatch.setenv("MESAHUB_URL", server.url("plugin-ways"))
    pytester.makepyfile(test_x=HEAD + test_in("asyncio", "a") + test_in("anyio", "b") + test_in("blocking", "c"))
    pytester.runpytest_subprocess("--mesahub-record=record", *STRICT).assert_outcomes(passed=3)
    monkeypatch.delenv("MESAHUB_URL")
    pytester.makepyfile(test_x=HEAD + test_in("blocking", "a") + test_in("asyncio", "b") + test_in("anyio", "c"))
    replay = ("--disable-socket", "--allow-unix-socket", "--mesahub-unused=fail", "--mesahub-orphans=fail")
    pytester.runpytest_subprocess(*replay, *STRICT).assert_outcomes(passed=3)


def test_a_test_that_fails_writes_no_cassette_and_a_test_has_one_of_both_handles(
    pytester: pytest.Pytester, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = "\ndef test_both(mesahub_db, mesahub_adb): ...\n"
    pytester.makepyfile(HEAD + test_in("asyncio", "a") + "    assert False\n" + both)
    server.new_database("plugin-fails")
    monkeypatch.setenv("MESAHUB_URL", server.url("plugin-fails"))
    result = pytester.runpytest_subprocess("--mesahub-record=record")
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(["*not both*"])
    result.stdout.fnmatch_lines(["*was not written*"])
    assert not list(pytester.path.rglob("*.json"))
