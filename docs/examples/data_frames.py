"""pandas and polars on mesahub, with and without SQLAlchemy.

Run: ``pip install "mesahub[sqlalchemy]" pandas polars``, then ``python data_frames.py [URL]``.
"""

from __future__ import annotations

import datetime
import sys

import pandas as pd
import polars as pl
from sqlalchemy import create_engine

import mesahub


def through_sqlalchemy(url: str) -> None:
    engine = create_engine(url)
    sales = pd.DataFrame(
        {
            "day": pd.to_datetime(["2026-01-30", "2026-01-31", None]),
            "units": pd.array([3, None, 5], dtype="Int64"),
            "price": [1.5, 2.25, None],
        }
    )
    sales.to_sql("sales", engine, index=False, if_exists="replace")

    again = pd.read_sql_table("sales", engine)
    assert again["day"].equals(sales["day"].astype(again["day"].dtype))
    print(again)

    for part in pd.read_sql_query("SELECT units, price FROM sales", engine, chunksize=2):
        print(len(part), "rows")

    with engine.connect() as connection:
        print(pl.read_database("SELECT day, units FROM sales ORDER BY day DESC", connection))
    engine.dispose()


def through_tables() -> None:
    with mesahub.connect("sqlite://") as db:
        frame = pd.DataFrame(
            {"sku": ["A1", "A2"], "left": [5, None], "seen": [pd.Timestamp("2026-01-31 12:30"), pd.NaT]}
        )
        db.table("stock").insert_many(frame, create=True, key="sku")
        db.table("stock").upsert_many(pl.DataFrame({"sku": ["A2"], "left": [7]}))

        rows = db.rows("SELECT * FROM stock ORDER BY sku")
        print(pd.DataFrame(rows, columns=rows.columns))
        assert rows.dicts()[1] == {"sku": "A2", "left": 7, "seen": None}

        print(pl.DataFrame(rows.tuples(), schema=rows.columns, orient="row"))
        print(db.table("stock").find({"seen": {"gte": datetime.datetime(2026, 1, 1)}}))


if __name__ == "__main__":
    through_sqlalchemy(sys.argv[1] if len(sys.argv) > 1 else "mesahub+sqlite://")
    through_tables()
