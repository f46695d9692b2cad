"""`mesahub.stored`: what each adapter stores, and what it refuses."""

from __future__ import annotations

import ipaddress
import pathlib
from dataclasses import dataclass, field, make_dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from typing import Annotated, Any, Generic, Literal, Optional, TypedDict, TypeVar, Union
from uuid import UUID

import attrs
import pytest

from mesahub import ArgumentError, DatabaseHandle, ResultError, stored

T = TypeVar("T")


class Color(StrEnum):
    RED = "red"


class Size(IntEnum):
    SMALL = 1


class Bits(Flag):
    A = 1
    B = 2


class Odd(Enum):
    PAIR = (1, 2)


class Note(TypedDict):
    text: str
    parts: list[Note]


@dataclass(frozen=True)
class Part:
    name: str
    since: Annotated[date | None, stored.iso] = None
    parts: list[Part] = field(default_factory=list)
    extra: dict[str, int] | None = None


@attrs.define
class Place:
    city: str
    size: Annotated[Decimal, stored.text]


@dataclass
class Of(Generic[T]):
    value: T


def model(hint: Any) -> Any:
    return make_dataclass("Model", [("v", hint)])


@pytest.fixture
def v(db: DatabaseHandle) -> DatabaseHandle:
    db.exec("CREATE TABLE v (v)")
    return db


AT = datetime(2026, 1, 31, 12, 30, tzinfo=timezone(timedelta(hours=-5, minutes=-30)))


@pytest.mark.parametrize(
    ("hint", "value", "raw"),
    [
        (Annotated[datetime, stored.iso], AT, "2026-01-31 12:30:00-05:30"),
        (Annotated[datetime, stored.iso], datetime(1, 1, 1), "0001-01-01 00:00:00"),
        (Annotated[date, stored.iso], date(2026, 1, 31), "2026-01-31"),
        (Annotated[time, stored.iso], time(1, 2, 3, 4), "01:02:03.000004"),
        (Annotated[datetime, stored.unix], datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), -1),
        (Annotated[datetime, stored.unix_ms], datetime(1970, 1, 1, 0, 0, 1, 5000, tzinfo=UTC), 1005),
        (Annotated[Decimal, stored.text], Decimal("1E+2"), "1E+2"),
        (Annotated[Decimal, stored.text], Decimal("-0.00"), "-0.00"),
        (Annotated[UUID, stored.text], UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (Annotated[UUID, stored.blob], UUID(int=5), b"\0" * 15 + b"\5"),
        (Annotated[pathlib.PurePosixPath, stored.text], pathlib.PurePosixPath("/a/b"), "/a/b"),
        (Annotated[ipaddress.IPv6Address, stored.text], ipaddress.IPv6Address("::1"), "::1"),
        (Annotated[Color, stored.value], Color.RED, "red"),
        (Annotated[Size, stored.value], Size.SMALL, 1),
        (Annotated[Bits, stored.value], Bits.A | Bits.B, 3),
        (Annotated[dict[str, list[int] | None], stored.json], {"ä": [1], "b": None}, '{"ä":[1],"b":null}'),
        (Annotated[list[float], stored.json], [1, 2.5, 1e300], "[1,2.5,1e+300]"),
        (Annotated[Note, stored.json], {"text": "x", "parts": []}, '{"text":"x","parts":[]}'),
        (Annotated[Literal["a"] | list[Any], stored.json], ["a", {}], '["a",{}]'),
        (Annotated[Any, stored.json], {"a": 1}, '{"a":1}'),
        (
            Annotated[Part, stored.json],
            Part("a", date(2026, 1, 31), [Part("b", extra={"n": 1})]),
            '{"name":"a","since":"2026-01-31","parts":[{"name":"b","since":null,"parts":[],"extra":{"n":1}}],"extra":null}',
        ),
        (Annotated[list[Place], stored.json], [Place("Bern", Decimal("1.0"))], '[{"city":"Bern","size":"1.0"}]'),
        (Annotated[Of[int] | None, stored.json], Of(1), '{"value":1}'),
        (
            Annotated[dict[str, Annotated[Color | None, stored.value]], stored.json],
            {"a": Color.RED, "b": None},
            '{"a":"red","b":null}',
        ),
        (Annotated[timedelta, stored.using(lambda n: timedelta(days=n), lambda d: d.days, int)], timedelta(7), 7),
        (Annotated[list[str] | None, stored.using(str.split, " ".join)], ["a", "b"], "a b"),
        (Optional[Annotated[datetime, stored.iso]], None, None),  # noqa: UP045
        (Annotated[list[int] | None, stored.json], None, None),
    ],
)
def test_adapters_store_and_read_exactly(v: DatabaseHandle, hint: Any, value: Any, raw: Any) -> None:
    row_class = model(hint)
    table = v.table("v", row_class)
    assert repr(table.insert(row_class(value))) == repr(row_class(value))
    assert repr(v.rows("SELECT v FROM v").scalar()) == repr(raw)
    if not isinstance(value, (list, dict)):
        assert repr(table.find({"v": value})) == repr([row_class(value)])


