"""A SQLite file opened where it is, and databases in memory."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import mesahub
from mesahub import ConfigurationError, MesahubError, NotFoundError, UnsupportedError


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "their own.db"
    with closing(sqlite3.connect(path)) as theirs:
        theirs.executescript("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, 'x')")
    return path


def test_connect_opens_a_file_by_any_of_its_names(file: Path) -> None:
    quoted = str(file).replace(" ", "%20")
    for url in (
        "sqlite:///their%20own.db", f"sqlite:///{quoted}", f"mh://local/{quoted}", file, Path("their own.db"),
        "sqlite:their own.db",
    ):  # fmt: skip
        with mesahub.connect(url) as db:
            assert db.name == "their own"
            assert db.table("t").find() == [{"id": 1, "a": "x"}]
    assert os.listdir() == ["their own.db"]


@pytest.mark.parametrize("journal", ["delete", "wal", "truncate", "persist"])
def test_a_file_keeps_its_journal_mode(file: Path, journal: str) -> None:
    with closing(sqlite3.connect(file)) as theirs:
        theirs.execute(f"PRAGMA journal_mode = {journal}")
    with mesahub.connect(file) as db:
        assert db.table("t").insert({"a": "y"})["id"] == 2
        db.table("t").insert_many([{"a": "z"}] * 3)
        assert db.table("t").count() == 5
    with closing(sqlite3.connect(file)) as theirs:
        kept = theirs.execute("PRAGMA journal_mode").fetchone()[0]
        assert kept == (journal if journal == "wal" else "delete")
        assert theirs.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert {name.removeprefix("their own.db") for name in os.listdir()} <= {"", "-journal", "-wal", "-shm"}


def test_mode_ro_reads_only(file: Path) -> None:
    before = file.read_bytes()
    with mesahub.connect("sqlite:///their%20own.db?mode=ro") as db:
        assert db.table("t").count() == 1
        with pytest.raises(MesahubError, match="readonly"):
            db.table("t").insert({"a": "y"})
        with pytest.raises(MesahubError):
            db.exec("DROP TABLE t")
    assert file.read_bytes() == before
    assert os.listdir() == ["their own.db"]


@pytest.mark.parametrize(
    "url", [":memory:", "sqlite://", "sqlite:///:memory:", "mh://local/:memory:", "sqlite:///x?mode=memory"]
)
def test_a_memory_database_belongs_to_its_client(file: Path, url: str) -> None:
    with mesahub.connect(url) as db, mesahub.connect(url) as other:
        db.exec("CREATE TABLE m (n)")
        assert db.table("m").insert_many([{"n": 1}, {"n": 2}]).rows_affected == 2
        assert [row["n"] for row in db.table("m").iterate()] == [1, 2]
        with pytest.raises(mesahub.NoSuchTableError):
            other.table("m").find()
    assert os.listdir() == ["their own.db"]


def test_create_0_makes_nothing(file: Path) -> None:
    for url in ("sqlite:///typo.db?create=0", "sqlite:///typo.db?mode=rw", "sqlite:///typo.db?mode=ro"):
        with pytest.raises(ConfigurationError, match=r"typo\.db"):
            mesahub.connect(url)
    with mesahub.connect("mh://local/typo?create=0") as db, pytest.raises(NotFoundError):
        db.query("SELECT 1")
    assert not list(file.parent.rglob("typo*"))


@pytest.mark.parametrize(
    "url", ["sqlite:///no/such/x.db", "sqlite://host/x.db", "sqlite:///x.db?mode=w", "sqlite:///.", "sqlite:///a\0b"]
)
def test_a_path_that_is_no_database_is_a_configuration_error(file: Path, url: str) -> None:
    with pytest.raises(ConfigurationError):
        mesahub.connect(url)
    Path("text.db").write_text("this is a text file, and a long one, " * 40)
    with pytest.raises(ConfigurationError, match="not a database"):
        mesahub.connect("sqlite:///text.db")


def test_a_single_file_has_no_files_and_no_administration(file: Path) -> None:
    with mesahub.connect(file) as db:
        assert not db.capabilities.files
        with pytest.raises(UnsupportedError):
            db.files.list()
        with pytest.raises(UnsupportedError):
            db.client.admin.databases.list()
