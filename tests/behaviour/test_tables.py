"""The table API does the same on every transport."""

from __future__ import annotations

import pytest

from mesahub import ArgumentError, DatabaseHandle, IntegrityError, NoSuchColumnError, NoSuchTableError

PEOPLE: list[dict[str, object]] = [
    {"name": "Ann", "age": 41, "role": "admin"},
    {"name": "Bob", "age": 17, "role": None},
    {"name": "Cem", "age": 28, "role": "editor"},
    {"name": "Dee", "age": None, "role": "editor"},
]


def fill(db: DatabaseHandle) -> None:
    db.exec(
        "CREATE TABLE people "
        "(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, age INTEGER CHECK (age >= 0), role TEXT)"
    )
    assert db.table("people").insert_many(PEOPLE).rows_affected == 4


def names(rows: list[dict[str, object]]) -> list[object]:
    return [row["name"] for row in rows]


def test_find_filters_orders_and_pages(db: DatabaseHandle) -> None:
    fill(db)
    people = db.table("people")
    assert names(people.find(where={"age": {"gte": 18}}, order_by=["name"])) == ["Ann", "Cem"]
    assert names(people.find(where={"role": None})) == ["Bob"]
    assert names(people.find(where={"role": {"in": ["admin", "editor"]}}, order_by=["-name"], limit=2)) == [
        "Dee",
        "Cem",
    ]
    assert names(people.find(order_by=["id"], limit=2, offset=1)) == ["Bob", "Cem"]
    assert people.find_one(where={"name": "nobody"}) is None
    assert people.count(where={"age": {"gt": 1, "lt": 30}}) == 2


def test_insert_gives_the_row_back(db: DatabaseHandle) -> None:
    fill(db)
    row = db.table("people").insert({"name": "Eve", "age": 5})
    assert row == {"id": 5, "name": "Eve", "age": 5, "role": None}


def test_update_and_delete_touch_what_the_filter_says(db: DatabaseHandle) -> None:
    fill(db)
    people = db.table("people")
    assert people.update(where={"role": "editor"}, set={"role": "author"}).rows_affected == 2
    assert people.delete(where={"role": "author"}).rows_affected == 2
    assert names(people.find(order_by=["name"])) == ["Ann", "Bob"]


@pytest.mark.parametrize("where", [{}, {"id": {"not_in": []}}])
def test_a_filter_that_is_always_true_changes_nothing(db: DatabaseHandle, where: dict[str, object]) -> None:
    fill(db)
    with pytest.raises(ArgumentError, match="all_rows"):
        db.table("people").delete(where=where)
    with pytest.raises(ArgumentError, match="all_rows"):
        db.table("people").update(where=where, set={"age": 1})
    assert db.table("people").count() == 4


def test_a_misspelt_column_is_an_error_everywhere(db: DatabaseHandle) -> None:
    fill(db)
    people = db.table("people")
    with pytest.raises(NoSuchColumnError):
        people.delete(where={"nmae": "nmae"})
    with pytest.raises(NoSuchColumnError):
        people.find(where={"nmae": "nmae"})
    with pytest.raises(NoSuchColumnError):
        people.find(order_by=["nmae"])
    with pytest.raises(NoSuchColumnError):
        people.find(select=["nmae"])
    with pytest.raises(NoSuchTableError):
        db.table("poeple").find()
    assert people.count() == 4


def test_a_broken_constraint_says_which(db: DatabaseHandle) -> None:
    fill(db)
    people = db.table("people")
    with pytest.raises(IntegrityError) as unique:
        people.insert({"name": "Ann"})
    assert (unique.value.kind, unique.value.table, unique.value.columns) == ("unique", "people", ("name",))
    with pytest.raises(IntegrityError) as missing:
        people.insert({"age": 1})
    assert (missing.value.kind, missing.value.columns) == ("not_null", ("name",))
    with pytest.raises(IntegrityError) as check:
        people.insert({"name": "Eve", "age": -1})
    assert check.value.kind == "check"
    assert people.count() == 4


def test_many_rows_go_in_and_come_out_by_pages(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, s TEXT)")
    rows = [{"id": i, "n": i % 7, "s": f"row {i}"} for i in range(6_000)]
    assert db.table("t").insert_many(rows).rows_affected == 6_000
    assert list(db.table("t").iterate(batch_size=1_000)) == rows


