"""The troubleshooting page: every class is there, common mistakes lead to its messages, and all its messages exist."""

from __future__ import annotations

import ast
import re
import socket
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import mesahub
from mesahub import DatabaseHandle, MesahubClient, MesahubError, RetryPolicy, TLSOptions, errors
from tests.docs.test_examples import ROOT
from tests.servers import Server

PAGE = ROOT / "docs/troubleshooting.md"
ROW = re.compile(r"^\| `([^`]+)` \| `(\w+)` \|", re.MULTILINE)
ROWS = ROW.findall(PAGE.read_text("utf-8"))
ENDLESS = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
SERIES = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 100001) SELECT x FROM c"
# Texts of SQLite and of Python.
FOREIGN = re.compile("syntax error|no such |constraint failed|Connection refused|database is locked|out of memory")


def pattern(message: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, message.split("…"))), re.DOTALL)


def documented(error: MesahubError) -> bool:
    """Is there a row with this class and a message that fits?"""
    return any(name == type(error).__name__ and pattern(text).fullmatch(str(error)) for text, name in ROWS)


@pytest.mark.parametrize(
    "name", [name for name, item in vars(errors).items() if isinstance(item, type) and issubclass(item, MesahubError)]
)
def test_every_class_is_on_the_page(name: str) -> None:
    assert f"`{name}`" in PAGE.read_text("utf-8")


@pytest.fixture
def local(tmp_path: Path) -> Iterator[DatabaseHandle]:
    with mesahub.connect("mh://local/x", data=tmp_path) as db:
        db.exec("CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, age INTEGER NOT NULL CHECK (age >= 0))")
        db.exec("CREATE TABLE pets (owner INTEGER REFERENCES users (id))")
        db.table("users").insert({"email": "ann@example.com", "age": 41})
        yield db


LOCAL: list[Callable[[DatabaseHandle], Any]] = [
    lambda db: db.table("users").insert({"email": "ann@example.com", "age": 1}),
    lambda db: db.table("users").insert({"email": "bob@example.com"}),
    lambda db: db.table("users").insert({"email": "bob@example.com", "age": -1}),
    lambda db: db.table("pets").insert({"owner": 99}),
    lambda db: db.query("SELEC 1"),
    lambda db: db.query("SELECT * FROM user"),
    lambda db: db.query("SELECT nme FROM users"),
    lambda db: db.query("SELECT nothing(1)"),
    lambda db: db.table("users").find({"nme": 1}),
    lambda db: db.table("users").find({"age": {"gte2": 1}}),
    lambda db: db.table("users").delete({}),
    lambda db: db.query("SELECT 1; SELECT 2"),
    lambda db: db.query("INSERT INTO users VALUES (1)"),
    lambda db: db.exec("BEGIN"),
    lambda db: db.query("SELECT ?"),
    lambda db: db.query("SELECT ?", [1, 2]),
    lambda db: db.query("SELECT ?", [2**63]),
    lambda db: db.query("SELECT ?", [object()]),
    lambda db: db.close() or db.query("SELECT 1"),  # type: ignore[func-returns-value]
]


