"""Sessions of libSQL against a server that is made of answers, the wrong ones included."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mesahub import (
    AmbiguousResultError,
    ConfigurationError,
    DatabaseHandle,
    IntegrityError,
    MesahubClient,
    MesahubError,
    NotSentError,
    TransactionLostError,
    UnsupportedError,
)
from mesahub.dialects.libsql.dialect import LibsqlDialect
from mesahub.errors import ConnectionLostError
from mesahub.middleware import Handler, Middleware, Target
from mesahub.session import Session
from mesahub.sql import prepare
from mesahub.transport import Headers, Request, Response, TransportOptions

JSON = Headers({"Content-Type": "application/json"})
HTML = Response(200, Headers({"Content-Type": "text/html"}), b"<html>a page of a proxy</html>")
RESULT = {"cols": [], "rows": [], "affected_row_count": 1, "last_insert_rowid": "1", "replication_index": "1"}
Script = Callable[[Request, list[Any]], Any]


class Server:
    """Keeps one stream, and answers each statement with one row changed, until it is to do something else.

    Attributes:
        asked: the statements, and the batons with which they came.
        odd: what to do with a statement, by its text: an error to raise, or a response.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.odd: dict[str, Any] = {}
        self.in_transaction = False
        self.count = 0
        self.base_url: str | None = None
        self.closed = False

    def send(self, request: Request) -> Response:
        assert isinstance(request.content, bytes)
        body = json.loads(request.content)
        first = body["requests"][0]
        if first["type"] == "close":
            self.asked.append(("close", body.get("baton")))
            return self._answer([], None)
        step = first["batch"]["steps"][0] if first["type"] == "batch" else first
        sql = step["stmt"]["sql"]
        self.asked.append((sql, body.get("baton")))
        if sql in self.odd:
            odd = self.odd[sql]
            if isinstance(odd, Exception):
                raise odd
            return Response(odd.status, odd.headers, odd.content)
        if first["type"] == "execute":
            return self._answer([{"type": "execute", "result": RESULT}, {"type": "close"}], None)
        if sql.startswith("BEGIN"):
            self.in_transaction = True
        elif sql in ("COMMIT", "ROLLBACK"):
            self.in_transaction = False
        results = [
            {"type": "batch", "result": {"step_results": [RESULT], "step_errors": [None]}},
            {"type": "get_autocommit", "is_autocommit": not self.in_transaction},
        ]
        self.count += 1
        return self._answer(results, None if sql == "ROLLBACK" else f"b{self.count}")

    def _answer(self, responses: list[Any], baton: str | None) -> Response:
        results = [{"type": "ok", "response": response} for response in responses] or [
            {"type": "ok", "response": {"type": "close"}}
        ]
        body = {"baton": baton, "base_url": self.base_url, "results": results}
        return Response(200, JSON, json.dumps(body).encode())

    def close(self) -> None:
        self.closed = True

    def texts(self) -> list[str]:
        return [text for text, _ in self.asked]


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def db(server: Server) -> Iterator[DatabaseHandle]:
    with MesahubClient(None, "http://db.example:8080", transport=server, dialect="libsql") as client:
        yield client.db("default")


def session_of(db: DatabaseHandle) -> Session:
    session = db.session()
    assert isinstance(session, Session)
    return session


def test_a_transaction_is_a_stream_of_batons(server: Server, db: DatabaseHandle) -> None:
    with db.transaction() as tx:
        tx.exec("DELETE FROM t")
    assert server.asked == [("BEGIN IMMEDIATE", None), ("DELETE FROM t", "b1"), ("COMMIT", "b2"), ("close", "b3")]


def test_middleware_sees_the_statements_of_a_session_and_its_server(server: Server) -> None:
    seen: list[tuple[str, str]] = []
    targets: list[Target] = []

    class Noting:
        def __call__(self, request: Request, forward: Handler) -> Response:
            raise AssertionError

        def for_target(self, target: Target) -> list[Middleware]:
            targets.append(target)

            def note(request: Request, forward: Handler) -> Response:
                seen.append((request.verb, request.payload["sql"]))
                return forward(request)

            return [note]

    options: dict[str, Any] = {"transport": server, "dialect": "libsql", "middleware": [Noting()]}
    client = MesahubClient(None, "http://db.example:8080", **options)
    with client, client.db("default").transaction() as tx:
        tx.exec("DELETE FROM t")
    assert seen == [("delete", "DELETE FROM t")]
    assert [(target.urls, target.in_process) for target in targets] == [(("http://db.example:8080",), False)] * 2


def test_a_rollback_closes_the_stream(server: Server, db: DatabaseHandle) -> None:
    with pytest.raises(KeyError), db.transaction() as tx:
        tx.exec("DELETE FROM t")
        raise KeyError
    assert server.asked == [("BEGIN IMMEDIATE", None), ("DELETE FROM t", "b1"), ("ROLLBACK", "b2")]


