"""What code written for mesahub 1.0.1 imports and passes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mesahub
from mesahub import ArgumentError, DatabaseHandle, MesahubError, col
from mesahub.sql import prepare


class Markup(str):
    """A string that escapes what is joined to it, as markupsafe.Markup does."""

    __slots__ = ()

    def __str__(self) -> str:
        return self

    def __add__(self, other: str) -> Markup:
        return Markup(str.__add__(self, other.replace("<", "&lt;").replace('"', "&#34;")))

    def __radd__(self, other: str) -> Markup:
        return Markup(other.replace("<", "&lt;").replace('"', "&#34;") + str.__str__(self))

    def replace(self, old: Any, new: Any, count: Any = -1) -> Markup:
        return Markup(str.replace(self, old.replace('"', "&#34;"), new.replace('"', "&#34;"), count))

    def __format__(self, spec: str) -> str:
        return f"&lt;{str.__str__(self)}&gt;"

    def join(self, parts: Any) -> Markup:
        return Markup(str.join(self, [part.replace('"', "&#34;") for part in parts]))


@pytest.fixture
def db(tmp_path: Path) -> Any:
    with mesahub.connect("mh://local/dropin", data=str(tmp_path)) as db:
        db.exec('CREATE TABLE "a""b" (id INTEGER PRIMARY KEY, "x""y" TEXT, n REAL)')
        yield db


def test_the_modules_of_1x_import() -> None:
    from mesahub.client import MesahubClient, parse_mesahub_url  # noqa: F401
    from mesahub.database import DatabaseHandle  # noqa: F401
    from mesahub.errors import AuthenticationError, MesahubError  # noqa: F401
    from mesahub.management import MesahubManagementClient  # noqa: F401
    from mesahub.table import TableHandle  # noqa: F401
    from mesahub.types import ExecResult, FileRecord, QueryResult  # noqa: F401
    from mesahub.where import _quote_ident, build_where  # noqa: F401


def test_build_where_compiles_every_condition() -> None:
    from mesahub.where import build_where

    assert build_where({"id": 1}) == ('"id" = ?', [1])
    assert build_where(None) == ("", [])
    assert build_where({}) == ("", [])
    text, values = build_where({"age": {"gte": 18, "lt": 65}, "name": {"like": "%a%"}, "gone": None})
    assert values == [18, 65, "%a%"]
    assert '"gone" IS NULL' in text
    with pytest.raises(ArgumentError):
        build_where({"age": {"gte ": 18}})


@pytest.mark.parametrize("limit", [2, "2", " 2 ", 2.0])
def test_find_takes_a_limit_as_1x_did(db: DatabaseHandle, limit: Any) -> None:
    table = db.table('a"b')
    table.insert_many([{"n": n} for n in range(5)])
    assert len(table.find(limit=limit)) == 2
    assert len(table.find(limit=1, offset=limit)) == 1


def test_names_and_sql_of_a_str_subclass_are_quoted_by_strs_own_methods(db: DatabaseHandle) -> None:
    table = db.table(Markup('a"b'))
    table.insert({Markup('x"y'): Markup('<"v">'), "n": 1})
    assert table.find({Markup('x"y'): Markup('<"v">')}, select=[Markup('x"y')]) == [{'x"y': '<"v">'}]
    assert table.find(col(Markup('x"y')) == Markup('<"v">'), order_by=[Markup('x"y')])[0]["n"] == 1
    assert table.find({Markup('x"y'): {"in": [Markup('<"v">')] * 200}})[0]["n"] == 1
    assert table.aggregate({Markup("c"): "count"}, group_by=Markup('x"y')) == [{'x"y': '<"v">', "c": 1}]
    assert db.query(Markup("SELECT 1 < ? AS a"), [2])["rows"] == [{"a": 1}]
    assert type(prepare(Markup("SELECT 1; -- x"), None, operation="query").sql) is str


HOSTILE: list[Any] = [
    5, -1, 1.5, float("nan"), float("inf"), True, b"x", "", " ", "\0", "\ud800", "..", "a" * 70_000, [], [[]], {},
    {"a": []}, (),
    object(), lambda: None, 2**70, ["\ud800"], {"\ud800": 1}, {1: 2}, [None], {None: None}, iter(()), Markup("x"),
]  # fmt: skip


def calls(db: DatabaseHandle, value: Any) -> dict[str, Callable[[], Any]]:
    table = db.table('a"b')
    return {
        "table": lambda: db.table(value).find(),
        "db": lambda: db.client.db(value).query("SELECT 1"),
        "query": lambda: db.query(value),
        "bindings": lambda: db.query("SELECT ?", value),
        "binding": lambda: db.query("SELECT ?", [value]),
        "timeout": lambda: db.query("SELECT 1", timeout=value),
        "exec": lambda: db.exec(value),
        "exec_script": lambda: db.exec_script(value),
        "where": lambda: table.find(value),
        "where value": lambda: table.find({"n": value}),
        "where column": lambda: table.find({value: 1}),
        "operator": lambda: table.find({"n": {value: 1}}),
        "in": lambda: table.find({"n": {"in": value}}),
        "in member": lambda: table.find({"n": {"in": [value]}}),
        "like": lambda: table.find({"n": {"like": value}}),
        "between": lambda: table.find({"n": {"between": value}}),
        "col": lambda: table.find(col(value) == 1),
        "select": lambda: table.find(select=value),
        "select column": lambda: table.find(select=[value]),
        "order_by": lambda: table.find(order_by=value),
        "order_by column": lambda: table.find(order_by=[value]),
        "order_by dict": lambda: table.find(order_by=[{"column": value, "direction": value}]),
        "limit": lambda: table.find(limit=value),
        "offset": lambda: table.find(offset=value),
        "get": lambda: table.get(value),
        "count": lambda: table.count(value),
        "exists": lambda: table.exists(value),
        "aggregate": lambda: table.aggregate(value),
        "aggregate function": lambda: table.aggregate({"x": value}),
        "group_by": lambda: table.aggregate({"x": "count"}, group_by=value),
        "having": lambda: table.aggregate({"x": "count"}, having=value),
        "iterate": lambda: list(table.iterate(batch_size=value)),
        "iterate key": lambda: list(table.iterate(key=value)),
        "insert": lambda: table.insert(value),
        "insert value": lambda: table.insert({"n": value}),
        "insert returning": lambda: table.insert({"n": 1}, returning=value),
        "insert_many": lambda: table.insert_many(value),
        "insert_many row": lambda: table.insert_many([value]),
        "insert_many on_conflict": lambda: table.insert_many([{"n": 1}], on_conflict=value),
        "insert_many key": lambda: table.insert_many([{"n": 1}], on_conflict="update", key=value),
        "upsert": lambda: table.upsert(value),
        "upsert key": lambda: table.upsert({"n": 1, "id": 1}, key=value),
        "upsert update": lambda: table.upsert({"n": 1, "id": 1}, update=value),
        "update": lambda: table.update(value, {"n": 1}),
        "update set": lambda: table.update({"n": 1}, value),
        "delete": lambda: table.delete(value),
        "files.meta": lambda: db.files.meta(value),
        "files.list": lambda: db.files.list(limit=value),
        "files.list prefix": lambda: db.files.list(folder_prefix=value),
        "files.upload": lambda: db.files.upload(value, "x.txt"),
        "files.upload name": lambda: db.files.upload(b"x", value),
        "files.upload type": lambda: db.files.upload(b"x", "x.txt", value),
        "files.upload folder": lambda: db.files.upload(b"x", "x.txt", folder=value),
        "files.delete": lambda: db.files.delete(value),
        "files.delete_many": lambda: db.files.delete_many(value),
        "connect": lambda: mesahub.connect(value).close(),
        "api_url": lambda: mesahub.MesahubClient("k", value).close(),
        "api_key": lambda: mesahub.MesahubClient(value, "http://localhost:1").close(),
        "transport": lambda: mesahub.MesahubClient("k", "http://localhost:1", transport=value).close(),
        "client timeout": lambda: mesahub.MesahubClient("k", "http://localhost:1", timeout=value).close(),
        "pool_size": lambda: mesahub.MesahubClient("k", "http://localhost:1", pool_size=value).close(),
        "connect_timeout": lambda: mesahub.MesahubClient("k", "http://localhost:1", connect_timeout=value).close(),
        "proxies": lambda: mesahub.MesahubClient("k", "http://localhost:1", proxies=value).close(),
        "proxies value": lambda: mesahub.MesahubClient("k", "http://localhost:1", proxies={"http": value}).close(),
        "middleware": lambda: mesahub.MesahubClient("k", "http://localhost:1", middleware=value).close(),
        "retry": lambda: mesahub.MesahubClient("k", "http://localhost:1", retry=value).close(),
        "tls": lambda: mesahub.MesahubClient("k", "http://localhost:1", tls=value).close(),
    }


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_arguments_raise_only_mesahub_errors(db: DatabaseHandle, number: int) -> None:
    foreign = []
    for name, call in calls(db, HOSTILE[number]).items():
        try:
            call()
        except MesahubError:
            pass
        except TypeError as error:
            # The test itself could not make a dict of it; a factory that is no factory is the caller's own code.
            mine = error.__traceback__ is not None and error.__traceback__.tb_next is not None
            if name != "transport" and not (mine and "unhashable" in str(error)):
                foreign.append(f"{name}: {error}")
        except Exception as error:
            foreign.append(f"{name}: {type(error).__name__}: {error}"[:200])
    assert not foreign, "\n".join(foreign)
