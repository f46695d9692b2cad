"""What is compared with what, how often, and what the goal is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Contender:
    """One side of a comparison: a function of ``contenders/`` in an environment."""

    name: str
    environment: str
    module: str
    scenario: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """Contenders that do the same work.

    Attributes:
        what: the work.
        contenders: who does it.
        pairs: (ours, theirs, goal or None).
        times: how often it is done in a round.
        rounds: rounds; the median counts.
        needs: which places the scenarios take, by argument name.
        measures: ``seconds``, ``cpu``, ``peak`` and ``connections`` (to the responder, in all rounds together).
        fresh: a new process for each round (for memory, and for imports).
    """

    what: str
    contenders: Sequence[Contender]
    pairs: Sequence[tuple[str, str, float | None]]
    times: int
    rounds: int = 7
    needs: dict[str, str] = field(default_factory=dict)
    measures: Sequence[str] = ("seconds",)
    fresh: bool = False

    def given(self, places: dict[str, Any]) -> dict[str, Any]:
        """The scenarios' arguments."""
        return {argument: places[place] for argument, place in self.needs.items()}

    def divisor(self, measure: str) -> float:
        """What a round's figure is divided by, to be that of one piece of work."""
        return 1 if measure in ("peak", "connections") else self.times


def ours(label: str, scenario: str, environment: str = "ours", **arguments: Any) -> Contender:
    return Contender(label, environment, "ours", scenario, arguments)


def old(scenario: str, **arguments: Any) -> Contender:
    return Contender("mesahub 1.0.1", "mesahub-1.0.1", "old", scenario, arguments)


URL = {"url": "responder"}
ALL = "urllib, all middleware"

FIND = [
    Comparison(
        "find of one row, HTTP",
        [
            ours("urllib", "find_one", "ours-bare"),
            ours(ALL, "find_one", everything=True),
            ours("urllib3", "find_one", transport="urllib3"),
            ours("requests", "find_one", transport="requests"),
            old("find_one"),
            Contender("requests.Session", "requests", "bare_requests", "find_one"),
            Contender("http.client", "requests", "bare_http", "find_one"),
            Contender("raw socket", "requests", "bare_http", "find_one_raw"),
        ],
        [
            ("urllib", "mesahub 1.0.1", 0.30),
            ("urllib", "requests.Session", 0.25),
            ("urllib", "http.client", 1.25),
            ("urllib", "raw socket", 2.2),
            (ALL, "mesahub 1.0.1", 0.30),
            (ALL, "http.client", 1.25),
            ("urllib3", "mesahub 1.0.1", None),
            ("requests", "mesahub 1.0.1", None),
            ("requests", "requests.Session", 1.10),
        ],
        times=500,
        rounds=15,
        needs=URL,
        measures=("seconds", "cpu"),
    )
]

ASYNC = [
    Comparison(
        f"find of one row, asyncio, {at_once:,} at once",
        [
            Contender("asyncio", "ours-bare", "awaited", "mesahub", {"at_once": at_once}),
            Contender("aiohttp", "ours-async", "awaited", "mesahub", {"at_once": at_once, "transport": "aiohttp"}),
            Contender("aiohttp.ClientSession", "ours-async", "awaited", "aiohttp", {"at_once": at_once}),
            Contender("httpx.AsyncClient", "ours-async", "awaited", "httpx", {"at_once": at_once}),
            *([ours("urllib", "find_one", "ours-bare")] if at_once == 1 else []),
        ],
        [
            ("asyncio", "aiohttp.ClientSession", 0.5),
            ("asyncio", "httpx.AsyncClient", 0.1),
            ("aiohttp", "aiohttp.ClientSession", None),
            *([("asyncio", "urllib", 1.2)] if at_once == 1 else []),
        ],
        times=times,
        rounds=rounds,
        needs={"url": "event responder"},
        measures=("seconds", "cpu"),
    )
    for at_once, times, rounds in ((1, 500, 9), (100, 1000, 5), (1000, 2000, 3))
]

TELEMETRY = [
    Comparison(
        "find of one row, mesahub serve",
        [
            ours("urllib", "find_traced", "ours-telemetry"),
            ours("OpenTelemetry without an SDK", "find_traced", "ours-telemetry", spans="api"),
            ours("a span per call", "find_traced", "ours-telemetry", spans="call"),
            ours("a span per attempt, too", "find_traced", "ours-telemetry", spans="attempts"),
        ],
        [
            ("OpenTelemetry without an SDK", "urllib", 1.21),
            ("a span per call", "urllib", 1.35),
            ("a span per attempt, too", "urllib", 1.69),
        ],
        times=300,
        rounds=11,
        needs={"url": "server"},
    )
]

