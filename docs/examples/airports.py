"""28,000 real airports, asked a handful of questions: first in this process, then over HTTP.

    python docs/examples/airports.py               # both, one after the other (this is `make demo`)
    python docs/examples/airports.py mh://...      # on a database of your own

The data is the PyPI package ``airportsdata``. Nothing in `explore` knows where the database is: that is
said by the URL alone.
"""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import airportsdata

import mesahub
from mesahub import any_of, col


def explore(db: mesahub.DatabaseHandle) -> None:
    """Load the airports and ask about them."""
    db.exec("DROP TABLE IF EXISTS airports")
    db.exec(
        """
        CREATE TABLE airports (
            icao TEXT PRIMARY KEY, iata TEXT, name TEXT NOT NULL, city TEXT, subd TEXT,
            country TEXT NOT NULL, elevation REAL, lat REAL NOT NULL, lon REAL NOT NULL, tz TEXT, lid TEXT
        )
        """
    )
    airports = db.table("airports")

    rows = list(airportsdata.load("ICAO").values())
    started = time.perf_counter()
    done = airports.insert_many(rows)
    seconds = time.perf_counter() - started
    say(f"insert_many put {done.rows_affected:,} airports in, in {seconds:.2f} s.")
    assert airports.count() == len(rows) == done.rows_affected

    say("The highest airports with a IATA code:")
    show(
        airports.find(
            where={"iata": {"ne": ""}, "elevation": {"gte": 13_000}},
            select=["icao", "iata", "name", "country", "elevation"],
            order_by=[{"column": "elevation", "direction": "desc"}],
            limit=5,
        )
    )

    say("Around Zurich, in Switzerland or Germany, with 'flug' or 'airport' in the name:")
    show(
        airports.find(
            where=col("lat").between(47.2, 47.9)
            & col("lon").between(8.0, 9.2)
            & col("country").in_(["CH", "DE"])
            & any_of({"name": {"contains": "flug"}}, {"name": {"contains": "Airport"}}),
            select=["icao", "name", "city", "lat", "lon"],
            order_by=["country", "name"],
        )
    )

    say("The countries with the most airports, by aggregate():")
    show(
        airports.aggregate(
            {"airports": "count", "highest": ("max", "elevation")},
            group_by=["country"],
            order_by=["-airports"],
            limit=5,
        )
    )

    say("The airports nearest to New York's JFK, in raw SQL with named bindings:")
    # The published server has no math functions (docs/limits.md): SQL compares squares, Python takes the root.
    jfk = airports.get("KJFK", select=["lat", "lon"]) or {}
    nearest = db.rows(
        """
        SELECT icao, name, (lat - :lat) * (lat - :lat) + (lon - :lon) * (lon - :lon) * :narrow AS square
        FROM airports WHERE icao <> 'KJFK' AND iata <> ''
        ORDER BY square LIMIT :n
        """,
        {**jfk, "narrow": math.cos(math.radians(jfk["lat"])) ** 2, "n": 4},
    )
    show(
        [
            {"icao": row["icao"], "name": row["name"], "km": round(111.2 * math.sqrt(row["square"]), 1)}
            for row in nearest
        ]
    )

    say("One row, read by its key, changed and read again:")
    airports.update(where={"icao": "LSZH"}, set={"city": "Kloten"})
    show([airports.get("LSZH", select=["icao", "iata", "name", "city", "elevation"]) or {}])

    say("And a typo, which is an error and not an empty table:")
    try:
        airports.delete(where={"contry": "CH"})
    except mesahub.NoSuchColumnError as error:
        print(f"  NoSuchColumnError: {error}")

    say("A file goes in, and comes out unaltered:")
    report = "\n".join(f"{row['icao']},{row['name']}" for row in airports.iterate(batch_size=5_000)).encode()
    record = db.files.upload(report, "airports.csv", folder="reports")
    back = db.files.download(record["id"])
    same = hashlib.sha256(back).hexdigest() == hashlib.sha256(report).hexdigest()
    assert same
    show([{"filename": record["filename"], "size_bytes": record["size_bytes"], "same_bytes": same}])
    db.files.delete(record["id"])


def show(rows: Sequence[dict[str, Any]]) -> None:
    """Print rows as a table."""
    names = list(rows[0]) if rows else ["(no rows)"]
    table = [names, *([text(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[i]) for line in table) for i in range(len(names))]
    numeric = [bool(rows) and isinstance(rows[0][name], (int, float)) for name in names]
    for number, line in enumerate(table):
        cells = (c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, numeric, strict=True))
        print("  " + "  ".join(cells).rstrip())
        if number == 0:
            print("  " + "  ".join("-" * width for width in widths))


def text(value: Any) -> str:
    return "" if value is None else str(value)


def say(line: str) -> None:
    print(f"\n{line}")


def headline(line: str) -> None:
    print(f"\n{line}\n{'=' * len(line)}")


@contextmanager
def server(data: str) -> Iterator[str]:
    """A MesaHub server for development, as a process of its own. Gives the URL of its database."""
    command = [sys.executable, "-m", "mesahub", "serve", "--data", data, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield url_in(process.stdout)
        finally:
            process.terminate()


def url_in(lines: Iterable[str]) -> str:
    for line in lines:
        for word in line.split():
            if word.startswith("mh://"):
                return word
    raise SystemExit("the server did not say where it listens")


def main() -> None:
    if len(sys.argv) > 1:
        with mesahub.connect(sys.argv[1]) as db:
            explore(db)
        return
    with tempfile.TemporaryDirectory() as data:
        headline("mh://local/airports: SQLite in this process")
        with mesahub.connect("mh://local/airports", data=data) as db:
            explore(db)
        with server(data) as url:
            headline("mh://...@127.0.0.1/airports: the same script, over HTTP")
            with mesahub.connect(url) as db:
                explore(db)
    print("\nThe same calls gave the same answers; only the URL was another one.")


if __name__ == "__main__":
    main()
