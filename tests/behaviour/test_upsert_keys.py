"""Keys of upserts, of `get` and of `iterate`: partial unique indexes, names in another case, names like our own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from mesahub import ArgumentError, DatabaseHandle, SQLError, all_of, col


def people(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE people (Id INTEGER PRIMARY KEY, Email TEXT, name TEXT, deleted INTEGER NOT NULL DEFAULT 0)")
    db.exec("CREATE UNIQUE INDEX live ON people (email) WHERE deleted = 0")


def test_upsert_on_a_partial_unique_index(db: DatabaseHandle) -> None:
    people(db)
    table = db.table("people")
    table.insert({"email": "a", "name": "old", "deleted": 1})
    for name in ("Ann", "Anna"):
        row = table.upsert({"email": "a", "name": name, "deleted": 0}, key="email", where={"deleted": 0})
        assert row == {"Id": 2, "Email": "a", "name": name, "deleted": 0}
    many = [{"email": "a", "name": "Annie"}, {"email": "b", "name": "Bob"}]
    assert table.upsert_many(many, "email", where={"deleted": 0}).rows_affected == 2
    assert table.insert_many(many, "update", key="email", where=col("deleted") == 0).rows_affected == 2
    assert [(row["Email"], row["name"]) for row in table.find(order_by="Id")] == [
        ("a", "old"),
        ("a", "Annie"),
        ("b", "Bob"),
    ]


def test_a_batch_upserts_on_a_partial_unique_index(db: DatabaseHandle) -> None:
    people(db)
    with db.batch() as batch:
        batch.table("people").insert({"email": "a", "name": "Ann"})
        batch.table("people").upsert({"email": "a", "name": "Anna"}, "email", where={"deleted": 0})
        batch.table("people").insert_many([{"email": "b"}], "update", key="email", where={"deleted": 0})
    assert [row["name"] for row in db.table("people").find(order_by="id")] == ["Anna", None]


@pytest.mark.parametrize(
    ("index", "where"),
    [
        ("kind = 'it''s ?' AND n IS NOT NULL", {"kind": "it's ?", "n": {"is_not_null": True}}),
        ("n IS NULL", {"n": None}),
        ("n >= -5 AND n < 1.5", {"n": {"gte": -5, "lt": 1.5}}),
        ("data = x'00ff'", {"data": b"\x00\xff"}),
        ("kind IN ('a', 'b') OR n = 1", (col("kind").in_(["a", "b"])) | (col("n") == 1)),
        ("\"wh?t\" = 1", {"wh?t": True}),
        ("n <> 2 AND kind IS NOT NULL", all_of(col("n") != 2, col("kind").is_not_null())),
    ],
)  # fmt: skip
def test_the_condition_of_a_conflict_target_holds_values(
    exact: DatabaseHandle, index: str, where: Mapping[str, Any]
) -> None:
    exact.exec("DROP TABLE IF EXISTS p")
    exact.exec('CREATE TABLE p (k TEXT, kind TEXT, n, data BLOB, "wh?t", v INTEGER)')
    exact.exec(f"CREATE UNIQUE INDEX p_k ON p (k) WHERE {index}")
    # No row is in the index, so each is inserted; without the index, SQLite would refuse the conflict target.
    table = exact.table("p")
    for v in (1, 2):
        table.upsert({"k": "x", "n": 7, "kind": "z", "v": v}, "k", where=where)
    assert table.count() in (1, 2)


def test_a_condition_that_is_not_that_of_an_index_is_an_error(db: DatabaseHandle) -> None:
    people(db)
    with pytest.raises(SQLError, match="ON CONFLICT clause does not match"):
        db.table("people").upsert({"email": "a"}, "email", where={"deleted": 1})


def test_a_condition_needs_a_key(exact: DatabaseHandle) -> None:
    table = exact.table("people")
    with pytest.raises(ArgumentError, match="where belongs to key="):
        table.upsert({"id": 1}, where={"deleted": 0})
    with pytest.raises(ArgumentError, match="on_conflict='update'"):
        table.insert_many([{"id": 1}], where={"deleted": 0})
    with pytest.raises(ArgumentError, match="NUL"):
        table.upsert({"id": 1}, "id", where={"deleted": "a\0b"})


def test_the_case_of_key_columns_does_not_matter(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE people (Id INTEGER PRIMARY KEY, Email TEXT UNIQUE, name TEXT)")
    table = db.table("people")
    table.insert({"ID": 1, "EMAIL": "a", "Name": "Ann"})
    assert table.get({"iD": 1}) == {"Id": 1, "Email": "a", "name": "Ann"}
    assert table.upsert({"EMAIL": "a", "Name": "B"}, key="email") == {"Id": 1, "Email": "a", "name": "B"}
    assert table.upsert({"id": 1, "Name": "C"}) == {"Id": 1, "Email": "a", "name": "C"}
    assert table.upsert({"Email": "a", "NAME": "D", "id": 9}, key="EMAIL", update=["name"]) == {
        "Id": 1,
        "Email": "a",
        "name": "D",
    }
    assert table.insert_many([{"email": "a", "Name": "E"}], "update", key=["Email"]).rows_affected == 1
    assert table.insert({"id": 1, "name": "E"}, idempotent=True) == {"Id": 1, "Email": "a", "name": "E"}
    assert table.get(1) == {"Id": 1, "Email": "a", "name": "E"}
    assert [row["name"] for row in table.iterate(key="ID", order_by="NAME")] == ["E"]


def test_only_ascii_letters_have_a_case(exact: DatabaseHandle) -> None:
    exact.exec("DROP TABLE IF EXISTS t")
    exact.exec('CREATE TABLE t ("é" INTEGER PRIMARY KEY, "É" TEXT)')
    table = exact.table("t")
    assert table.upsert({"é": 1, "É": "x"}) == {"é": 1, "É": "x"}
    with pytest.raises(ArgumentError, match="'é' is missing"):
        table.upsert({"É": "x"})
    table.insert_many([{"é": 2, "ñ": 1}], alter=True)
    table.insert_many([{"é": 3, "Ñ": 1}], alter=True)
    assert [column.name for column in table.columns()] == ["é", "É", "ñ", "Ñ"]


@pytest.mark.parametrize("batch_size", [2, 100])
@pytest.mark.parametrize("select", [None, ["_mesahub_key_0", "_mesahub_key_1_type"]])
def test_iterate_over_columns_named_like_our_own(
    exact: DatabaseHandle, select: list[str] | None, batch_size: int
) -> None:
    exact.exec("DROP TABLE IF EXISTS t")
    exact.exec(
        "CREATE TABLE t (_mesahub_key_0 TEXT PRIMARY KEY, _mesahub_key_1_type, __mesahub_key_0, n) WITHOUT ROWID"
    )
    table = exact.table("t")
    rows = [{"_mesahub_key_0": f"k{n}", "_mesahub_key_1_type": n, "__mesahub_key_0": -n, "n": n % 2} for n in range(5)]
    table.insert_many(rows)
    found = list(table.iterate(select=select, order_by="-n", batch_size=batch_size))
    expected = sorted(rows, key=lambda row: (-row["n"], row["_mesahub_key_0"]))  # type: ignore[operator]
    assert found == ([{name: row[name] for name in select} for row in expected] if select else expected)
