"""What the commands print, `insert` takes back: every kind of value in every format."""

from __future__ import annotations

import io
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mesahub
from mesahub.cli import main
from mesahub.cli.output import print_rows
from mesahub.cli.row_files import RowFile
from mesahub.errors import ArgumentError
from tests.cli.test_commands import Terminal, terminal  # noqa: F401
from tests.servers import Server

TYPES = {"i": "INTEGER", "r": "REAL", "s": "TEXT", "b": "BLOB", "o": "BOOLEAN", "j": "JSON", "u": "UUID"}
texts = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    [
        "",
        " ",
        "5",
        "007",
        "1_000",
        "null",
        "NULL",
        "\\N",
        "\\",
        "a\tb",
        "a\r\nb",
        "\r",
        "\n",
        '"',
        'a"b',
        ",",
        "'",
        "a\0b",
    ]
)
row = st.fixed_dictionaries(
    {
        "i": st.none() | st.integers(-(2**63), 2**63 - 1),
        "r": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "s": st.none() | texts,
        "b": st.none() | st.binary(min_size=1),
        "o": st.none() | st.booleans(),
        "j": st.none() | st.sampled_from(['{"a": [1, null]}', "[]", '"x"', "true"]),
        "u": st.none() | st.uuids().map(str),
    }
)


def printed(columns: list[str], rows: list[dict[str, Any]], format_: str) -> bytes:
    kept, sys.stdout = sys.stdout, io.StringIO()
    try:
        print_rows(columns, rows, format_)
        return sys.stdout.getvalue().encode()
    finally:
        sys.stdout = kept


def read(content: bytes, kind: str, types: dict[str, str] | None = None, **options: Any) -> list[dict[str, Any]]:
    return list(RowFile(io.BytesIO(content), "x", kind, **options).rows(types))


@pytest.mark.parametrize("format_", ["json", "jsonl", "csv", "tsv"])
@given(rows=st.lists(row, min_size=1, max_size=4))
def test_each_format_is_read_back_exactly(format_: str, rows: list[dict[str, Any]]) -> None:
    assert read(printed(list(TYPES), rows, format_), format_, TYPES) == rows


untyped = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | texts


@given(st.lists(st.fixed_dictionaries({"a": untyped, "b": untyped}), min_size=1, max_size=4))
def test_csv_keeps_the_kind_of_values_without_a_declared_type(rows: list[dict[str, Any]]) -> None:
    found = read(printed(["a", "b"], rows, "csv"), "csv", {"a": "", "b": ""})
    assert found == rows
    assert [[type(row[name]) for name in "ab"] for row in found] == [[type(row[name]) for name in "ab"] for row in rows]


