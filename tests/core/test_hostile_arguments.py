"""Every parameter of every public method, given values that it does not expect: a `MesahubError`, or success."""

from __future__ import annotations

import decimal
import enum
import inspect
import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import mesahub
from mesahub import MesahubClient, MesahubError, MesahubManagementClient, RetryPolicy
from mesahub.admin import Scope
from mesahub.middleware import rate_limit
from mesahub.sql import quote_name
from mesahub.transport import Request, Response, TransportOptions
from mesahub.where import build_where
from tests.core.test_dropin import Markup


class Number(int):
    def __index__(self) -> int:
        raise RuntimeError("not an integer after all")

    def __repr__(self) -> str:
        return "Number()"


class Real(float):
    pass


class Colour(enum.Enum):
    RED = "red"


class Named(enum.StrEnum):
    ID = "id"


class Ranked(enum.IntEnum):
    ONE = 1


class NoRepr:
    def __repr__(self) -> str:
        return "<no repr>"


HOSTILE: dict[str, Any] = {
    "None": None, "5": 5, "-1": -1, "0": 0, "1.5": 1.5, "nan": float("nan"), "inf": float("inf"), "True": True,
    "False": False, "2**70": 2**70, "int subclass": Number(3), "float subclass": Real(2), "Decimal": decimal.Decimal(2),
    "complex": 1j, "bytes": b"x", "empty": "", "blank": " ", "word": "x", "NUL": "\0", "surrogate": "\ud800",
    "dots": "..", "line break": "a\r\nb: c", "long": "a" * 70_000, "markup": Markup('<a"b>'), "enum": Colour.RED,
    "str enum": Named.ID, "int enum": Ranked.ONE, "list": [], "nested": [[]], "list of None": [None],
    "list of 5": [5], "surrogates": ["\ud800"], "dict": {}, "dict of lists": {"a": []}, "dict by 1": {1: 2},
    "dict by None": {None: None}, "dict by surrogate": {"\ud800": 1}, "tuple": (), "set": {1}, "object": NoRepr(),
    "class": NoRepr, "iterator": iter(()), "range": range(3), "memory": memoryview(b"abc"), "path": Path("/nowhere/x"),
    "text file": io.StringIO("abc"), "lambda": lambda: None,
}  # fmt: skip

VALID: dict[str, Any] = {
    "url": "mh://k@localhost:1/db", "api_key": "k", "api_url": "http://localhost:1", "dashboard_url": "http://h:1",
    "ref": "db", "sql": "SELECT 1 AS a", "table_name": "t", "where": {"id": 1}, "set": {"n": 1}, "data": {"n": 1},
    "rows": [{"n": 1}], "key": 1, "functions": {"c": "count"}, "file_id": "f", "file_ids": ["f"], "filename": "f.txt",
    "name": "name", "slug": "slug", "deleted_slug": "slug-1", "status": "active", "tables": ["t"], "scopes": ["all:r"],
    "key_id": "k", "id": "i", "target": "out.bin", "file": b"SQLite format 3", "values": [1], "low": 1, "high": 2,
    "pattern": "x", "value": 1, "raw": "mh://k@h/d", "condition": {"n": 1}, "clause": {"n": 1}, "text": "x",
    "capability": "files", "per_minute": 60, "path": "x", "left": 1, "right": 1, "other": 1, "args": (),
}  # fmt: skip

# What takes objects of the caller's own making, or says itself what it may raise.
OTHERS = {
    "send",
    "run_query",
    "run_rows",
    "run_returning",
    "run_exec",
    "run_batch",
    "send_statement",
    "prepare",
    "session",
    "close",
}


CALLED = {"progress", "clock", "sleep", "api_key", "open"}


class Stub:
    """Answers everything with a result that is nearly one."""

    needs_url = needs_key = False

    def __init__(self, options: Any = None) -> None: ...

    def send(self, request: Request, /) -> Response:
        request.encoded()
        return Response(200, payload={"headers": [], "rows": [], "files": [], "total": 0})

    def close(self) -> None: ...


def parameters(call: Callable[..., Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each parameter of a function, with valid arguments for those that are needed."""
    signature = inspect.signature(call)
    needed = {
        name: VALID[name]
        for name, parameter in signature.parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    }
    for name, parameter in signature.parameters.items():
        if parameter.kind is not parameter.VAR_KEYWORD:
            yield name, {other: value for other, value in needed.items() if other != name}


def methods(owner: object, *without: str) -> dict[str, Callable[..., Any]]:
    names = [name for name, _ in inspect.getmembers(type(owner), callable) if not name.startswith("_")]
    return {
        f"{type(owner).__name__}.{name}": getattr(owner, name) for name in names if name not in OTHERS | set(without)
    }


def calls(folder: Path, opened: ExitStack) -> dict[str, Callable[..., Any]]:
    db = mesahub.connect("mh://local/fuzz", data=str(folder))
    db.exec("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, n REAL)")
    client = MesahubClient("k", transport=Stub)
    management = MesahubManagementClient("http://localhost:1", "k", transport=Stub)
    for each in (db, client, management):
        opened.callback(each.close)
    remote = client.db("db")
    owners: list[object] = [
        db, db.table("t"), db.files, client, remote.table("t"), remote.files, client.admin, client.admin.databases,
        client.admin.api_keys, client.buckets, client.bucket("b"), client.bucket("b").files, management.databases,
        management.buckets, management.api_keys, mesahub.col("n"),
    ]  # fmt: skip
    found: dict[str, Callable[..., Any]] = {}
    for owner in owners:
        for name, method in methods(owner, "operand", "condition", "terms").items():
            found[f"{name} #{len(found)}"] = method
    functions: list[Callable[..., Any]] = [
        mesahub.connect, MesahubClient, MesahubManagementClient, mesahub.parse_mesahub_url, mesahub.col, mesahub.any_of,
        mesahub.all_of, mesahub.not_, build_where, quote_name, Scope.database, RetryPolicy, rate_limit,
        TransportOptions,
    ]  # fmt: skip
    return found | {function.__qualname__: function for function in functions}


def used(result: Any) -> None:
    """Do what callers do with a result, so that lazy ones are asked."""
    if isinstance(result, Iterator):
        list(result)
    elif hasattr(result, "close"):
        result.close()


@pytest.fixture
def every_call(tmp_path: Path) -> Iterator[dict[str, Callable[..., Any]]]:
    with ExitStack() as opened:
        yield calls(tmp_path, opened)


@pytest.mark.slow
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_argument_raises_nothing_but_a_mesahub_error(
    every_call: dict[str, Callable[..., Any]], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    foreign = []
    for name, call in every_call.items():
        for parameter, others in parameters(call):
            if parameter in CALLED and callable(HOSTILE[kind]):
                continue  # it is called, and may raise what it likes
            kinds = inspect.signature(call).parameters[parameter].kind
            try:
                if kinds is inspect.Parameter.VAR_POSITIONAL:
                    used(call(HOSTILE[kind]))
                else:
                    used(call(**{parameter: HOSTILE[kind]}, **others))
            except (MesahubError, OSError):
                pass
            except Exception as error:
                foreign.append(f"{name}({parameter}=): {type(error).__name__}: {error}"[:200])
    assert not foreign, "\n".join(foreign)
