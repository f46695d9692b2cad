"""rqlite's dialect on exchanges that were recorded with rqlite 8.26.8."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, ClassVar

import pytest

import mesahub
from mesahub import (
    AmbiguousResultError,
    AuthenticationError,
    ConfigurationError,
    IntegrityError,
    MesahubClient,
    MesahubError,
    RetryPolicy,
    ServerError,
    UnrepresentableResultError,
    UnsupportedError,
)
from mesahub.dialects.base import Dialect
from mesahub.dialects.rqlite.dialect import RqliteDialect
from mesahub.errors import Outcome
from mesahub.sql import Statement, prepare
from mesahub.testing.dialect_contract import DialectContract, Exchange
from mesahub.transport import Headers, Request, Response

EXCHANGES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "rqlite" / "exchanges.json").read_text("utf-8")
)
DIALECT = RqliteDialect()
INSERT = "INSERT INTO t (a) VALUES (?)"
REMOTE = "node failed to process Execute on remote node at 127.0.0.1:4012: "


def plain(value: Any) -> Any:
    return bytes.fromhex(value["hex"]) if type(value) is dict else value


def request_of(sql: str, bindings: Any = (), operation: str = "exec", **options: Any) -> tuple[Request, Statement]:
    statement = prepare(sql, bindings or None, operation=operation)
    return DIALECT.request("main", operation, statement, **{"timeout": 30.0, **options}), statement


def sent(request: Request) -> Any:
    assert isinstance(request.content, bytes)
    return json.loads(request.content)


@pytest.mark.parametrize("exchange", EXCHANGES, ids=[exchange["what"] for exchange in EXCHANGES])
def test_a_recorded_exchange(exchange: dict[str, Any]) -> None:
    bindings = exchange["bindings"]
    values = bindings if type(bindings) is dict else [plain(value) for value in bindings]
    operation = exchange["operation"]
    request, statement = request_of(exchange["sql"], values, operation)
    assert (request.path, [list(pair) for pair in request.params]) == (exchange["path"], exchange["params"])
    assert sent(request) == exchange["sends"]
    response = Response(exchange["status"], content=exchange["content"].encode())
    assert DIALECT.succeeded(request, response) is exchange["succeeded"]
    if "raises" in exchange:
        assert DIALECT.outcome(request, response) is None
        with pytest.raises(MesahubError) as caught:
            DIALECT.answer(operation, statement, response)
        assert type(caught.value).__name__ == exchange["raises"]
        return
    answer = DIALECT.answer(operation, statement, response)
    gives = exchange["gives"]
    assert answer.columns == gives["columns"]
    assert answer.tuples() == [tuple(plain(value) for value in row) for row in gives["rows"]]
    assert [list(map(type, row)) for row in answer.tuples()] == [
        list(map(type, map(plain, row))) for row in gives["rows"]
    ]
    assert (answer.affected, answer.rowid) == (gives["affected"], gives["rowid"])


def top(text: str) -> bytes:
    return json.dumps({"results": [], "error": text}).encode()


@pytest.mark.parametrize(
    ("status", "content", "outcome"),
    [
        (200, top("not leader"), Outcome.REFUSED),
        (200, top("store not open"), Outcome.REFUSED),
        (200, top("leadership transfer in progress"), Outcome.REFUSED),
        (200, top(REMOTE + "not leader"), Outcome.REFUSED),
        (200, top(REMOTE + "pool get: dial tcp 127.0.0.1:4012: connect: connection refused"), Outcome.REFUSED),
        (503, b"leader not found\n", Outcome.REFUSED),
        (429, b"", Outcome.REFUSED),
        (200, top(REMOTE + "read protobuf length: EOF"), Outcome.MAYBE_RAN),
        (200, top(REMOTE + "write protobuf bytes: write tcp 1->2: write: broken pipe"), Outcome.MAYBE_RAN),
        (200, top("leadership lost while committing log"), Outcome.MAYBE_RAN),
        (200, top("something that is not leader"), Outcome.MAYBE_RAN),
        (200, top("not leader\nafter all"), Outcome.MAYBE_RAN),
        (200, top(REMOTE + "i/o timeout after pool get: dial tcp 1"), Outcome.MAYBE_RAN),
        (200, top("stale read"), Outcome.MAYBE_RAN),
        (200, b'{"error":"not leader"}', Outcome.MAYBE_RAN),
        (200, b'{"results":[{}],"error":"not leader"}', Outcome.MAYBE_RAN),
        (200, b"<html>not leader</html>", Outcome.MAYBE_RAN),
        (200, b"", Outcome.MAYBE_RAN),
        (503, b"<html>Service Unavailable</html>", Outcome.MAYBE_RAN),
        (500, b"leader not found", Outcome.MAYBE_RAN),
        (502, b"", Outcome.MAYBE_RAN),
        (408, b"", Outcome.MAYBE_RAN),
        (401, b"", None),
        (400, b"invalid request\n", None),
        (200, b'{"results":[{},{"last_insert_id":1,"rows_affected":1},{"error":"not leader"}]}', None),
        (200, b'{"results":[{},{},{"error":"pool get: dial tcp 1"}]}', None),
        (500, b"json: error calling MarshalJSON for type *http.DBResults: json: unsupported value: +Inf\n", None),
    ],
)
def test_what_became_of_a_write(status: int, content: bytes, outcome: Outcome | None) -> None:
    request, statement = request_of(INSERT, [1])
    response = Response(status, content=content)
    assert not DIALECT.succeeded(request, response)
    assert DIALECT.outcome(request, response) is outcome
    with pytest.raises(MesahubError):
        DIALECT.answer("exec", statement, response)


@pytest.mark.parametrize(
    "content",
    [
        b"[]", b"{}", b'{"results":null}', b'{"results":[]}', b'{"results":[1,2,3]}', b'{"results":[{}]}',
        b'{"results":[{},{},{},{}]}', b'{"results":[{},{},{"rows_affected":"1"}]}',
        b'{"results":[{},{},{"rows_affected":1.5}]}',
        b'{"results":[{},{},{"columns":["a"],"types":[],"values":[]}]}', b'{"results":[{},{},{"columns":5,"types":5}]}',
        b'{"results":[{},{},{"columns":["a"],"types":["blob"],"values":[[[256]]]}]}',
        b'{"results":[{},{},{"columns":["a"],"types":["a"],"values":[[1,2]]}]}', b'"results"', b"\xff",
    ],
)  # fmt: skip
def test_another_shape_is_no_result(content: bytes) -> None:
    _, write = request_of(INSERT, [1])
    with pytest.raises(AmbiguousResultError):
        DIALECT.answer("exec", write, Response(200, content=content))
    _, read = request_of("SELECT 1", operation="query")
    with pytest.raises(ServerError):
        DIALECT.answer("query", read, Response(200, content=content.replace(b"{},{},{", b"{},{")))


def test_a_write_whose_rows_are_missing_is_an_error_that_says_so() -> None:
    _, statement = request_of("UPDATE t SET a = 1 RETURNING a")
    lost = Response(200, content=b'{"results":[{},{"last_insert_id":4,"rows_affected":7}]}')
    with pytest.raises(UnrepresentableResultError, match="was carried out"):
        DIALECT.answer("exec", statement, lost)


def test_401_names_what_is_missing() -> None:
    with pytest.raises(AuthenticationError, match="user or the password"):
        DIALECT.answer("exec", request_of(INSERT, [1])[1], Response(401))


def test_the_timeout_of_a_statement_is_not_sent_again() -> None:
    request, statement = request_of("SELECT 1", operation="query")
    late = Response(200, content=b'{"results":[{},{"error":"query timeout"}]}')
    assert DIALECT.outcome(request, late) is None
    with pytest.raises(mesahub.RequestTimeoutError):
        DIALECT.answer("query", statement, late)


def test_each_read_has_its_consistency() -> None:
    def params(**options: Any) -> dict[str, str]:
        hints = {"consistency": options.pop("consistency")} if "consistency" in options else {}
        return dict(request_of("SELECT 1", operation="query", hints=hints, **options)[0].params)

    assert params() == {"level": "weak", "blob_array": "true", "db_timeout": "30.000000s"}
    assert params(consistency="strong")["level"] == "strong"
    assert params(consistency="linearizable")["level"] == "strong"
    assert params(consistency="none") == params() | {"level": "none", "freshness": "5.000000s"}
    assert params(timeout=None) == {"level": "weak", "blob_array": "true", "timeout": "24h"}
    assert params(timeout=90.0)["timeout"] == "90.000000s"
    other = RqliteDialect({"freshness": "0.5"})
    read = prepare("SELECT 1", operation="query")
    request = other.request("main", "query", read, timeout=1.0, hints={"consistency": "none"})
    assert dict(request.params)["freshness"] == "0.500000s"


def test_a_write_is_not_queued_and_says_nothing_of_consistency() -> None:
    request, _ = request_of(INSERT, [1], hints={"consistency": "none"})
    assert (request.path, request.params, request.safe) == ("/db/execute", (), False)


@pytest.mark.parametrize(
    "options", [{"freshness": "0"}, {"freshness": "soon"}, {"freshness": "nan"}, {"nondeterministic": "maybe"}]
)
def test_an_option_that_is_wrong(options: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError):
        RqliteDialect(options)


def test_rows_go_as_one_statement_with_their_returning() -> None:
    statement = Statement('INSERT INTO "t" ("a") VALUES (?) RETURNING "id"', [], "insert", True, [(1,), (b"x",)])
    body = sent(DIALECT.request("main", "exec", statement, timeout=1.0))
    assert len(body) == 2
    assert body[1][0].startswith("DELETE FROM mesahub_returning WHERE 1 = 0 RETURNING 1; INSERT INTO")
    assert "json_each(?)" in body[1][0]


def test_foreign_keys_are_unchecked_for_one_request() -> None:
    statement = Statement(INSERT, [1], "insert", True, unchecked=True)
    body = sent(DIALECT.request("main", "exec", statement, timeout=1.0))
    assert (body[0], body[-2], body[-1]) == (["PRAGMA foreign_keys = OFF"], [INSERT, 1], ["PRAGMA foreign_keys = ON"])
    content = b'{"results":[{},{},{},{"last_insert_id":3,"rows_affected":1},{}]}'
    assert DIALECT.answer("exec", statement, Response(200, content=content)).rowid == 3


def test_no_mark_changes_what_last_insert_rowid_gives() -> None:
    request, statement = request_of("INSERT INTO t (a) VALUES (last_insert_rowid())")
    assert sent(request) == [["INSERT INTO t (a) VALUES (last_insert_rowid())"]]
    answer = DIALECT.answer(
        "exec", statement, Response(200, content=b'{"results":[{"last_insert_id":3,"rows_affected":1}]}')
    )
    assert (answer.affected, answer.rowid) == (1, None)


BATCH = [prepare(INSERT, [1], operation="exec"), prepare("DELETE FROM t RETURNING a", operation="exec")]


def test_a_batch_is_one_transaction() -> None:
    request = DIALECT.batch("main", BATCH, timeout=1.0)
    assert (request.path, dict(request.params)["transaction"], request.safe) == ("/db/request", "true", False)
    assert len(sent(request)) == 3 + 3 + 2
    content = json.dumps(
        {
            "results": [
                {}, {}, {}, {}, {}, {"last_insert_id": 9, "rows_affected": 1},
                {}, {"columns": ["a"], "types": ["integer"], "values": [[1], [2]]},
            ]
        }
    ).encode()  # fmt: skip
    answers = DIALECT.batch_answer(BATCH, Response(200, content=content))
    assert answers is not None
    assert [(answer.affected, answer.rowid, answer.rows) for answer in answers] == [(1, 9, []), (2, None, [(1,), (2,)])]


def test_one_error_voids_the_batch_and_is_named() -> None:
    content = b'{"results":[{},{},{},{},{},{"rows_affected":1},{},{"error":"FOREIGN KEY constraint failed"}]}'
    request = DIALECT.batch("main", BATCH, timeout=1.0)
    assert DIALECT.outcome(request, Response(200, content=content)) is None
    with pytest.raises(IntegrityError) as caught:
        DIALECT.batch_answer(BATCH, Response(200, content=content))
    assert caught.value.details["statement"] == 1


def test_a_ticket_that_is_taken_says_that_the_batch_ran() -> None:
    request = DIALECT.batch("main", BATCH, timeout=1.0, ticket="4711")
    assert request.safe
    text, ticket, made = sent(request)[2]
    assert (text, ticket) == ("INSERT INTO mesahub_tickets (ticket, made) VALUES (?, ?)", "4711")
    assert sent(request)[1] == ["DELETE FROM mesahub_tickets WHERE made < ?", made - 7 * 86_400]
    ran = b'{"results":[{},{},{"error":"UNIQUE constraint failed: mesahub_tickets.ticket"}]}'
    assert DIALECT.batch_answer(BATCH, Response(200, content=ran)) is None
    forged = b'{"results":[{},{},{},{},{},{"error":"UNIQUE constraint failed: mesahub_tickets.ticket"}]}'
    with pytest.raises(IntegrityError):
        DIALECT.batch_answer(BATCH, Response(200, content=forged))


def test_a_batch_that_got_another_shape_may_have_run() -> None:
    for content in (b"{}", b'{"results":[{},{},{}]}', b"<html>", b'{"results":[],"error":"leadership lost"}'):
        with pytest.raises(AmbiguousResultError):
            DIALECT.batch_answer(BATCH, Response(200, content=content))


def test_the_url_and_what_goes_with_it() -> None:
    seen: list[Request] = []

    class One:
        def send(self, request: Request) -> Response:
            seen.append(request)
            return Response(200, content=b'{"results":[{},{"columns":["1"],"types":["integer"],"values":[[1]]}]}')

        def close(self) -> None:
            pass

    url = "rqlite://bob:s%3Acret@a:4001,b:4001/?freshness=2"
    with mesahub.connect(url, transport=lambda options: One(), retry=RetryPolicy.none()) as db:
        assert db.query("SELECT 1").rows == [{"1": 1}]
        with pytest.raises(UnsupportedError, match="rqlite does not support files"):
            _ = db.files
    value = seen[0].headers["Authorization"]
    assert base64.b64decode(value.removeprefix("Basic ")) == b"bob:s:cret"
    with MesahubClient(None, "http://a:4001", dialect="rqlite", transport=lambda options: One()) as client:
        assert client.query("main", "SELECT 1").rows == [{"1": 1}]
        with pytest.raises(UnsupportedError, match="administration"):
            _ = client.admin
        with pytest.raises(UnsupportedError, match="more than one database"):
            client.db("other")
    assert "Authorization" not in seen[1].headers


@pytest.mark.parametrize("key", ["word", "a:b\n"])
def test_a_key_that_is_no_user_and_password(key: str) -> None:
    with pytest.raises(ConfigurationError, match="user:password"):
        DIALECT.authorize(key)


def test_a_recording_holds_answers_and_no_refusals(tmp_path: Path) -> None:
    class One:
        answers: ClassVar[list[bytes]] = [
            b'{"results":[],"error":"not leader"}',
            b'{"results":[{},{},{"last_insert_id":7,"rows_affected":1}]}',
            b'{"results":[{},{},{"error":"UNIQUE constraint failed: t.a"}]}',
        ]

        def send(self, request: Request) -> Response:
            return Response(200, Headers({"Content-Type": "application/json"}), self.answers.pop(0))

        def close(self) -> None:
            pass

    def run(**options: Any) -> None:
        cassette = str(tmp_path / "cassette.json")
        retry = RetryPolicy(backoff=0)
        with mesahub.connect("rqlite://a/", transport="recorder", cassette=cassette, retry=retry, **options) as db:
            assert db.exec(INSERT, [1]).last_insert_rowid == 7
            with pytest.raises(IntegrityError):
                db.exec(INSERT, [1])

    run(mode="record", inner=One())
    run(mode="replay")
    assert "not leader" not in (tmp_path / "cassette.json").read_text()


class TestContract(DialectContract):
    key = "bob:T0p-S3cret-Key"
    urls = ("rqlite://bob:s3cret@host.example:4001,other.example/", "rqlite://bob:s3cret@localhost/main")
    exchanges = (
        Exchange(
            "SELECT a, b FROM t",
            {"results": [{}, {"columns": ["a", "b"], "types": ["real", "blob"], "values": [[3, [0, 1]]]}]},
            columns=["a", "b"],
            rows=[(3.0, b"\x00\x01")],
        ),
        Exchange(
            "INSERT INTO t VALUES (1)",
            {"results": [], "error": "not leader"},
            raises=AmbiguousResultError,
            outcome=Outcome.REFUSED,
        ),
    )

    @pytest.fixture
    def dialect(self) -> Dialect:
        return RqliteDialect()
