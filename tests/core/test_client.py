"""Making a client: what it needs, and what it says when something is missing."""

from __future__ import annotations

import pickle
import traceback
from pathlib import Path
from typing import Any

import pytest

import mesahub
from mesahub import ArgumentError, ConfigurationError, MesahubClient
from mesahub.transport import Request, Response, Transport, TransportOptions

KEY = "shs_5ecret"


class Answering:
    """A transport of a user's own: answers every query with one row."""

    def __init__(self, options: TransportOptions | None = None) -> None:
        self.options = options
        self.requests: list[Request] = []
        self.closed = False

    def send(self, request: Request) -> Response:
        self.requests.append(request)
        return Response(200, payload={"headers": [{"name": "a"}], "rows": [{"a": 1}]})

    def close(self) -> None:
        self.closed = True


def test_a_transport_may_be_a_factory_or_an_instance() -> None:
    made = MesahubClient("key", "http://core", transport=Answering)
    assert made.query("db", "SELECT 1 AS a")["rows"] == [{"a": 1}]
    made.close()

    mine = Answering()
    with MesahubClient("key", "http://core", transport=mine) as client:
        assert client.db("db").query("SELECT 1 AS a").rows == [{"a": 1}]
    assert not mine.closed, "an instance belongs to whoever made it"


def test_a_factory_is_given_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[TransportOptions] = []

    def factory(options: TransportOptions) -> Transport:
        given.append(options)
        return Answering(options)

    MesahubClient(
        "key", "https://core.example.com/v1", timeout=5, transport=factory, pool_size=3, transport_options={"own": 1}
    ).close()
    assert (given[0].base_url, given[0].timeout, given[0].pool_size, given[0].options) == (
        "https://core.example.com",
        5,
        3,
        {"own": 1},
    )


def test_positional_arguments_are_those_of_1_x() -> None:
    client = MesahubClient("key", "http://localhost:1", "api", 3.0)
    assert client.timeout == 3.0
    assert client.routes.database("a b", "query") == "/api/db/a%20b/query"
    client.close()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"api_url": "http://core"}, "api_key"),
        ({"api_key": "k"}, "api_url"),
        ({"api_key": "k", "api_url": "core"}, "http:// or https://"),
        ({"api_key": "k", "api_url": "http://core", "route_prefix": "v2"}, "route_prefix"),
        ({"api_key": "k", "api_url": "http://core", "transport": "urlib"}, "'urllib'"),
        ({"api_key": "k", "api_url": "http://core", "sesion": 1}, "sesion"),
        ({"api_key": "k", "api_url": "http://core", "transport": 5}, "transport must be"),
        ({"api_key": "k", "api_url": "http://core", "transport": Answering(), "own": 1}, "already made"),
        ({"transport": "embedded", "dta": "x"}, "'data'"),
        ({"api_key": "k\nX: y", "api_url": "http://core"}, "api_key"),
    ],
)
def test_what_is_missing_or_wrong_is_named(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        MesahubClient(**arguments)


def test_an_option_in_a_url_that_is_no_number_is_named() -> None:
    with pytest.raises(ConfigurationError, match="timeout"):
        mesahub.connect("mh://key@core/db?timeout=soon")


def test_the_environment_may_choose_the_transport(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESAHUB_TRANSPORT", "nosuch")
    with pytest.raises(ConfigurationError, match="nosuch"):
        MesahubClient("key", "http://core")


@pytest.mark.parametrize("name", ["", None, 5])
def test_a_database_or_table_needs_a_name(name: Any, tmp_path: Path) -> None:
    with mesahub.connect("mh://local/db", data=str(tmp_path)) as db:
        with pytest.raises(ArgumentError):
            db.client.db(name)
        with pytest.raises(ArgumentError):
            db.table(name)


def test_the_key_is_shown_nowhere() -> None:
    client = MesahubClient(KEY, "http://127.0.0.1:9", "api", transport="urllib", retry=mesahub.RetryPolicy.none())
    shown = [repr(client), repr(vars(client)), repr(client.db("x"))]
    with pytest.raises(mesahub.NotSentError) as caught:
        client.query("db", "SELECT 1")
    error = caught.value
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    shown += ["".join(told.format()), repr(error), str(error.__dict__)]
    assert KEY.encode() not in pickle.dumps(error)
    assert not [text for text in shown if KEY in text]


def test_middleware_of_a_users_own_sees_every_request() -> None:
    seen: list[str] = []

    def watch(request: Request, forward: Any) -> Response:
        seen.append(request.operation)
        response: Response = forward(request)
        return response

    with MesahubClient("key", "http://core", transport=Answering(), middleware=[watch]) as client:
        client.query("db", "SELECT 1")
        client.exec("db", "SELECT 1")
    assert seen == ["query", "exec"]
