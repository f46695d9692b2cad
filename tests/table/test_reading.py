"""get, find, count, exists, aggregate on real tables of every kind."""

from __future__ import annotations

from typing import Any

import pytest

from mesahub import ArgumentError, DatabaseHandle, NoSuchColumnError, NoSuchTableError, TruncatedResultError, col
from mesahub.transport import Request, Response


def test_get_by_key(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE one (id INTEGER PRIMARY KEY, n)")
    db.exec("CREATE TABLE two (a TEXT, b INTEGER, n, PRIMARY KEY (b, a)) WITHOUT ROWID")
    db.exec("CREATE TABLE none (n)")
    db.table("one").insert_many([{"id": 1, "n": "x"}, {"id": 2, "n": "y"}])
    db.table("two").insert_many([{"a": "p", "b": 1, "n": "x"}, {"a": "q", "b": 1, "n": "y"}])
    db.table("none").insert_many([{"n": "x"}, {"n": "y"}])
    assert db.table("one").get(2) == {"id": 2, "n": "y"}
    assert db.table("one").get(2, select=["n"]) == {"n": "y"}
    assert db.table("one").get(3) is None
    assert db.table("one").get(None) is None
    assert db.table("one").get({"id": 1}) == {"id": 1, "n": "x"}
    assert db.table("two").get((1, "q")) == {"a": "q", "b": 1, "n": "y"}
    assert db.table("two").get({"a": "p", "b": 1}, ["n"]) == {"n": "x"}
    assert db.table("two").get({"a": None, "b": 1}) is None
    assert db.table("none").get(2) == {"n": "y"}


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (1, r"has 2 columns \(a, b\), and 1 values were given"),
        ((1, 2, 3), "3 values were given"),
        ({"a": 1}, r"is \(a, b\), not \(a\)"),
        ({"a": 1, "c": 2}, r"is \(a, b\), not \(a, c\)"),
        ((1, {"gt": 0}), "A value of type dict"),
        ((1, [2]), "expected a single value, not a list"),
    ],
)
def test_get_wants_the_whole_key_and_values(db: DatabaseHandle, key: Any, message: str) -> None:
    db.exec("CREATE TABLE t (a, b, PRIMARY KEY (a, b))")
    with pytest.raises(ArgumentError, match=message):
        db.table("t").get(key)


def test_the_primary_key_is_told(db: DatabaseHandle) -> None:
    db.exec('CREATE TABLE "a""b" (x TEXT, "y z" INT, PRIMARY KEY ("y z", x))')
    db.exec("CREATE TABLE plain (n)")
    db.exec("CREATE TABLE odd (rowid TEXT, n)")
    db.exec("CREATE VIEW v AS SELECT * FROM plain")
    assert db.table('a"b').primary_key() == [("y z", "INT"), ("x", "TEXT")]
    assert db.table("PLAIN").primary_key() == [("rowid", "INTEGER")]
    assert db.table("odd").primary_key() == [("_rowid_", "INTEGER")]
    assert db.table("v").primary_key() == []
    with pytest.raises(ArgumentError, match="is a view, which has no primary key"):
        db.table("v").get(1)
    with pytest.raises(NoSuchTableError, match="no such table: nothing"):
        db.table("nothing").primary_key()


def test_a_key_is_asked_again_when_the_table_was_made_anew(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (a INTEGER PRIMARY KEY, n)")
    t = db.table("t")
    assert t.get(1) is None
    db.exec("DROP TABLE t")
    db.exec("CREATE TABLE t (b INTEGER PRIMARY KEY, n)")
    assert t.upsert({"b": 1, "n": 2}) == {"b": 1, "n": 2}
    assert t.get(1) == {"b": 1, "n": 2}
    with pytest.raises(NoSuchColumnError, match="typo"):
        t.get(1, select=["typo"])
    db.exec("DROP TABLE t")
    with pytest.raises(NoSuchTableError):
        t.get(1)


def test_aggregate_exists_and_count(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, g TEXT, n INTEGER)")
    t = db.table("t")
    t.insert_many([{"g": "a", "n": 1}, {"g": "a", "n": 3}, {"g": "b", "n": 5}, {"g": None, "n": None}])
    functions: dict[str, str | tuple[str, str]] = {
        "rows": "count",
        "sum": ("sum", "n"),
        "low": ("min", "n"),
        "kinds": ("count_distinct", "g"),
    }
    assert t.aggregate(functions) == [{"rows": 4, "sum": 9, "low": 1, "kinds": 2}]
    assert t.aggregate({"n": "count"}, {"g": {"is_not_null": True}}, group_by="g", order_by=["-n"]) == [
        {"g": "a", "n": 2},
        {"g": "b", "n": 1},
    ]
    assert t.aggregate({"m": ("max", "n")}, group_by=["g"], having={"m": {"gt": 3}}) == [{"g": "b", "m": 5}]
    assert t.exists({"g": "a"}) is True
    assert t.exists(col("g") == "z") is False
    assert (t.count(), t.count({"g": None})) == (4, 1)
    assert t.find(select=["g"], distinct=True, order_by=[{"column": "g", "nulls": "last"}]) == [
        {"g": "a"},
        {"g": "b"},
        {"g": None},
    ]


def test_json_paths_find(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, data TEXT)")
    t = db.table("t")
    t.insert_many([{"data": '{"a": {"b": 1}}'}, {"data": '{"a": {"b": "x"}}'}, {"data": "{}"}])
    assert [row["id"] for row in t.find(col("data").json("$.a.b") == 1)] == [1]
    assert [row["id"] for row in t.find(col("data").json("$.a").json("$.b").in_(["x", None]))] == [2, 3]


class Cutting:
    """A server whose answers have as many rows as the real one gives at most."""

    def send(self, request: Request) -> Response:
        return Response(200, payload={"columns": ["n"], "rows": [{"n": 1}] * 100_000})

    def close(self) -> None:
        pass


def test_a_result_that_may_be_cut_is_not_handed_over_as_whole() -> None:
    from mesahub import MesahubClient

    with MesahubClient(transport=Cutting()) as client:
        t = client.db("x").table("t")
        for limit in (None, 100_001):
            with pytest.raises(TruncatedResultError, match="iterate"):
                t.find(limit=limit)
        assert len(t.find(limit=100_000)) == 100_000
