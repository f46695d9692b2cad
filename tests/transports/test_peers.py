"""The oldest versions of HTTP libraries that we allow, and a third-party plugin, in environments of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

OLDEST = ["requests==2.28.0", "urllib3==1.26.12", "pysocks==1.7.1", "aiohttp==3.12.0", "httpx==0.27.0"]
if sys.version_info >= (3, 12):
    # urllib3 1.26.12 carries a six that Python 3.12 cannot import; this is the oldest that runs there.
    OLDEST[1] = "urllib3==1.26.18"
if sys.version_info >= (3, 14):
    OLDEST[3] = "aiohttp>=3.13"  # older ones have no wheels for it

pytestmark = pytest.mark.peers

TOOLS = ("hypothesis", "pytest-socket", "responses", "trustme")


def environment(folder: Path, *packages: str) -> Path:
    """A virtual environment with pytest, mesahub and these; its Python."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    run(python, "-m", "pip", "install", "--quiet", "pytest>=9", *TOOLS, *packages)
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--editable", str(ROOT))
    return python


def run(python: Path, *arguments: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    done = subprocess.run([str(python), *arguments], cwd=ROOT, env=clean, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def test_the_oldest_versions_that_we_allow(tmp_path: Path) -> None:
    python = environment(tmp_path / "oldest", *OLDEST)
    names = ("contract", "requests", "urllib3", "proxies", "async_contract", "aiohttp", "httpx")
    files = [f"tests/transports/test_{name}.py" for name in names]
    # Old versions leave sockets to the garbage collector, which says so in any test.
    quiet = ("-p", "no:cacheprovider", "-p", "no:unraisableexception")
    told = run(python, "-m", "pytest", "-q", *quiet, "-k", "not Embedded", *files)
    assert " passed" in told
    print(told.splitlines()[-1])


def test_the_example_plugin_holds_the_contract(tmp_path: Path) -> None:
    example = ROOT / "docs" / "examples" / "mesahub-httpx-blocking"
    python = environment(tmp_path / "httpx2", "httpx2", "hatchling")
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", str(example))
    told = run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(example), str(example))
    assert " passed" in told
    print(told.splitlines()[-1])
