"""How commands are found, named and completed, and what they refuse to overwrite."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

import mesahub
from mesahub._util.entry_points import Plugin, find_plugins
from mesahub.cli.app import group
from mesahub.cli.files import safe_name
from mesahub.cli.groups import summary
from mesahub.cli.sql import value_of
from mesahub.dialects.registry import is_database_url
from tests.cli.test_commands import Terminal, terminal  # noqa: F401
from tests.servers import Server

URL = "mh://local/usage"


@pytest.fixture
def db(terminal: Terminal) -> Terminal:  # noqa: F811
    with mesahub.connect(URL) as made:
        made.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
    return terminal


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(terminal: Terminal, shell: str) -> None:  # noqa: F811
    assert "_MESAHUB_COMPLETE" in terminal.run("completion", shell)


def test_completion_completes_commands(tmp_path: Path) -> None:
    environment = {**os.environ, "_MESAHUB_COMPLETE": "bash_complete", "COMP_WORDS": "mesahub do", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "mesahub"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "plain,doctor"


def test_help_shows_whole_summaries_and_the_database(terminal: Terminal) -> None:  # noqa: F811
    for names in ([], ["db"], ["keys"], ["buckets", "files"], ["profile"]):
        command: click.Command = group
        for name in names:
            assert isinstance(command, click.Group)
            command = command.commands[name]
        shown = " ".join(terminal.run(*names, "--help").split())
        assert isinstance(command, click.Group)
        for member in command.commands.values():
            assert summary(member) in shown
    assert "[DATABASE]" in terminal.run("rows", "--help").splitlines()[0]


@pytest.mark.parametrize("missing", ["click", "rich", "prompt_toolkit", "sqlite3"])
@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_without_modules(missing: str, option: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; from mesahub.cli import main; sys.exit(main([{option!r}]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "mesahub" in done.stdout


@pytest.mark.parametrize(
    ("text", "value"),
    [("007", "007"), ("1_000", "1_000"), ("+5", "+5"), ("5", 5), ("-1.5", -1.5), ("1e3", 1000.0), ("inf", "inf"),
     ("nan", "nan"), ("\u0665", "\u0665"), ("0", 0), ("-0.0", -0.0), ("", ""), ("0x10", "0x10")],
)  # fmt: skip
def test_values_are_numbers_only_where_json_says_so(text: str, value: Any) -> None:
    assert (type(value_of(text)), value_of(text)) == (type(value), value)


def test_parameters_with_types_and_values_that_look_like_databases(db: Terminal) -> None:
    sql = "SELECT :a AS a, :b AS b, :c AS c, :d AS d"
    out = db.run("query", URL, sql, "-p", "a", "@ann", "-p", "b:text", "5", "-p", "c:int", "007", "-p", "d:json", "[1]")
    assert out == '{"a": "@ann", "b": "5", "c": 7, "d": "[1]"}\n'
    db.run("query", URL, sql, "-p", "a:int", "1_0", code=2)
    assert "not a valid int for 'a'" in db.err


def test_exec_prints_the_rows_of_each_statement_and_what_stays(db: Terminal, tmp_path: Path) -> None:
    script = tmp_path / "s.sql"
    script.write_text("INSERT INTO t VALUES (1, 'a') RETURNING id; SELECT v FROM t; INSERT INTO t VALUES (1, 'b');")
    db.run("exec", URL, "-f", str(script), code=1)
    assert db.out == '{"id": 1}\n{"v": "a"}\n'
    assert "statement 3 of 3: INSERT INTO t VALUES (1, 'b'); the 2 before it are carried out and stay" in db.err
    script.write_text("DELETE FROM t; BEGIN;")
    db.run("exec", URL, "-f", str(script), code=1)
    assert "statement 2 of 2: BEGIN" in db.err
    assert "nothing of the script was run" in db.err
    assert db.run("rows", URL, "t") == '{"id": 1, "v": "a"}\n'


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".bashrc", "-rf", "a/b", "..\\x", "C:x", "con", "NUL.txt", "a\x1b[2J", "x.", " x", "a\nb"]
)
def test_files_get_refuses_dangerous_names(name: str) -> None:
    with pytest.raises(click.UsageError, match="TARGET"):
        safe_name(name)
    assert safe_name("Bericht 2026 (1).pdf") == "Bericht 2026 (1).pdf"


def test_files_get_overwrites_only_with_force(db: Terminal, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("stored")
    identifier = db.run("files", "put", URL, "a.txt").strip()
    (tmp_path / "a.txt").write_text("mine")
    db.run("files", "get", URL, identifier, code=2)
    assert "a.txt exists; pass --force" in db.err
    assert (tmp_path / "a.txt").read_text() == "mine"
    db.run("files", "get", URL, identifier, "--force")
    assert (tmp_path / "a.txt").read_text() == "stored"
    (tmp_path / "folder").mkdir()
    db.run("files", "get", URL, identifier, "folder")
    assert (tmp_path / "folder" / "a.txt").read_text() == "stored"


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_keys_create_tightens_an_old_file(terminal: Terminal, server: Server, tmp_path: Path) -> None:  # noqa: F811
    path = tmp_path / "key"
    path.write_text("old " * 100)
    path.chmod(0o644)
    terminal.run("keys", "create", server.url("main"), "tight", "-s", "all:r", "-o", str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().startswith("shk_")
    assert path.read_text().count("\n") == 1


def test_a_command_imports_no_other(tmp_path: Path) -> None:
    with mesahub.connect(f"mh://local/x?data={tmp_path}") as db:
        db.query("SELECT 1")
    code = (
        "import sys; from mesahub.cli import main; "
        f"main(['query', 'mh://local/x?data={tmp_path}', 'SELECT 1 AS one']); "
        "print(*sorted(name for name in sys.modules if name.startswith(('mesahub.cli.', 'prompt_toolkit', 'rich'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[0] == '{"one": 1}'
    assert {"mesahub.cli.sql", "mesahub.cli.app"} <= set(lines[1].split())
    assert {"mesahub.cli.shell", "mesahub.cli.data", "mesahub.cli.databases"}.isdisjoint(lines[1].split())
    assert not any(name.startswith(("prompt_toolkit", "rich")) for name in lines[1].split())


def test_every_command_is_found_by_its_name_alone() -> None:
    context = click.Context(group)
    names = group.list_commands(context)
    assert names == sorted(names)
    for name in names:
        code = f"import click; from mesahub.cli.app import group; print(group.get_command(None, {name!r}).name)"
        if name in ("query", "db", "shell"):  # one process each
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            assert done.stdout.strip() == name
        assert group.commands[name].name == name
    assert sorted(group.commands) == names


def test_the_url_of_any_installed_dialect_names_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = Plugin("sqlbox", "nowhere:Dialect", "mesahub-sqlbox", "1")
    monkeypatch.setattr("mesahub.dialects.registry.find_plugins", lambda group: [*find_plugins(group), plugin])
    monkeypatch.setattr("mesahub.dialects.registry.find_dialect", lambda name: name)
    urls = ["mh://local/x", "sqlbox://host/x", "mh+sqlbox://host/x", "rqlite://host/", "sqlite:x.db"]
    assert [text for text in [*urls, "other://host/x", "t", "a://b"] if is_database_url(text)] == urls
