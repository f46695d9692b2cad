"""Values of numpy, pandas and pyarrow are recognized by the names of their classes, which no test here has installed.

The libraries themselves are used in tests/peers/ecosystem/dataframes.py.
"""

from __future__ import annotations

import enum
from typing import Any

import pytest

from mesahub import ArgumentError, col
from mesahub.sql import Scope, adapt, compile_where
from mesahub.sql.batches import batches


class Nothing(enum.Enum):
    GIVEN = None


def like(module: str, name: str, **members: Any) -> Any:
    """An instance of a class of this name in that module."""
    return type(name, (), {"__module__": module, **members})()


NA = like("pandas.api.typing", "NAType")
NAT = like("pandas._libs.tslibs.nattype", "NaTType")


def numpy_scalar(name: str, item: Any, text: str = "") -> Any:
    base = type("generic", (), {"__module__": "numpy"})
    kind = type(name, (base,), {"__module__": "numpy", "item": lambda self: item, "__str__": lambda self: text})
    return kind()


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (NA, None),
        (NAT, None),
        (like("pandas._libs.missing", "NAType"), None),
        (like("numpy.ma", "MaskedConstant"), None),
        (like("pyarrow.lib", "Scalar", as_py=lambda self: 7), 7),
        (numpy_scalar("int64", 5), 5),
        (numpy_scalar("bool", True), True),
        (numpy_scalar("datetime64", 0, "NaT"), None),
        (numpy_scalar("datetime64", 0, "2026-01-31"), "2026-01-31"),
        (numpy_scalar("datetime64", 0, "2026-01-31T10"), "2026-01-31 10:00:00"),
        (numpy_scalar("datetime64", 0, "2026-01-31T10:30"), "2026-01-31 10:30:00"),
        (numpy_scalar("datetime64", 0, "2026-01-31T10:30:15.000000000"), "2026-01-31 10:30:15"),
        (numpy_scalar("datetime64", 0, "2026-01-31T10:30:15.120"), "2026-01-31 10:30:15.120000"),
        (numpy_scalar("datetime64", 0, "2026-01-31T10:30:15.000000001"), "2026-01-31 10:30:15.000000001"),
    ],
)
def test_adapt_takes_scalars_of_other_libraries(value: Any, stored: Any) -> None:
    assert adapt(value) == stored
    assert type(adapt(value)) is type(stored)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (numpy_scalar("timedelta64", 5), r"numpy\.timedelta64 cannot be stored"),
        (numpy_scalar("complex128", 1j), r"numpy\.complex128 cannot be stored"),
        (numpy_scalar("uint64", 2**64 - 1), "does not fit"),
        (numpy_scalar("float32", float("nan")), "nan cannot be stored"),
        (numpy_scalar("datetime64", 0, "2026-01"), "not a day or a time"),
        (numpy_scalar("datetime64", 0, "-0001-01-01"), "not a day or a time"),
        (like("numpy", "ndarray", tolist=lambda self: [1]), "holds several values"),
    ],
)
def test_adapt_refuses_by_name_what_has_no_stored_form(value: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        adapt(value)


@pytest.mark.parametrize("null", [None, NA, NAT, Nothing.GIVEN])
def test_where_compares_every_kind_of_null_as_null(null: Any) -> None:
    def text(where: Any) -> str:
        return compile_where(where, Scope("t"), [])

    assert text({"a": null}).endswith('"a" IS NULL')
    assert text({"a": {"ne": null}}).endswith('"a" IS NOT NULL')
    assert text(col("a") == null).endswith('"a" IS NULL')
    assert text({"a": {"in": [1, null]}}).endswith("IS NULL)")
    for operator in ("gt", "gte", "lt", "lte"):
        with pytest.raises(ArgumentError, match="cannot be compared"):
            text({"a": {operator: null}})
    with pytest.raises(ArgumentError, match="two values"):
        text({"a": {"between": [1, null]}})


class Frame:
    """The few members of a DataFrame of polars that are used."""

    def __init__(self, columns: list[Any], rows: list[list[Any]]) -> None:
        self.columns = columns
        self.rows = rows
        self.height = len(rows)

    def slice(self, start: int, length: int) -> Frame:
        return type(self)(self.columns, self.rows[start : start + length])

    def get_columns(self) -> list[Any]:
        return [Column([row[place] for row in self.rows]) for place in range(len(self.columns))]


class Column:
    def __init__(self, values: list[Any]) -> None:
        self.values = values

    def to_list(self) -> list[Any]:
        return self.values


def frame(columns: list[Any], rows: list[list[Any]]) -> Any:
    return type("DataFrame", (Frame,), {"__module__": "polars.dataframe.frame"})(columns, rows)


def test_batches_takes_a_data_frame_of_any_length() -> None:
    rows = [[number, None if number % 3 else "x"] for number in range(25_001)]
    found = [row for batch in batches(frame(["n", "t"], rows), in_order=False) for row in batch.rows]
    assert found == [tuple(row) for row in rows]


def test_batches_takes_a_data_frame_without_columns() -> None:
    assert [len(batch.rows) for batch in batches(frame([], [[], []]), in_order=False)] == [2]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (frame(["a", "a"], [[1, 2]]), "several columns named 'a'"),
        (frame(["a", 7], [[1, 2]]), "Column 1 of the DataFrame is named 7"),
        (like("polars.lazyframe.frame", "LazyFrame"), "collect"),
        (like("pandas", "Series"), "to_frame"),
        (frame(["a"], [[1], [float("inf")]]), "Row 1, column 'a': inf"),
    ],
)
def test_batches_refuses_data_frames_that_cannot_be_stored(given: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        list(batches(given, in_order=False))
