"""Files in a cassette: uploads by their hash, downloads beside it; all of it fits the schema."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import mesahub
from mesahub import ConfigurationError, DatabaseHandle
from mesahub_recorder import CassetteMissError
from tests.servers import Server

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cassette.schema.json"
BIG = os.urandom(100_000)


jsonschema = pytest.importorskip("jsonschema")


def work(db: DatabaseHandle, tmp_path: Path) -> list[bytes]:
    found = []
    for content in (b"small", BIG):
        record = db.files.upload(content, "f.zip", "application/zip")
        target = tmp_path / "got"
        target.unlink(missing_ok=True)
        db.files.download_to(record["id"], target)
        found.append(target.read_bytes())
        db.files.delete(record["id"])
    db.exec("CREATE TABLE t (a BLOB)")
    db.table("t").insert_many([{"a": b"\xff"}, {"a": None}])
    with pytest.raises(mesahub.NoSuchTableError):
        db.query("SELECT * FROM missing")
    return found


def test_files_are_recorded_and_replayed(server: Server, tmp_path: Path) -> None:
    server.new_database("recorded-files")
    path = tmp_path / "c.json"
    with mesahub.connect(server.url("recorded-files"), transport="recorder", cassette=path, mode="record") as db:
        assert work(db, tmp_path) == [b"small", BIG]
    jsonschema.validate(json.loads(path.read_text()), json.loads(SCHEMA.read_text()))
    assert [body.stat().st_size for body in tmp_path.joinpath("c.json.bodies").iterdir()] == [len(BIG)]
    url = "mh://key@127.0.0.1:9/recorded-files"
    with mesahub.connect(url, transport="recorder", cassette=path, unused="fail") as db:
        assert work(db, tmp_path) == [b"small", BIG]
    with (
        mesahub.connect(url, transport="recorder", cassette=path) as db,
        pytest.raises(CassetteMissError) as caught,
    ):
        db.files.upload(b"other", "f.zip", "application/zip")
    assert isinstance(caught.value, ConfigurationError)
    assert caught.value.reason == "never_recorded"
