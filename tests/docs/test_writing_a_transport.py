"""The example of the guide "Writing a transport" passes the contract, with the exceptions that the guide names."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.docs.test_examples import ROOT, blocks

GUIDE = ROOT / "docs/guides/writing-a-transport.md"
SECONDS = 300


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest says of the page's code, as its reader would run it."""
    file = tmp_path_factory.mktemp("guide") / "test_plain_transport.py"
    file.write_text("\n\n".join(code for _, code in blocks(GUIDE)), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(file.parent), str(file)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        command, cwd=file.parent, env=clean, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.peers
def test_example_passes_the_contract(report: str) -> None:
    passed = re.search(r"(\d+) passed", report)
    assert passed is not None
    assert "failed" not in report
    assert "about 100" in GUIDE.read_text("utf-8").replace("\n", " ")
    assert 90 <= int(passed[1]) <= 110


def test_guide_names_tests_of_the_contract() -> None:
    from mesahub.testing import TransportContract

    named = re.findall(r"`(test_\w+)`", GUIDE.read_text("utf-8"))
    assert len(named) >= 2
    assert [name for name in named if not hasattr(TransportContract, name)] == []


def test_guide_explains_the_rules_that_the_contract_tests() -> None:
    text = GUIDE.read_text("utf-8")
    for rule in (
        "CR and LF in headers",
        "pool_size",
        "Uploads that cannot be read",
        "Leftover bytes",
        "Interim responses",
    ):
        assert rule in text, rule
