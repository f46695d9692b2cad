"""Values of numpy, pandas, polars and pyarrow on their way into a table: stored, or refused by name."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

import mesahub

STORED: list[tuple[Any, Any]] = [
    (np.int64(2**53 + 1), 2**53 + 1),
    (np.uint8(255), 255),
    (np.float64(1.5), 1.5),
    (np.float32(0.1), float(np.float32(0.1))),
    (np.longdouble(1.5), 1.5),
    (np.bool_(True), True),
    (np.str_("größe"), "größe"),
    (np.bytes_(b"\xff"), b"\xff"),
    (np.datetime64("2026-01-31"), "2026-01-31"),
    (np.datetime64("2026-01-31T12:30", "ns"), "2026-01-31 12:30:00"),
    (np.datetime64("2026-01-31T12:30:00.5"), "2026-01-31 12:30:00.500000"),
    (np.datetime64("NaT"), None),
    (np.ma.masked, None),
    (pd.NA, None),
    (pd.NaT, None),
    (pd.Timestamp("2026-01-31 12:30", tz="UTC"), "2026-01-31 12:30:00+00:00"),
    (pa.scalar(7), 7),
    (pa.scalar(None), None),
    (pa.scalar(decimal.Decimal("1.10")), "1.10"),
]
REFUSED = [
    np.timedelta64(1, "s"), np.complex128(1j), np.uint64(2**64 - 1), np.float64("nan"), np.float32("inf"),
    np.datetime64("2026-01"), np.array([1]), pd.Timedelta("1s"), pd.Period("2026-01"), pd.Interval(1, 2),
    pd.Series([1]), pl.Series([1]), pd.DataFrame({"a": [1]}), pl.DataFrame({"a": [1]}),
]  # fmt: skip


def refused(run: Any, *words: str) -> None:
    said = None
    try:
        run()
    except mesahub.ArgumentError as error:
        said = str(error)
    assert said is not None, f"not refused: {words}"
    assert all(word in said for word in words), said


def scalars(db: Any) -> None:
    for number, (value, stored) in enumerate(STORED):
        table = db.table("scalars")
        table.insert_many([{"id": number, "v": value}])
        assert db.rows("SELECT v FROM scalars WHERE id = ?", [np.int64(number)]).scalar() == stored, value
        db.exec("UPDATE scalars SET v = ? WHERE id = ?", [value, number])
        table.update({"id": np.int32(number)}, {"v": value})
        assert table.exists({"id": number, "v": value}) or stored is None or type(stored) is float, value
        assert table.count({"id": number, "v": pd.NA}) == (stored is None)
    for value in REFUSED:
        refused(lambda value=value: db.table("scalars").insert({"id": 1000, "v": value}))
        refused(lambda value=value: db.query("SELECT ?", [value]))


@dataclasses.dataclass
class Typed:
    i: int
    f: float | None
    s: str | None


def frames(db: Any) -> None:
    frame = pd.DataFrame(
        {
            "i": [1, 2, 3],
            "f": [1.5, np.nan, 2.0],
            "s": ["a", None, "c"],
            "d": pd.to_datetime(["2026-01-01", None, "2026-01-02 10:00"], format="mixed"),
            "n": pd.array([1, None, 3], dtype="Int64"),
            "b": pd.array([True, None, False], dtype="boolean"),
            "c": pd.Categorical(["x", "y", None]),
        }
    )
    expected = [
        (1, 1.5, "a", "2026-01-01 00:00:00", 1, 1, "x"),
        (2, None, None, None, None, None, "y"),
        (3, 2.0, "c", "2026-01-02 10:00:00", 3, 0, None),
    ]
    polar = pl.from_pandas(frame)
    given = [frame, frame[frame["i"] > 0], polar, polar.to_arrow(), polar.to_arrow().to_batches()[0]]
    for number, source in enumerate(given):
        name = f"frame{number}"
        assert db.table(name).insert_many(source, create=True).rows_affected == 3
        assert db.rows(f"SELECT * FROM {name} ORDER BY i").tuples() == expected, type(source)
    with db.batch() as batch:
        batch.table("frame0").insert_many(frame)
    assert db.table("frame0").count() == 6
    typed = db.table("typed", Typed)
    assert typed.insert_many(frame[["i", "f", "s"]], create=True).rows_affected == 3
    assert typed.insert(Typed(np.int64(4), np.float32(0.5), np.str_("d"))) == Typed(4, 0.5, "d")
    assert typed.find({"i": {"lte": 2}}, order_by="i") == [Typed(1, 1.5, "a"), Typed(2, None, None)]
    assert pd.DataFrame(db.rows("SELECT i, s FROM typed ORDER BY i"))["s"][0] == "a"
    assert pd.DataFrame(db.rows("SELECT * FROM typed", model=Typed))["i"].sum() == 10
    refused(lambda: typed.insert(Typed(np.float64(1.5), None, None)), "Typed.i", "must be int, not float64")
    decimals = pl.DataFrame({"p": [decimal.Decimal("1.10")], "d": [datetime.date(2026, 1, 31)]})
    db.table("decimals").insert_many(decimals, create=True)
    assert db.rows("SELECT * FROM decimals").tuples() == [("1.10", "2026-01-31")]
    steps: list[tuple[int, int | None]] = []
    big = pd.DataFrame({"a": np.arange(30_000)})
    db.table("big").insert_many(big, create=True, progress=lambda done, total: steps.append((done, total)))
    assert steps[-1] == (30_000, 30_000)
    assert db.query("SELECT sum(a) AS s FROM big")["rows"] == [{"s": int(big["a"].sum())}]

    table = db.table("refused")
    refused(lambda: table.insert_many(pd.DataFrame({1: [1]}), create=True), "Column 0", "1")
    refused(lambda: table.insert_many(frame.set_index("i"), create=True), "index", "'i'")
    refused(lambda: table.insert_many(frame["f"], create=True), "Series")
    refused(lambda: table.insert_many(polar.lazy(), create=True), "collect")
    refused(lambda: table.insert_many(pd.DataFrame([[1, 2]], columns=["a", "a"]), create=True), "'a'")
    refused(lambda: table.insert_many(pd.DataFrame({"a": [1, float("inf")]}), create=True), "Row 1", "'a'")
    refused(lambda: table.insert_many(pl.DataFrame({"a": [1.0, float("nan")]}), create=True), "Row 1", "'a'")
    refused(lambda: table.insert_many(pd.DataFrame({"a": [pd.Timedelta("1s")]}), create=True), "Timedelta")
    refused(lambda: table.insert_many(pl.DataFrame({"a": [[1]]}), create=True), "list")
    assert not db.has_table("refused")


if __name__ == "__main__":
    with mesahub.connect("sqlite://") as database:
        database.exec("CREATE TABLE scalars (id INTEGER PRIMARY KEY, v)")
        scalars(database)
        frames(database)
    print("done")
