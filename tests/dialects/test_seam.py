"""A client whose dialect is not MesaHub's: URLs, keys, endpoints, errors, capabilities."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import pytest

import mesahub
from mesahub import (
    ArgumentError,
    ConfigurationError,
    ConnectionLostError,
    MesahubClient,
    NotSentError,
    RetryPolicy,
    TruncatedResultError,
    UnsupportedError,
)
from mesahub._util.entry_points import Plugin
from mesahub.dialects import registry
from mesahub.dialects.base import Answer, Capabilities
from mesahub.dialects.json_dialect import JsonDialect
from mesahub.errors import AmbiguousResultError, MesahubError, Outcome, ServerError
from mesahub.sql import Statement
from mesahub.transport import Request, Response, TransportOptions
from mesahub.transport.messages import EMPTY
from mesahub.url import ConnectionURL, parse_hosts
from tests.tracebacks import with_locals

FORM = "toy://user:password@host[:port][,host]/database"


class ToyDialect(JsonDialect):
    name = "toy"
    options: ClassVar[frozenset[str]] = frozenset({"flavor"})
    capabilities = Capabilities("Toy", consistency=("weak", "strong"), max_rows=3, max_sql=100, max_bindings=2)

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.flavor = options.get("flavor", "plain")

    @staticmethod
    def parse_url(url: str) -> ConnectionURL:
        return parse_hosts(url, port=4001, form=FORM, user="password", database="main")

    def authorize(self, key: str) -> Mapping[str, str]:
        return {"Authorization": f"Basic {key}"}

    def request(
        self,
        ref: str,
        operation: str,
        statement: Statement,
        *,
        timeout: float | None,
        idempotent: bool = False,
        hints: Mapping[str, str] = EMPTY,
    ) -> Request:
        return Request(
            operation,
            "POST",
            f"/{self.flavor}/{ref}",
            payload={"sql": statement.sql, "bindings": statement.bindings},
            safe=idempotent or operation == "query",
            timeout=timeout,
            hints=hints,
        )

    def answer(self, operation: str, statement: Statement, response: Response) -> Answer:
        if response.status != 200:
            raise self.error(response, operation)
        if "values" not in response.payload:
            raise ServerError.of("not a result")
        return Answer(response.payload["columns"], response.payload["values"], affected=1)

    def succeeded(self, request: Request, response: Response) -> bool:
        return response.status < 400 and "error" not in response.payload

    def outcome(self, request: Request, response: Response) -> Outcome | None:
        text = response.payload.get("error", "")
        if text == "no leader":
            return Outcome.REFUSED
        return None if text == "final" else Outcome.MAYBE_RAN


class Scripted:
    """A transport that gives what it was made with, one after the other, and notes what it was asked."""

    def __init__(self, *results: Any) -> None:
        self.results = list(results)
        self.requests: list[Request] = []

    def send(self, request: Request) -> Response:
        self.requests.append(request)
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return Response(200, content=json.dumps(result).encode())

    def close(self) -> None:
        pass


ROWS = {"columns": ["a", "a"], "values": [[1, 2]]}


def client_of(transport: Any, **options: Any) -> MesahubClient:
    dialect = options.pop("dialect", ToyDialect)
    return MesahubClient("user:word", "http://localhost:1", transport=transport, dialect=dialect, **options)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = Plugin("toy", f"{__name__}:ToyDialect", "toy-package", "1")
    monkeypatch.setattr(Plugin, "load", lambda self: ToyDialect)
    monkeypatch.setattr(registry, "find_plugins", lambda group: [plugin])


@pytest.mark.parametrize("scheme", ["toy", "mh+toy"])
def test_connect_finds_the_dialect_of_a_scheme(registered: None, scheme: str) -> None:
    opened: list[TransportOptions] = []
    asked: list[Request] = []

    def factory(options: TransportOptions) -> Any:
        opened.append(options)

        class One(Scripted):
            def send(self, request: Request) -> Response:
                asked.append(request)
                return super().send(request)

        return One(ROWS)

    url = f"{scheme}://bob:s3%3Ar3t@a,B.example:9,[::1]:8/?flavor=sweet"
    with mesahub.connect(url, transport=factory, allow_insecure=True) as db:
        assert db.query("SELECT 1").rows == [{"a": 2}]
        assert db.name == "main"
    assert [options.base_url for options in opened] == ["http://a:4001", "https://b.example:9", "http://[::1]:8"]
    assert asked[0].path == "/sweet/main"
    assert asked[0].headers["Authorization"] == "Basic bob:s3:r3t"
    assert "s3" not in repr(asked[0].headers)


@pytest.mark.parametrize(
    "url",
    [
        "toy://bob:T0pS3cret@a:99999/x",
        "toy://bob:T0pS3cret@/x",
        "toy://T0pS3cret@a/x",
        "toy://bob:T0pS3cret@x@a/x",
        "toy://bob:T0pS3cret/@a/x",
        "toy://bob:T0pS3cret@a,/x",
        "toy://bob:T0pS3cret@a/x/y",
        "toy://bob:T0pS3cret#@a/x",
    ],
)
def test_a_url_of_several_hosts_that_is_wrong_is_refused_without_its_password(registered: None, url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        mesahub.connect(url)
    assert "T0pS3cret" not in with_locals(caught.value)


def test_an_unknown_dialect_is_named_with_those_that_are_installed() -> None:
    with pytest.raises(ConfigurationError, match=r"Unknown dialect 'mhh'.*Did you mean 'mh'"):
        client_of(Scripted(), dialect="mhh")


def test_limits_are_those_of_the_dialect() -> None:
    rows = {"columns": ["a"], "values": [[1], [2], [3]]}
    with client_of(Scripted(rows, ROWS)) as client:
        with pytest.raises(ArgumentError, match="accepts 100"):
            client.query("main", "SELECT 1 -- " + "x" * 100)
        with pytest.raises(ArgumentError, match="at most 2 values"):
            client.query("main", "SELECT ?, ?, ?", [1, 2, 3])
        with pytest.raises(TruncatedResultError, match="at 3 rows"):
            client.query("main", "SELECT 1")
        assert client.exec("main", "INSERT INTO t VALUES (1)").rows_affected == 1


def refuse(what: Callable[[MesahubClient], object], message: str) -> None:
    transport = Scripted()
    with client_of(transport) as client, pytest.raises(UnsupportedError, match=message):
        what(client)
    assert transport.requests == []


def test_what_the_engine_cannot_do_is_refused_before_anything_is_sent(registered: None) -> None:
    refuse(lambda client: client.admin, "Toy does not support administration .*; MesaHub and embedded databases do")
    refuse(lambda client: client.buckets, "does not support files")
    refuse(lambda client: client.db("other"), "more than one database")
    refuse(lambda client: client.query("main", "SELECT 1", consistency="none"), "it has: strong, weak")
    with mesahub.connect("toy://u:p@localhost/", transport=Scripted()) as db, pytest.raises(UnsupportedError):
        _ = db.files


def test_consistency_reaches_the_request() -> None:
    transport = Scripted(ROWS, ROWS)
    with client_of(transport, consistency="weak") as client:
        client.query("main", "SELECT 1")
        client.query("main", "SELECT 1", consistency="strong")
    assert [request.hints for request in transport.requests] == [{"consistency": "weak"}, {"consistency": "strong"}]


def test_mesahub_has_no_levels_of_consistency() -> None:
    with (
        MesahubClient("key", "http://localhost:1", transport=Scripted()) as client,
        pytest.raises(UnsupportedError, match="MesaHub does not support consistency='strong'"),
    ):
        client.query("main", "SELECT 1", consistency="strong")


def test_the_dialect_says_what_became_of_a_request() -> None:
    quick = RetryPolicy(backoff=0.0)
    refused = Scripted({"error": "no leader"}, ROWS)
    with client_of(refused, retry=quick) as client:
        assert client.exec("main", "INSERT INTO t VALUES (1)").rows_affected == 1
    unknown = Scripted({"error": "connection to the leader lost"})
    with client_of(unknown, retry=quick) as client, pytest.raises(AmbiguousResultError):
        client.exec("main", "INSERT INTO t VALUES (1)")
    final = Scripted({"error": "final"})
    with client_of(final, retry=quick) as client, pytest.raises(MesahubError, match="not a result"):
        client.query("main", "SELECT 1")
    assert (len(refused.requests), len(unknown.requests), len(final.requests)) == (2, 1, 1)


def test_what_was_not_sent_goes_to_the_next_address_and_nothing_else_does() -> None:
    made: list[Scripted] = []
    scripts: list[list[Any]] = [
        [NotSentError("refused")],
        [ROWS, ConnectionLostError("reset")],
        [ROWS],
    ]

    def factory(options: TransportOptions) -> Scripted:
        made.append(Scripted(*scripts[len(made)]))
        return made[-1]

    urls = ["http://localhost:1", "http://localhost:2", "http://localhost:3"]
    with MesahubClient("u:p", urls, transport=factory, dialect=ToyDialect, retry=RetryPolicy.none()) as client:
        client.query("main", "SELECT 1")
        with pytest.raises(AmbiguousResultError):
            client.exec("main", "INSERT INTO t VALUES (1)")
        client.query("main", "SELECT 1")
    assert [len(one.requests) for one in made] == [1, 2, 1]


def test_capabilities_of_a_database() -> None:
    with client_of(Scripted(), dialect="mh") as client:
        able = client.db("x").capabilities
    assert (able.engine, able.max_rows, able.max_body, able.max_sql, able.max_bindings) == (
        "MesaHub", 100_000, 10_485_760, 100_000, 5_000,
    )  # fmt: skip