ROWS = [
    Comparison(
        f"find of {count} rows, HTTP",
        [
            ours("urllib", "find_many", "ours-bare", name=name),
            ours("urllib + speed", "find_many", "ours-speed", name=name),
            old("find_many", name=name),
        ],
        [("urllib", "mesahub 1.0.1", 0.9), ("urllib + speed", "mesahub 1.0.1", 0.45)],
        times=times,
        rounds=9,
        needs=URL,
    )
    for name, count, times in (("thousand", "1,000", 40), ("hundredthousand", "100,000", 1))
] + [
    Comparison(
        "find of 100,000 rows, HTTP",
        [
            ours("urllib", "find_many", "ours-bare", name="hundredthousand"),
            ours("urllib + speed", "find_many", "ours-speed", name="hundredthousand"),
            old("find_many", name="hundredthousand"),
        ],
        [("urllib", "mesahub 1.0.1", 1.0), ("urllib + speed", "mesahub 1.0.1", 1.0)],
        times=1,
        rounds=3,
        needs=URL,
        measures=("peak",),
        fresh=True,
    )
]

TYPED = [
    Comparison(
        "find of 100,000 rows as objects, HTTP",
        [
            ours("msgspec.Struct", "find_typed", "ours-speed", kind="struct"),
            ours("dataclass", "find_typed", "ours-bare", kind="dataclass"),
            ours("dict", "find_many", "ours-bare", name="hundredthousand"),
            old("find_many", name="hundredthousand"),
        ],
        [
            ("msgspec.Struct", "mesahub 1.0.1", 0.45),
            ("dataclass", "dict", None),
        ],
        times=1,
        rounds=5,
        needs=URL,
    )
]

LOAD = [
    Comparison(
        "insert_many of 50,000 rows, HTTP",
        [ours("urllib", "insert_many", "ours-bare", rows=50_000), old("insert_many", rows=50_000)],
        [("urllib", "mesahub 1.0.1", 0.5)],
        times=1,
        rounds=5,
        needs={"url": "server"},
    )
]


def _embedded(what: str, scenario: str, times: int, bare: float) -> Comparison:
    return Comparison(
        what,
        [
            ours("embedded", scenario, "ours-bare"),
            Contender("sqlite3", "requests", "bare_sqlite", scenario),
            Contender("sqlite-utils", "sqlite-utils", "with_sqlite_utils", scenario),
            Contender("dataset", "dataset", "with_dataset", scenario),
        ],
        [("embedded", "sqlite3", bare), ("embedded", "sqlite-utils", 0.8), ("embedded", "dataset", 0.8)],
        times=times,
        rounds=9,
        needs={"folder": "folder"},
    )


EMBEDDED = [
    _embedded("find by key, embedded", "local_get", 1000, 2.3),
    _embedded("find of 1,000 rows, embedded", "local_thousand", 30, 1.6),
    Comparison(
        "1,000 rows as tuples, embedded",
        [
            ours("db.rows", "local_tuples", "ours-bare"),
            Contender("sqlite3", "requests", "bare_sqlite", "local_tuples"),
        ],
        [("db.rows", "sqlite3", 1.25)],
        times=30,
        rounds=9,
        needs={"folder": "folder"},
    ),
    _embedded("insert, embedded", "local_insert", 200, 1.8),
    _embedded("insert_many of 50,000 rows, embedded", "local_insert_many", 1, 1.5),
]

DBAPI = [
    Comparison(
        what,
        [
            Contender("mesahub.dbapi", "ours-bare", "database_api", scenario, {"ours": True}),
            Contender("sqlite3", "requests", "database_api", scenario, {"ours": False}),
        ],
        [("mesahub.dbapi", "sqlite3", None)],
        times=times,
        rounds=9,
        needs={"folder": "folder"},
    )
    for what, scenario, times in (
        ("one row by key, DB-API", "get", 1000),
        ("100 inserts in a transaction, DB-API", "insert", 10),
    )
]