@pytest.mark.parametrize("format_", ["json", "jsonl", "csv", "tsv"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=8)
@given(rows=st.lists(row, min_size=1, max_size=4))
def test_rows_into_insert_makes_the_same_table(
    format_: str, rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("MESAHUB_DATA", folder)
        with mesahub.connect("mh://local/a") as db:
            for table in ("t", "copy"):
                db.exec(f"CREATE TABLE {table} ({', '.join(f'{n} {t}' for n, t in TYPES.items())})")
            db.table("t").insert_many(rows)
            path = Path(folder) / f"x.{format_}"
            found = db.table("t").find()
            path.write_bytes(printed(list(TYPES), found, format_))
            assert main(["insert", "mh://local/a", "copy", str(path)]) == 0
            sql = "SELECT {} FROM {} ORDER BY rowid"
            terms = ", ".join(f"typeof({n}) AS kind_{n}, quote({n}) AS value_{n}" for n in TYPES)
            assert db.query(sql.format(terms, "copy")).rows == db.query(sql.format(terms, "t")).rows


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a,b\n1,2\n3\n", "line 3: 1 values for 2 columns"),
        (b"a,A\n1,2\n", "line 1: Two columns are named 'A'"),
        (b"a,\n1,2\n", "line 1: Column 2 has no name"),
        (b'a,b\n1,"x\n2,y\n3,z\n', "line 2: The quote in column 2 is never closed"),
        (b'a,b\n1,"x\ny"\n\n2,"x"z\n', "line 5: Text follows the closing quote"),
        (b'a,b\n1,"x\r\ny\n\n"\nold,z\n', "line 6: 'old' is not a valid INTEGER for 'a'"),
        (b"a,b\n1_000,x\n", "line 2: '1_000' is not a valid INTEGER"),
        (b"a,b\n9223372036854775808,x\n", "line 2: '9223372036854775808' is not a valid INTEGER"),
        ("a,b\n1,x\n2,é\n".encode("latin-1"), "line 3: This is not valid UTF-8; pass --encoding"),
    ],
)
def test_csv_faults_name_the_line(content: bytes, problem: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        read(content, "csv", {"a": "INTEGER", "b": "TEXT"})
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{"a": 1}\n{"a": \n', "line 2: This is not valid JSON"),
        (b'{"a": 1}\n\n{"a": 1, "a": 2}\n', "line 3: An object has the name 'a' twice"),
        (b'{"a": NaN}\n', "line 1: NaN"),
        (b'{"a": 1}\n[1]\n', "line 2: A row must be an object"),
        (b'{"a": 99999999999999999999}\n', "line 1, 'a'"),
        (b'{"a": {"base64": "?"}}\n', "line 1, 'a'"),
    ],
)
def test_json_lines_faults_name_the_line(content: bytes, problem: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        read(content, "jsonl")
    assert problem in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252"])
def test_encodings(encoding: str) -> None:
    content = "a,b\r\n1,né\r\n2,x\r\n".encode(encoding)
    named = None if encoding in ("utf-8-sig", "utf-16", "utf-32") else encoding
    assert read(content, "csv", encoding=named) == [{"a": "1", "b": "né"}, {"a": "2", "b": "x"}]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_csv_line_ends_blank_lines_and_large_fields(ending: str) -> None:
    large = "x" * 200_000
    content = ending.join(["a,b", f"1,{large}", "", '2,"q,""\r\n"', "", ""]).encode()
    assert read(content, "csv") == [{"a": "1", "b": large}, {"a": "2", "b": 'q,"\r\n'}]


def test_csv_delimiter_and_quote() -> None:
    assert read(b"a;b\n'x;''y';2\n", "csv", delimiter=";", quote="'") == [{"a": "x;'y", "b": "2"}]


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Any:
    def give(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="cp1252"))

    return give


def test_insert_reads_utf_8_with_a_mark_from_stdin_in_any_locale(terminal: Terminal, stdin: Any) -> None:  # noqa: F811
    stdin("\ufeffname\n中文\n".encode())
    terminal.run("insert", "mh://local/cli", "t", "-", "--format", "csv", "--create")
    assert terminal.run("rows", "mh://local/cli", "t") == '{"name": "中文"}\n'


def test_insert_create_and_alter(terminal: Terminal, tmp_path: Path) -> None:  # noqa: F811
    path = tmp_path / "x.csv"
    path.write_text("id,zip,price\n1,007,1.5\n2,12345,\n")
    terminal.run("insert", "mh://local/cli", "t", str(path), code=1)
    assert "--create" in terminal.err
    terminal.run("insert", "mh://local/cli", "t", str(path), "--create", "--pk", "id")
    assert terminal.run("schema", "mh://local/cli") == (
        'CREATE TABLE "t" ("id" INTEGER PRIMARY KEY, "zip" TEXT, "price" REAL);\n'
    )
    more = tmp_path / "more.ndjson"
    more.write_text('{"id": 3, "tags": ["a"]}\n')
    terminal.run("insert", "mh://local/cli", "t", str(more), code=1)
    assert "'tags' (row 1); --alter adds it" in terminal.err
    terminal.run("insert", "mh://local/cli", "t", str(more), "--alter")
    assert terminal.run("rows", "mh://local/cli", "t", "-w", "id=3", "-s", "tags") == '{"tags": "[\\"a\\"]"}\n'