@pytest.mark.parametrize("name", ['a"b', "select", "main.t", "tä ble", "[x]", "a;b", "--"])
def test_any_name_is_one_name(db: DatabaseHandle, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    db.exec(f"CREATE TABLE {quoted} ({quoted} INTEGER)")
    table = db.table(name)
    assert table.insert({name: 1}) == {name: 1}
    assert table.find(where={name: 1}, select=[name], order_by=[{"column": name, "direction": "desc"}]) == [{name: 1}]
    assert table.update(where={name: 1}, set={name: 2}).rows_affected == 1
    assert table.delete(where={name: 2}).rows_affected == 1


def test_get_upsert_and_returning(db: DatabaseHandle) -> None:
    fill(db)
    people = db.table("people")
    assert people.get(2, select=["name"]) == {"name": "Bob"}
    assert people.get(99) is None
    assert people.upsert({"name": "Bob", "age": 18}, key="name") == {"id": 2, "name": "Bob", "age": 18, "role": None}
    assert people.upsert({"id": 2, "name": "Bob", "age": 17}, returning=["age"]) == {"age": 17}
    assert people.insert({"id": 77, "name": "Zoe"}, returning=["name", "age"]) == {"name": "Zoe", "age": None}
    with pytest.raises(ArgumentError, match="returning must be True or a list"):
        people.insert({"name": "Dan"}, returning=None)
    done = people.upsert_many(
        [{"id": 2, "name": "", "age": 19}, {"id": 9, "name": "Eve", "age": None}],
        update=["age"],
        returning=["id", "age"],
    )
    assert (done.rows_affected, done.rows) == (2, [{"id": 2, "age": 19}, {"id": 9, "age": None}])
    assert people.update({"id": 9}, {"age": 1}, returning=True).rows == [
        {"id": 9, "name": "Eve", "age": 1, "role": None}
    ]
    assert people.delete({"id": 9}, returning=["name"]).rows == [{"name": "Eve"}]


def test_an_idempotent_insert_may_be_said_twice(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (id TEXT PRIMARY KEY, n INTEGER, b BLOB)")
    t = db.table("t")
    row = {"id": "k", "n": 2**60 + 1, "b": b"\x00\xff"}
    assert t.insert(row, idempotent=True) == row
    assert t.insert(row, idempotent=True) == row
    assert t.insert(row, returning=["n"], idempotent=True) == {"n": 2**60 + 1}
    with pytest.raises(IntegrityError) as caught:
        t.insert(row | {"n": 1}, idempotent=True)
    assert (caught.value.kind, caught.value.columns) == ("unique", ("id",))


def test_a_list_of_any_length_and_kind(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, x, s TEXT)")
    t = db.table("t")
    values = [2**63 - 1, 0.1, 1e16, 1.0, b"\x00\xff", "a\0b", "5", "é", 1e-300]
    t.insert_many([{"x": value, "s": "5"} for value in values])
    assert t.count({"x": {"in": values * 20}}) == len(values)
    assert t.count({"x": {"in": [*range(200), "é"]}}) == 2  # 1.0 and é
    assert t.count({"x": {"not_in": [*range(200), "é"]}}) == len(values) - 2
    assert t.count({"s": {"in": list(range(200))}}) == len(values)


def test_pages_by_odd_keys(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (a, b TEXT, r REAL, PRIMARY KEY (a, b))")
    t = db.table("t")
    rows = [{"a": a, "b": b, "r": 3.0} for a in (None, 1, 1.5, "x", b"\x00") for b in (None, "a", "b")]
    t.insert_many(rows)
    found = list(t.iterate(order_by=["-r", {"column": "a", "nulls": "last"}], select=["b", "r"], batch_size=2))
    assert len(found) == len(rows)
    assert sorted(str(row["b"]) for row in found) == sorted(str(row["b"]) for row in rows)
    assert all(type(row["r"]) is float for row in found)


def test_rows_of_defaults_and_aggregates(db: DatabaseHandle) -> None:
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, g TEXT DEFAULT 'none', n INTEGER DEFAULT 7)")
    t = db.table("t")
    assert t.insert({}) == {"id": 1, "g": "none", "n": 7}
    assert t.insert_many([{}, {"g": "a"}, {"n": None, "g": "a"}, {}]).rows_affected == 4
    assert t.aggregate(
        {"rows": "count", "sum": ("sum", "n")}, group_by="g", having={"rows": {"gt": 1}}, order_by=["-rows"]
    ) == [{"g": "none", "rows": 3, "sum": 21}, {"g": "a", "rows": 2, "sum": 7}]
    assert t.exists({"n": None}) is True
