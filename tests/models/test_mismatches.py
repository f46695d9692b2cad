"""Values and columns that a class does not have: each error names the field and the column."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypedDict

import pytest

import mesahub
from mesahub import ArgumentError, DatabaseHandle, MesahubError, NoSuchColumnError, ResultError, col, stored


@dataclass
class Row:
    id: int
    nmae: str | None


@dataclass
class Named:
    id: int
    label: Annotated[str | None, stored.column("full_name")] = None


def test_a_field_without_a_column_is_named_by_every_call(db: DatabaseHandle) -> None:
    table = db.table("t", Row)
    message = r"Row\.nmae needs column 'nmae' of table 't'"
    for call in (
        lambda: table.find(),
        lambda: table.find_one({"id": 1}),
        lambda: table.get(1),
        lambda: list(table.iterate()),
        lambda: table.insert(Row(5, "x")),
        lambda: table.insert(Row(5, "x"), idempotent=True),
        lambda: table.upsert(Row(5, "x")),
        lambda: table.insert_many([Row(5, "x")]),
        lambda: table.update({"id": 1}, {"nmae": "x"}),
        lambda: table.update({"id": 1}, {"id": 1}, returning=True),
        lambda: table.delete({"id": 1}, returning=True),
    ):
        with pytest.raises(NoSuchColumnError, match=message):
            call()
    assert db.table("t").count() == 2


def test_a_field_in_place_of_its_column_is_named(db: DatabaseHandle) -> None:
    with pytest.raises(NoSuchColumnError, match=r"Named\.label is in column 'full_name' of table 't'"):
        db.table("t", Named).find({"label": "x"})
    with pytest.raises(NoSuchColumnError, match=r"no such column: t\.other$"):
        db.table("t", Named).find({"other": "x"})


def test_columns_that_the_class_does_not_have(db: DatabaseHandle) -> None:
    table: Any = db.table("t", Named)
    for call in (
        lambda: table.find(select=["id", "full_nam"]),
        lambda: table.insert({"full_nam": "x"}),
        lambda: table.update({"id": 1}, {"full_nam": "x"}),
        lambda: table.insert_many([{"full_nam": "x"}]),
        lambda: table.delete({"id": 1}, returning=["full_nam"]),
    ):
        with pytest.raises(
            ArgumentError, match=r"Named has no field for column 'full_nam' of table 't'\. Did you mean"
        ):
            call()  # type: ignore[no-untyped-call]
    with pytest.raises(ArgumentError, match="Named cannot be made without 'id': select its column"):
        table.find(select=["full_name"])
    assert table.find(select=["ID"], limit=1) == [Named(1)]
    assert table.insert({"full_name": "x"}) == Named(3, "x")


_number = itertools.count()
KINDS: dict[str, Any] = {"integer": 7, "real": 1.5, "text": "abc", "blob": b"abc", "null": None}


@pytest.fixture(params=["embedded", "http"])
def kinds(request: pytest.FixtureRequest, tmp_path: Any) -> Any:
    """A table with a row for each storage class, in a column without a type."""
    if request.param == "http":
        server = request.getfixturevalue("server")
        name = f"kinds-{next(_number)}"
        server.new_database(name)
        handle = mesahub.connect(server.url(name))
    else:
        handle = mesahub.connect(":memory:")
    with handle as db:
        db.exec("DROP TABLE IF EXISTS k")
        db.exec("CREATE TABLE k (kind TEXT PRIMARY KEY, v)")
        db.table("k").insert_many([{"kind": kind, "v": value} for kind, value in KINDS.items()])
        yield db


@pytest.mark.parametrize(
    ("hint", "fits"),
    [
        (int, ["integer"]),
        (float, ["integer", "real"]),
        (str, ["text"]),
        (bytes, ["blob"]),
        (bool, []),
        (int | None, ["integer", "null"]),
        (bytes | str, ["text", "blob"]),
        (int | float, ["integer", "real"]),
        (str | None | int, ["integer", "text", "null"]),
        (Literal["abc", 7], ["integer", "text"]),
        (Literal["other"], []),
        (Any, list(KINDS)),
        (None, ["null"]),
    ],
)  # fmt: skip
def test_a_value_of_another_storage_class_is_an_error(kinds: DatabaseHandle, hint: Any, fits: list[str]) -> None:
    model: Any = TypedDict("model", {"v": hint})  # pyright: ignore[reportInvalidTypeForm]
    table = kinds.table("k", model)
    found = []
    for kind, value in KINDS.items():
        try:
            rows = table.find({"kind": kind})
        except ResultError as error:
            assert "model.v: column 'v' of table 'k' holds " in str(error)  # noqa: PT017
            assert "abc" not in str(error).replace("'abc'", "")  # noqa: PT017
        else:
            assert rows == [{"v": value}]
            assert type(rows[0]["v"]) in (type(value), float)
            found.append(kind)
    assert found == fits


@dataclass
class Checked:
    id: int
    name: str
    n: int | None = None


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (Checked("1", "x"), r"Checked\.id \(column 'id' of table 't'\) must be int, not str"),  # type: ignore[arg-type]
        (Checked(1, None), r"Checked\.name .* must be str, not NoneType\. Give it a type with None"),  # type: ignore[arg-type]
        (Checked(1, "x", 1.5), r"Checked\.n .* must be int or None, not float"),  # type: ignore[arg-type]
        (Checked(2**63, "x"), r"Checked\.id .* must be int, not int: The integer 9223372036854775808 does not fit"),
        (Checked(1, "a\ud800"), r"Checked\.name .* lone surrogate"),
        (Row(1, "x"), "A row of table 't' must be a Checked, not Row"),
        ("text", "must be a Checked, not str"),
        (None, "must be a Checked, not NoneType"),
    ],
)
def test_a_value_that_is_not_one_of_its_field_is_not_sent(db: DatabaseHandle, row: Any, message: str) -> None:
    table = db.table("t", Checked)
    with pytest.raises(ArgumentError, match=message):
        table.insert(row)
    with pytest.raises(ArgumentError, match=f"Row 1: {message}" if not message.startswith("must") else message):
        table.insert_many(iter([Checked(10, "x"), row]))
    assert db.table("t").count() == 2


def test_subclasses_of_stored_types_are_stored_as_these(db: DatabaseHandle) -> None:
    class Text(str):
        __slots__ = ()

    row = db.table("t", Checked).insert(Checked(5, Text("x"), True))
    assert (repr(row), type(row.name)) == ("Checked(id=5, name='x', n=1)", str)


def test_rows_that_were_written_are_said_to_be(db: DatabaseHandle) -> None:
    db.exec("CREATE TRIGGER tr AFTER INSERT ON t BEGIN UPDATE t SET name = NULL WHERE id = new.id; END")
    db.exec("CREATE TABLE u (id INTEGER PRIMARY KEY, name TEXT, n INTEGER DEFAULT 'x')")
    table = db.table("u", Checked)
    for call in (
        lambda: table.insert({"id": 1, "name": "a"}),  # type: ignore[arg-type]
        lambda: table.insert_many([{"id": 2, "name": "b"}], returning=True),  # type: ignore[list-item]
    ):
        with pytest.raises(
            ResultError, match=r"The rows were written\. Checked\.n: column 'n' of table 'u' holds TEXT"
        ):
            call()
    assert table.count() == 2


@dataclass
class Strict:
    id: int
    name: str | None

    def __post_init__(self) -> None:
        if self.name is None:
            raise KeyError("no name")


def test_what_a_class_raises_is_a_result_error_with_the_row(db: DatabaseHandle) -> None:
    with pytest.raises(
        ResultError, match=r"Strict refuses row 1 of the result of table 't': KeyError: 'no name'"
    ) as info:
        db.table("t", Strict).find(order_by="id")
    assert isinstance(info.value, MesahubError)
    assert isinstance(info.value.__cause__, KeyError)


def test_update_takes_expressions(db: DatabaseHandle) -> None:
    table = db.table("t", Checked)
    assert table.update({"id": 1}, {"name": col("full_name")}, returning=True).rows == [Checked(1, "Ann A", 1)]


@dataclass
class Defaults:
    id: Annotated[int | None, stored.default] = None
    made: Annotated[str | None, stored.default] = None
    n: Annotated[int | None, stored.default] = None


def test_none_leaves_a_default_to_the_database_but_is_written_by_a_dict(db: DatabaseHandle) -> None:
    table = db.table("t", Defaults)
    assert table.insert(Defaults()) == Defaults(3, "now", None)
    assert table.update({"id": 1}, Defaults(made="x"), returning=True).rows == [Defaults(1, "x", 1)]
    assert table.update({"id": 1}, {"n": None}, returning=True).rows == [Defaults(1, "x", None)]
    assert table.insert_many([Defaults(n=1), Defaults(made="y")], returning=True).rows == [
        Defaults(4, "now", 1),
        Defaults(5, "y", None),
    ]


def test_insert_many_of_something_else(db: DatabaseHandle) -> None:
    table: Any = db.table("t", Checked)
    for rows in ("abc", Checked(1, "x"), 5, {"id": 1}):
        with pytest.raises(ArgumentError, match=r"rows must be a list \(or any iterable\) of Checked"):
            table.insert_many(rows)
