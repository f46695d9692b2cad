"""Which rqlite node a request goes to, without any I/O."""

from __future__ import annotations

from mesahub import NotSentError
from mesahub.dialects.rqlite.endpoints import RqliteEndpoints
from mesahub.errors import ConnectionLostError
from mesahub.transport import Request, Response
from mesahub.transport.messages import Headers

URLS = ["http://a:4001", "http://b:4001", "http://c:4001"]
REQUEST = Request("exec", "POST", "/db/execute")
OWN = Response(200, content=b'{"results":[{}]}')
NO_LEADER = Response(200, content=b'{"results":[],"error":"not leader"}')


def by(leader: str) -> Response:
    return Response(200, Headers({"X-Rqlite-Served-By": leader}), b'{"results":[{}]}')


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def first(endpoints: RqliteEndpoints) -> int:
    return endpoints.order(REQUEST)[0]


def test_the_leader_is_found_by_the_answers_and_kept() -> None:
    endpoints = RqliteEndpoints(URLS)
    endpoints.answered(0, REQUEST, by("c:4002"))
    assert first(endpoints) == 1
    endpoints.answered(1, REQUEST, by("c:4002"))
    assert first(endpoints) == 2
    endpoints.answered(2, REQUEST, OWN)
    assert [first(endpoints), first(endpoints)] == [2, 2]
    assert sorted(endpoints.order(REQUEST)) == [0, 1, 2]


def test_a_leader_that_was_not_listed_is_not_followed() -> None:
    endpoints = RqliteEndpoints(URLS[:2])
    endpoints.answered(0, REQUEST, by("z:4002"))
    endpoints.answered(1, REQUEST, by("z:4002"))
    assert first(endpoints) == 1
    endpoints.answered(1, REQUEST, by("z:4002"))
    assert first(endpoints) == 1
    endpoints.answered(1, REQUEST, by("y:4002"))
    assert first(endpoints) == 0


def test_one_host_stays_the_one() -> None:
    endpoints = RqliteEndpoints(URLS[:1])
    endpoints.answered(0, REQUEST, by("z:4002"))
    endpoints.answered(0, REQUEST, NO_LEADER)
    endpoints.failed(0, REQUEST, NotSentError("refused"))
    assert endpoints.order(REQUEST) == [0]


def test_a_node_without_a_leader_gives_way_to_the_next() -> None:
    endpoints = RqliteEndpoints(URLS)
    endpoints.answered(0, REQUEST, NO_LEADER)
    assert first(endpoints) == 1
    endpoints.answered(1, REQUEST, Response(503, content=b"leader not found\n"))
    assert first(endpoints) == 2


def test_a_node_that_is_down_comes_last_for_longer_each_time() -> None:
    clock = Clock()
    endpoints = RqliteEndpoints(URLS, clock)
    endpoints.failed(0, REQUEST, NotSentError("refused"))
    assert endpoints.order(REQUEST) == [1, 2, 0]
    endpoints.answered(1, REQUEST, OWN)
    clock.now = 1.5
    endpoints.failed(0, REQUEST, NotSentError("refused"))
    clock.now = 3.0
    endpoints.failed(1, REQUEST, ConnectionLostError("reset"))
    assert endpoints.order(REQUEST) == [2, 0, 1]
    clock.now = 60.0
    assert endpoints.order(REQUEST) == [2, 0, 1]
    endpoints.answered(0, REQUEST, OWN)
    assert first(endpoints) == 0


def test_the_search_for_the_leader_leaves_out_what_is_down() -> None:
    clock = Clock()
    endpoints = RqliteEndpoints(URLS, clock)
    endpoints.failed(1, REQUEST, NotSentError("refused"))
    endpoints.answered(0, REQUEST, by("b:4002"))
    assert first(endpoints) == 2
    endpoints.answered(2, REQUEST, by("b:4002"))
    assert first(endpoints) == 2
    clock.now = 2.0
    endpoints.answered(2, REQUEST, by("b:4002"))
    assert first(endpoints) == 1


def test_a_read_without_consistency_says_nothing_of_the_leader() -> None:
    endpoints = RqliteEndpoints(URLS)
    endpoints.answered(0, REQUEST, by("b:4002"))
    read = Request("query", "POST", "/db/query", hints={"consistency": "none"})
    endpoints.answered(2, read, OWN)
    assert first(endpoints) == 1