def test_insert_leaves_nothing_half_in(terminal: Terminal, tmp_path: Path) -> None:  # noqa: F811
    path = tmp_path / "x.csv"
    path.write_text("id\n" + "".join(f"{n}\n" for n in range(20_000)) + "old\n")
    with mesahub.connect("mh://local/cli") as db:
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        terminal.run("insert", "mh://local/cli", "t", str(path), code=1)
        assert "line 20002" in terminal.err
        assert db.table("t").count() == 0


def test_query_refuses_two_columns_of_one_name(terminal: Terminal) -> None:  # noqa: F811
    with mesahub.connect("mh://local/cli") as db:
        db.exec("CREATE TABLE t (a)")
    terminal.run("query", "mh://local/cli", "SELECT 1 AS a, 2 AS a", "--csv", code=1)
    assert "Two columns are named 'a'" in terminal.err


def _lines(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return str(path)


@pytest.fixture(params=["embedded", "http"])
def target(request: pytest.FixtureRequest, server: Server, terminal: Terminal, tmp_path: Path) -> str:  # noqa: F811
    """A database with a table `t`."""
    url = "mh://local/cli"
    if request.param == "http":
        url = server.url(server.new_database(tmp_path.name.replace("_", "-")))
    with mesahub.connect(url) as db:
        db.exec_script("DROP TABLE IF EXISTS t; CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT)")
    return url


def test_insert_of_rows_with_different_columns_is_all_or_nothing(
    terminal: Terminal,  # noqa: F811
    target: str,
    tmp_path: Path,
) -> None:
    rows = [{"id": 1, "a": "x"}, {"id": 2, "b": "y"}]
    wrong = _lines(tmp_path / "wrong.jsonl", [*rows, {"id": 1}])
    right = _lines(tmp_path / "right.jsonl", rows)
    with mesahub.connect(target) as db:
        terminal.run("insert", target, "t", wrong, code=1)
        assert "UNIQUE constraint failed" in terminal.err
        assert db.table("t").count() == 0
        terminal.run("insert", target, "t", right)
        assert terminal.err == "2 rows inserted into t\n"
        assert db.table("t").find(order_by="id") == [{"id": 1, "a": "x", "b": None}, {"id": 2, "a": None, "b": "y"}]


def test_insert_of_several_requests_is_all_or_nothing_or_needs_batch(
    terminal: Terminal,  # noqa: F811
    target: str,
    tmp_path: Path,
) -> None:
    large = [{"id": n, "a": "x" * 1_000_000} for n in range(12)]
    wrong = _lines(tmp_path / "wrong.jsonl", [*large, {"id": 0, "a": "again"}])
    right = _lines(tmp_path / "right.jsonl", large)
    with mesahub.connect(target) as db:
        terminal.run("insert", target, "t", wrong, code=1)
        assert db.table("t").count() == 0
        if db.capabilities.transactions == "none":
            assert "needs 2 requests" in terminal.err
            assert "--batch" in terminal.err
        terminal.run("insert", target, "t", wrong, "--batch", code=1)
        stored = db.table("t").count()
        assert 0 < stored < 12
        assert f"{stored} rows are in" in terminal.err
        terminal.run("insert", target, "t", right, "--batch", "--on-conflict", "ignore")
        assert db.table("t").count() == 12


def test_insert_create_that_fails_leaves_no_table_where_there_are_transactions(
    terminal: Terminal,  # noqa: F811
    tmp_path: Path,
) -> None:
    path = _lines(tmp_path / "x.jsonl", [{"id": 1}, {"id": 1}])
    terminal.run("insert", "mh://local/cli", "t", path, "--create", "--pk", "id", code=1)
    with mesahub.connect("mh://local/cli") as db:
        assert not db.has_table("t")