def test_the_end_of_a_transaction_has_a_time(server: Server) -> None:
    seen: list[float | None] = []
    send = server.send

    def noted(request: Request) -> Response:
        seen.append(request.timeout)
        return send(request)

    server.send = noted  # type: ignore[method-assign]
    with MesahubClient(None, "http://db.example", transport=server, dialect="libsql", timeout=7.0) as client:
        with client.db("default").transaction():
            pass
        with pytest.raises(KeyError), client.db("default").transaction():
            raise KeyError
    assert None not in seen
    assert 7.0 in seen


def test_outside_of_a_transaction_no_stream_is_held(server: Server, db: DatabaseHandle) -> None:
    with db.session() as session:
        session.exec("DELETE FROM t")
        session.exec("DELETE FROM t")
    assert server.asked == [("DELETE FROM t", None)] * 2


def text(status: int, content: bytes) -> Response:
    return Response(status, Headers({"Content-Type": "text/plain"}), content)


def answer(results: Any, baton: Any = "x", base_url: Any = None) -> Response:
    return Response(200, JSON, json.dumps({"baton": baton, "base_url": base_url, "results": results}).encode())


def stepped(results: list[Any], errors: list[Any]) -> Any:
    inner = {"step_results": results, "step_errors": errors}
    return {"type": "ok", "response": {"type": "batch", "result": inner}}


OPEN = {"type": "ok", "response": {"type": "get_autocommit", "is_autocommit": False}}
ENDED = {"type": "ok", "response": {"type": "get_autocommit", "is_autocommit": True}}
TIMED_OUT = {"message": "Transaction timed out", "code": "TRANSACTION_TIMEOUT"}

LOSSES = {
    "no answer": ConnectionLostError("reset"),
    "expired": Response(
        400, JSON, b'{"message": "The stream has expired due to inactivity", "code": "STREAM_EXPIRED"}'
    ),
    "unknown baton": text(400, b"Received an invalid baton"),
    "used baton": text(400, b"Received a baton that has already been used"),
    "a page": HTML,
    "a gateway": Response(502, Headers({"Content-Type": "text/html"}), b"<html>"),
    "nothing": Response(200, JSON, b""),
    "another array": answer([5]),
    "no results": answer([]),
    "not carried out": answer([stepped([None], [None]), ENDED]),
    "stolen": answer([stepped([None], [TIMED_OUT]), ENDED]),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())
def test_what_ends_a_stream_loses_the_transaction(server: Server, db: DatabaseHandle, loss: Any) -> None:
    server.odd["DELETE FROM t"] = loss
    with pytest.raises(TransactionLostError), db.transaction() as tx:
        with pytest.raises(TransactionLostError):
            tx.exec("DELETE FROM t")
        for _ in range(2):
            with pytest.raises(TransactionLostError):
                tx.exec("DELETE FROM u")
    # Nothing after it: it would have been carried out by itself.
    assert "DELETE FROM u" not in server.texts()
    assert "COMMIT" not in server.texts()


