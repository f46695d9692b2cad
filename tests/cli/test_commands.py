"""The commands, on an embedded database, in this process."""

from __future__ import annotations

import json
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import mesahub
from mesahub.cli import main
from mesahub.cli.sql import condition_of, value_of
from tests.servers import Server

URL = "mh://local/cli"


class Terminal:
    """Runs commands and keeps what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.out = ""
        self.err = ""

    def run(self, *arguments: str, code: int = 0) -> str:
        got = main(list(arguments))
        self.out, self.err = self._capsys.readouterr()
        assert got == code, self.err
        assert "Traceback" not in self.err
        return self.out


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Terminal:
    for name in ("MESAHUB_URL", "MESAHUB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MESAHUB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return Terminal(capsys)


@pytest.fixture
def people(terminal: Terminal) -> Terminal:
    with mesahub.connect(URL) as db:
        db.exec(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, age INTEGER, score REAL, photo BLOB, ok BOOLEAN)"
        )
        rows: list[dict[str, Any]] = [
            {"id": 1, "name": "Ann", "age": 41, "score": 1.5, "photo": b"\x00\xff", "ok": True},
            {"id": 2, "name": "Bö, 中文\t|x", "age": None, "score": 2.0, "photo": None, "ok": False},
        ]
        db.table("people").insert_many(rows)
    return terminal


def test_query_prints_json_lines_where_there_is_no_terminal(people: Terminal) -> None:
    lines = people.run("query", URL, "SELECT id, name FROM people ORDER BY id").splitlines()
    assert [json.loads(line) for line in lines] == [{"id": 1, "name": "Ann"}, {"id": 2, "name": "Bö, 中文\t|x"}]


def test_the_formats(people: Terminal) -> None:
    sql = "SELECT name, age, photo FROM people ORDER BY id"
    assert json.loads(people.run("query", URL, sql, "--json"))[0]["photo"] == {"base64": "AP8="}
    assert people.run("query", URL, sql, "--csv") == 'name,age,photo\nAnn,41,AP8=\n"Bö, 中文\t|x",,\n'
    assert people.run("query", URL, sql, "--tsv") == "name\tage\tphoto\nAnn\t41\tAP8=\nBö, 中文\\t|x\t\\N\t\\N\n"
    assert people.run("query", URL, sql, "--markdown").splitlines()[3] == "| Bö, 中文\t\\|x |  |  |"
    table = people.run("query", URL, sql, "--table")
    assert table.splitlines()[0].split() == ["name", "age", "photo"]
    assert "NULL" in table
    assert "2 rows" in people.err
    assert people.run("query", URL, "SELECT 1 AS a WHERE 0", "--json") == "[]\n"


def test_parameters_and_files(people: Terminal, tmp_path: Path) -> None:
    assert json.loads(people.run("query", URL, "SELECT :a AS a, :b AS b", "-p", "a", "5", "-p", "b", "'5'")) == {
        "a": 5,
        "b": "5",
    }
    assert json.loads(people.run("query", URL, "SELECT ? AS a, ? AS b", "-p", "1", "x", "-p", "2", "null")) == {
        "a": "x",
        "b": None,
    }
    script = tmp_path / "script.sql"
    script.write_text("CREATE TABLE t (a);\n-- two\nINSERT INTO t VALUES (1), (2);")
    people.run("exec", URL, "-f", str(script))
    assert "2 statements, 2 rows affected" in people.err
    people.run("exec", URL, "UPDATE t SET a = a + ? RETURNING a", "-p", "1", "10")
    assert people.out == '{"a": 11}\n{"a": 12}\n'


def test_the_schema(people: Terminal) -> None:
    assert json.loads(people.run("tables", URL)) == {"name": "people", "type": "table", "rows": 2}
    assert people.run("schema", URL, "people").startswith("CREATE TABLE people (")
    people.run("schema", URL, "nosuch", code=1)
    assert people.err == "mesahub: NoSuchTableError: no such table: nosuch\n"


def test_rows(people: Terminal) -> None:
    def names(*arguments: str) -> list[int]:
        return [json.loads(line)["id"] for line in people.run("rows", URL, "people", *arguments).splitlines()]

    assert names() == [1, 2]
    assert names("--where", "age>=18") == [1]
    assert names("--order", "-id", "--limit", "1") == [2]
    assert names("-w", "name~中", "-w", "age is null") == [2]
    assert people.run("rows", URL, "people", "-s", "name", "-w", "id=1") == '{"name": "Ann"}\n'


@pytest.mark.parametrize(
    ("text", "filter_"),
    [
        ("age>=18", {"age": {"gte": 18}}),
        ("age != 1.5", {"age": {"ne": 1.5}}),
        ("name='5'", {"name": {"eq": "5"}}),
        ('"odd name"=x', {"odd name": {"eq": "x"}}),
        ("a<=b", {"a": {"lte": "b"}}),
        ("role in admin, editor", {"role": {"in": ["admin", "editor"]}}),
        ("name like A%", {"name": {"like": "A%"}}),
        ("a is not null", {"a": {"is_null": False}}),
        ("ok=true", {"ok": {"eq": True}}),
        ("n ~ 5", {"n": {"contains": "5"}}),
    ],
)
def test_conditions(text: str, filter_: dict[str, Any]) -> None:
    assert condition_of(text) == filter_


def test_values() -> None:
    assert [value_of(text) for text in ("5", "-1.5", "null", "TRUE", "'null'", "a b", "")] == [
        5, -1.5, None, True, "null", "a b", "",
    ]  # fmt: skip


def test_insert_keeps_types(people: Terminal, tmp_path: Path) -> None:
    csv = tmp_path / "more.csv"
    csv.write_text('id,name,age,score,photo,ok\n3,"5, and",7,2,AAE=,true\n4,,,,,0\n')
    people.run("insert", URL, "people", str(csv))
    assert "2 rows inserted" in people.err
    jsonl = tmp_path / "more.jsonl"
    jsonl.write_text('{"id": 5, "name": "5", "photo": {"base64": "AP8="}}\n')
    people.run("insert", URL, "people", str(jsonl))
    with mesahub.connect(URL) as db:
        rows = db.table("people").find(where={"id": {"gte": 3}}, order_by=["id"])
    assert [list(row.values()) for row in rows] == [
        [3, "5, and", 7, 2.0, b"\x00\x01", True],
        [4, None, None, None, None, False],
        [5, "5", None, None, b"\xff\x00"[::-1], None],
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("id,nmae\n1,x\n", "no column 'nmae'"),
        ("id,age\n9,old\n", "line 2: 'old' is not a valid INTEGER for 'age'"),
        ("id,age\n9\n", "line 2: 1 values for 2 columns"),
    ],
)
def test_a_wrong_file_says_where(people: Terminal, tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "wrong.csv"
    path.write_text(content)
    people.run("insert", URL, "people", str(path), code=1)
    assert says in people.err
    assert people.err.count("\n") == 1


def test_a_dump_makes_the_database_anew(people: Terminal) -> None:
    with mesahub.connect(URL) as db:
        db.exec("CREATE INDEX by_age ON people (age)")
        db.exec("CREATE TABLE odd (v)")
        db.table("odd").insert_many([{"v": v} for v in [-(2**63), "it's", "a\0b", b"\xff", 0.1, 1e300, None, "5"]])
    script = people.run("dump", URL)
    with (
        closing(sqlite3.connect(":memory:")) as copy,
        closing(sqlite3.connect(next(Path("data/databases").glob("cli*.db")))) as original,
    ):
        copy.executescript(script)
        for table in ("people", "odd"):
            sql = f"SELECT * FROM {table} ORDER BY rowid"
            assert copy.execute(sql).fetchall() == original.execute(sql).fetchall()
        assert copy.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (3,)


def test_copy(people: Terminal) -> None:
    people.run("copy", URL, "mh://local/other")
    assert "2 rows in 1 tables copied and verified" in people.err
    assert json.loads(people.run("tables", "mh://local/other"))["rows"] == 2


def test_files(people: Terminal, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    identifier = people.run("files", "put", URL, "a.txt", "--folder", "f").strip()
    assert json.loads(people.run("files", "ls", URL))["filename"] == "a.txt"
    people.run("files", "get", URL, identifier, "b.txt")
    assert (tmp_path / "b.txt").read_text() == "hello"
    people.run("files", "rm", URL, identifier)
    assert people.run("files", "ls", URL) == ""


def test_errors_are_one_line_and_code_1(people: Terminal) -> None:
    people.run("query", URL, "SELEC 1", code=1)
    assert people.err == 'mesahub: SQLSyntaxError: near "SELEC": syntax error\n'
    people.run("query", URL, "DELETE FROM people", code=1)
    assert "exec" in people.err
    people.run("query", "SELECT 1", code=1)
    assert "MESAHUB_URL" in people.err


def test_wrong_usage_is_code_2(people: Terminal) -> None:
    people.run("nosuch", code=2)
    people.run("rows", URL, code=2)
    people.run("rows", URL, "people", "--where", "age", code=2)
    assert "age>=18" in people.err
    people.run("query", URL, "mh://local/second", "SELECT 1", code=2)


def test_the_environment_names_the_database(people: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESAHUB_URL", URL)
    assert people.run("query", "SELECT count(*) AS n FROM people") == '{"n": 2}\n'


def test_profiles_keep_keys_to_their_owner(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: Server
) -> None:
    monkeypatch.setenv("MESAHUB_API_KEY", server.admin_token)
    server.new_database("profiled")
    host = server.url("profiled").partition("@")[2]
    terminal.run("profile", "add", "here", f"mh://{host}")
    monkeypatch.delenv("MESAHUB_API_KEY")
    file = tmp_path / "config" / "mesahub" / "profiles.toml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert server.admin_token not in terminal.run("profile", "ls")
    assert terminal.run("query", "@here", "SELECT 1 AS a") == '{"a": 1}\n'
    terminal.run("profile", "add", "bad", f"mh://secret@{host}", code=2)
    assert "secret" not in terminal.err
    terminal.run("query", "@nosuch", "SELECT 1", code=1)
    assert "there are: here" in terminal.err
    file.chmod(0o644)
    terminal.run("query", "@here", "SELECT 1", code=1)
    assert "chmod 600" in terminal.err
    file.chmod(0o600)
    terminal.run("profile", "rm", "here")
    assert terminal.run("profile", "ls") == ""


def test_administration(terminal: Terminal, server: Server, tmp_path: Path) -> None:
    url = server.url("main")
    assert terminal.run("db", "create", url, "by-command") == "by-command\n"
    assert "by-command" in [json.loads(line)["slug"] for line in terminal.run("db", "ls", url).splitlines()]
    terminal.run("db", "status", url, "by-command", "inactive")
    terminal.run("db", "rm", url, "by-command")
    deleted = [json.loads(line)["slug"] for line in terminal.run("db", "ls", url, "--deleted").splitlines()]
    terminal.run("db", "restore", url, next(slug for slug in deleted if slug.startswith("by-command-")))
    key = terminal.run("keys", "create", url, "k", "-s", "db:by-command:r").strip()
    assert key.startswith("shk_")
    listed = [json.loads(line) for line in terminal.run("keys", "ls", url).splitlines()]
    assert key not in terminal.out
    terminal.run("keys", "revoke", url, next(record["id"] for record in listed if record["name"] == "k"))
    terminal.run("keys", "create", url, "k", "-s", "nothing", code=1)
    assert "grant nothing" in terminal.err
    terminal.run("keys", "create", url, "k2", "-s", "all:r", "-o", str(tmp_path / "key"))
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert terminal.run("buckets", "create", url, "command-bucket")
    (tmp_path / "c.txt").write_text("c")
    identifier = terminal.run("buckets", "files", "put", url, "command-bucket", "c.txt").strip()
    terminal.run("buckets", "files", "get", url, "command-bucket", identifier, "d.txt")
    assert (tmp_path / "d.txt").read_text() == "c"
    terminal.run("buckets", "rm", url, "command-bucket", "--yes")


def test_doctor(terminal: Terminal, server: Server) -> None:
    server.new_database("examined")
    out = terminal.run("doctor", server.url("examined"))
    assert [line.split()[1] for line in out.splitlines()] == ["url", "dns", "tcp", "tls", "health", "key", "database"]
    assert server.admin_token not in out
    terminal.run("doctor", server.url("nosuch"), code=1)
    assert "✗ database" in terminal.out
    terminal.run("doctor", server.url("examined", "wrong"), code=1)
    assert "✗ key" in terminal.out
    terminal.run("doctor", "mh://k@127.0.0.1:9/x", code=1)
    assert "✗ tcp" in terminal.out
    terminal.run("doctor", "mh://k@no-such-host.invalid/x", code=1)
    assert "✗ dns" in terminal.out
    terminal.run("doctor", code=1)
    assert "✗ url" in terminal.out


def test_transports(terminal: Terminal) -> None:
    found: dict[str, list[str]] = {}
    for line in terminal.run("transports").splitlines():
        found.setdefault(json.loads(line)["for"], []).append(json.loads(line)["name"])
    assert found == {
        "blocking code": ["embedded", "recorder", "requests", "urllib", "urllib3"],
        "asyncio": ["aiohttp", "asyncio", "embedded", "httpx", "recorder"],
    }


def test_the_shell(people: Terminal) -> None:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.document import Document
    from prompt_toolkit.input import create_pipe_input
    from prompt_toolkit.output import DummyOutput

    from mesahub.cli.shell import Names, Shell

    with mesahub.connect(URL) as db, create_pipe_input() as keys:
        shell = Shell(db, PromptSession(input=keys, output=DummyOutput()))
        keys.send_text(".tables\n.mode csv\nSELECT id,\n name\n FROM people\n WHERE id = 1;\n")
        keys.send_text("SELEC;\nUPDATE people SET age = 1;\n.schema people\n.nosuch\n.quit\n")
        shell.run()
        names = Names(db)
        completions = [c.text for c in names.get_completions(Document("SELECT na"), None)]  # type: ignore[arg-type]
        assert completions == ["name"]
        assert [c.text for c in names.get_completions(Document(".ta"), None)] == [".tables"]  # type: ignore[arg-type]
    out, err = people._capsys.readouterr()
    assert "id,name\n1,Ann\n" in out
    assert "2 rows affected" in out
    assert "CREATE TABLE people" in out
    assert "syntax error" in err
    assert "There is no .nosuch" in err
