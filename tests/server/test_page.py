"""The page of mesahub 1.0: its README, pasted, on the package that it describes and on ours; the same comes out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mesahub
from tests.servers import Server, start_server

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "tests" / "data" / "page-readme.md"
SCRIPT = ROOT / "tests" / "server" / "page.py"

SCHEMA = """
CREATE TABLE users (
    id INTEGER PRIMARY KEY, name TEXT, email TEXT UNIQUE, active INTEGER, age INTEGER, score REAL, role TEXT,
    deleted_at TEXT, verified_at TEXT, created_at TEXT
);
CREATE TABLE orders (id INTEGER PRIMARY KEY, status TEXT);
"""


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Server]:
    """A server that has what the page takes for granted."""
    (tmp_path / "report.pdf").write_bytes(b"%PDF-1.7 a report")
    with start_server(tmp_path / "data") as server:
        for name in ("my-app-db", "mydb"):
            server.new_database(name)
        with mesahub.connect(server.url("my-app-db")) as db:
            db.exec_script(SCHEMA)
            for number in range(1, 31):
                db.table("users").insert(
                    {
                        "name": "Alice" if number == 1 else f"User {number}",
                        "email": "alice@example.com" if number == 1 else f"user{number}@example.com",
                        "active": number % 4 > 0,
                        "age": 15 + number,
                        "score": number * 4.0,
                        "role": ("admin", "editor", "reader", None)[number % 4],
                        "deleted_at": "2026-01-01" if number == 7 else None,
                        "verified_at": "2026-02-02" if number < 4 else None,
                        "created_at": f"2026-01-{number:02} 00:00:00",
                    }
                )
            db.table("orders").insert_many([{"status": "pending"}, {"status": "done"}])
        yield server


def told(python: Path | str, server: Server, folder: Path) -> dict[str, Any]:
    """What the page gives under an interpreter."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    done = subprocess.run(
        [str(python), str(SCRIPT), str(README), server.base_url, server.admin_token],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def check(answer: dict[str, Any]) -> None:
    """Is it what the page promises?"""
    assert len(answer["all_rows"]) == 20
    assert answer["alice"]["name"] == "Alice"
    assert answer["count"] == 23
    assert answer["new_row"]["name"] == "Bob"
    assert answer["new_row"]["id"] == 31
    assert answer["result"]["row_count"] == 23
    assert answer["result"]["columns"][:3] == ["id", "name", "email"]
    assert answer["orders"] == [{"id": 1, "status": "pending"}]
    assert [len(rows) for rows in answer["where"]] == [23, 22, 1, 15, 29, 3]
    assert answer["options"] == [[{"id": n, "name": f"User {n}", "email": f"user{n}@example.com"} for n in (3, 2)]
                                 + [{"id": 1, "name": "Alice", "email": "alice@example.com"}]]  # fmt: skip
    assert [row["msg"] for row in answer["logs"]] == ["started", "done"]
    assert answer["data"] == "%PDF-1.7 a report"
    assert answer["record"] == {"filename": "report.pdf", "content_type": "application/pdf", "size_bytes": 17}
    assert answer["connected"] == [{"one": 1}]
    assert "/api/db/my-app-db/files/<id>" in answer["printed"]
    assert "404" in answer["printed"]


def test_the_page_runs_on_this_package(page: Server, tmp_path: Path) -> None:
    check(told(sys.executable, page, tmp_path))


@pytest.mark.peers
def test_the_page_runs_on_the_package_it_describes(page: Server, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    check(told(_old_python(pytestconfig), page, tmp_path))


def _old_python(config: pytest.Config) -> Path:
    """The Python of an environment with mesahub 1.0.1; made once, and kept beside pytest's cache."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = config.rootpath / ".venv-peers" / f"mesahub-1.0.1-{version}"
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not (folder / "ready").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", "mesahub==1.0.1"],
            check=True,
            cwd=folder,
            timeout=600,
        )
        (folder / "ready").touch()
    shown = subprocess.run(
        [str(python), "-c", "import mesahub, importlib.metadata as m; print(m.version('mesahub'))"],
        check=True,
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert shown.stdout.strip() == "1.0.1"
    return python
