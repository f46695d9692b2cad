"""Rows as instances of a class, over every way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, TypedDict
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mesahub import ArgumentError, DatabaseHandle, ResultError, col, stored

USERS = (
    "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INTEGER, active BOOLEAN DEFAULT 1, extra TEXT)"
)


@dataclass
class User:
    name: str
    age: int | None = None
    active: bool = True
    id: Annotated[int | None, stored.default] = None


class UserDict(TypedDict):
    id: NotRequired[int]
    name: str
    age: int | None


class UserTuple(NamedTuple):
    name: str
    age: int | None
    id: int | None = None


def test_every_call_takes_and_gives_instances(db: DatabaseHandle) -> None:
    db.exec(USERS)
    users = db.table("users", User)
    ann = users.insert(User("Ann", 41))
    assert ann == User("Ann", 41, True, 1)
    assert users.insert_many([User("Bob", None, False), User("Cem", 28)], returning=True).rows == [
        User("Bob", None, False, 2),
        User("Cem", 28, True, 3),
    ]
    assert users.find(where={"age": {"gte": 18}}, order_by="-age") == [ann, User("Cem", 28, True, 3)]
    assert users.find_one({"name": "Nemo"}) is None
    assert users.get(2) == User("Bob", None, False, 2)
    assert [user.name for user in users.iterate(order_by="name", batch_size=2)] == ["Ann", "Bob", "Cem"]
    assert users.upsert(replace(ann, age=42)) == User("Ann", 42, True, 1)
    assert users.upsert_many([User("Dee", id=4), User("Bob", 18, id=2)]).rows_affected == 2
    assert users.update({"id": 4}, User("Dora", 7, id=4), returning=True).rows == [User("Dora", 7, True, 4)]
    assert users.update({"id": 4}, {"age": 8}, returning=True).rows[0].age == 8
    assert users.delete({"id": 4}, returning=True).rows == [User("Dora", 8, True, 4)]
    assert users.insert(User("Eve", id=9), idempotent=True) == users.insert(User("Eve", id=9), idempotent=True)
    assert (users.count(), users.exists({"name": "Eve"})) == (4, True)
    assert users.aggregate({"n": "count"}) == [{"n": 4}]


def test_typed_dicts_and_named_tuples(db: DatabaseHandle) -> None:
    db.exec(USERS)
    dicts = db.table("users", UserDict)
    assert dicts.insert({"name": "Ann", "age": 41}) == {"id": 1, "name": "Ann", "age": 41}
    tuples = db.table("users", UserTuple)
    assert tuples.insert(UserTuple("Bob", None)) == UserTuple("Bob", None, 2)
    assert tuples.find(order_by="id") == [UserTuple("Ann", 41, 1), UserTuple("Bob", None, 2)]
    assert dicts.find({"id": 2}) == [{"id": 2, "name": "Bob", "age": None}]


class Role(Enum):
    ADMIN = "admin"
    EDITOR = "editor"


class Level(Enum):
    LOW = 1
    HIGH = 2


class Address(TypedDict):
    city: str
    lines: NotRequired[list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything:
    id: Annotated[UUID, stored.blob]
    other: Annotated[UUID | None, stored.text]
    at: Annotated[datetime, stored.iso]
    utc: Annotated[datetime, stored.unix]
    ms: Annotated[datetime | None, stored.unix_ms] = None
    day: Annotated[date, stored.iso] = date(1, 1, 1)
    clock: Annotated[time, stored.iso] | None = None
    price: Annotated[Decimal, stored.text] = Decimal("0.10")
    role: Annotated[Role, stored.value] = Role.EDITOR
    level: Annotated[Level | None, stored.value] = None
    tags: Annotated[list[str], stored.json] = field(default_factory=list)
    address: Annotated[Address | None, stored.json] = None
    half: Annotated[Fraction, stored.using(Fraction, str)] = Fraction(1, 2)
    took: Annotated[timedelta, stored.using(lambda s: timedelta(seconds=s), lambda d: d.total_seconds(), float)] = (
        timedelta(0)
    )
    kind: Literal["a", "b"] = "a"
    flag: Literal[True, None] = None
    data: bytes = b""
    ratio: float = 0.0
    mixed: int | float | str | bytes | None = None
    anything: Any = None


EVERYTHING = (
    "CREATE TABLE everything (id BLOB PRIMARY KEY, other TEXT, at DATETIME, utc TIMESTAMP, ms DATETIME, day DATE, "
    "clock TEXT, price TEXT, role TEXT, level INTEGER, tags TEXT, address TEXT, half TEXT, took REAL, kind TEXT, "
    "flag BOOLEAN, data, ratio REAL, mixed, anything) WITHOUT ROWID"
)
ID = UUID("00112233-4455-6677-8899-aabbccddeeff")


def everything() -> Iterator[Everything]:
    at = datetime(2026, 1, 31, 12, 30, 0, 123456, timezone(timedelta(hours=2)))
    utc = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)
    yield Everything(id=ID, other=None, at=at, utc=utc)
    yield Everything(
        id=UUID(int=1),
        other=ID,
        at=datetime(2026, 1, 31),
        utc=datetime(1901, 1, 1, tzinfo=UTC),
        ms=utc + timedelta(milliseconds=1),
        day=date(2026, 1, 31),
        clock=time(23, 59, 59, 1),
        price=Decimal("123456789012345678901234567890.00"),
        role=Role.ADMIN,
        level=Level.HIGH,
        tags=["ä", '"'],
        address={"city": "Bern", "lines": []},
        half=Fraction(-2, 3),
        took=timedelta(milliseconds=1500),
        kind="b",
        flag=True,
        data=b"\x00\xff",
        ratio=3.0,
        mixed=3.0,
        anything=b"YWJj",
    )
    for number, value in enumerate([0, 2**63 - 1, -(2**63), 1.5, 1e300, "", "YWJj", "a\0b", b"", b"abc", None], 2):
        yield Everything(id=UUID(int=number), other=None, at=at, utc=utc, mixed=value, anything=value)


def test_declared_adapters_are_exact(db: DatabaseHandle) -> None:
    db.exec(EVERYTHING)
    table = db.table("everything", Everything)
    for row in everything():
        assert repr(table.insert(row)) == repr(row)
        assert repr(table.get(row.id)) == repr(row)
    rows = sorted(everything(), key=lambda row: row.id.bytes)
    assert repr(table.find(order_by="id")) == repr(rows)
    assert repr(list(table.iterate(batch_size=4))) == repr(rows)
    table.delete(None, all_rows=True)
    assert repr(table.insert_many(rows, returning=True).rows) == repr(rows)
    assert repr(table.find(order_by="id")) == repr(rows)


def test_filters_compare_as_the_column_stores(exact: DatabaseHandle) -> None:
    exact.exec("DROP TABLE IF EXISTS everything")
    exact.exec(EVERYTHING)
    table = exact.table("everything", Everything)
    table.insert_many(list(everything())[:2])
    for where in (
        {"id": ID},
        {"ID": {"in": [ID, UUID(int=99)]}},
        col("id") == ID,
        col("id").in_([ID]),
        {"at": {"gte": datetime(2026, 1, 31, 1)}},
        {"utc": datetime(2026, 1, 31, 12, 30, tzinfo=UTC)},
        col("utc") > datetime(2000, 1, 1, tzinfo=UTC),
        {"utc": {"between": [datetime(2000, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)]}},
        {"role": Role.EDITOR},
        {"half": Fraction(1, 2)},
        {"price": Decimal("0.10")},
    ):
        assert [row.id for row in table.find(where)] == [ID]
    assert table.update({"id": ID}, {"half": Fraction(1, 9), "role": Role.ADMIN}).rows_affected == 1
    assert table.find({"half": Fraction(1, 9)})[0].role is Role.ADMIN
    with pytest.raises(ArgumentError, match="condition on 'utc': it has no time zone"):
        table.find({"utc": datetime(2026, 1, 1)})


def test_a_batch_takes_instances(db: DatabaseHandle) -> None:
    db.exec(USERS)
    with db.batch() as batch:
        users = batch.table("users", User)
        users.insert(User("Ann", 41, id=1))
        users.insert_many([User("Bob", 17), User("Cem", 28)])
        users.upsert(User("Anna", 42, id=1))
        users.update({"name": "Bob"}, {"age": 18})
        users.update({"name": "Cem"}, User("Cem", 29, False, 3))
    assert db.table("users", User).find(order_by="id") == [
        User("Anna", 42, True, 1),
        User("Bob", 18, True, 2),
        User("Cem", 29, False, 3),
    ]
    with pytest.raises(
        ArgumentError, match=r"User\.age \(column 'age' of table 'users'\) must be int or None, not str"
    ):
        db.batch().table("users", User).insert(User("Dee", "x"))  # type: ignore[arg-type]


def test_typed_rows_over_a_view_and_in_a_transaction(db: DatabaseHandle) -> None:
    db.exec(USERS)
    db.table("users", User).insert_many([User("Ann", 41), User("Bob", 17)])
    db.exec("CREATE VIEW adults AS SELECT id, name, age, 'x' AS more FROM users WHERE age >= 18")
    adults = db.table("adults", UserTuple)
    assert adults.find() == list(adults.iterate(key="id")) == [UserTuple("Ann", 41, 1)]
    if db.capabilities.transactions == "interactive":
        with db.transaction() as tx:
            row = tx.table("users", User).get(2)
            assert row is not None
            assert row == User("Bob", 17, True, 2)
            tx.table("users", User).update({"id": 2}, replace(row, age=18))
            assert tx.table("adults", UserTuple).count() == 2


@dataclass
class Cells:
    i: int | None
    r: float | None
    t: str | None
    b: bytes | None
    any: Any
    number: int | float | None
    either: str | bytes


_cells = st.builds(
    Cells,
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.floats(allow_nan=False, allow_infinity=False).map(lambda x: x + 0.0),
    st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    st.none() | st.binary(max_size=6),
    st.sampled_from([None, 0, -3, 0.0, 3.0, 1.5, "", "AA==", "a\0", b"", b"a"]),
    st.none() | st.integers(-9, 9) | st.sampled_from([0.0, 3.0, 1e300]),
    st.text("aA+/=", max_size=4) | st.binary(max_size=3),
)  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_cells, min_size=1, max_size=4))
def test_typed_rows_differ_from_what_was_written_in_nothing(exact: DatabaseHandle, rows: list[Cells]) -> None:
    exact.exec("DROP TABLE IF EXISTS cells")
    exact.exec("CREATE TABLE cells (i DATE, r DOUBLE, t TEXT, b BOOLEAN, any, number, either)")
    table = exact.table("cells", Cells)
    assert repr(table.insert(rows[0])) == repr(rows[0])
    table.insert_many(rows[1:])
    assert repr(table.find(order_by="rowid")) == repr(rows)
    assert repr(list(table.iterate(batch_size=2))) == repr(rows)
    assert repr(list(exact.rows("SELECT * FROM cells ORDER BY rowid", model=Cells))) == repr(rows)


class Tag(NamedTuple):
    name: str | None
    n: float = 0.0


def test_distinct_rows_compare_as_the_columns_do(exact: DatabaseHandle) -> None:
    exact.exec("DROP TABLE IF EXISTS tags")
    exact.exec("CREATE TABLE tags (name TEXT COLLATE NOCASE, n)")
    rows: list[dict[str, Any]] = [
        {"name": "a", "n": 1},
        {"name": "A", "n": 1.0},
        {"name": "b", "n": 2},
        {"name": None, "n": 2},
    ]
    exact.table("tags").insert_many(rows)
    tags = exact.table("tags", Tag)
    assert len(exact.table("tags").find(distinct=True)) == 3
    assert sorted(tags.find(distinct=True), key=repr) == [Tag("a", 1.0), Tag("b", 2.0), Tag(None, 2.0)]
    assert tags.find(select=["name"], distinct=True, order_by="name") == [Tag(None), Tag("a"), Tag("b")]
    exact.table("tags").insert({"name": b"YQ", "n": 1})
    with pytest.raises(ResultError, match=r"Tag\.name: column 'name' of table 'tags' holds a value of another type"):
        tags.find(distinct=True)
