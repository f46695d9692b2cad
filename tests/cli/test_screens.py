"""What a person sees: screens of a terminal with 80 and 160 columns."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

import mesahub

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are POSIX", allow_module_level=True)

from tests.cli.screens import screen

URL = "mh://local/screens"
UUID = "6f1c2c1e-9f3b-4a55-8a8e-0123456789ab"
WIDTHS = pytest.mark.parametrize("columns", [80, 160])


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("MESAHUB_DATA", str(tmp_path))
    return dict(os.environ)


def insert(row: dict[str, Any], count: int = 1) -> None:
    with mesahub.connect(URL) as db:
        db.table("t").insert_many([row] * count, create=True)


@WIDTHS
def test_rows_keeps_every_column_next_to_a_long_value(environment: dict[str, str], columns: int) -> None:
    insert({"id": 123456789, "title": "long text " * 400, "customer_id": UUID, "ok": True})
    lines, _ = screen(["rows", URL, "t"], columns, environment)
    assert lines[0].split() == ["id", "title", "customer_id", "ok"]
    assert lines[1].startswith("123456789  long text")
    assert UUID in lines[1]
    assert "…" in lines[1]
    assert lines[1].endswith("True")


@WIDTHS
def test_rows_turns_to_blocks_if_columns_do_not_fit(environment: dict[str, str], columns: int) -> None:
    row = {"id": UUID, **{f"a_long_column_name_{n}": "x" * 300 for n in range(30)}}
    insert(row, 2)
    lines, _ = screen(["rows", URL, "t"], columns, environment, 600)
    text = "\n".join(lines)
    assert f"31 columns do not fit into {columns} characters" in lines[0]
    assert text.count(UUID) == 2
    assert all(text.count(f"{name} ") >= 2 for name in row)
    assert max(map(len, lines)) <= columns
    assert "-- row 2 -" in text


@WIDTHS
def test_rows_never_cuts_an_identifier_that_is_wider_than_the_screen(environment: dict[str, str], columns: int) -> None:
    identifier = "".join(f"{n:04}" for n in range(100))
    insert({"id": identifier, "b": 1})
    lines, _ = screen(["rows", URL, "t"], columns, environment)
    assert identifier in "".join(line.rpartition("| ")[2] for line in lines if "|" in line)


def test_rows_stays_in_line_with_wide_characters(environment: dict[str, str]) -> None:
    insert({"id": 1, "text": "中文" * 200, "z": "end"})
    lines, _ = screen(["rows", URL, "t"], 80, environment)
    assert lines[1].endswith("end")


def test_control_characters_from_data_never_reach_the_terminal(environment: dict[str, str]) -> None:
    bad = "a\x1b]0;pwned\x07\x9b2J\u202eb"
    with mesahub.connect(URL) as db:
        db.exec('CREATE TABLE "t\x1b[2J" (a)')
    insert({"id": 1, "v": bad, "n\x1b[2Jame": 1})
    for format_ in ("--table", "--json", "--jsonl", "--csv", "--tsv", "--markdown"):
        _, received = screen(["rows", URL, "t", format_], 80, environment)
        assert b"\x1b]0" not in received, format_
        assert b"\x1b[2J" not in received, format_
        assert b"\x07" not in received, format_
        assert "\x9b".encode() not in received, format_
        assert "\u202e".encode() not in received, format_
    for command in (["schema", URL], ["dump", URL], ["tables", URL], ["query", URL, 'SELECT * FROM "n\x1b[2J"']):
        _, received = screen(command, 80, environment)
        assert b"\x1b[2J" not in received, command


def test_rows_shows_a_limited_number_on_a_terminal(environment: dict[str, str]) -> None:
    with mesahub.connect(URL) as db:
        db.table("t").insert_many([{"id": n} for n in range(1100)], create=True, key="id")
    lines, _ = screen(["rows", URL, "t"], 80, environment, 1500)
    assert "only the first 1,000 rows are shown; --all shows all" in lines[-1]
    lines, _ = screen(["rows", URL, "t", "--all"], 80, environment, 1500)
    assert lines[-1] == "1,100 rows"
