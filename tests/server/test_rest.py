"""Rows by GET, POST, PATCH and DELETE."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.servers import Server

PEOPLE = [("Ann", 41), ("Bob", 17), ("Cem", None)]


@pytest.fixture
def path(server: Server, name: str) -> str:
    sql = "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT UNIQUE, age INTEGER, active BOOLEAN DEFAULT 1)"
    assert server.call("POST", f"/api/db/{name}/exec", {"sql": sql})[0] == 200
    for person, age in PEOPLE:
        status, _, body = server.call("POST", f"/api/db/{name}/rest/people", {"name": person, "age": age})
        assert status == 201
        assert json.loads(body)["rows"][0]["active"] is True
    return f"/api/db/{name}/rest/people"


def names(server: Server, path: str) -> list[Any]:
    status, _, body = server.call("GET", path)
    assert status == 200, body
    return [row["name"] for row in json.loads(body)["rows"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["Ann", "Bob", "Cem"]),
        ("?order=name.desc&limit=2", ["Cem", "Bob"]),
        ("?limit=1&offset=1", ["Bob"]),
        ("?age=gt.17", ["Ann"]),
        ("?age=gte.17&age=lt.41", ["Bob"]),
        ("?age=neq.17", ["Ann"]),
        ("?age=is.null", ["Cem"]),
        ("?age=not.null&order=id", ["Ann", "Bob"]),
        ("?name=like.%25b", ["Bob"]),
        ("?name=eq.Ann", ["Ann"]),
        ("?name=Ann", ["Ann"]),
        ("?name=eq.no'body", []),
        ("?select=name,id&id=lte.1", ["Ann"]),
    ],
)
def test_find(server: Server, path: str, query: str, expected: list[str]) -> None:
    assert names(server, path + query) == expected


def test_change_and_remove(server: Server, path: str) -> None:
    status, _, body = server.call("PATCH", path + "?name=eq.Ann", {"age": 42})
    assert (status, json.loads(body)["rowsAffected"]) == (200, 1)
    status, _, body = server.call("DELETE", path + "?age=gt.20")
    assert (status, json.loads(body)["rowsAffected"]) == (200, 1)
    assert names(server, path) == ["Bob", "Cem"]


@pytest.mark.parametrize(
    ("method", "query", "payload", "text"),
    [
        ("GET", "?limit=x", None, "invalid limit"),
        ("GET", "?offset=-1", None, "invalid offset"),
        ("GET", "?order=id.sideways", None, 'invalid order direction "sideways" (use asc or desc)'),
        ("GET", "?select=nope", None, "no such column: people.nope"),
        ("DELETE", "?nope=eq.nope", None, "no such column: people.nope"),
        ("PATCH", "?nope=eq.nope", {"age": 1}, "no such column: people.nope"),
        ("DELETE", "", None, "DELETE requires at least one filter query param"),
        ("DELETE", "?limit=1", None, "DELETE requires at least one filter query param"),
        ("PATCH", "", {"age": 1}, "PATCH requires at least one filter query param"),
        ("POST", "", [{"name": "x"}], "invalid JSON body"),
        ("POST", "", {}, "body must contain at least one field"),
        ("POST", "", {"name": "Ann"}, "UNIQUE constraint failed: people.name"),
    ],
)
def test_what_is_refused(server: Server, path: str, method: str, query: str, payload: Any, text: str) -> None:
    status, _, body = server.call(method, path + query, payload)
    assert (status, json.loads(body)["error"]) == (400, text)
    assert names(server, path) == ["Ann", "Bob", "Cem"]
