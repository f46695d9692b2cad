"""Long responses become structs of msgspec directly, and what does not fit is found in the usual way."""

from __future__ import annotations

import json
from typing import Annotated, Any

import msgspec
import pytest

import mesahub
from mesahub import ResultError, ServerError, TableHandle, stored
from mesahub.transport import Request, Response


class Point(msgspec.Struct, rename={"label": "name"}):
    id: int
    label: str | None
    size: float = 0.5


class Tagged(msgspec.Struct, tag=True):
    id: int


class Adapted(msgspec.Struct):
    id: Annotated[int, stored.using(int, int, int)]


class Canned:
    """A transport that gives one body to every request, and says whether it was parsed."""

    def __init__(self, answer: Any) -> None:
        self.body = json.dumps(answer).encode()

    def send(self, request: Request, /) -> Response:
        assert b"parse" not in (request.content or b"")
        return Response(200, {"content-type": "application/json"}, self.body)

    def close(self) -> None: ...


def table(answer: Any, model: Any = Point) -> TableHandle[Any]:
    client = mesahub.MesahubClient(
        "key", "http://localhost:1", transport=Canned(answer), retry=mesahub.RetryPolicy.none()
    )
    return client.db("d").table("points", model)


def answer(rows: list[dict[str, Any]], names: tuple[str, ...] = ("id", "name", "size"), **more: Any) -> dict[str, Any]:
    headers = [{"name": name, "displayName": name, "originalType": "", "type": "text"} for name in names]
    return {"headers": headers, "rows": rows, "stat": {"queryDurationMs": 1.5, "rowsRead": 1}, **more}


ROWS: list[dict[str, Any]] = [{"id": n, "name": None if n % 7 == 0 else f"p{n}", "size": n} for n in range(1_000)]
POINTS = [Point(row["id"], row["name"], float(row["size"])) for row in ROWS]


def test_a_long_response_makes_no_dict_of_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesahub._util.json.loads_long", lambda _: pytest.fail("parsed as dicts"))
    points = table(answer(ROWS)).find()
    assert points == POINTS
    assert {type(point.size) for point in points} == {float}
    ids = table(answer([{"id": row["id"], "name": row["name"]} for row in ROWS], ("id", "name"))).find(
        select=["id", "name"]
    )
    assert ids[5] == Point(5, "p5", 0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": None}, r"Point\.id: column 'id' of table 'points' holds NULL.*row 999"),
        ({"id": "x"}, r"Point\.id: column 'id' of table 'points' holds TEXT"),
        ({"name": 0}, r"Point\.label: column 'name' of table 'points' holds a value of another type"),
        ({"size": "blob"}, r"Point\.size: column 'size' of table 'points' holds BLOB"),
    ],
)
def test_a_value_that_does_not_fit_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ResultError, match=message):
        table(answer([*ROWS[:-1], {**ROWS[-1], **change}])).find()


def test_infinities_and_other_classes_take_the_usual_way() -> None:
    rows = [*ROWS, {"id": 5, "name": "x", "size": "-inf"}]
    assert table(answer(rows)).find()[-1] == Point(5, "x", float("-inf"))
    ids = [{"id": n} for n in range(5_000)]
    assert table(answer(ids, ("id",)), Tagged).find()[7] == Tagged(7)
    assert table(answer(ids, ("id",)), Adapted).find()[7] == Adapted(7)


@pytest.mark.parametrize(
    "other",
    [
        answer(ROWS, error="no"),
        answer(ROWS, ("id", "name", "other")),
        {"rows": ROWS},
        {"headers": None, "rows": ROWS},
        answer([{"id": 1}] * 5_000),
        answer([[1, 2]] * 5_000),  # type: ignore[list-item]
    ],
)
def test_a_response_that_is_not_a_result_is_an_error(other: Any) -> None:
    with pytest.raises((ServerError, ResultError)):
        table(other).find()


def test_rows_of_a_server_are_those_of_a_dict_table(server: Any) -> None:
    server.new_database("direct")
    with mesahub.connect(server.url("direct")) as db:
        db.exec("DROP TABLE IF EXISTS points")
        db.exec("CREATE TABLE points (id INTEGER PRIMARY KEY, name TEXT, size REAL)")
        db.table("points", Point).insert_many(POINTS)
        assert db.table("points", Point).find(order_by="id") == POINTS
        assert list(db.table("points", Point).iterate(order_by="-id")) == POINTS[::-1]
