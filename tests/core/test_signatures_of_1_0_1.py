"""The whole public surface of mesahub 1.0.1, taken from its source: names, arguments, defaults, results, errors."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest

import mesahub
from mesahub import (
    ArgumentError,
    AuthenticationError,
    AuthorizationError,
    MesahubClient,
    MesahubError,
    MesahubManagementClient,
    NotFoundError,
    RateLimitError,
    ValidationError,
)
from mesahub.transport import Request, Response
from mesahub.types import ExecResult, FileRecord, QueryResult

NAMES = {
    "mesahub.client": [
        "MesahubClient", "parse_mesahub_url", "DatabaseHandle", "MesahubError", "ExecResult", "QueryResult",
    ],
    "mesahub.database": ["DatabaseHandle", "TableHandle"],
    "mesahub.errors": [
        "MesahubError", "AuthenticationError", "AuthorizationError", "NotFoundError", "RateLimitError",
        "ValidationError",
    ],
    "mesahub.management": ["MesahubManagementClient"],
    "mesahub.table": ["TableHandle"],
    "mesahub.types": ["QueryResult", "ExecResult", "FileRecord"],
    "mesahub.where": ["build_where", "_quote_ident"],
}  # fmt: skip

NEEDED = inspect.Parameter.empty

CALLS: dict[str, list[tuple[str, Any]]] = {
    "client": [("api_key", NEEDED), ("api_url", NEEDED), ("route_prefix", "v1"), ("timeout", 30.0)],
    "client.query": [("ref", NEEDED), ("sql", NEEDED), ("bindings", None)],
    "client.exec": [("ref", NEEDED), ("sql", NEEDED), ("bindings", None)],
    "client.db": [("ref", NEEDED)],
    "client.close": [],
    "db.query": [("sql", NEEDED), ("bindings", None)],
    "db.exec": [("sql", NEEDED), ("bindings", None)],
    "db.table": [("table_name", NEEDED)],
    "db.files.list": [("limit", None), ("offset", None), ("folder_prefix", None)],
    "db.files.upload": [("data", NEEDED), ("filename", NEEDED), ("content_type", ...)],
    "db.files.download": [("file_id", NEEDED)],
    "db.files.delete": [("file_id", NEEDED)],
    "table.find": [("where", None), ("select", None), ("order_by", None), ("limit", None), ("offset", None)],
    "table.find_one": [("where", None), ("select", None), ("order_by", None)],
    "table.count": [("where", None)],
    "table.insert": [("data", NEEDED)],
    "table.insert_many": [("rows", NEEDED), ("on_conflict", None)],
    "table.update": [("where", NEEDED), ("set", NEEDED)],
    "table.delete": [("where", NEEDED)],
    "management": [("dashboard_url", NEEDED), ("api_key", NEEDED), ("timeout", 30.0)],
    "management.close": [],
    "management.databases.list": [],
    "management.databases.get": [("id", NEEDED)],
    "management.databases.create": [("name", NEEDED), ("description", None)],
    "management.databases.delete": [("id", NEEDED)],
    "management.databases.update": [("id", NEEDED), ("name", None), ("description", None)],
    "management.databases.export": [("id", NEEDED), ("tables", NEEDED), ("filename", None)],
    "management.databases.import_inspect": [("id", NEEDED), ("file", NEEDED), ("filename", "import.db")],
    "management.databases.import_tables": [
        ("id", NEEDED), ("file", NEEDED), ("tables", NEEDED), ("filename", "import.db"),
    ],
    "management.buckets.list": [],
    "management.buckets.get": [("id", NEEDED)],
    "management.buckets.create": [("name", NEEDED), ("description", None)],
    "management.buckets.delete": [("id", NEEDED)],
    "management.buckets.update": [("id", NEEDED), ("name", None), ("description", None)],
    "management.api_keys.list": [],
    "management.api_keys.create": [("name", NEEDED), ("scopes", None)],
    "management.api_keys.revoke": [("id", NEEDED)],
}  # fmt: skip
"""Arguments in their order, with their defaults; ``...`` for one that is named in "Moving from mesahub 1.0.1"."""


class Silent:
    def send(self, request: Request, /) -> Response:
        raise AssertionError("nothing may be sent")

    def close(self) -> None: ...


@pytest.mark.parametrize("module", NAMES)
def test_a_module_of_1_0_1_has_its_names(module: str) -> None:
    imported = importlib.import_module(module)
    assert [name for name in NAMES[module] if not hasattr(imported, name)] == []


@pytest.mark.parametrize("call", CALLS)
def test_a_call_of_1_0_1_takes_the_same_arguments(call: str) -> None:
    client = MesahubClient("k", "http://h", transport=Silent())
    place: Any = {
        "client": client,
        "db": client.db("d"),
        "table": client.db("d").table("t"),
        "management": MesahubManagementClient("http://h", "k", transport=Silent()),
    }[call.partition(".")[0]]
    names = call.split(".")[1:]
    for name in names:
        place = getattr(place, name)
    signature = inspect.signature(place if names else type(place))
    ours = list(signature.parameters.values())
    for number, (name, default) in enumerate(CALLS[call]):
        parameter = ours[number]
        assert parameter.name == name
        if default is not NEEDED and default is not ...:
            assert parameter.default == default
        if ".update" not in call or "table" in call:
            assert parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    assert [other.name for other in ours[len(CALLS[call]) :] if other.default is NEEDED and other.kind < 4] == []


def test_results_are_the_dicts_of_1_0_1() -> None:
    query = QueryResult(rows=[{"a": 1}], columns=["a"], row_count=1, query_duration_ms=0.5)
    assert query == {"rows": [{"a": 1}], "columns": ["a"], "row_count": 1, "query_duration_ms": 0.5}
    done = ExecResult(rows_affected=1, last_insert_rowid=None, query_duration_ms=None)
    assert done == {"rows_affected": 1, "last_insert_rowid": None, "query_duration_ms": None}
    assert set(FileRecord.__annotations__) >= {
        "id", "filename", "folder_path", "size_bytes", "content_type", "url", "uploaded_at", "expires_at", "metadata",
    }  # fmt: skip


def test_errors_are_made_and_read_as_in_1_0_1() -> None:
    error = MesahubError("CODE", 418, "text", {"a": 1})
    assert (str(error), error.code, error.status_code, error.details) == ("text", "CODE", 418, {"a": 1})
    assert MesahubError("CODE", 418, "text").details == {}
    assert (str(AuthenticationError()), AuthenticationError().code) == ("Authentication failed", "AUTH_ERROR")
    assert (str(AuthorizationError()), AuthorizationError().status_code) == ("Insufficient permissions", 403)
    assert (str(NotFoundError("Row")), NotFoundError("Row").code) == ("Row not found", "NOT_FOUND")
    assert (str(RateLimitError(5)), RateLimitError(5).details) == ("Rate limit exceeded", {"retry_after": 5})
    invalid = ValidationError("wrong", {"b": 2})
    assert (str(invalid), invalid.code, invalid.status_code, invalid.details) == (
        "wrong", "VALIDATION_ERROR", 400, {"b": 2},
    )  # fmt: skip
    assert str(ValidationError()) == "Validation failed"
    answered = MesahubError.from_response(400, "Bad Request", {"code": "X", "message": "text"})
    assert (str(answered), answered.code, answered.status_code) == ("text", "X", 400)
    assert answered.details == {"code": "X", "message": "text"}
    bare = MesahubError.from_response(502, "Bad Gateway", None)
    assert (str(bare), bare.code, bare.status_code, bare.details) == ("Bad Gateway", "UNKNOWN_ERROR", 502, {})


def test_what_1_0_1_refused_with_a_value_error_still_is_one() -> None:
    table = MesahubClient("k", "http://h", transport=Silent()).db("d").table("t")
    for call in (
        lambda: table.update({"id": 1}, {}),
        lambda: table.update({}, {"a": 1}),
        lambda: table.delete({}),
        lambda: mesahub.parse_mesahub_url("http://x"),
        lambda: mesahub.parse_mesahub_url("mh://local/db"),
        lambda: mesahub.parse_mesahub_url("mh://h/db"),
        lambda: mesahub.parse_mesahub_url("mh://k@h"),
    ):
        with pytest.raises(ValueError):
            call()
    assert issubclass(ArgumentError, ValueError)


@pytest.mark.parametrize(
    ("url", "api_url", "prefix"),
    [
        ("mh://k@h/d", "http://h", "api"),
        ("mh://k@h:8080/d", "http://h:8080", "api"),
        ("mh://k@localhost/d", "http://localhost", "api"),
        ("mh://k@core.railway.internal:3/d/", "http://core.railway.internal:3", "api"),
        ("mh://k@mycore.railway.app/d", "https://mycore.railway.app", "v1"),
        ("mh://k@10.0.0.1/d", "https://10.0.0.1", "v1"),
        ("mh://k@HOST.example/d?x=1", "https://host.example", "v1"),
    ],
)
def test_parse_mesahub_url_gives_what_1_0_1_gave(url: str, api_url: str, prefix: str) -> None:
    expected = {"api_url": api_url, "api_key": "k", "db_name": "d", "route_prefix": prefix}
    assert mesahub.parse_mesahub_url(url) == expected


@pytest.mark.parametrize("limit", [-1, 2.7, True, "-1", "2.5", ""])
def test_find_rejects_the_limits_that_the_guide_names(limit: Any) -> None:
    table = MesahubClient("k", "http://h", transport=Silent()).db("d").table("t")
    with pytest.raises(ArgumentError, match="limit"):
        table.find(limit=limit)