ODD = {
    "too short": answer([stepped([RESULT], [None])]),
    "no state": answer([stepped([RESULT], [None]), {"type": "ok", "response": {"type": "get_autocommit"}}]),
    "a state that is none": answer(
        [stepped([RESULT], [None]), {"type": "ok", "response": {"type": "get_autocommit", "is_autocommit": 0}}]
    ),
    "no steps": answer([stepped([], []), OPEN]),
    "a step that is none": answer([stepped([5], [None]), OPEN]),
    "steps that are none": answer([{"type": "ok", "response": {"type": "batch", "result": 5}}, OPEN]),
    "a baton that is none": answer([stepped([RESULT], [None]), OPEN], baton=5),
    "a response that is none": answer([{"type": "ok", "response": 5}, OPEN]),
    "an error that is none": answer([{"type": "error", "error": 5, "response": 5}, OPEN]),
    "an address that is none": answer([stepped([RESULT], [None]), OPEN], base_url=5),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_an_answer_of_another_shape_is_an_error_and_nothing_is_committed(
    server: Server, db: DatabaseHandle, odd: Response
) -> None:
    server.odd["DELETE FROM t"] = odd
    with pytest.raises(MesahubError), db.transaction() as tx:
        tx.exec("DELETE FROM t")
    assert "COMMIT" not in server.texts()


def test_what_was_not_sent_ends_nothing(server: Server, db: DatabaseHandle) -> None:
    server.odd["DELETE FROM t"] = NotSentError("refused")
    with db.transaction() as tx:
        with pytest.raises(NotSentError):
            tx.exec("DELETE FROM t")
        del server.odd["DELETE FROM t"]
        tx.exec("DELETE FROM t")
    assert server.asked[1:] == [("DELETE FROM t", "b1"), ("DELETE FROM t", "b1"), ("COMMIT", "b2"), ("close", "b3")]


@pytest.mark.parametrize("loss", [ConnectionLostError("reset"), HTML, text(502, b"")], ids=["cut", "page", "gateway"])
def test_a_commit_without_an_answer_is_ambiguous(server: Server, db: DatabaseHandle, loss: Any) -> None:
    server.odd["COMMIT"] = loss
    with pytest.raises(AmbiguousResultError, match="COMMIT"), db.transaction() as tx:
        tx.exec("DELETE FROM t")
    assert server.texts() == ["BEGIN IMMEDIATE", "DELETE FROM t", "COMMIT"]


@pytest.mark.parametrize("loss", ["expired", "used baton", "not carried out", "stolen"])
def test_a_commit_of_what_was_lost_says_so(server: Server, db: DatabaseHandle, loss: str) -> None:
    server.odd["COMMIT"] = LOSSES[loss]
    with pytest.raises(TransactionLostError), db.transaction() as tx:
        tx.exec("DELETE FROM t")


def test_a_rollback_that_fails_lets_the_callers_error_pass(server: Server, db: DatabaseHandle) -> None:
    for loss in (ConnectionLostError("reset"), HTML, text(503, b"")):
        server.odd["ROLLBACK"] = loss
        with pytest.raises(KeyError), db.transaction() as tx:
            tx.exec("DELETE FROM t")
            raise KeyError


def test_a_commit_that_fails_leaves_the_transaction_open(server: Server, db: DatabaseHandle) -> None:
    failure = {"message": "SQLite error: FOREIGN KEY constraint failed", "code": "SQLITE_CONSTRAINT"}
    with session_of(db) as session:
        session.begin()
        server.odd["COMMIT"] = answer([stepped([None], [failure]), OPEN])
        with pytest.raises(IntegrityError):
            session.commit()
        assert session.in_transaction
        del server.odd["COMMIT"]
        session.commit()
        assert not session.in_transaction


def test_a_server_of_hrana_2_has_no_transactions(server: Server, db: DatabaseHandle) -> None:
    server.odd["BEGIN IMMEDIATE"] = Response(404, Headers({}), b"")
    with pytest.raises(UnsupportedError, match="Hrana 2"), db.transaction():
        pass


def test_a_batch_in_a_session_is_refused(server: Server, db: DatabaseHandle) -> None:
    with db.session() as session, pytest.raises(MesahubError, match="session"):
        session.batch(["DELETE FROM t"])
    assert server.asked == []


@pytest.mark.parametrize(
    "base_url",
    [
        "https://evil.example", "http://db.example.evil.example", "http://evildb.example", "http://10.0.0.1",
        "http://user@db.example", "ftp://db.example", "//db.example", "http://db.example\r\nX: y", "",
    ],
)  # fmt: skip
def test_a_session_is_not_sent_to_another_site(server: Server, db: DatabaseHandle, base_url: str) -> None:
    server.base_url = base_url
    with pytest.raises(ConfigurationError), db.transaction() as tx:
        tx.exec("DELETE FROM t")
    assert server.texts() == ["BEGIN IMMEDIATE"]


@pytest.mark.parametrize("base_url", ["http://db.example:9090", "https://eu.db.example/x/"])
def test_a_session_goes_on_where_the_server_says(base_url: str) -> None:
    made: dict[str, Server] = {}

    def transport(options: TransportOptions) -> Server:
        server = made[options.base_url] = Server()
        server.in_transaction = len(made) > 1
        return server

    with MesahubClient(None, "http://db.example:8080", transport=transport, dialect="libsql") as client:
        first = made["http://db.example:8080"]
        first.base_url = base_url
        with client.db("default").transaction() as tx:
            tx.exec("DELETE FROM t")
        second = made[base_url.rstrip("/")]
        assert first.texts() == ["BEGIN IMMEDIATE"]
        assert second.asked == [("DELETE FROM t", "b1"), ("COMMIT", "b1"), ("close", "b2")]
        assert (first.closed, second.closed) == (False, True)


def test_https_is_not_left_for_http() -> None:
    server = Server()
    server.base_url = "http://db.example"
    client = MesahubClient(None, "https://db.example", transport=server, dialect="libsql")
    with client, pytest.raises(ConfigurationError, match="same site"), client.db("default").transaction():
        pass


def test_a_large_answer_is_asked_for_by_cursor_as_a_part_of_the_same_call() -> None:
    session = LibsqlDialect().session("default")
    session.request("default", "exec", prepare("PRAGMA cache_size = 10", operation="exec"), timeout=None)
    request = session.request("default", "query", prepare("SELECT a FROM t", operation="query"), timeout=3)
    request = request.replace(verb="select", collection="t", statements=1, headers={"traceparent": "00-1-2-01"})
    error = {"message": "Response is too large", "code": "RESPONSE_TOO_LARGE"}
    body = {"results": [{"type": "error", "error": error}]}
    other = session.instead(request, Response(200, JSON, json.dumps(body).encode()))
    assert other is not None
    assert (other.path, other.timeout, other.safe) == ("/v3/cursor", 3, True)
    assert (other.verb, other.collection, other.statements) == ("select", "t", 1)
    assert other.headers == {"traceparent": "00-1-2-01"}
    assert isinstance(other.content, bytes)
    assert json.loads(other.content)["batch"]["steps"][0] == {"stmt": {"sql": "SELECT a FROM t"}}
