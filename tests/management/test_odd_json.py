"""JSON that is valid and is not what was asked for, in every call that is not SQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mesahub import AmbiguousResultError, MesahubClient, MesahubError, RetryPolicy, ServerError
from mesahub.transport import Request, Response

BODIES = [
    b"[" * 100_000, b'{"a":' * 100_000, b"5", b'"x"', b"[5]", b"[null]", b'{"Files":5}', b'{"Files":[5],"Total":"x"}',
    b'{"files":[{}]}', b"1" + b"0" * 5000, b"\xff", b"null", b"[]", b"{}", b'{"error":"x"}', b'{"scopes":"{"}',
]  # fmt: skip


class Answering:
    def __init__(self, body: bytes) -> None:
        self.body = body

    def send(self, request: Request) -> Response:
        return Response(200, {"content-type": "application/json"}, self.body)

    def close(self) -> None:
        pass


CALLS: dict[str, Callable[[MesahubClient], Any]] = {
    "databases.list": lambda client: client.admin.databases.list(),
    "databases.get": lambda client: client.admin.databases.get("x"),
    "databases.create": lambda client: client.admin.databases.create("x"),
    "databases.list_deleted": lambda client: client.admin.databases.list_deleted(),
    "api_keys.list": lambda client: client.admin.api_keys.list(),
    "api_keys.create": lambda client: client.admin.api_keys.create("x", ["all:r"]),
    "files.list": lambda client: client.db("x").files.list(),
    "files.iterate": lambda client: list(client.db("x").files.iterate()),
    "files.meta": lambda client: client.db("x").files.meta("1"),
    "files.presign": lambda client: client.db("x").files.presign("1"),
    "files.upload": lambda client: client.db("x").files.upload(b"x", "a.txt"),
    "files.delete_many": lambda client: client.db("x").files.delete_many(["1"]),
    "buckets.list": lambda client: client.buckets.list(),
    "buckets.create": lambda client: client.buckets.create("x"),
}


def ask(name: str, body: bytes) -> Any:
    client = MesahubClient("key", "http://localhost:1", transport=Answering(body), retry=RetryPolicy.none())
    return CALLS[name](client)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:30]))
def test_odd_json_raises_nothing_but_errors_of_mesahub(name: str, body: bytes) -> None:
    try:
        ask(name, body)
    except MesahubError:
        return
    assert body.startswith((b"{", b"[]", b"null"))


@pytest.mark.parametrize("body", [b"5", b"[5]", b"{", b'"x"'])
def test_an_unexpected_answer_to_a_write_leaves_it_open(body: bytes) -> None:
    for name in ("databases.create", "api_keys.create", "files.upload"):
        with pytest.raises(AmbiguousResultError):
            ask(name, body)
    for name in ("databases.list", "databases.get", "files.list", "files.meta"):
        with pytest.raises(ServerError):
            ask(name, body)