COMPILE = [
    Comparison(
        "compile a find of five conditions",
        [
            ours("mesahub", "compile_find", "ours-bare"),
            old("compile_find"),
            Contender("SQLAlchemy Core", "sqlalchemy", "query_builders", "sqlalchemy_find"),
            Contender("PyPika", "sqlalchemy", "query_builders", "pypika_find"),
        ],
        [("mesahub", "mesahub 1.0.1", 2.0), ("mesahub", "SQLAlchemy Core", 0.1), ("mesahub", "PyPika", 0.1)],
        times=2000,
        rounds=9,
    )
]

AWAY = "20 ms away"
NEAR = "0 ms away"
FAR_NEEDS = {"near": "server", "far": "far"}


def _far(
    label: str, scenario: str, environment: str = "ours-bare", *, away: bool = True, **arguments: Any
) -> Contender:
    return Contender(label, environment, "far", scenario, {"away": away, **arguments})


def _distance(what: str, scenario: str, goal: float, *, rounds: int = 3, **needs: str) -> Comparison:
    """The same work near and far: what is paid once per request would be paid a hundred times."""
    return Comparison(
        what,
        [_far(AWAY, scenario), _far(NEAR, scenario, away=False)],
        [(AWAY, NEAR, goal)],
        times=1,
        rounds=rounds,
        needs=FAR_NEEDS | needs,
    )


FAR = [
    Comparison(
        "find of one row, 20 ms away",
        [_far("urllib", "find_one"), _far("http.client", "bare_find")],
        [("urllib", "http.client", 1.05)],
        times=20,
        rounds=3,
        needs=FAR_NEEDS,
    ),
    Comparison(
        "iterate over 20,000 rows with 20 µs of work on each, 20 ms away",
        [
            _far("urllib", "scan", work=20e-6),
            _far("prefetch=0", "scan", work=20e-6, prefetch=0),
            _far("prefetch=0, pages of 1,000", "scan", work=20e-6, prefetch=0, batch_size=1000),
            _far("work alone", "work_alone", work=20e-6),
        ],
        [
            ("urllib", "prefetch=0, pages of 1,000", 0.6),
            ("urllib", "prefetch=0", None),
            ("urllib", "work alone", None),
        ],
        times=1,
        rounds=5,
        needs=FAR_NEEDS,
    ),
    Comparison(
        "insert_many of 50,000 rows, 20 ms away",
        [
            _far("urllib", "insert_many"),
            _far("the same bytes, http.client", "bare_insert"),
        ],
        [("urllib", "the same bytes, http.client", None)],
        times=1,
        rounds=3,
        needs=FAR_NEEDS,
    ),
    Comparison(
        "insert_many of 150,000 rows, 20 ms away",
        [_far("in_flight=2", "insert_many", rows=150_000, in_flight=2), _far("urllib", "insert_many", rows=150_000)],
        [("in_flight=2", "urllib", 0.9)],
        times=1,
        rounds=3,
        needs=FAR_NEEDS,
    ),
    _distance("insert_many of 50,000 rows", "insert_many", 1.5),
    _distance("upsert_many of 50,000 rows", "upsert_many", 1.5),
    _distance("copy of 60,000 rows", "copy", 1.5, rounds=2, folder="folder"),
    Comparison(
        "100 writes, 20 ms away",
        [_far("one batch", "writes", together=True), _far("one by one", "writes", together=False)],
        [("one batch", "one by one", 0.05)],
        times=1,
        rounds=2,
        needs=FAR_NEEDS,
    ),
    Comparison(
        "100 writes, 0 ms away",
        [
            _far("one batch", "writes", away=False, together=True),
            _far("one by one", "writes", away=False, together=False),
        ],
        [("one batch", "one by one", 0.5)],
        times=3,
        rounds=3,
        needs=FAR_NEEDS,
    ),
]

IMPORT = [
    Comparison(
        "import, with every extra installed",
        [
            Contender("mesahub", "ours-all", "imports", "package"),
            Contender("json and ssl", "ours-all", "imports", "json_and_ssl"),
        ],
        [("mesahub", "json and ssl", 1.0)],
        times=1,
        rounds=15,
        needs={"folder": "folder"},
    ),
    Comparison(
        "a query from the command line, cold",
        [
            Contender("mesahub query", "ours-all", "imports", "our_command"),
            Contender("sqlite-utils query", "sqlite-utils", "imports", "their_command"),
        ],
        [("mesahub query", "sqlite-utils query", 0.5)],
        times=1,
        rounds=9,
        needs={"folder": "folder"},
    ),
    Comparison(
        "import and make a client",
        [
            Contender("urllib", "ours-bare", "imports", "client"),
            Contender("embedded", "ours-bare", "imports", "embedded"),
            Contender("mesahub 1.0.1", "mesahub-1.0.1", "imports", "client"),
        ],
        [("urllib", "mesahub 1.0.1", 0.45), ("embedded", "mesahub 1.0.1", 0.35)],
        times=1,
        rounds=15,
        needs={"folder": "folder"},
    ),
]

