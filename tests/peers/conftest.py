"""The wheel and the sdist as a user gets them, and environments of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Environment:
    """A virtual environment that has the wheel.

    Attributes:
        folder: where it is.
        python: its Python.
    """

    def __init__(self, folder: Path, wheel: Path, *packages: str) -> None:
        self.folder = folder
        self.python = new_environment(folder)
        install(self.python, str(wheel), *packages)

    def run(self, *arguments: str, cwd: Path | None = None, **variables: str) -> str:
        """What a command of this Python prints."""
        return run(self.python, *arguments, cwd=cwd or self.folder, **variables)


def new_environment(folder: Path) -> Path:
    """Make a virtual environment; its Python."""
    venv.create(folder, with_pip=True)
    return folder / ("Scripts" if os.name == "nt" else "bin") / "python"


def install(python: Path, *packages: str) -> None:
    """Install packages, by uv where it is there: it takes a third of the time."""
    uv = shutil.which("uv")
    if uv is not None:
        command = [uv, "pip", "install", "--quiet", "--python", str(python), *packages]
        if subprocess.run(command, capture_output=True, timeout=900).returncode == 0:
            return
    run(python, "-m", "pip", "install", "--quiet", *packages, cwd=python.parent)


def run(program: Path, *arguments: str, cwd: Path, **variables: str) -> str:
    """What a program prints. Nothing of these tests' own environment is handed on."""
    ours = ("PYTEST", "COV", "MESAHUB", "PYTHON", "VIRTUAL_ENV")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(
        [str(program), *arguments], cwd=cwd, env=clean | variables, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout[-4000:]}\n{done.stderr[-6000:]}"
    return done.stdout


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built of it."""
    folder = tmp_path_factory.mktemp("dist")
    python = new_environment(folder / "builder")
    install(python, "build", "hatchling>=1.26")
    run(python, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT), cwd=folder)
    return folder


@pytest.fixture(scope="session")
def wheel(distributions: Path) -> Path:
    return next(distributions.glob("*.whl"))


@pytest.fixture(scope="session")
def sdist(distributions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, unpacked."""
    import tarfile

    target = tmp_path_factory.mktemp("sdist")
    with tarfile.open(next(distributions.glob("*.tar.gz"))) as archive:
        archive.extractall(target, filter="data")
    return next(target.iterdir())


def this_python() -> Path:
    """The Python of these tests, with all that they need."""
    return Path(sys.executable)