@pytest.mark.parametrize(
    ("hint", "value", "message"),
    [
        (Annotated[datetime, stored.iso], date(2026, 1, 1), "must be datetime in ISO 8601, not date"),
        (Annotated[date, stored.iso], datetime(2026, 1, 1), "must be date in ISO 8601, not datetime"),
        (Annotated[datetime, stored.iso], "2026-01-01", "not str"),
        (Annotated[datetime, stored.unix], datetime(2026, 1, 1), "it has no time zone"),
        (Annotated[datetime, stored.unix], AT.replace(microsecond=1), "it has a fraction of seconds"),
        (Annotated[datetime, stored.unix_ms], AT.replace(microsecond=1), "it has a fraction of milliseconds"),
        (Annotated[Decimal, stored.text], Decimal("NaN"), "it is not finite"),
        (Annotated[Decimal, stored.text], 1.5, "must be Decimal as text, not float"),
        (Annotated[UUID, stored.blob], "x", "must be UUID as 16 bytes, not str"),
        (Annotated[Color, stored.value], "red", "must be Color, not str"),
        (Annotated[list[int], stored.json], ["a"], "JSON would change it"),
        (Annotated[list[Any], stored.json], [(1, 2)], "JSON would change it"),
        (Annotated[dict[str, Any], stored.json], {1: 2}, "JSON would change it"),
        (Annotated[Any, stored.json], float("nan"), "not JSON compliant"),
        (Annotated[Any, stored.json], {"a": {1}}, "not set|not dict"),
        (Annotated[Note, stored.json], {"text": "x"}, "JSON would change it"),
        (Annotated[Part, stored.json], {"name": "x"}, r"JSON would change it \(dict\)"),
        (Annotated[Part, stored.json], Part(5), "JSON would change it"),  # type: ignore[arg-type]
        (Annotated[Of[int], stored.json], Of("x"), "JSON would change it"),
        (Annotated[Note, stored.json], {"text": "x", "parts": [], "more": 1}, "JSON would change it"),
        (Annotated[timedelta, stored.using(float, str, int)], timedelta(1), "the adapter gives str"),
        (Annotated[timedelta, stored.using(float, lambda d: 1 // 0, int)], timedelta(1), "not timedelta"),
        (Annotated[datetime, stored.iso], None, "Give it a type with None"),
    ],
)  # fmt: skip
def test_adapters_refuse_to_store_what_would_change(v: DatabaseHandle, hint: Any, value: Any, message: str) -> None:
    row_class = model(hint)
    with pytest.raises(ArgumentError, match=r"Model\.v \(column 'v' of table 'v'\)") as info:
        v.table("v", row_class).insert(row_class(value))
    assert info.match(message)
    assert v.table("v").count() == 0


@pytest.mark.parametrize(
    ("hint", "raw", "message"),
    [
        (Annotated[datetime, stored.iso], "yesterday", "holds TEXT"),
        (Annotated[datetime, stored.iso], 5, "another type"),
        (Annotated[date, stored.iso], "2026-01-01 00:00:00", "holds TEXT"),
        (Annotated[datetime, stored.unix], 2**60, "it is not a time"),
        (Annotated[datetime, stored.unix], "2026-01-01", "holds TEXT"),
        (Annotated[Decimal, stored.text], 1.5, "holds REAL, not Decimal as text"),
        (Annotated[Decimal, stored.text], "one", "another text"),
        (Annotated[UUID, stored.text], "x", "holds TEXT"),
        (Annotated[UUID, stored.blob], b"x", "holds BLOB"),
        (Annotated[Color, stored.value], "blue", "holds TEXT"),
        (Annotated[list[int], stored.json], "[1", "holds TEXT"),
        (Annotated[list[int], stored.json], '["a"]', "its JSON has another form"),
        (Annotated[float, stored.json], "NaN", "NaN is not JSON"),
        (Annotated[Part, stored.json], "{}", "its JSON has another form"),
        (Annotated[Part, stored.json], '{"name":"x","more":1}', "its JSON has another form"),
        (Annotated[Part, stored.json], '{"name":"x","since":"soon"}', "its JSON has another form"),
        (Annotated[timedelta, stored.using(lambda _: 1 // 0, str)], "x", "holds TEXT"),
        (Annotated[datetime, stored.iso], None, "holds NULL"),
        (Annotated[datetime | None, stored.iso], b"x", "another type"),
    ],
)  # fmt: skip
def test_adapters_refuse_to_read_what_they_did_not_store(v: DatabaseHandle, hint: Any, raw: Any, message: str) -> None:
    v.table("v").insert({"v": raw})
    with pytest.raises(ResultError, match=r"Model\.v: column 'v' of table 'v' holds ") as info:
        v.table("v", model(hint)).find()
    assert info.match(message)


def test_a_decimal_may_be_an_integer(v: DatabaseHandle) -> None:
    v.table("v").insert({"v": 10})
    assert repr(v.table("v", model(Annotated[Decimal, stored.text])).find()) == "[Model(v=Decimal('10'))]"


@pytest.mark.parametrize(
    ("hint", "message"),
    [
        (datetime, r"Model\.v is of type datetime, .* Annotated\[datetime, stored\.iso\] .* or stored\.unix_ms"),
        (date | None, r"Annotated\[date, stored\.iso\]"),
        (UUID, r"Annotated\[UUID, stored\.text\] .* or with stored\.blob"),
        (Decimal, r"stored\.text"),
        (Color, r"stored\.value"),
        (list[int], r"Annotated\[list\[int\], stored\.json\]"),
        (Note, r"stored\.json"),
        (timedelta, r"stored\.using"),
        (Annotated[str, stored.iso], r"Model\.v: stored\.iso does not convert str"),
        (Annotated[Color, stored.text], r"stored\.text does not convert Color; use stored\.value"),
        (Annotated[date, stored.unix], r"stored\.unix does not convert date; use stored\.iso"),
        (Annotated[Odd, stored.value], r"the values of Odd are not all int, float, str or bytes"),
        (Annotated[tuple[int, int], stored.json], r"JSON has no tuple"),
        (Annotated[list[datetime], stored.json], r"JSON has no datetime"),
        (Annotated[datetime, stored.iso, stored.unix], r"declares several adapters: stored\.iso, stored\.unix"),
        (Union[Annotated[Decimal, stored.text], str], r"which type of the union"),  # noqa: UP007
    ],
)  # fmt: skip
def test_table_rejects_a_field_without_a_fitting_adapter(v: DatabaseHandle, hint: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        v.table("v", model(hint))


def test_marks_are_checked() -> None:
    with pytest.raises(ArgumentError, match="name of a column must be a non-empty string, not ''"):
        stored.column("")
    with pytest.raises(ArgumentError, match="takes two functions"):
        stored.using("x", str)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="A stored value is a str, int, float or bytes"):
        stored.using(str, str, list)
    assert (
        repr((stored.iso, stored.generated, stored.column("a"))) == "(stored.iso, stored.generated, stored.column('a'))"
    )


@dataclass
class Holder:
    v: Annotated[UUID, stored.blob]


def test_conditions_of_a_conflict_and_of_keys_use_the_adapter(v: DatabaseHandle) -> None:
    v.exec("CREATE TABLE h (v BLOB PRIMARY KEY) WITHOUT ROWID")
    table = v.table("h", Holder)
    row = Holder(UUID(int=1))
    assert table.upsert(row) is None or table.get(UUID(int=1)) == row
    assert table.get(UUID(int=1)) == table.get({"V": UUID(int=1)}) == row
    assert table.insert(row, idempotent=True) == row
    assert table.exists({"v": UUID(int=1)})
    assert table.delete({"v": UUID(int=1)}).rows_affected == 1