@pytest.mark.parametrize("number", range(len(LOCAL)))
def test_mistakes_in_calls_are_on_the_page(number: int, local: DatabaseHandle) -> None:
    with pytest.raises(MesahubError) as caught:
        LOCAL[number](local)
    assert documented(caught.value), f"{type(caught.value).__name__}: {caught.value}"


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("mh://key@localhost/x", {"transport": "nope"}),
        ("mh://key@localhost/x", {"tiemout": 3}),
        ("mh://key@db.example.com/x?scheme=http", {}),
        ("http://localhost/x", {}),
        ("mh://localhost/x", {}),
        (None, {}),
    ],
)
def test_mistakes_in_connection_strings_are_on_the_page(
    url: str | None, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MESAHUB_URL", raising=False)
    with pytest.raises(MesahubError) as caught, mesahub.connect(url, **options) as db:
        db.query("SELECT 1")
    assert documented(caught.value), f"{type(caught.value).__name__}: {caught.value}"


def key(server: Server, *scopes: str) -> str:
    return server.url("main", server.new_key(*scopes))


REMOTE: list[Callable[[Server], tuple[str, Callable[[DatabaseHandle], Any], dict[str, Any]]]] = [
    lambda s: (s.url("main", "wrong"), lambda db: db.query("SELECT 1"), {}),
    lambda s: (s.url("none"), lambda db: db.query("SELECT 1"), {}),
    lambda s: (key(s, "db:main:r"), lambda db: db.exec("CREATE TABLE t (a)"), {}),
    lambda s: (s.url("main"), lambda db: db.client.admin.databases.create("main"), {}),
    lambda s: (s.url("main"), lambda db: db.query(SERIES), {}),
    lambda s: (s.url("main"), lambda db: db.query("SELECT 9e999"), {}),
    lambda s: (s.url("main"), lambda db: db.query(ENDLESS), {"timeout": 0.2}),
    lambda s: (s.url("main"), lambda db: db.exec(f"CREATE TABLE z AS {ENDLESS}"), {"timeout": 0.2}),
    lambda s: (s.url("main"), lambda db: db.transaction().__enter__(), {}),
    lambda s: (s.url("main"), lambda db: db.files.upload(b"x", "a.exe"), {}),
]


@pytest.mark.parametrize("number", range(len(REMOTE)))
def test_errors_of_a_server_are_on_the_page(number: int, server: Server) -> None:
    url, call, options = REMOTE[number](server)
    with mesahub.connect(url, retry=RetryPolicy.none(), **options) as db, pytest.raises(MesahubError) as caught:
        call(db)
    assert documented(caught.value), f"{type(caught.value).__name__}: {caught.value}"


def test_wrong_address_is_on_the_page(server: Server) -> None:
    client = MesahubClient("key", f"{server.base_url}/elsewhere", retry=RetryPolicy.none())
    with client, pytest.raises(MesahubError) as caught:
        client.query("main", "SELECT 1")
    assert documented(caught.value), f"{type(caught.value).__name__}: {caught.value}"


def test_inactive_database_is_on_the_page(server: Server) -> None:
    slug = server.new_database("inactive")
    server.call("PATCH", f"/api/db/{slug}", {"action": "set_status", "status": "inactive"})
    with mesahub.connect(server.url(slug, server.new_key("all:w"))) as db, pytest.raises(MesahubError) as caught:
        db.query("SELECT 1")
    assert documented(caught.value), str(caught.value)


def test_unreachable_server_is_on_the_page() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"mh://key@127.0.0.1:{unused.getsockname()[1]}/x"
        with mesahub.connect(url, retry=RetryPolicy.none()) as db, pytest.raises(MesahubError) as caught:
            db.query("SELECT 1")
    assert documented(caught.value), str(caught.value)


def test_unknown_authority_is_on_the_page(tmp_path_factory: pytest.TempPathFactory) -> None:
    from mesahub.testing import ConformanceServer
    from mesahub.testing.certificates import make_certificates

    certificates = make_certificates(tmp_path_factory.mktemp("certificates"))
    with ConformanceServer(certificates.good) as server:
        client = MesahubClient("key", server.url, retry=RetryPolicy.none(), tls=TLSOptions())
        with client, pytest.raises(MesahubError) as caught:
            client.query("demo", "SELECT 1")
    assert documented(caught.value), f"{type(caught.value).__name__}: {caught.value}"


@cache
def texts() -> str:
    """All strings of the package's code, one after the other."""
    found = []
    for folder in ("mesahub", "transports"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
    return "\n".join(found)


@pytest.mark.parametrize("message", sorted(text for text, _ in ROWS if not FOREIGN.search(text)))
def test_messages_of_the_page_exist(message: str) -> None:
    """Some words of it, in a row, are in the code: the others may be made when it is raised."""
    words = message.replace("…", " … ").split()
    count = min(2, len(words))
    runs = [" ".join(words[start : start + count]) for start in range(len(words) - count + 1)]
    assert any("…" not in run and run in texts() for run in runs), message
