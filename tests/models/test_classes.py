"""What kinds of classes rows can be, and how their fields become columns."""

from __future__ import annotations

import collections
from dataclasses import InitVar, dataclass, field
from enum import Enum
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    Required,
    TypedDict,
    TypeVar,
    Union,
)

import attr
import attrs
import msgspec
import pydantic
import pytest

from mesahub import ArgumentError, DatabaseHandle, ResultError, stored

T = TypeVar("T")
UserId = NewType("UserId", int)


@dataclass
class Base:
    id: int | None = None


@dataclass
class Renamed(Base):
    label: str | None = field(default=None, metadata={"column": "full_name"})
    total: Annotated[int | None, stored.generated] = field(init=False, default=None)
    made: Annotated[str | None, stored.default] = None
    n: int | None = field(default=0, kw_only=True)
    shared: ClassVar[int] = 3
    scale: InitVar[int] = 1


def test_dataclasses_with_all_that_they_have(db: DatabaseHandle) -> None:
    table = db.table("t", Renamed)
    first, second = table.find(order_by="id")
    assert (first.label, first.total, first.n, first.made) == ("Ann A", 2, 1, "now")
    assert (second.label, second.total, second.n) == (None, None, None)
    stored_ = table.insert(Renamed(label="Q", n=4))
    assert (stored_.id, stored_.total, stored_.made) == (3, 8, "now")
    assert table.update({"id": 3}, Renamed(id=3, label="R", n=5), returning=True).rows[0].total == 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    id: UserId
    n: Final[Optional[int]] = None  # noqa: UP045
    total: Annotated[int | None, stored.generated] = field(init=False, default=None)
    name: Union[str, Literal[5], None] = None  # noqa: UP007


def test_frozen_slotted_dataclasses(db: DatabaseHandle) -> None:
    table = db.table("t", Frozen)
    row = table.insert(Frozen(id=UserId(7), n=2, name="x"))
    assert (row.id, row.n, row.total, row.name) == (7, 2, 4, "x")


@dataclass
class Box(Generic[T]):
    id: int
    n: T


class Boxed(Box[int | None]): ...


def test_generic_classes(db: DatabaseHandle) -> None:
    assert db.table("t", Box[int | None]).find(order_by="id") == [Box(1, 1), Box(2, None)]
    assert db.table("t", Boxed).find(order_by="id") == [Boxed(1, 1), Boxed(2, None)]
    assert db.table("t", Box).get(2) == Box(2, None)
    with pytest.raises(ResultError, match=r"Box\.n: column 'n' of table 't' holds NULL"):
        db.table("t", Box[int]).find()


class Partial(TypedDict, total=False):
    id: Required[int]
    name: str


class Keys(Partial):
    n: NotRequired[int]
    label: Annotated[str | None, stored.column("full_name")]


class Pair(TypedDict, Generic[T]):
    id: int
    n: T


def test_typed_dicts_with_keys_that_are_not_required(db: DatabaseHandle) -> None:
    table = db.table("t", Keys)
    assert table.find(order_by="id") == [
        {"id": 1, "name": "Ann", "n": 1, "label": "Ann A"},
        {"id": 2, "label": None},
    ]
    assert table.find({"id": 1}, select=["ID", "full_name"]) == [{"id": 1, "label": "Ann A"}]
    assert table.insert({"id": 9, "label": "L"}) == {"id": 9, "label": "L"}
    assert db.table("t").get(9, select=["full_name", "name"]) == {"full_name": "L", "name": None}
    assert db.table("t", Pair[int | None]).get(2) == {"id": 2, "n": None}


class Tuple(NamedTuple):
    id: int
    label: Annotated[str | None, stored.column("full_name")] = "none"


def test_named_tuples(db: DatabaseHandle) -> None:
    table = db.table("t", Tuple)
    assert table.find(order_by="-id") == [Tuple(2, None), Tuple(1, "Ann A")]
    assert table.get(1, select=["id"]) == Tuple(1, "none")
    untyped: Any = collections.namedtuple("untyped", "id name")
    assert db.table("t", untyped).find(order_by="id") == [untyped(1, "Ann"), untyped(2, None)]


@attrs.define
class Attrs:
    id: int
    _n: int | None = attrs.field(kw_only=True, default=None, metadata={"column": "n"})
    label: str | None = attrs.field(default=None, metadata={"column": "full_name"})
    total: Annotated[int | None, stored.generated] = attrs.field(init=False, default=None)


def test_attrs_classes(db: DatabaseHandle) -> None:
    table = db.table("t", Attrs)
    rows = table.find(order_by="id")
    assert rows[1] == Attrs(2)
    assert (rows[0]._n, rows[0].label, rows[0].total) == (1, "Ann A", 2)
    row: Any = Attrs
    assert table.insert(row(3, n=4)).total == 8


class Old:
    id = attr.ib(type=int)
    n = attr.ib(type=Optional[int], default=None)  # noqa: UP045