THREADS = [
    Comparison(
        f"find of one row, {count} thread{'s' if count > 1 else ''}",
        [ours("urllib", "threads", "ours-bare", count=count), old("threads", count=count)],
        [("urllib", "mesahub 1.0.1", None)],
        times=960,
        rounds=5,
        needs=URL,
        measures=("seconds", "cpu", "connections"),
    )
    for count in (1, 4, 16)
]

FILES = [
    Comparison(
        f"{scenario} of 100 MB",
        [
            ours("urllib", scenario, "ours-bare"),
            Contender("requests", "requests", "bare_requests", scenario),
        ],
        [("urllib", "requests", None)],
        times=1,
        rounds=3,
        needs={"url": "server", "path": "big", **({"target": "target"} if scenario == "download" else {})},
        measures=("seconds", "cpu", "peak"),
        fresh=True,
    )
    for scenario in ("upload", "download")
] + [
    Comparison(
        f"{scenario} of 100 MB, 1 Gbit/s",
        [
            ours("urllib", scenario, "ours-bare"),
            Contender("requests", "requests", "bare_requests", scenario),
        ],
        [("urllib", "requests", 1.1)],
        times=1,
        rounds=2,
        fresh=True,
        needs={"url": "gigabit", "path": "big", **({"target": "target"} if scenario == "download" else {})},
    )
    for scenario in ("upload", "download")
]

RECORDER = [
    Comparison(
        "replay a find of 10 rows",
        [ours("recorder", "replay_find", "ours-bare"), ours("compile and decode", "compile_and_decode", "ours-bare")],
        [("recorder", "compile and decode", 2.0)],
        times=1000,
        rounds=9,
        needs={"folder": "folder"},
    ),
    Comparison(
        "load a cassette of 10,000 calls",
        [
            ours("recorder", "load_cassette", "ours-bare", count=10_000),
            Contender("vcrpy, JSON", "vcrpy", "with_vcr", "load_cassette", {"count": 10_000, "kind": "json"}),
            Contender("vcrpy, YAML", "vcrpy", "with_vcr", "load_cassette", {"count": 10_000, "kind": "yaml"}),
        ],
        [("recorder", "vcrpy, JSON", 0.2), ("recorder", "vcrpy, YAML", 0.2)],
        times=1,
        rounds=3,
        needs={"folder": "folder"},
    ),
]

GROUPS: dict[str, Sequence[Comparison]] = {
    "find": FIND,
    "asyncio": ASYNC,
    "rows": ROWS,
    "typed": TYPED,
    "telemetry": TELEMETRY,
    "load": LOAD,
    "embedded": EMBEDDED,
    "dbapi": DBAPI,
    "compile": COMPILE,
    "import": IMPORT,
    "far": FAR,
    "threads": THREADS,
    "files": FILES,
    "recorder": RECORDER,
}

HEADLINES = [
    ("find of one row, HTTP", "seconds", "urllib", "mesahub 1.0.1"),
    ("find of one row, HTTP", "seconds", "urllib", "requests.Session"),
    ("find of 1,000 rows, HTTP", "seconds", "urllib", "mesahub 1.0.1"),
    ("insert_many of 50,000 rows, HTTP", "seconds", "urllib", "mesahub 1.0.1"),
    ("find by key, embedded", "seconds", "embedded", "sqlite3"),
    ("insert, embedded", "seconds", "embedded", "sqlite3"),
    (
        "iterate over 20,000 rows with 20 µs of work on each, 20 ms away",
        "seconds",
        "urllib",
        "prefetch=0, pages of 1,000",
    ),
    ("100 writes, 20 ms away", "seconds", "one batch", "one by one"),
    ("import and make a client", "seconds", "urllib", "mesahub 1.0.1"),
    ("download of 100 MB", "seconds", "urllib", "requests"),
]
"""What the performance page shows: work, measure, ours, theirs. The table of measurements has everything."""