def test_attrs_classes_without_annotations(db: DatabaseHandle) -> None:
    model: Any = attr.s(Old)
    assert db.table("t", model).find(order_by="id") == [model(1, 1), model(2)]
    with pytest.raises(ArgumentError, match=r"Old\.n .* must be int or None, not str"):
        db.table("t", model).insert(model(3, "x"))


class Camel(msgspec.Struct, rename={"label": "full_name"}, frozen=True):
    id: int
    label: str | None = None
    n: int | msgspec.UnsetType = msgspec.UNSET


class Keyword(msgspec.Struct, kw_only=True):
    id: int
    made: Annotated[str | None, stored.default] = None


class Mixed(Keyword):
    n: int | None


class Line(msgspec.Struct):
    sku: str
    left: int = 0


class Order(msgspec.Struct):
    id: int
    tags: Annotated[list[Line] | None, stored.json] = None


def test_msgspec_structs(db: DatabaseHandle) -> None:
    camel = db.table("t", Camel)
    assert camel.find(order_by="id") == [Camel(1, "Ann A", 1), Camel(2)]
    assert camel.update({"id": 1}, Camel(1, "B"), returning=True).rows == [Camel(1, "B", 1)]
    mixed = db.table("t", Mixed)
    assert mixed.insert(Mixed(5, id=3)) == Mixed(5, id=3, made="now")
    orders = db.table("t", Order)
    order = Order(4, [Line("A1", 2), Line("B1")])
    assert orders.insert(order) == orders.get(4) == order
    with pytest.raises(ResultError, match=r"Order\.tags: column 'tags' of table 't' holds TEXT"):
        orders.get(1)


class Sub(pydantic.BaseModel):
    city: str


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")
    id: int
    label: str | None = pydantic.Field(None, alias="full_name", max_length=5)
    n: Annotated[int | None, pydantic.Field(ge=0)] = None
    tags: Annotated[list[Sub] | None, stored.json] = None
    made: Annotated[str | None, stored.default] = None


class Converting(pydantic.BaseModel):
    id: int
    tags: list[str] = []

    @pydantic.field_validator("tags", mode="before")
    @classmethod
    def split(cls, value: Any) -> Any:
        return value.split(",") if isinstance(value, str) else value

    @pydantic.field_serializer("tags")
    def join(self, value: list[str]) -> str:
        return ",".join(value)


def test_pydantic_models(db: DatabaseHandle) -> None:
    table = db.table("t", Model)
    model = Model(id=3, full_name="Ann", n=2, tags=[Sub(city="Bern")])
    assert table.insert(model) == table.get(3) == model.model_copy(update={"made": "now"})
    assert db.table("t").get(3, select=["full_name", "tags"]) == {"full_name": "Ann", "tags": '[{"city":"Bern"}]'}
    table.update({"id": 3}, {"full_name": "too long"})
    with pytest.raises(
        ResultError, match=r"Model refuses row 0 .* 't': full_name: String should have at most 5"
    ) as info:
        table.get(3)
    assert "too long" not in str(info.value)
    converting = db.table("t", Converting)
    assert converting.insert(Converting(id=4, tags=["a", "b"])) == Converting(id=4, tags=["a", "b"])


def test_classes_in_a_function(db: DatabaseHandle) -> None:
    class Name(Enum):
        ANN = "Ann"

    @dataclass
    class Local:
        id: int
        name: Annotated[Name | None, stored.value]

    assert db.table("t", Local).find(order_by="id") == [Local(1, Name.ANN), Local(2, None)]


@dataclass
class Needs:
    id: int
    scale: InitVar[int]


@dataclass
class Doubled:
    id: int
    same: Annotated[int, stored.column("ID")]


@dataclass
class Unresolved:
    id: Nowhere  # type: ignore[name-defined]  # noqa: F821


class Root(pydantic.RootModel[list[int]]): ...


@dataclass
class Empty: ...


@dataclass
class Reserved:
    mesahub_kinds: Any


class Nested(msgspec.Struct):
    line: Line


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Needs, "Needs takes an InitVar, 'scale', that has no default and no column"),
        (Doubled, "Doubled.id and Doubled.same have one column, 'ID'"),
        (Unresolved, "types of Unresolved's fields cannot be resolved: name 'Nowhere' is not defined"),
        (Root, "Root is a RootModel"),
        (Empty, "Empty has no fields"),
        (Reserved, "Reserved.mesahub_kinds: the column 'mesahub_kinds' has the name of one that is added"),
        (Nested, r"Nested.line is of type Line, .* Annotated\[Line, stored.json\]"),
        (dict, "dict is not a class of rows"),
        (list[Frozen], "list is not a class of rows"),
        (int, "int is not a class of rows"),
        (5, "must be a class such as a dataclass"),
        (Empty(), "must be a class such as a dataclass"),
        ([], "must be a class such as a dataclass"),
    ],
)
def test_table_rejects_other_classes(db: DatabaseHandle, model: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        db.table("t", model)
